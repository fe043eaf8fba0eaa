//! Refuses inputs that mean nothing, naming the place by its JSON path.

use std::collections::BTreeSet;

use base::{ModuleRange, PlanInput};

use crate::PlanError;

/// Checks lengths, ranges and references of an input.
///
/// # Errors
/// [`PlanError::Invalid`] with the JSON path of the first thing wrong.
pub fn validate(input: &PlanInput) -> Result<(), PlanError> {
    check_modules(input)?;
    check_tensors(input)?;
    check_devices(input)?;
    check_links(input, "rtt_secs", &input.rtt_secs)?;
    check_links(input, "bytes_per_sec", &input.bytes_per_sec)?;
    not_negative(input.token_bytes, || "token_bytes".into())?;
    module(input, input.token_to, || "token_to".into())?;
    check_sums(input)
}

fn check_modules(input: &PlanInput) -> Result<(), PlanError> {
    if input.modules.is_empty() {
        return invalid("modules".into(), "must have at least one module");
    }
    for (i, module) in input.modules.iter().enumerate() {
        not_negative(module.flops, || format!("modules[{i}].flops"))?;
        not_negative(module.weights_bytes, || format!("modules[{i}].weights_bytes"))?;
        not_negative(module.kv_bytes, || format!("modules[{i}].kv_bytes"))?;
    }
    length(input.sequential_bytes.len(), input.modules.len() - 1, || "sequential_bytes".into())?;
    for (i, &bytes) in input.sequential_bytes.iter().enumerate() {
        not_negative(bytes, || format!("sequential_bytes[{i}]"))?;
    }
    Ok(())
}

fn check_tensors(input: &PlanInput) -> Result<(), PlanError> {
    for (i, residual) in input.residual.iter().enumerate() {
        module(input, residual.from, || format!("residual[{i}].from"))?;
        not_negative(residual.bytes, || format!("residual[{i}].bytes"))?;
        if residual.to.is_empty() {
            return invalid(format!("residual[{i}].to"), "must name at least one consumer");
        }
        for (k, &to) in residual.to.iter().enumerate() {
            let path = || format!("residual[{i}].to[{k}]");
            module(input, to, path)?;
            if to <= residual.from + 1 {
                let least = residual.from + 1;
                return invalid(path(), format!("must be over {least}, the module after `from`"));
            }
        }
    }
    for (i, tied) in input.tied.iter().enumerate() {
        module(input, tied.0, || format!("tied[{i}][0]"))?;
        module(input, tied.1, || format!("tied[{i}][1]"))?;
        not_negative(tied.2, || format!("tied[{i}][2]"))?;
        if tied.0 == tied.1 {
            return invalid(format!("tied[{i}]"), "must name two different modules");
        }
    }
    Ok(())
}

fn check_devices(input: &PlanInput) -> Result<(), PlanError> {
    if input.devices.is_empty() {
        return invalid("devices".into(), "must have at least one device");
    }
    let mut ids = BTreeSet::new();
    for (i, device) in input.devices.iter().enumerate() {
        if !ids.insert(&device.id) {
            return invalid(format!("devices[{i}].id"), format!("`{}` is taken", device.id));
        }
        let speed = device.flops_per_sec;
        if !(speed.is_finite() && speed > 0.0) {
            return invalid(format!("devices[{i}].flops_per_sec"), "must be finite and over 0");
        }
        not_negative(device.overhead_secs, || format!("devices[{i}].overhead_secs"))?;
        not_negative(device.memory_bytes, || format!("devices[{i}].memory_bytes"))?;
        let is_wrong = |held: &ModuleRange| held.is_empty() || held.end > input.modules.len();
        if let Some(k) = device.within.iter().position(is_wrong) {
            let modules = input.modules.len();
            return invalid(
                format!("devices[{i}].within[{k}]"),
                format!("must be modules of 0..{modules}"),
            );
        }
    }
    Ok(())
}

fn check_links(input: &PlanInput, name: &str, rows: &[Vec<f64>]) -> Result<(), PlanError> {
    let devices = input.devices.len();
    length(rows.len(), devices, || name.into())?;
    for (from, row) in rows.iter().enumerate() {
        length(row.len(), devices, || format!("{name}[{from}]"))?;
        for (to, &value) in row.iter().enumerate().filter(|&(to, _)| to != from) {
            not_negative(value, || format!("{name}[{from}][{to}]"))?;
        }
    }
    Ok(())
}

/// Whatever the plan, its times and bytes are numbers.
fn check_sums(input: &PlanInput) -> Result<(), PlanError> {
    let flops: f64 = input.modules.iter().map(|module| module.flops).sum();
    let bytes: f64 = input.modules.iter().map(|module| module.resident_bytes()).sum();
    finite(flops + bytes, || "modules".into())?;
    let sequential: f64 = input.sequential_bytes.iter().sum();
    let residual = input.residual.iter().map(|one| one.bytes * one.to.len() as f64);
    let sent = sequential + residual.sum::<f64>() + input.token_bytes;
    finite(sent, || "sequential_bytes".into())?;
    let mut secs = 0.0;
    for (i, device) in input.devices.iter().enumerate() {
        secs += flops / device.flops_per_sec;
        finite(secs, || format!("devices[{i}].flops_per_sec"))?;
        // A header may have two stages.
        secs += device.overhead_secs * if i == 0 { 2.0 } else { 1.0 };
        finite(secs, || format!("devices[{i}].overhead_secs"))?;
    }
    let devices = input.devices.len();
    let pairs = (0..devices).flat_map(|from| (0..devices).map(move |to| (from, to)));
    for (from, to) in pairs.filter(|(from, to)| from != to) {
        let bandwidth = input.bytes_per_sec[from][to];
        secs += if bandwidth > 0.0 { sent / bandwidth } else { 0.0 };
        finite(secs, || format!("bytes_per_sec[{from}][{to}]"))?;
        secs += input.rtt_secs[from][to];
        finite(secs, || format!("rtt_secs[{from}][{to}]"))?;
    }
    Ok(())
}

fn finite(value: f64, path: impl Fn() -> String) -> Result<(), PlanError> {
    let problem = "gives sums or times beyond the largest number";
    if value.is_finite() { Ok(()) } else { invalid(path(), problem) }
}

fn not_negative(value: f64, path: impl Fn() -> String) -> Result<(), PlanError> {
    let sensible = value.is_finite() && value >= 0.0;
    if sensible { Ok(()) } else { invalid(path(), "must be finite and not negative") }
}

fn module(input: &PlanInput, index: usize, path: impl Fn() -> String) -> Result<(), PlanError> {
    let modules = input.modules.len();
    if index < modules {
        return Ok(());
    }
    invalid(path(), format!("must be a module, 0 to {}", modules - 1))
}

fn length(actual: usize, expected: usize, path: impl Fn() -> String) -> Result<(), PlanError> {
    if actual == expected {
        return Ok(());
    }
    invalid(path(), format!("must have {expected} entries, has {actual}"))
}

fn invalid(path: String, problem: impl Into<String>) -> Result<(), PlanError> {
    Err(PlanError::Invalid { path, problem: problem.into() })
}
