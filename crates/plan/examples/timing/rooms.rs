//! Rooms of any size, the same in every run.

use base::{DeviceProfile, ModuleProfile, Objective, PlanInput, Residual};

/// No residual tensors; one from module 0 to all; one encoder output to every decoder module.
pub fn residuals(modules: usize) -> [(&'static str, Vec<Residual>); 3] {
    let middle = modules / 2;
    let to_all = Residual { from: 0, to: (2..modules).collect(), bytes: 512.0 };
    let encoder = Residual { from: middle, to: (middle + 2..modules).collect(), bytes: 8192.0 };
    [("none", vec![]), ("from 0", vec![to_all]), ("encoder", vec![encoder])]
}

/// Phones of different speeds on one Wi-Fi network, each lending a fifth more than its share.
pub fn room(
    phones: usize,
    modules: usize,
    objective: Objective,
    residual: Vec<Residual>,
) -> PlanInput {
    let module = |i: usize| ModuleProfile {
        name: format!("m.{i}"),
        flops: if i + 1 == modules { 3e8 } else { 2e7 * (1.0 + (i % 2) as f64) },
        weights_bytes: if i == 0 || i + 1 == modules { 6e7 } else { 1e7 * (1.0 + (i % 2) as f64) },
        kv_bytes: 0.0,
    };
    let modules: Vec<_> = (0..modules).map(module).collect();
    let bytes: f64 = modules.iter().map(|module| module.weights_bytes).sum();
    let device = |i: usize| DeviceProfile {
        id: format!("phone-{i}"),
        flops_per_sec: 1e10 * (1.0 + (i * 7 % 5) as f64),
        overhead_secs: 0.0,
        memory_bytes: (bytes * 1.2 / phones as f64).max(1.3e8),
        within: Vec::new(),
    };
    let link = |from: usize, to: usize| 1.0 + ((from * 5 + to * 3) % 7) as f64;
    let matrix = |scale: f64| -> Vec<Vec<f64>> {
        (0..phones).map(|from| (0..phones).map(|to| scale * link(from, to)).collect()).collect()
    };
    PlanInput {
        objective,
        sequential_bytes: vec![8192.0; modules.len() - 1],
        modules,
        residual,
        tied: vec![],
        devices: (0..phones).map(device).collect(),
        rtt_secs: matrix(1e-3),
        bytes_per_sec: matrix(2e6),
        token_bytes: 4.0,
        token_to: 0,
        close_ring: false,
    }
}
