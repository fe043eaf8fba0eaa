//! Model files whose tensors are larger than what a loader reads at once.

use crate::{image::Image, random::Random};

/// The model with random embeddings for `tokens` tokens. Its tokenizer knows only the first of them.
///
/// # Panics
/// When `bytes` is not a sound model file with an F32 embedding that is also its output matrix.
pub fn with_vocabulary(bytes: &[u8], tokens: usize) -> Vec<u8> {
    let mut image = Image::parse(bytes).expect("only a sound file can be made larger");
    let offset = image.data.len() as u64;
    let table = image.tensor("token_embd.weight");
    assert_eq!(table.kind, 0, "F32");
    (table.dims[1], table.offset) = (tokens as u64, offset);
    let values = Random::new(5).f32s(tokens * table.dims[0] as usize);
    image.data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    image.to_bytes()
}
