//! Grouped-query attention over the cache, a share of the positions for each lane.

use cubecl::prelude::*;

use crate::{
    attention::{AttentionShape, ScoreBias, Sees},
    cache::{cache_row, quad_of},
    input::across,
    matrix::{Vec4, Words},
};

/// The score of a lane that has seen no position: far below any real one, and finite.
const NO_SCORE: f32 = -1.0e30;

/// Softmax attention of one query head of one row over the positions that it sees.
///
/// Each of the cube's `n` lanes takes every `n`-th position with a running
/// maximum (online softmax); then the lanes' results are merged in lane order. So a
/// row's sum depends on nothing but its position, what it sees and the cache.
///
/// # Shapes
/// `queries`, `output [rows, heads, head_dim / 4]` in `vec4`; `biases [heads]` or
/// `[heads, 2 farthest + 1]`, read where there are any; see [`crate::cache`] for `keys` and `values`.
#[cube(launch_unchecked)]
pub(crate) fn attend(
    queries: &[Vec4],
    keys: &[Words],
    values: &[Words],
    biases: &[f32],
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
    let per_word = comptime!(shape.cache.quads());
    let row_words = comptime!(quads / per_word);
    let cache = cache_row(slot, kv_head, 0, shape) / comptime!(4 * per_word);
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
    let end = end_of_seen(position, row, step, shape);
    while at < end {
        let products = products_with(keys, cache + at * row_words, &own_query, shape);
        let raw = across(products) * comptime!(f32::from_bits(shape.score_scale_bits));
        let score = with_bias(raw, biases, head, position, at, shape);
        let higher = max(peak, score);
        let keep = (peak - higher).exp();
        let share = (score - higher).exp();
        weight = fma(weight, keep, share);
        #[unroll]
        for word in 0..row_words {
            let words = values[cache + at * row_words + word];
            #[unroll]
            for part in 0..per_word {
                let value = quad_of(words, part, shape.cache) * Vec4::new(share);
                let quad = word * per_word + part;
                sum[quad] = fma(sum[quad], Vec4::new(keep), value);
            }
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

/// The products of a query with the key that starts at `row`, as four sums.
#[cube]
fn products_with(
    keys: &[Words],
    row: usize,
    query: &Array<Vec4>,
    #[comptime] shape: AttentionShape,
) -> Vec4 {
    let per_word = comptime!(shape.cache.quads());
    let mut products = Vec4::new(0.0);
    #[unroll]
    for word in 0..comptime!(shape.head_dim / 4 / per_word) {
        let words = keys[row + word];
        #[unroll]
        for part in 0..per_word {
            let key = quad_of(words, part, shape.cache);
            products = fma(query[word * per_word + part], key, products);
        }
    }
    products
}

/// The first position that a row sees.
#[cube]
fn first_seen(position: usize, #[comptime] shape: AttentionShape) -> usize {
    let mut first = 0usize;
    if comptime!(matches!(shape.sees, Sees::Before(Some(_)))) {
        let window = comptime!(shape.window());
        if position >= window {
            first = position - comptime!(window - 1);
        }
    }
    first
}

/// The position behind the last that a row sees.
#[cube]
fn end_of_seen(
    position: usize,
    row: usize,
    step: &[u32],
    #[comptime] shape: AttentionShape,
) -> usize {
    if comptime!(matches!(shape.sees, Sees::Prompt)) {
        step[comptime!(shape.prompts_at()) + row] as usize
    } else {
        position + 1
    }
}

/// A score with its bias for the distance.
#[cube]
fn with_bias(
    score: f32,
    biases: &[f32],
    head: usize,
    position: usize,
    at: usize,
    #[comptime] shape: AttentionShape,
) -> f32 {
    if comptime!(matches!(shape.bias, ScoreBias::Slopes)) {
        score - biases[head] * f32::cast_from(position - at)
    } else if comptime!(matches!(shape.bias, ScoreBias::Distances { .. })) {
        let farthest = comptime!(shape.farthest());
        // From what is farthest before to what is farthest behind.
        let moved = max(at + farthest, position) - position;
        score + biases[head * comptime!(2 * farthest + 1) + min(moved, comptime!(2 * farthest))]
    } else {
        score
    }
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
