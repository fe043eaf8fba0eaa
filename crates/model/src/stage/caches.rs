//! Keys and values that go to another device, which runs their module from then on.

use std::ops::Range;

use super::*;
use kernels::Cache;

impl<L: ByteSource> Stage<L> {
    /// Keys, then values, of some positions in a slot of a resident attention module: `[kv_heads, positions,
    /// head_dim]` of each, as they are kept.
    ///
    /// # Errors
    /// [`ModelError::Step`] where there is no such part of a cache; [`ModelError::Gpu`].
    pub async fn read_cache(
        &self,
        module: usize,
        slot: usize,
        positions: Range<usize>,
    ) -> Result<Vec<u8>, ModelError> {
        let (cache, ranges) = self.cached(module, slot, positions)?;
        let mut bytes = Vec::new();
        for buffer in [&cache.keys, &cache.values] {
            bytes.extend(self.gpu.read_parts(buffer, &ranges).await?.into_iter().flatten());
        }
        Ok(bytes)
    }

    /// Takes what [`Stage::read_cache`] gave on another device.
    ///
    /// # Errors
    /// [`ModelError::Step`] where there is no such part of a cache, or it has another size.
    pub fn write_cache(
        &mut self,
        module: usize,
        slot: usize,
        positions: Range<usize>,
        bytes: &[u8],
    ) -> Result<(), ModelError> {
        let (cache, ranges) = self.cached(module, slot, positions)?;
        let size: usize = ranges.iter().map(Range::len).sum();
        if bytes.len() != 2 * size {
            let message = format!("{} bytes of a cache, where {} are due", bytes.len(), 2 * size);
            return Err(ModelError::Step(message));
        }
        for (buffer, bytes) in [&cache.keys, &cache.values].into_iter().zip(bytes.chunks(size)) {
            let mut rest = bytes;
            for range in &ranges {
                let (part, others) = rest.split_at(range.len());
                self.gpu.write_at(buffer, range.start, part.to_vec());
                rest = others;
            }
        }
        Ok(())
    }

    /// A module's cache, and where in its keys, as in its values, the positions are.
    fn cached(
        &self,
        module: usize,
        slot: usize,
        positions: Range<usize>,
    ) -> Result<(&Cache, Vec<Range<usize>>), ModelError> {
        let none = || ModelError::Step(format!("no positions {positions:?} of module {module}"));
        let place = module.checked_sub(self.resident.start).ok_or_else(none)?;
        let Some(Module::Attention(attention)) = self.modules.get(place) else {
            return Err(none());
        };
        let StageOptions { slots, context_tokens, .. } = self.options;
        let fits = slot < slots && positions.end <= context_tokens && !positions.is_empty();
        let cache = attention.cache.as_ref().filter(|_| fits).ok_or_else(none)?;
        let shape = &attention.shape;
        let row_bytes = shape.head_dim * shape.cache.bytes();
        let range = |head: usize| {
            let row = (slot * shape.kv_heads + head) * shape.context;
            (row + positions.start) * row_bytes..(row + positions.end) * row_bytes
        };
        Ok((cache, (0..shape.kv_heads).map(range).collect()))
    }
}
