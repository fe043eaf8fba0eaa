//! Matrix products, with and without a norm.

use kernels::{
    Activation, Gpu, Matrix as Parts, Norm, NormKind, PackedMatrix, RowSource, Step, StepBuffer,
    Tiling, WeightType, rows_bytes,
};
use testkit::{Random, reference};

use super::{Check, close, same, upload_rows};

const OUTPUTS: usize = 40;
const EPSILON: f32 = 1e-6;

pub async fn all(gpu: &Gpu) -> Vec<Check> {
    let mut checks = Vec::new();
    for weight_type in WeightType::ALL {
        let matrix = Matrix::random(weight_type, OUTPUTS, 1);
        for rows in [1, 5] {
            checks.push(linear(gpu, &matrix, rows).await);
            checks.push(linear_add(gpu, &matrix, rows).await);
            checks.push(gate_up(gpu, weight_type, rows).await);
        }
        checks.push(row_alone(gpu, &matrix).await);
        checks.push(tiles(gpu, weight_type).await);
        checks.push(head_rows(gpu, &matrix).await);
    }
    checks.extend(mixed_types(gpu).await);
    checks
}

/// A random matrix as a file has it, and its values.
pub(super) struct Matrix {
    weight_type: WeightType,
    rows: usize,
    columns: usize,
    bytes: Vec<u8>,
    /// As `kernels/tests/formats.rs` checks them.
    pub(super) values: Vec<f32>,
}

/// Three blocks of 32 where that is possible; two of 256 where a file's blocks are so large.
fn columns(weight_type: WeightType) -> usize {
    if weight_type.block_columns() > 32 { 512 } else { 96 }
}

fn upper_half(value: &f32) -> [u8; 2] {
    let [_, _, low, high] = value.to_le_bytes();
    [low, high]
}

/// Random blocks whose half-precision factors keep the values near 1.
fn blocks(weight_type: WeightType, count: usize, random: &mut Random) -> Vec<u8> {
    let (places, largest): (&[usize], f32) = match weight_type {
        WeightType::Q8_0 => (&[0], 1.0 / 127.0),
        WeightType::Q4_0 => (&[0], 1.0 / 8.0),
        WeightType::Q6K => (&[208], 1.0 / 32.0 / 127.0),
        _ => (&[0, 2], 1.0 / 16.0 / 63.0),
    };
    let mut bytes: Vec<u8> =
        (0..count * weight_type.block_bytes()).map(|_| random.next_u64() as u8).collect();
    for block in bytes.chunks_exact_mut(weight_type.block_bytes()) {
        for &place in places {
            let factor = half::f16::from_f32(random.f32() * largest);
            block[place..place + 2].copy_from_slice(&factor.to_le_bytes());
        }
    }
    bytes
}

impl Matrix {
    fn random(weight_type: WeightType, rows: usize, seed: u64) -> Self {
        Self::with_columns(weight_type, rows, columns(weight_type), seed)
    }

    pub(super) fn with_columns(
        weight_type: WeightType,
        rows: usize,
        columns: usize,
        seed: u64,
    ) -> Self {
        let (mut random, count) = (Random::new(seed), rows * columns);
        let bytes = match weight_type {
            WeightType::F32 => {
                random.f32s(count).iter().flat_map(|value| value.to_le_bytes()).collect()
            }
            WeightType::F16 => random.f16_bytes(count),
            WeightType::Bf16 => random.f32s(count).iter().flat_map(upper_half).collect(),
            _ => blocks(weight_type, count / weight_type.block_columns(), &mut random),
        };
        let mut matrix = Self { weight_type, rows, columns, bytes, values: Vec::new() };
        matrix.values = (0..rows).flat_map(|row| matrix.source().widened_row(row)).collect();
        matrix
    }

    pub(super) fn source(&self) -> RowSource<'_> {
        let Self { weight_type, rows, columns, ref bytes, .. } = *self;
        RowSource { weight_type, rows, columns, bytes }
    }

    /// In two parts.
    pub(super) fn in_two_parts(&self, gpu: &Gpu) -> Parts {
        let first = self.rows / 2 / 4 * 4;
        let (above, below) = self.bytes.split_at(self.bytes.len() / self.rows * first);
        let part = |rows, bytes| RowSource { rows, bytes, ..self.source() };
        let parts = [part(first, above), part(self.rows - first, below)];
        let packed = parts.map(|part| PackedMatrix::stacked(gpu, &[part]).expect("it fits"));
        Parts::new(packed.to_vec())
    }

    pub(super) fn pack(&self, gpu: &Gpu) -> Parts {
        PackedMatrix::stacked(gpu, &[self.source()]).expect("the shapes fit").into()
    }
}

/// Random input rows and a norm.
struct Input {
    columns: usize,
    rows: Vec<f32>,
    gain: Vec<f32>,
    norm: Norm,
    buffer: kernels::Buffer,
    step: StepBuffer,
}

impl Input {
    fn random(gpu: &Gpu, rows: usize, columns: usize) -> Self {
        let mut random = Random::new(7);
        let (gain, values) = (random.f32s(columns), random.f32s(rows * columns));
        Self {
            columns,
            norm: Norm { kind: NormKind::Rms, gain: gpu.upload_f32(&gain), epsilon: EPSILON },
            buffer: upload_rows(gpu, &values, columns),
            step: StepBuffer::new(gpu, 8),
            rows: values,
            gain,
        }
    }

    fn normed(&self) -> impl Iterator<Item = Vec<f32>> {
        self.rows.chunks(self.columns).map(|row| reference::rms_norm(row, &self.gain, EPSILON))
    }
}

async fn linear(gpu: &Gpu, matrix: &Matrix, rows: usize) -> Check {
    let input = Input::random(gpu, rows, matrix.columns);
    let values = run_linear(gpu, matrix, &input, rows).await;
    let expected: Vec<f32> =
        input.normed().flat_map(|row| reference::matvec(&matrix.values, &row)).collect();
    close(format!("linear {:?} x{rows}", matrix.weight_type), &values, &expected)
}

async fn run_linear(gpu: &Gpu, matrix: &Matrix, input: &Input, rows: usize) -> Vec<f32> {
    let output = gpu.empty(rows_bytes(rows, matrix.rows));
    gpu.linear(&input.buffer, &input.norm, &matrix.pack(gpu), &input.step, &output, rows);
    gpu.read_f32(&output, rows * matrix.rows).await.expect("it reads")
}

async fn linear_add(gpu: &Gpu, matrix: &Matrix, rows: usize) -> Check {
    let input = Input::random(gpu, rows, matrix.columns);
    let before = Random::new(9).f32s(rows * OUTPUTS);
    let output = upload_rows(gpu, &before, OUTPUTS);
    gpu.linear_add(&input.buffer, &matrix.pack(gpu), None, &output, rows);
    let values = gpu.read_f32(&output, rows * OUTPUTS).await.expect("it reads");
    let products =
        input.rows.chunks(matrix.columns).flat_map(|row| reference::matvec(&matrix.values, row));
    let expected: Vec<f32> = before.iter().zip(products).map(|(a, b)| a + b).collect();
    close(format!("linear_add {:?} x{rows}", matrix.weight_type), &values, &expected)
}

async fn gate_up(gpu: &Gpu, weight_type: WeightType, rows: usize) -> Check {
    let input = Input::random(gpu, rows, columns(weight_type));
    let [gate, up] = [2, 3].map(|seed| Matrix::random(weight_type, OUTPUTS, seed));
    let packed = PackedMatrix::paired(gpu, gate.source(), up.source()).expect("they fit").into();
    let output = gpu.empty(rows_bytes(rows, OUTPUTS));
    gpu.gate_up(&input.buffer, &input.norm, &packed, Activation::Silu, &output, rows);
    let values = gpu.read_f32(&output, rows * OUTPUTS).await.expect("it reads");
    let gated = |row: Vec<f32>| {
        let [gate, up] = [&gate, &up].map(|matrix| reference::matvec(&matrix.values, &row));
        reference::silu_gate(&gate, &up)
    };
    let expected: Vec<f32> = input.normed().flat_map(gated).collect();
    close(format!("gate_up {weight_type:?} x{rows}"), &values, &expected)
}

/// The first row's bits are the same alone and among five.
async fn row_alone(gpu: &Gpu, matrix: &Matrix) -> Check {
    let input = Input::random(gpu, 5, matrix.columns);
    let alone = run_linear(gpu, matrix, &input, 1).await;
    let together = run_linear(gpu, matrix, &input, 5).await;
    same(format!("a row alone {:?}", matrix.weight_type), &alone, &together[..matrix.rows])
}

/// The bits are the same in tiles of any size.
async fn tiles(gpu: &Gpu, weight_type: WeightType) -> Check {
    let matrix = Matrix::random(weight_type, 64, 1);
    let input = Input::random(gpu, 5, matrix.columns);
    let (mut small, mut large) = (gpu.clone(), gpu.clone());
    small.tiling = Tiling { groups: 1, least_lanes: 1 };
    large.tiling = Tiling { groups: 4, least_lanes: 1 };
    let [small, large] = [
        run_linear(&small, &matrix, &input, 5).await,
        run_linear(&large, &matrix, &input, 5).await,
    ];
    same(format!("tiles {weight_type:?}"), &small, &large)
}

/// The head takes the rows that the step names, with the bits that `linear` gives them.
async fn head_rows(gpu: &Gpu, matrix: &Matrix) -> Check {
    let input = Input::random(gpu, 5, matrix.columns);
    let mut step = Step::chunk(0, 0, 5);
    step.head_rows = vec![4, 1];
    input.step.write(gpu, &step);
    let output = gpu.empty(rows_bytes(2, matrix.rows));
    let parts = matrix.in_two_parts(gpu);
    gpu.linear_of_head_rows(&input.buffer, &input.norm, &parts, &input.step, &output, 2);
    let values = gpu.read_f32(&output, 2 * matrix.rows).await.expect("it reads");
    let together = run_linear(gpu, matrix, &input, 5).await;
    let row = |at: usize| &together[at * matrix.rows..(at + 1) * matrix.rows];
    same(format!("head rows {:?}", matrix.weight_type), &values, &[row(4), row(1)].concat())
}

/// Tensors of different types fuse into one matrix, and so do a gate and an up of two types.
async fn mixed_types(gpu: &Gpu) -> Vec<Check> {
    let types = [WeightType::Q4K, WeightType::Q4K, WeightType::Q6K];
    let input = Input::random(gpu, 1, 512);
    let matrices = types.map(|weight_type| Matrix::random(weight_type, 8, 4));
    let sources: Vec<_> = matrices.iter().map(Matrix::source).collect();
    let packed = PackedMatrix::stacked(gpu, &sources).expect("they fit").into();
    let output = gpu.empty(rows_bytes(1, 24));
    gpu.linear(&input.buffer, &input.norm, &packed, &input.step, &output, 1);
    let values = gpu.read_f32(&output, 24).await.expect("it reads");
    let row = input.normed().next().expect("one row");
    let products = |matrix: &Matrix| reference::matvec(&matrix.values, &row);
    let expected: Vec<f32> = matrices.iter().flat_map(products).collect();
    let stacked = close("mixed types".into(), &values, &expected);

    let [gate, _, up] = &matrices;
    let packed = PackedMatrix::paired(gpu, gate.source(), up.source()).expect("they fit").into();
    gpu.gate_up(&input.buffer, &input.norm, &packed, Activation::Silu, &output, 1);
    let values = gpu.read_f32(&output, 8).await.expect("it reads");
    let expected = reference::silu_gate(&products(gate), &products(up));
    vec![stacked, close("gate_up of mixed types".into(), &values, &expected)]
}
