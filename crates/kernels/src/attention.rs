//! Rotary position embedding, on the way into the KV cache.

use cubecl::prelude::*;

use crate::cache::{CacheType, cache_row, store_two};

/// How a rotary embedding pairs the elements of a head.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RopeStyle {
    /// Element `i` with `i + head_dim / 2` (GPT-NeoX; Qwen's files).
    Halves,
    /// Element `2 i` with `2 i + 1` (the original; Llama's GGUF files).
    Neighbours,
}

/// What is added to a score for the distance from a query to a key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ScoreBias {
    /// Nothing.
    None,
    /// It loses in proportion to the distance (ALiBi).
    Slopes,
    /// A bias of each head for each distance (T5).
    Distances {
        /// The farthest that has a bias of its own; all beyond it share it.
        farthest: usize,
    },
}

/// What a row sees.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Sees {
    /// Its own position and those before it: all, or so many together.
    Before(Option<usize>),
    /// All positions of a prompt: as many as the step says.
    Prompt,
}

/// The shape of an attention module, known when its kernels are compiled.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AttentionShape {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Elements of a head; a multiple of 4.
    pub head_dim: usize,
    /// Positions that one slot of the cache holds.
    pub context: usize,
    /// How rotary pairs are formed, where there is a rotary embedding.
    pub rope_style: Option<RopeStyle>,
    /// What is added to scores.
    pub bias: ScoreBias,
    /// What a row sees.
    pub sees: Sees,
    /// Bits of what scores are multiplied with.
    pub score_scale_bits: u32,
    /// Bits of the epsilon of the RMSNorm over each query and key head (Qwen3),
    /// or none where the architecture has no such norm.
    pub head_norm_epsilon_bits: Option<u32>,
    /// Whether queries, keys and values have biases (Qwen2).
    pub has_bias: bool,
    /// How keys and values are kept.
    pub cache: CacheType,
    /// Rows of the step buffer: slots start there.
    pub step_rows: usize,
}

impl AttentionShape {
    /// Lanes that share the positions of one query head: as many as find place for a sum each in
    /// 16 KiB of workgroup memory.
    pub(crate) fn lanes(&self) -> usize {
        if self.head_dim > 128 { 8 } else { 16 }
    }

    /// Positions that a row sees at most, where it does not see all.
    pub(crate) fn window(&self) -> usize {
        match self.sees {
            Sees::Before(Some(window)) => window,
            _ => usize::MAX,
        }
    }

    /// The farthest distance that has a bias of its own.
    pub(crate) fn farthest(&self) -> usize {
        match self.bias {
            ScoreBias::Distances { farthest } => farthest,
            _ => 0,
        }
    }

    /// Where the step buffer has how much of a prompt each row sees.
    pub(crate) fn prompts_at(&self) -> usize {
        3 * self.step_rows
    }

    /// How much later the second of a lane's pairs comes. What it stores of both is a word of the cache.
    fn pairs_apart(&self) -> usize {
        match (self.cache, self.rope_style) {
            (CacheType::F32, _) => self.head_dim / 4,
            (CacheType::F16, Some(RopeStyle::Halves)) => 4,
            (CacheType::F16, _) => 2,
        }
    }

    /// How much later the elements of that pair come.
    pub(crate) fn elements_apart(&self) -> usize {
        match self.rope_style {
            Some(RopeStyle::Halves) => self.pairs_apart(),
            _ => 2 * self.pairs_apart(),
        }
    }
}

/// Adds biases, normalises and rotates queries and keys, and stores keys and values. A lane takes two
/// pairs of a head, so that it writes whole words of a cache of halves.
///
/// # Shapes
/// `qkv [rows, (heads + 2 kv_heads) head_dim]`, `gains [2, head_dim]` (query, key) and then the
/// biases `[(heads + 2 kv_heads) head_dim]`,
/// `rotary [context, head_dim / 2, 2]` (cosine, sine), `queries [rows, heads, head_dim]`; see
/// [`crate::cache`] for `keys` and `values`.
#[cube(launch_unchecked)]
pub(crate) fn rotate_and_store(
    qkv: &[f32],
    gains: &[f32],
    rotary: &[f32],
    step: &[u32],
    queries: &mut [f32],
    keys: &mut [u32],
    values: &mut [u32],
    #[comptime] shape: AttentionShape,
) {
    let at = ABSOLUTE_POS_X as usize;
    let row = CUBE_POS_Y as usize;
    let head = at / comptime!(shape.head_dim / 4);
    let place = place_of(at % comptime!(shape.head_dim / 4), shape);
    if head < comptime!(shape.heads + 2 * shape.kv_heads) {
        let position = step[row] as usize;
        let slot = step[shape.step_rows + row] as usize;
        let source = (row * comptime!(shape.heads + 2 * shape.kv_heads) + head) * shape.head_dim;
        let mut scale = f32::new(1.0);
        if comptime!(shape.head_norm_epsilon_bits.is_some()) {
            let is_normed = head < comptime!(shape.heads + shape.kv_heads);
            if is_normed {
                scale = head_scale(qkv, source, shape);
            }
        }
        let one = turned(qkv, gains, rotary, source, head, position, scale, &place, 0usize, shape);
        let other =
            turned(qkv, gains, rotary, source, head, position, scale, &place, 1usize, shape);
        if head < shape.heads {
            let target = (row * shape.heads + head) * shape.head_dim;
            let apart = comptime!(shape.elements_apart());
            queries[target + place.first] = one.a;
            queries[target + place.first + apart] = other.a;
            queries[target + place.second] = one.b;
            queries[target + place.second + apart] = other.b;
        } else if head < comptime!(shape.heads + shape.kv_heads) {
            let target = cache_row(slot, head - shape.heads, position, shape);
            store_two(keys, target, place.first, one.a, other.a, shape);
            store_two(keys, target, place.second, one.b, other.b, shape);
        } else {
            let kv_head = head - comptime!(shape.heads + shape.kv_heads);
            let target = cache_row(slot, kv_head, position, shape);
            store_two(values, target, place.first, one.a, other.a, shape);
            store_two(values, target, place.second, one.b, other.b, shape);
        }
    }
}

/// Where a lane's two pairs are in a head.
#[derive(CubeType, Clone, Copy)]
struct Place {
    /// The first pair's number; the second's is [`AttentionShape::pairs_apart`] higher.
    pair: usize,
    /// The first element of the first pair. That of the second is so many
    /// [`AttentionShape::elements_apart`] later.
    first: usize,
    /// The other element of the first pair.
    second: usize,
}

#[cube]
fn place_of(couple: usize, #[comptime] shape: AttentionShape) -> Place {
    let apart = comptime!(shape.pairs_apart());
    let pair = couple / apart * comptime!(2 * apart) + couple % apart;
    if comptime!(matches!(shape.rope_style, Some(RopeStyle::Halves))) {
        Place { pair, first: pair, second: pair + comptime!(shape.head_dim / 2) }
    } else {
        Place { pair, first: 2 * pair, second: 2 * pair + 1 }
    }
}

/// A pair of a head's elements.
#[derive(CubeType, Clone, Copy)]
struct Pair {
    a: f32,
    b: f32,
}

/// The `which` of a lane's pairs with its biases; of a query or a key normalised and rotated.
#[cube]
fn turned(
    qkv: &[f32],
    gains: &[f32],
    rotary: &[f32],
    source: usize,
    head: usize,
    position: usize,
    scale: f32,
    place: &Place,
    #[comptime] which: usize,
    #[comptime] shape: AttentionShape,
) -> Pair {
    let first = place.first + comptime!(which * shape.elements_apart());
    let second = place.second + comptime!(which * shape.elements_apart());
    let mut a = qkv[source + first];
    let mut b = qkv[source + second];
    if comptime!(shape.has_bias) {
        let bias = comptime!(2 * shape.head_dim) + head * shape.head_dim;
        a += gains[bias + first];
        b += gains[bias + second];
    }
    if head < comptime!(shape.heads + shape.kv_heads) {
        if comptime!(shape.head_norm_epsilon_bits.is_some()) {
            let mut gain = 0usize;
            if head >= shape.heads {
                gain = shape.head_dim;
            }
            a *= scale * gains[gain + first];
            b *= scale * gains[gain + second];
        }
        if comptime!(shape.rope_style.is_some()) {
            let pair = place.pair + comptime!(which * shape.pairs_apart());
            let angle = (position * comptime!(shape.head_dim / 2) + pair) * 2;
            let cosine = rotary[angle];
            let sine = rotary[angle + 1];
            let rotated = a * cosine - b * sine;
            b = b * cosine + a * sine;
            a = rotated;
        }
    }
    Pair { a, b }
}

/// `1 / rms` of one head.
#[cube]
fn head_scale(qkv: &[f32], source: usize, #[comptime] shape: AttentionShape) -> f32 {
    let mut squares = f32::new(0.0);
    for at in 0..shape.head_dim {
        let value = qkv[source + at];
        squares = fma(value, value, squares);
    }
    let epsilon = comptime!(f32::from_bits(shape.head_norm_epsilon_bits.unwrap_or(0)));
    f32::new(1.0) / (squares / comptime!(shape.head_dim as f32) + epsilon).sqrt()
}
