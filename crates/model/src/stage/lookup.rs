//! Embeddings looked up where the file is: their tables are the largest tensors of a small model, and
//! a token needs one row.

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
};

use futures_util::future::try_join_all;

use crate::{arrangement::Piece, error::ModelError, file::ModelFile, source::ByteSource};

/// What turns tokens at their positions into rows of the residual stream.
#[derive(Debug)]
pub(super) struct Lookup<S> {
    pub(super) tokens: Table<S>,
    /// What a token's row is multiplied with, if with anything.
    pub(super) scale: Option<f32>,
    /// Rows that are added at each position, where positions are learned.
    pub(super) places: Option<Table<S>>,
}

impl<S: ByteSource> Lookup<S> {
    /// `f32 [rows, hidden]`, little-endian, for one token and one position each row.
    ///
    /// # Errors
    /// As [`ModelFile::piece`].
    pub(super) async fn rows(
        &self,
        tokens: &[u32],
        positions: &[u32],
    ) -> Result<Vec<u8>, ModelError> {
        let rows = tokens.iter().zip(positions).map(|(&token, &at)| self.row(token, at));
        let rows = try_join_all(rows).await?;
        Ok(rows.into_iter().flatten().flat_map(f32::to_le_bytes).collect())
    }

    async fn row(&self, token: u32, position: u32) -> Result<Vec<f32>, ModelError> {
        let mut row = self.tokens.row(token).await?;
        if let Some(scale) = self.scale {
            row.iter_mut().for_each(|value| *value *= scale);
        }
        if let Some(places) = &self.places {
            let place = places.row(position).await?;
            row.iter_mut().zip(place).for_each(|(value, place)| *value += place);
        }
        Ok(row)
    }
}

/// A tensor whose rows are read one by one.
#[derive(Debug)]
pub(super) struct Table<S> {
    name: &'static str,
    /// The model's file, of which only this tensor can be read.
    pub(super) file: ModelFile<S>,
    recent: RefCell<Recent>,
}

/// The latest rows read. A text has the same tokens again and again, and a browser's file takes most of a
/// millisecond for a row.
#[derive(Debug, Default)]
struct Recent {
    rows: BTreeMap<u32, Vec<f32>>,
    /// Oldest first.
    order: VecDeque<u32>,
}

impl<S: ByteSource> Table<S> {
    /// Brings the tensor `name` of `file` onto this device.
    ///
    /// # Errors
    /// [`ModelError::Tensor`] when there is none of that name, [`ModelError::Source`].
    pub(super) async fn of(
        file: &ModelFile<impl ByteSource<Local = S>>,
        name: &'static str,
    ) -> Result<Self, ModelError> {
        Ok(Self { name, file: file.local(name).await?, recent: RefCell::default() })
    }

    async fn row(&self, row: u32) -> Result<Vec<f32>, ModelError> {
        let known = self.recent.borrow().rows.get(&row).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let read = self.read(row as usize).await?;
        self.recent.borrow_mut().keep(row, &read);
        Ok(read)
    }

    async fn read(&self, row: usize) -> Result<Vec<f32>, ModelError> {
        let columns = self.file.row_shape(self.name)?.columns;
        let piece = Piece { rows: row..row + 1, columns: 0..columns };
        Ok(self.file.piece(self.name, &piece).await?.source().widened_row(0))
    }
}

impl Recent {
    fn keep(&mut self, row: u32, values: &[f32]) {
        if self.rows.insert(row, values.to_vec()).is_none() {
            self.order.push_back(row);
        }
        while self.order.len() * size_of_val(values) > RECENT_BYTES {
            let oldest = self.order.pop_front();
            oldest.and_then(|oldest| self.rows.remove(&oldest));
        }
    }
}

/// What is kept of a table at most.
const RECENT_BYTES: usize = 2 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_rows_are_kept() {
        let (mut recent, values) = (Recent::default(), vec![0.0; RECENT_BYTES / 40]);
        (0..20).chain([3]).for_each(|row| recent.keep(row, &values));
        assert_eq!(recent.rows.len(), recent.order.len());
        assert_eq!(Vec::from_iter(recent.order), [11, 12, 13, 14, 15, 16, 17, 18, 19, 3]);
    }
}
