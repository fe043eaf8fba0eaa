//! Rotation, cache and attention together, chunk by chunk and token by token.

use kernels::{
    AttentionBuffers, AttentionShape, Cache, CacheType, Gpu, RopeStyle, ScoreBias, Sees, Step,
    StepBuffer, rows_bytes,
};
use testkit::{KERNEL_TOLERANCE, Random, reference};

use super::{Check, same, upload_rows, within};

const TOKENS: usize = 37;
const THETA: f32 = 10_000.0;
const EPSILON: f32 = 1e-6;
const STEP_ROWS: usize = 40;
const CONTEXT: usize = 48;
/// Nearer than some of the tokens are to each other.
const FARTHEST: usize = 9;
const DISTANCES: ScoreBias = ScoreBias::Distances { farthest: FARTHEST };
/// Keys and values have eleven bits.
const HALVES_TOLERANCE: f32 = 1.0 / 1024.0;

pub async fn all(gpu: &Gpu) -> Vec<Check> {
    let (halves, neighbours) = (Some(RopeStyle::Halves), Some(RopeStyle::Neighbours));
    let small = shape((4, 2, 16), halves);
    let normed = AttentionShape { head_norm_epsilon_bits: Some(EPSILON.to_bits()), ..small };
    let shapes = [
        small,
        normed,
        AttentionShape { rope_style: neighbours, ..normed },
        AttentionShape { has_bias: true, ..small },
        AttentionShape { has_bias: true, rope_style: None, ..small },
        AttentionShape { bias: ScoreBias::Slopes, rope_style: None, ..small },
        AttentionShape { bias: DISTANCES, rope_style: None, ..small },
        AttentionShape { bias: DISTANCES, rope_style: None, sees: Sees::Prompt, ..small },
        AttentionShape { sees: Sees::Before(Some(7)), ..small },
        AttentionShape { sees: Sees::Before(Some(1)), score_scale_bits: 0.3f32.to_bits(), ..small },
        shape((6, 3, 32), neighbours),
        shape((2, 1, 64), neighbours),
        shape((1, 1, 128), halves),
        shape((2, 1, 256), halves),
        AttentionShape { cache: CacheType::F16, ..normed },
        AttentionShape { cache: CacheType::F16, ..shape((6, 3, 32), neighbours) },
        AttentionShape {
            cache: CacheType::F16,
            bias: ScoreBias::Slopes,
            rope_style: None,
            ..small
        },
        shape((2, 1, 20), halves),
    ];
    let mut checks = Vec::new();
    for shape in shapes {
        checks.extend(check(gpu, shape).await);
    }
    checks
}

fn shape(sizes: (usize, usize, usize), rope_style: Option<RopeStyle>) -> AttentionShape {
    let (heads, kv_heads, head_dim) = sizes;
    AttentionShape {
        heads,
        kv_heads,
        head_dim,
        context: CONTEXT,
        rope_style,
        bias: ScoreBias::None,
        sees: Sees::Before(None),
        score_scale_bits: (1.0 / (head_dim as f32).sqrt()).to_bits(),
        head_norm_epsilon_bits: None,
        has_bias: false,
        cache: CacheType::F32,
        step_rows: STEP_ROWS,
    }
}

/// As long as no two heads have the same.
fn slopes(shape: AttentionShape) -> Vec<f32> {
    let count = if shape.bias == ScoreBias::Slopes { shape.heads } else { 0 };
    (1..=count).map(|head| 0.1 * head as f32).collect()
}

/// Of every head for every distance.
fn biases(shape: AttentionShape) -> Vec<Vec<f32>> {
    let count = if shape.bias == DISTANCES { shape.heads } else { 0 };
    let mut random = Random::new(17);
    (0..count).map(|_| random.f32s(2 * FARTHEST + 1)).collect()
}

async fn check(gpu: &Gpu, shape: AttentionShape) -> Vec<Check> {
    let name = format!("attention {shape:?}");
    let case = Case::random(shape);
    let whole = case.run(gpu, &[TOKENS], 0).await;
    let tolerance = match shape.cache {
        CacheType::F32 => KERNEL_TOLERANCE,
        CacheType::F16 => HALVES_TOLERANCE,
    };
    let mut checks = vec![within(tolerance, name.clone(), &whole, &case.expected())];
    if shape.sees == Sees::Prompt {
        checks.push(same(format!("{name}, again"), &whole, &case.run(gpu, &[TOKENS], 1).await));
        checks.extend(of_kept(gpu, &case, &whole).await);
        return checks;
    }
    let pieces = case.run(gpu, &[1, 16, 3, 1, 16], 1).await;
    checks.push(same(format!("{name}, in chunks"), &whole, &pieces));
    checks
}

struct Case {
    shape: AttentionShape,
    /// `[TOKENS, heads + 2 kv_heads, head_dim]`.
    qkv: Vec<f32>,
    /// `[2, head_dim]`, and then a bias for every column of `qkv`.
    gains: Vec<f32>,
}

impl Case {
    fn random(shape: AttentionShape) -> Self {
        let mut random = Random::new(11);
        let qkv = random.f32s(TOKENS * Self::width(shape));
        Self { shape, qkv, gains: random.f32s(2 * shape.head_dim + Self::width(shape)) }
    }

    fn width(shape: AttentionShape) -> usize {
        (shape.heads + 2 * shape.kv_heads) * shape.head_dim
    }

    /// Attention of all tokens, fed in chunks of the given sizes, in the cache slot `slot`.
    async fn run(&self, gpu: &Gpu, chunks: &[usize], slot: u32) -> Vec<f32> {
        let shape = self.shape;
        let cache_bytes = 2 * shape.kv_heads * CONTEXT * shape.head_dim * shape.cache.bytes();
        let cache = Cache { keys: gpu.empty(cache_bytes), values: gpu.empty(cache_bytes) };
        let (gains, rotary) = (gpu.upload_f32(&self.gains), gpu.upload_f32(&places(shape)));
        let query_width = shape.heads * shape.head_dim;
        let queries = gpu.empty(rows_bytes(STEP_ROWS, query_width));
        let output = gpu.empty(rows_bytes(STEP_ROWS, query_width));
        let step = StepBuffer::new(gpu, STEP_ROWS);
        let mut mixed = Vec::new();
        let mut position = 0;
        for &rows in chunks {
            let width = Self::width(shape);
            let qkv = &self.qkv[position * width..(position + rows) * width];
            let qkv = upload_rows(gpu, qkv, width);
            let chunk = Step::chunk(slot, position as u32, rows as u32);
            step.write_with_prompts(gpu, &chunk, &vec![TOKENS as u32; rows]);
            let buffers = AttentionBuffers {
                qkv: &qkv,
                head_gains: &gains,
                rotary: &rotary,
                queries: &queries,
                cache: &cache,
                output: &output,
            };
            gpu.rotate_and_store(buffers, &step, shape, rows);
            gpu.attend(buffers, &step, shape, rows);
            mixed.extend(gpu.read_f32(&output, rows * query_width).await.expect("it reads"));
            position += rows;
        }
        mixed
    }

    fn expected(&self) -> Vec<f32> {
        let AttentionShape { heads, kv_heads, head_dim, .. } = self.shape;
        let (mut queries, mut keys, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for (position, row) in self.qkv.chunks(Self::width(self.shape)).enumerate() {
            for (head, vector) in row.chunks(head_dim).enumerate() {
                let vector = &self.biased(vector, head);
                match head {
                    _ if head < heads => queries.extend(self.rotated(vector, 0, position)),
                    _ if head < heads + kv_heads => keys.extend(self.rotated(vector, 1, position)),
                    _ => values.extend(vector),
                }
            }
        }
        let shape = reference::AttentionShape {
            heads,
            kv_heads,
            head_dim,
            scale: f32::from_bits(self.shape.score_scale_bits).into(),
            window: match self.shape.sees {
                Sees::Before(window) => window,
                Sees::Prompt => None,
            },
            slopes: &slopes(self.shape),
            biases: &biases(self.shape),
            sees_all: self.shape.sees == Sees::Prompt,
        };
        reference::attention(shape, 0, &queries, &keys, &values)
    }

    fn biased(&self, vector: &[f32], head: usize) -> Vec<f32> {
        let head_dim = self.shape.head_dim;
        let bias = &self.gains[(2 + head) * head_dim..];
        let added = vector.iter().zip(bias).map(|(value, bias)| value + bias);
        if self.shape.has_bias { added.collect() } else { vector.to_vec() }
    }

    fn rotated(&self, vector: &[f32], gain: usize, position: usize) -> Vec<f32> {
        let head_dim = self.shape.head_dim;
        let mut head = match self.shape.head_norm_epsilon_bits {
            Some(_) => {
                let gain = &self.gains[gain * head_dim..(gain + 1) * head_dim];
                reference::rms_norm(vector, gain, EPSILON)
            }
            None => vector.to_vec(),
        };
        let style = match self.shape.rope_style {
            Some(RopeStyle::Halves) => reference::RopeStyle::Halves,
            Some(RopeStyle::Neighbours) => reference::RopeStyle::Pairs,
            None => return head,
        };
        reference::rope(&mut head, position, THETA, style);
        head
    }
}

/// What the kernels know of positions.
fn places(shape: AttentionShape) -> Vec<f32> {
    match shape.bias {
        ScoreBias::None => rotary(shape),
        ScoreBias::Slopes => slopes(shape),
        ScoreBias::Distances { .. } => biases(shape).concat(),
    }
}

/// Keys and values are stored by themselves and in chunks, and queries come later, a few at a time.
async fn of_kept(gpu: &Gpu, case: &Case, whole: &[f32]) -> Option<Check> {
    let shape = case.shape;
    let width = Case::width(shape);
    let query_width = shape.heads * shape.head_dim;
    let cache_bytes = 2 * shape.kv_heads * CONTEXT * shape.head_dim * shape.cache.bytes();
    let cache = Cache { keys: gpu.empty(cache_bytes), values: gpu.empty(cache_bytes) };
    let rotary = gpu.upload_f32(&places(shape));
    let step = StepBuffer::new(gpu, STEP_ROWS);
    let [queries, output] = [(); 2].map(|()| gpu.empty(rows_bytes(STEP_ROWS, query_width)));
    let mut mixed = Vec::new();
    for (is_query, rows) in [(false, 30), (false, 7), (true, 1), (true, 20), (true, 16)] {
        let first = if is_query { mixed.len() / query_width } else { 30 * usize::from(rows == 7) };
        let part = if is_query { 0..query_width } else { query_width..width };
        let all = case.qkv.chunks(width).skip(first).take(rows);
        let own: Vec<f32> = all.flat_map(|row| &row[part.clone()]).copied().collect();
        let own = upload_rows(gpu, &own, part.len());
        let chunk = Step::chunk(1, first as u32, rows as u32);
        step.write_with_prompts(gpu, &chunk, &vec![TOKENS as u32; rows]);
        let buffers = AttentionBuffers {
            qkv: &own,
            head_gains: &rotary,
            rotary: &rotary,
            queries: if is_query { &own } else { &queries },
            cache: &cache,
            output: &output,
        };
        if is_query {
            gpu.attend(buffers, &step, shape, rows);
            mixed.extend(gpu.read_f32(&output, rows * query_width).await.expect("it reads"));
        } else {
            let only_kept = AttentionShape { heads: 0, ..shape };
            gpu.rotate_and_store(buffers, &step, only_kept, rows);
        }
    }
    Some(same(format!("attention {shape:?}, keys first"), &mixed, whole))
}

fn rotary(shape: AttentionShape) -> Vec<f32> {
    let pairs = shape.head_dim / 2;
    (0..CONTEXT * pairs)
        .flat_map(|at| {
            let (position, pair) = ((at / pairs) as f64, (at % pairs) as f64);
            let angle = position * f64::from(THETA).powf(-pair / pairs as f64);
            [angle.cos() as f32, angle.sin() as f32]
        })
        .collect()
}
