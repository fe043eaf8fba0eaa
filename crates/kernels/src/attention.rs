//! Rotary position embedding, the KV cache, and causal grouped-query attention.
//!
//! # Shapes
//! The caches are `[slots, kv_heads, context, head_dim]`; `positions` is the
//! step buffer described in [`crate::step`].

use cubecl::prelude::*;

use crate::matrix::Vec4;

/// How a rotary embedding pairs the elements of a head.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RopeStyle {
    /// Element `i` with `i + head_dim / 2` (GPT-NeoX; Qwen's files).
    Halves,
    /// Element `2 i` with `2 i + 1` (the original; Llama's GGUF files).
    Neighbours,
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
    /// Whether scores lose in proportion to the distance (ALiBi).
    pub has_slopes: bool,
    /// Positions that a row sees, its own included; all up to its own where this is none.
    pub window: Option<usize>,
    /// Bits of what scores are multiplied with.
    pub score_scale_bits: u32,
    /// Bits of the epsilon of the RMSNorm over each query and key head (Qwen3),
    /// or none where the architecture has no such norm.
    pub head_norm_epsilon_bits: Option<u32>,
    /// Whether queries, keys and values have biases (Qwen2).
    pub has_bias: bool,
    /// Rows of the step buffer: slots start there.
    pub step_rows: usize,
}

impl AttentionShape {
    /// Lanes that share the positions of one query head: as many as find place for a sum each in
    /// 16 KiB of workgroup memory.
    pub(crate) fn lanes(&self) -> usize {
        if self.head_dim > 128 { 8 } else { 16 }
    }
}

/// The score of a lane that has seen no position: far below any real one, and finite.
const NO_SCORE: f32 = -1.0e30;

/// Adds biases, normalises and rotates queries and keys, and stores keys and values.
///
/// # Shapes
/// `qkv [rows, (heads + 2 kv_heads) head_dim]`, `gains [2, head_dim]` (query, key) and then the
/// biases `[(heads + 2 kv_heads) head_dim]`,
/// `rotary [context, head_dim / 2, 2]` (cosine, sine), `queries [rows, heads, head_dim]`.
#[cube(launch_unchecked)]
pub(crate) fn rotate_and_store(
    qkv: &[f32],
    gains: &[f32],
    rotary: &[f32],
    step: &[u32],
    queries: &mut [f32],
    keys: &mut [f32],
    values: &mut [f32],
    #[comptime] shape: AttentionShape,
) {
    let pairs = comptime!(shape.head_dim / 2);
    let at = ABSOLUTE_POS_X as usize;
    let row = CUBE_POS_Y as usize;
    let head = at / pairs;
    let pair = at % pairs;
    if head < comptime!(shape.heads + 2 * shape.kv_heads) {
        let position = step[row] as usize;
        let slot = step[shape.step_rows + row] as usize;
        let source = (row * comptime!(shape.heads + 2 * shape.kv_heads) + head) * shape.head_dim;
        let mut first = 2 * pair;
        let mut second = 2 * pair + 1;
        if comptime!(matches!(shape.rope_style, Some(RopeStyle::Halves))) {
            first = pair;
            second = pair + pairs;
        }
        let mut a = qkv[source + first];
        let mut b = qkv[source + second];
        if comptime!(shape.has_bias) {
            let bias = comptime!(2 * shape.head_dim) + head * shape.head_dim;
            a += gains[bias + first];
            b += gains[bias + second];
        }
        if head < comptime!(shape.heads + shape.kv_heads) {
            if comptime!(shape.head_norm_epsilon_bits.is_some()) {
                let scale = head_scale(qkv, source, shape);
                let mut gain = 0usize;
                if head >= shape.heads {
                    gain = shape.head_dim;
                }
                a *= scale * gains[gain + first];
                b *= scale * gains[gain + second];
            }
            let mut rotated_a = a;
            let mut rotated_b = b;
            if comptime!(shape.rope_style.is_some()) {
                let angle = (position * pairs + pair) * 2;
                let cosine = rotary[angle];
                let sine = rotary[angle + 1];
                rotated_a = a * cosine - b * sine;
                rotated_b = b * cosine + a * sine;
            }
            if head < shape.heads {
                let target = (row * shape.heads + head) * shape.head_dim;
                queries[target + first] = rotated_a;
                queries[target + second] = rotated_b;
            } else {
                let target = cache_row(slot, head - shape.heads, position, shape);
                keys[target + first] = rotated_a;
                keys[target + second] = rotated_b;
            }
        } else {
            let kv_head = head - comptime!(shape.heads + shape.kv_heads);
            let target = cache_row(slot, kv_head, position, shape);
            values[target + first] = a;
            values[target + second] = b;
        }
    }
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

/// Softmax attention of one query head of one row over the positions that it sees.
///
/// Each of the cube's `n` lanes takes every `n`-th position with a running
/// maximum (online softmax); then the lanes' results are merged in lane order. So a
/// row's sum depends on nothing but its position and the cache.
///
/// # Shapes
/// `queries`, `output [rows, heads, head_dim / 4]` in `vec4`; `slopes [heads]`, read where there are any.
#[cube(launch_unchecked)]
pub(crate) fn attend(
    queries: &[Vec4],
    keys: &[Vec4],
    values: &[Vec4],
    slopes: &[f32],
    step: &[u32],
    output: &mut [Vec4],
    #[comptime] shape: AttentionShape,
) {
    let quads = comptime!(shape.head_dim / 4);
    let lanes = comptime!(shape.lanes());
    let head = CUBE_POS_X as usize;
    let row = CUBE_POS_Y as usize;
    let lane = UNIT_POS as usize;
    let position = step[row] as usize;
    let slot = step[shape.step_rows + row] as usize;
    let kv_head = head / comptime!(shape.heads / shape.kv_heads);
    let cache = cache_row(slot, kv_head, 0, shape) / 4;
    let query = (row * shape.heads + head) * quads;

    let mut peaks = Shared::<[f32]>::new_slice(lanes);
    let mut weights = Shared::<[f32]>::new_slice(lanes);
    let mut sums = Shared::<[Vec4]>::new_slice(lanes * quads);
    let mut own_query = Array::<Vec4>::new(quads);
    let mut sum = Array::<Vec4>::new(quads);
    #[unroll]
    for quad in 0..quads {
        own_query[quad] = queries[query + quad];
        sum[quad] = Vec4::new(0.0);
    }
    let mut peak = f32::new(NO_SCORE);
    let mut weight = f32::new(0.0);
    let mut at = lane + first_seen(position, shape);
    while at <= position {
        let mut products = Vec4::new(0.0);
        #[unroll]
        for quad in 0..quads {
            products = fma(own_query[quad], keys[cache + at * quads + quad], products);
        }
        let mut score = ((products.extract(0usize) + products.extract(1usize))
            + (products.extract(2usize) + products.extract(3usize)))
            * comptime!(f32::from_bits(shape.score_scale_bits));
        if comptime!(shape.has_slopes) {
            score -= slopes[head] * f32::cast_from(position - at);
        }
        let higher = max(peak, score);
        let keep = (peak - higher).exp();
        let share = (score - higher).exp();
        weight = fma(weight, keep, share);
        #[unroll]
        for quad in 0..quads {
            let value = values[cache + at * quads + quad] * Vec4::new(share);
            sum[quad] = fma(sum[quad], Vec4::new(keep), value);
        }
        peak = higher;
        at += lanes;
    }
    peaks[lane] = peak;
    weights[lane] = weight;
    #[unroll]
    for quad in 0..quads {
        sums[lane * quads + quad] = sum[quad];
    }
    sync_cube();

    merge(&peaks, &weights, &sums, lane, query, output, lanes, quads);
}

/// The first position that a row sees.
#[cube]
fn first_seen(position: usize, #[comptime] shape: AttentionShape) -> usize {
    let mut first = 0usize;
    if comptime!(shape.window.is_some()) {
        let window = comptime!(shape.window.unwrap_or(1));
        if position >= window {
            first = position - comptime!(window - 1);
        }
    }
    first
}

/// Merges what the lanes found, in lane order; each lane writes its share of the result.
#[cube]
fn merge(
    peaks: &Shared<[f32]>,
    weights: &Shared<[f32]>,
    sums: &Shared<[Vec4]>,
    lane: usize,
    target: usize,
    output: &mut [Vec4],
    #[comptime] lanes: usize,
    #[comptime] quads: usize,
) {
    let mut highest = f32::new(NO_SCORE);
    for other in 0..lanes {
        highest = max(highest, peaks[other]);
    }
    let mut total = f32::new(0.0);
    for other in 0..lanes {
        total = fma(weights[other], (peaks[other] - highest).exp(), total);
    }
    let mut quad = lane;
    while quad < quads {
        let mut merged = Vec4::new(0.0);
        for other in 0..lanes {
            let scale = (peaks[other] - highest).exp();
            merged = fma(sums[other * quads + quad], Vec4::new(scale), merged);
        }
        output[target + quad] = merged / Vec4::new(total);
        quad += lanes;
    }
}

/// Where the cached row of a position starts, in elements.
#[cube]
fn cache_row(
    slot: usize,
    kv_head: usize,
    position: usize,
    #[comptime] shape: AttentionShape,
) -> usize {
    ((slot * shape.kv_heads + kv_head) * shape.context + position) * shape.head_dim
}
