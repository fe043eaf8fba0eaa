//! Attention's weights, caches, and what its kernels know of positions.

use super::*;
use crate::stage::{
    cross::Cross,
    modules::Attention,
    positions::{biases, rotary_table, slopes},
};
use kernels::{AttentionShape, Cache, ScoreBias, Sees};

impl<S: ByteSource> Loader<'_, S> {
    pub(super) async fn attention(
        &mut self,
        stack: Stack,
        layer: usize,
    ) -> Result<Module, ModelError> {
        let part = |part: &str| stack.part(layer, part);
        let norm = self.entrance(&part("attn_norm")).await?;
        let projections: &[&str] =
            if self.traits.fused_qkv { &["attn_qkv"] } else { &["attn_q", "attn_k", "attn_v"] };
        let projections: Vec<String> = projections.iter().map(|name| part(name)).collect();
        let weights: Vec<String> =
            projections.iter().map(|name| format!("{name}.weight")).collect();
        let qkv = self.matrix(&weights.iter().map(String::as_str).collect::<Vec<_>>()).await?;
        let mut head_gains = vec![0.0; 2 * self.config().head_dim];
        if self.traits.head_norm {
            head_gains = self.vector(&format!("{}.weight", part("attn_q_norm"))).await?;
            head_gains.extend(self.vector(&format!("{}.weight", part("attn_k_norm"))).await?);
        }
        if self.traits.qkv_bias {
            for projection in &projections {
                head_gains.extend(self.vector(&format!("{projection}.bias")).await?);
            }
        }
        let head_gains = self.gpu.upload_f32(&head_gains);
        let shape = self.attention_shape(stack, layer);
        let is_kept = stack != Stack::ENCODER;
        let cache = if is_kept { Some(self.cache(layer, shape)?) } else { None };
        let rotary = self.positions(stack, layer, &head_gains).await?;
        let post_norm = part("post_attention_norm");
        let output = self.output(&part(stack.attention_output), &post_norm).await?;
        let module = Attention { norm, qkv, head_gains, rotary, cache, output, shape };
        Ok(Module::Attention(Box::new(module)))
    }

    pub(super) async fn cross(&mut self, stack: Stack, layer: usize) -> Result<Module, ModelError> {
        let part = |part: &str| stack.part(layer, &format!("cross_attn_{part}"));
        let weights = |letter: &str| format!("{}.weight", part(letter));
        let norm = self.norm(&part("norm")).await?;
        let query = self.matrix(&[&weights("q")]).await?;
        let memory = self.matrix(&[&weights("k"), &weights("v")]).await?;
        let own = self.attention_shape(stack, layer);
        let shape = AttentionShape { bias: ScoreBias::None, sees: Sees::Prompt, ..own };
        let (cache, nothing) = (self.cache(layer, shape)?, norm.gain.clone());
        let output = self.output(&part("o"), "").await?;
        let module = Cross { norm, query, memory, nothing, cache, output, shape };
        Ok(Module::Cross(Box::new(module)))
    }

    fn cache(&self, layer: usize, shape: AttentionShape) -> Result<Cache, ModelError> {
        let sizes = [self.options.slots, shape.kv_heads, shape.context, shape.head_dim];
        let bytes = sizes.iter().fold(shape.cache.bytes(), |bytes, &n| bytes.saturating_mul(n));
        self.check_binding(&format!("KV cache of layer {layer}"), bytes as u64)?;
        Ok(Cache { keys: self.gpu.empty(bytes), values: self.gpu.empty(bytes) })
    }

    /// Which of the tables for positions a layer has.
    pub(super) fn place_of(&self, is_encoder: bool, layer: usize) -> usize {
        usize::from(is_encoder || self.config().is_local(layer))
    }

    /// What the layer's kernels know of positions; `none` where they know nothing.
    async fn positions(
        &mut self,
        stack: Stack,
        layer: usize,
        none: &Buffer,
    ) -> Result<Buffer, ModelError> {
        let (config, is_local) = (self.config(), self.config().is_local(layer));
        let is_encoder = stack == Stack::ENCODER;
        let place = self.place_of(is_encoder, layer);
        if let Some(buffer) = &self.positions[place] {
            return Ok(buffer.clone());
        }
        let values = match self.traits.positions {
            Positions::Learned => return Ok(none.clone()),
            Positions::Linear => slopes(config.heads),
            Positions::RotaryHalves | Positions::RotaryNeighbours => {
                let divisors = self.file.rope_divisors().await?.filter(|_| !is_local);
                rotary_table(config, self.options.context_tokens, is_local, divisors.as_deref())
            }
            Positions::Relative => {
                let table = self.file.table(&stack.relative_table()).await?;
                let relative = config.relative.expect("the sizes were checked");
                biases(relative, is_encoder, &table)
            }
        };
        let buffer = self.gpu.upload_f32(&values);
        self.positions[place] = Some(buffer.clone());
        Ok(buffer)
    }

    fn attention_shape(&self, stack: Stack, layer: usize) -> AttentionShape {
        let (config, is_encoder) = (self.config(), stack == Stack::ENCODER);
        let farthest = config.relative.map_or(0, |relative| relative.max_distance);
        let window = config.window.filter(|_| config.is_local(layer));
        AttentionShape {
            heads: config.heads,
            kv_heads: config.kv_heads,
            head_dim: config.head_dim,
            context: if is_encoder { self.options.rows } else { self.options.context_tokens },
            rope_style: self.traits.positions.is_rotary().then(|| self.file.rope_style()),
            bias: match self.traits.positions {
                Positions::Linear => ScoreBias::Slopes,
                Positions::Relative => ScoreBias::Distances { farthest },
                _ => ScoreBias::None,
            },
            sees: if is_encoder { Sees::Prompt } else { Sees::Before(window) },
            score_scale_bits: config.score_scale.to_bits(),
            head_norm_epsilon_bits: self.traits.head_norm.then(|| config.norm_epsilon.to_bits()),
            has_bias: self.traits.qkv_bias,
            cache: self.file.cache_type(),
            step_rows: self.options.rows,
        }
    }
}
