//! What sets families of models apart: layer norms, biases, GELU, and branches that
//! are normalised before they are added.

use kernels::{
    Activation, Branch, Buffer, Gpu, Matrix as Parts, Norm, NormKind, PackedMatrix, StepBuffer,
    WeightType, rows_bytes,
};
use testkit::{Random, reference};

use super::{Check, close, products::Matrix, upload_rows};

const WIDTH: usize = 64;
const OUTPUTS: usize = 96;
const EPSILON: f32 = 1e-5;

pub async fn all(gpu: &Gpu) -> Vec<Check> {
    let mut checks =
        vec![normalise(gpu, NormKind::Layer).await, normalise(gpu, NormKind::Rms).await];
    for rows in [1, 5] {
        checks.extend([
            layer_linear(gpu, rows).await,
            up(gpu, rows, Activation::Gelu).await,
            up(gpu, rows, Activation::Relu).await,
            biased_add(gpu, rows).await,
            gelu_gate(gpu, rows).await,
        ]);
        checks.extend(settling(gpu, rows).await);
    }
    checks
}

/// Rows, and two vectors of gains or biases.
struct Input {
    rows: Vec<f32>,
    first: Vec<f32>,
    second: Vec<f32>,
}

impl Input {
    fn random(rows: usize) -> Self {
        let mut random = Random::new(5);
        // Off the origin, so that a mean is something.
        let rows = random.f32s(rows * WIDTH).into_iter().map(|value| value + 0.5).collect();
        Self { rows, first: random.f32s(WIDTH), second: random.f32s(WIDTH) }
    }

    fn buffer(&self, gpu: &Gpu) -> Buffer {
        upload_rows(gpu, &self.rows, WIDTH)
    }

    /// Both vectors, one after the other.
    fn norm(&self, gpu: &Gpu, kind: NormKind) -> Norm {
        let gain = gpu.upload_f32(&[self.first.clone(), self.second.clone()].concat());
        Norm { kind, gain, epsilon: EPSILON }
    }

    fn layer_normed(&self) -> impl Iterator<Item = Vec<f32>> {
        let normed = |row| reference::layer_norm(row, &self.first, &self.second, EPSILON);
        self.rows.chunks(WIDTH).map(normed)
    }

    fn rms_normed(&self) -> impl Iterator<Item = Vec<f32>> {
        self.rows.chunks(WIDTH).map(|row| reference::rms_norm(row, &self.first, EPSILON))
    }
}

fn matrix(rows: usize, columns: usize, seed: u64) -> Matrix {
    Matrix::with_columns(WeightType::F32, rows, columns, seed)
}

fn added(left: &[f32], right: &[f32]) -> Vec<f32> {
    left.iter().zip(right).map(|(a, b)| a + b).collect()
}

async fn read(gpu: &Gpu, buffer: &Buffer, count: usize) -> Vec<f32> {
    gpu.read_f32(buffer, count).await.expect("it reads")
}

async fn normalise(gpu: &Gpu, kind: NormKind) -> Check {
    let input = Input::random(3);
    let output = gpu.empty(rows_bytes(3, WIDTH));
    gpu.normalise(&input.buffer(gpu), &input.norm(gpu, kind), WIDTH, &output, 3);
    let expected: Vec<f32> = match kind {
        NormKind::Layer => input.layer_normed().flatten().collect(),
        NormKind::Rms => input.rms_normed().flatten().collect(),
    };
    close(format!("normalise {kind:?}"), &read(gpu, &output, 3 * WIDTH).await, &expected)
}

async fn layer_linear(gpu: &Gpu, rows: usize) -> Check {
    let (input, matrix) = (Input::random(rows), matrix(OUTPUTS, WIDTH, 3));
    let (norm, step) = (input.norm(gpu, NormKind::Layer), StepBuffer::new(gpu, 8));
    let output = gpu.empty(rows_bytes(rows, OUTPUTS));
    gpu.linear(&input.buffer(gpu), &norm, &matrix.pack(gpu), &step, &output, rows);
    let products = input.layer_normed().flat_map(|row| reference::matvec(&matrix.values, &row));
    let expected: Vec<f32> = products.collect();
    let values = read(gpu, &output, rows * OUTPUTS).await;
    close(format!("linear behind a layer norm x{rows}"), &values, &expected)
}

async fn up(gpu: &Gpu, rows: usize, activation: Activation) -> Check {
    let (input, matrix) = (Input::random(rows), matrix(OUTPUTS, WIDTH, 4));
    let (norm, bias) = (input.norm(gpu, NormKind::Layer), Random::new(6).f32s(OUTPUTS));
    let (output, bias_buffer) = (gpu.empty(rows_bytes(rows, OUTPUTS)), gpu.upload_f32(&bias));
    let packed = matrix.pack(gpu);
    gpu.up(&input.buffer(gpu), &norm, &packed, Some(&bias_buffer), activation, &output, rows);
    let active = |row: Vec<f32>| {
        let sums = added(&reference::matvec(&matrix.values, &row), &bias);
        let one = |x: f32| match activation {
            Activation::Relu => x.max(0.0),
            _ => reference::gelu(x),
        };
        sums.into_iter().map(one).collect::<Vec<_>>()
    };
    let expected: Vec<f32> = input.layer_normed().flat_map(active).collect();
    let values = read(gpu, &output, rows * OUTPUTS).await;
    close(format!("up with {activation:?} x{rows}"), &values, &expected)
}

async fn biased_add(gpu: &Gpu, rows: usize) -> Check {
    let (input, matrix) = (Input::random(rows), matrix(OUTPUTS, WIDTH, 7));
    let (before, bias) = (Random::new(9).f32s(rows * OUTPUTS), Random::new(8).f32s(OUTPUTS));
    let output = upload_rows(gpu, &before, OUTPUTS);
    let bias_buffer = gpu.upload_f32(&bias);
    gpu.linear_add(&input.buffer(gpu), &matrix.pack(gpu), Some(&bias_buffer), &output, rows);
    let sums = |row| added(&reference::matvec(&matrix.values, row), &bias);
    let products: Vec<f32> = input.rows.chunks(WIDTH).flat_map(sums).collect();
    let values = read(gpu, &output, rows * OUTPUTS).await;
    close(format!("linear_add with a bias x{rows}"), &values, &added(&before, &products))
}

async fn gelu_gate(gpu: &Gpu, rows: usize) -> Check {
    let input = Input::random(rows);
    let norm = Norm { gain: gpu.upload_f32(&input.first), ..input.norm(gpu, NormKind::Rms) };
    let gates = Gates::random(gpu);
    let output = gpu.empty(rows_bytes(rows, OUTPUTS));
    let buffer = input.buffer(gpu);
    gpu.gate_up(&buffer, &norm, &gates.packed, Activation::Gelu, &output, rows);
    let expected: Vec<f32> = input.rms_normed().flat_map(|row| gates.expected(&row)).collect();
    let values = read(gpu, &output, rows * OUTPUTS).await;
    close(format!("gate_up with GELU x{rows}"), &values, &expected)
}

/// A gate and an up.
struct Gates {
    gate: Matrix,
    up: Matrix,
    packed: Parts,
}

impl Gates {
    fn random(gpu: &Gpu) -> Self {
        let [gate, up] = [10, 11].map(|seed| matrix(OUTPUTS, WIDTH, seed));
        let packed =
            PackedMatrix::paired(gpu, gate.source(), up.source()).expect("they fit").into();
        Self { gate, up, packed }
    }

    fn expected(&self, row: &[f32]) -> Vec<f32> {
        let [gate, up] = [&self.gate, &self.up].map(|one| reference::matvec(&one.values, row));
        gate.iter().zip(up).map(|(&gate, up)| reference::gelu(gate) * up).collect()
    }
}

/// All kernels that add a branch: they agree on the sum, to the bit, and on what follows from it.
async fn settling(gpu: &Gpu, rows: usize) -> Vec<Check> {
    let input = Input::random(rows);
    let branch = Random::new(12).f32s(rows * WIDTH);
    let (norm, hidden) = (input.norm(gpu, NormKind::Rms), input.buffer(gpu));
    let branch_buffer = upload_rows(gpu, &branch, WIDTH);
    let pairs = input.rows.chunks(WIDTH).zip(branch.chunks(WIDTH));
    let sums: Vec<f32> = pairs
        .flat_map(|(row, own)| added(row, &reference::rms_norm(own, &input.second, EPSILON)))
        .collect();
    let normed: Vec<Vec<f32>> =
        sums.chunks(WIDTH).map(|row| reference::rms_norm(row, &input.first, EPSILON)).collect();

    let settled: [Buffer; 3] = std::array::from_fn(|_| gpu.empty(rows_bytes(rows, WIDTH)));
    let at = |at: usize| Branch { hidden: &hidden, branch: &branch_buffer, settled: &settled[at] };
    gpu.settle(at(0), &norm, WIDTH, rows);
    let (matrix, gates) = (matrix(OUTPUTS, WIDTH, 13), Gates::random(gpu));
    let [linear, gated] = [(); 2].map(|()| gpu.empty(rows_bytes(rows, OUTPUTS)));
    gpu.linear_settling(at(1), &norm, &matrix.pack(gpu), &linear, rows);
    gpu.gate_up_settling(at(2), &norm, &gates.packed, Activation::Gelu, &gated, rows);

    let products: Vec<f32> =
        normed.iter().flat_map(|row| reference::matvec(&matrix.values, row)).collect();
    let gates: Vec<f32> = normed.iter().flat_map(|row| gates.expected(row)).collect();
    let first = read(gpu, &settled[0], rows * WIDTH).await;
    let mut checks = vec![
        close(format!("settle x{rows}"), &first, &sums),
        close(
            format!("linear_settling x{rows}"),
            &read(gpu, &linear, rows * OUTPUTS).await,
            &products,
        ),
        close(
            format!("gate_up_settling x{rows}"),
            &read(gpu, &gated, rows * OUTPUTS).await,
            &gates,
        ),
    ];
    for other in &settled[1..] {
        let sums = read(gpu, other, rows * WIDTH).await;
        checks.push(super::same(format!("settled alike x{rows}"), &sums, &first));
    }
    checks
}
