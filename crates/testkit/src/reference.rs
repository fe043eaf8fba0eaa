//! Scalar references of the operations that a decoder layer is made of, and of
//! the weight formats. Sums are taken in `f64`, in order, and rounded once.

use half::f16;

/// How rotary embedding pairs the components of a head of `d` components.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RopeStyle {
    /// Components `2 i` and `2 i + 1`: "normal" rope, GGUF architecture `llama`.
    Pairs,
    /// Components `i` and `i + d / 2`: "neox" rope, GGUF architecture `qwen3`.
    Halves,
}

/// Grouped-query attention: its sizes and what changes its scores.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct AttentionShape<'a> {
    /// Query heads; a multiple of `kv_heads`.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Components of one head.
    pub head_dim: usize,
    /// What scores are multiplied with.
    pub scale: f64,
    /// Positions that a row sees, its own included; all up to its own where this is none.
    pub window: Option<usize>,
    /// What a head's scores lose for each position of distance, `[heads]`; nothing where empty.
    pub slopes: &'a [f32],
    /// What is added to a head's scores for each distance from the query to a key, `[heads][2 f + 1]`, from
    /// -f to f, which also stand for what is farther; nothing where empty.
    pub biases: &'a [Vec<f32>],
    /// Whether every row sees all keys, however many there are.
    pub sees_all: bool,
}

impl AttentionShape<'_> {
    /// What a head adds to the score of a query and a key at these positions.
    fn bias(&self, head: usize, query: usize, key: usize) -> f64 {
        let (query, key) = (query as i64, key as i64);
        let slope = self.slopes.get(head).map_or(0.0, |&slope| f64::from(slope));
        let bias = self.biases.get(head).map_or(0.0, |biases| {
            let farthest = (biases.len() / 2) as i64;
            let distance = (key - query).clamp(-farthest, farthest);
            f64::from(biases[(distance + farthest) as usize])
        });
        bias - slope * (query - key) as f64
    }
}

/// Root-mean-square norm: `x / sqrt(mean(x^2) + epsilon) * weight`.
///
/// # Shapes
/// `x`, `weight` and the result: `[width]`.
pub fn rms_norm(x: &[f32], weight: &[f32], epsilon: f32) -> Vec<f32> {
    assert_eq!(x.len(), weight.len());
    let mean = x.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / x.len() as f64;
    let scale = 1.0 / (mean + f64::from(epsilon)).sqrt();
    x.iter().zip(weight).map(|(&v, &w)| (f64::from(v) * scale * f64::from(w)) as f32).collect()
}

/// Layer norm: `(x - mean(x)) / sqrt(variance(x) + epsilon) * weight + bias`.
///
/// # Shapes
/// `x`, `weight`, `bias` and the result: `[width]`.
pub fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], epsilon: f32) -> Vec<f32> {
    let width = x.len() as f64;
    let mean = x.iter().map(|&v| f64::from(v)).sum::<f64>() / width;
    let variance = x.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / width;
    let scale = 1.0 / (variance + f64::from(epsilon)).sqrt();
    let one = |(&v, (&w, &b)): (&f32, (&f32, &f32))| {
        ((f64::from(v) - mean) * scale * f64::from(w) + f64::from(b)) as f32
    };
    x.iter().zip(weight.iter().zip(bias)).map(one).collect()
}

/// GELU by the hyperbolic tangent (arXiv 1606.08415).
pub fn gelu(x: f32) -> f32 {
    let x = f64::from(x);
    let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
    (0.5 * x * (1.0 + inner.tanh())) as f32
}

/// Matrix times vector.
///
/// # Shapes
/// `rows`: `[outputs, x.len()]`, one output after the other. Result: `[outputs]`.
pub fn matvec(rows: &[f32], x: &[f32]) -> Vec<f32> {
    assert_eq!(rows.len() % x.len(), 0);
    rows.chunks_exact(x.len()).map(|row| dot(row, x) as f32).collect()
}

/// Rotate one head in place: pair `i` turns by `position * theta^(-2 i / d)`.
///
/// # Shapes
/// `head`: `[d]`, `d` even.
pub fn rope(head: &mut [f32], position: usize, theta: f32, style: RopeStyle) {
    let half = head.len() / 2;
    assert_eq!(head.len(), 2 * half);
    for i in 0..half {
        let (a, b) = match style {
            RopeStyle::Pairs => (2 * i, 2 * i + 1),
            RopeStyle::Halves => (i, i + half),
        };
        let angle = position as f64 * f64::from(theta).powf(-(i as f64) / half as f64);
        let (sin, cos) = angle.sin_cos();
        let (x, y) = (f64::from(head[a]), f64::from(head[b]));
        head[a] = (x * cos - y * sin) as f32;
        head[b] = (x * sin + y * cos) as f32;
    }
}

/// Grouped-query attention of new rows over the positions so far. Row
/// `r` stands at position `past + r` and sees what its window holds of `0..=past + r`, or all that there
/// are; query head `h` reads key/value head `h / (heads / kv_heads)`.
///
/// # Shapes
/// `queries` and the result: `[rows, heads, head_dim]`;
/// `keys`, `values`: `[past + rows, kv_heads, head_dim]`, or any number of rows where all are seen.
pub fn attention(
    shape: AttentionShape<'_>,
    past: usize,
    queries: &[f32],
    keys: &[f32],
    values: &[f32],
) -> Vec<f32> {
    let AttentionShape { heads, kv_heads, head_dim, scale, window, sees_all, .. } = shape;
    let rows = queries.len() / (heads * head_dim);
    assert_eq!(queries.len(), rows * heads * head_dim);
    let positions = keys.len() / (kv_heads * head_dim);
    assert!(sees_all || positions == past + rows);
    assert_eq!(keys.len(), values.len());
    let mut mixed = Vec::with_capacity(queries.len());
    for (index, query) in queries.chunks_exact(head_dim).enumerate() {
        let (row, kv_head) = (index / heads, index % heads / (heads / kv_heads));
        let of_position = |tensor, p| head_of(tensor, p * kv_heads + kv_head, head_dim);
        let own = past + row;
        let first = window.map_or(0, |window| (own + 1).saturating_sub(window));
        let end = if sees_all { positions } else { own + 1 };
        let bias = |p| shape.bias(index % heads, own, p);
        let score = |p| dot(query, of_position(keys, p)) * scale + bias(p);
        let weights = softmax((first..end).map(score).collect());
        mixed.extend((0..head_dim).map(|c| {
            let terms = weights.iter().zip(first..);
            terms.map(|(w, p)| w * f64::from(of_position(values, p)[c])).sum::<f64>() as f32
        }));
    }
    mixed
}

/// The gate of a SwiGLU feed-forward layer: `gate / (1 + exp(-gate)) * up`.
///
/// # Shapes
/// `gate`, `up` and the result: `[width]`.
pub fn silu_gate(gate: &[f32], up: &[f32]) -> Vec<f32> {
    assert_eq!(gate.len(), up.len());
    let gated = |g: f64, u: f64| (g / (1.0 + (-g).exp()) * u) as f32;
    gate.iter().zip(up).map(|(&g, &u)| gated(g.into(), u.into())).collect()
}

/// The values of a GGUF F16 tensor: little-endian IEEE halves. Bit-exact.
pub fn dequantize_f16(bytes: &[u8]) -> Vec<f32> {
    let (halves, rest) = bytes.as_chunks::<2>();
    assert!(rest.is_empty(), "not whole halves");
    halves.iter().map(|&half| f16::from_le_bytes(half).to_f32()).collect()
}

/// The values of a GGUF Q8_0 tensor: blocks of 34 bytes, a half scale `d` and
/// 32 signed bytes `q`, standing for `d * q` in `f32`. Bit-exact.
pub fn dequantize_q8_0(bytes: &[u8]) -> Vec<f32> {
    let (blocks, rest) = bytes.as_chunks::<34>();
    assert!(rest.is_empty(), "not whole blocks");
    blocks.iter().flat_map(dequantize_q8_0_block).collect()
}

fn dequantize_q8_0_block(block: &[u8; 34]) -> [f32; 32] {
    let scale = f16::from_le_bytes([block[0], block[1]]).to_f32();
    core::array::from_fn(|i| scale * f32::from(block[2 + i].cast_signed()))
}

/// The values of a GGUF Q4_0 tensor: blocks of 18 bytes, a half scale `d` and 32 nibbles `q`, the
/// low ones of all bytes first, standing for `d * (q - 8)`. Bit-exact.
pub fn dequantize_q4_0(bytes: &[u8]) -> Vec<f32> {
    let (blocks, rest) = bytes.as_chunks::<18>();
    assert!(rest.is_empty(), "not whole blocks");
    blocks.iter().flat_map(dequantize_q4_0_block).collect()
}

fn dequantize_q4_0_block(block: &[u8; 18]) -> [f32; 32] {
    let scale = f16::from_le_bytes([block[0], block[1]]).to_f32();
    core::array::from_fn(|i| {
        let byte = block[2 + i % 16];
        scale * (f32::from(if i < 16 { byte & 15 } else { byte >> 4 }) - 8.0)
    })
}

fn head_of(tensor: &[f32], index: usize, head_dim: usize) -> &[f32] {
    &tensor[index * head_dim..][..head_dim]
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
}

fn softmax(mut scores: Vec<f64>) -> Vec<f64> {
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    scores.iter_mut().for_each(|score| *score = (*score - most).exp());
    let sum: f64 = scores.iter().sum();
    scores.iter_mut().for_each(|score| *score /= sum);
    scores
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Random, relative_error, vectors};

    const TOLERANCE: f32 = 2e-6;

    #[test]
    fn rms_norm_as_transformers() {
        let vector = vectors().rms_norm;
        let normed = rms_norm(&vector.x, &vector.weight, vector.epsilon);
        assert!(relative_error(&normed, &vector.expected) < TOLERANCE);
    }

    #[test]
    fn matvec_as_torch() {
        let vector = vectors().matvec;
        assert!(relative_error(&matvec(&vector.rows, &vector.x), &vector.expected) < TOLERANCE);
    }

    #[test]
    fn rope_as_transformers_and_as_complex_numbers() {
        let vector = vectors().rope;
        for (style, expected) in
            [(RopeStyle::Halves, &vector.halves), (RopeStyle::Pairs, &vector.pairs)]
        {
            let mut head = vector.x.clone();
            rope(&mut head, vector.position, vector.theta, style);
            assert!(relative_error(&head, expected) < TOLERANCE, "{style:?}");
        }
    }

    #[test]
    fn the_two_rope_styles_are_one_rotation_of_reordered_rows() {
        let head = Random::new(3).f32s(32);
        let pairs_from_halves =
            |head: &[f32]| -> Vec<f32> { (0..16).flat_map(|i| [head[i], head[i + 16]]).collect() };
        let mut pairs = pairs_from_halves(&head);
        let mut halves = head;
        rope(&mut pairs, 9, 1e6, RopeStyle::Pairs);
        rope(&mut halves, 9, 1e6, RopeStyle::Halves);
        assert_eq!(pairs, pairs_from_halves(&halves));
    }

    #[test]
    fn attention_as_torch() {
        let vector = vectors().attention;
        let shape = AttentionShape {
            heads: vector.heads,
            kv_heads: vector.kv_heads,
            head_dim: vector.head_dim,
            scale: 1.0 / (vector.head_dim as f64).sqrt(),
            window: None,
            slopes: &[],
            biases: &[],
            sees_all: false,
        };
        let mixed = attention(shape, vector.past, &vector.queries, &vector.keys, &vector.values);
        assert!(relative_error(&mixed, &vector.expected) < TOLERANCE);
    }

    #[test]
    fn silu_gate_as_torch() {
        let vector = vectors().silu_gate;
        let gated = silu_gate(&vector.gate, &vector.up);
        assert!(relative_error(&gated, &vector.expected) < TOLERANCE);
    }

    #[test]
    fn formats_bit_for_bit_as_ggml() {
        let bits =
            |values: Vec<f32>| -> Vec<u32> { values.into_iter().map(f32::to_bits).collect() };
        let all = vectors();
        let halves: Vec<u8> = all.f16.bits.iter().flat_map(|half| half.to_le_bytes()).collect();
        assert_eq!(bits(dequantize_f16(&halves)), all.f16.expected_bits);
        assert_eq!(bits(dequantize_q8_0(&all.q8_0.blocks)), all.q8_0.expected_bits);
    }
}
