//! Every kernel against a scalar reference, as functions that run natively (`tests/kernels.rs`)
//! and in a browser (`examples/checks.rs`).

mod attention;
mod families;
mod products;

use kernels::Gpu;

/// One kernel in one shape.
#[derive(Debug)]
pub struct Check {
    pub name: String,
    /// Largest difference over the largest expected magnitude; infinite where bits must agree
    /// and do not.
    pub error: f32,
    /// The largest error that passes.
    pub tolerance: f32,
}

impl Check {
    pub fn has_passed(&self) -> bool {
        self.error <= self.tolerance
    }
}

pub async fn all(gpu: &Gpu) -> Vec<Check> {
    let mut checks = products::all(gpu).await;
    checks.extend(attention::all(gpu).await);
    checks.extend(families::all(gpu).await);
    checks
}

/// A check that the bits are the same.
fn same(name: String, left: &[f32], right: &[f32]) -> Check {
    let equal = left.len() == right.len()
        && left.iter().zip(right).all(|(a, b)| a.to_bits() == b.to_bits());
    Check { name, error: if equal { 0.0 } else { f32::INFINITY }, tolerance: 0.0 }
}

fn close(name: String, values: &[f32], expected: &[f32]) -> Check {
    within(testkit::KERNEL_TOLERANCE, name, values, expected)
}

fn within(tolerance: f32, name: String, values: &[f32], expected: &[f32]) -> Check {
    Check { name, error: testkit::relative_error(values, expected), tolerance }
}

/// Rows of `f32` on the GPU, with room for whole lanes of rows.
fn upload_rows(gpu: &Gpu, rows: &[f32], columns: usize) -> kernels::Buffer {
    let buffer = gpu.empty(kernels::rows_bytes(rows.len() / columns, columns));
    gpu.write(&buffer, rows.iter().flat_map(|value| value.to_le_bytes()).collect());
    buffer
}
