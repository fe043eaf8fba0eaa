//! A plan's reason, in words.

use base::{ModuleRange, Objective, Plan};

use crate::{costs::Costs, verify::held_bytes};

/// Why this plan: one phone alone or a split, and against what. `split_secs` is
/// what a plan of two or more stages costs at least.
pub(crate) fn explain(costs: &Costs<'_>, plan: &Plan, secs: f64, split_secs: f64) -> String {
    let input = costs.input;
    let header = &input.devices[0];
    let (time, unit) = (milliseconds(secs), objective_words(input.objective));
    if plan.stages.len() == 1 {
        return match split_secs.is_finite() {
            true => format!(
                "{} alone is best: {time} {unit}, and any split would take at least {}.",
                header.id,
                milliseconds(split_secs)
            ),
            false => {
                format!("{} does everything: {time} {unit}, and no split is possible.", header.id)
            }
        };
    }
    let phones = phones(plan);
    let alone_bytes = held_bytes(input, &[ModuleRange::new(0, costs.modules)]);
    if alone_bytes > header.memory_bytes {
        return format!(
            "The model needs {} and {} has room for {}, so {phones} phones share it: {time} {unit}.",
            size(alone_bytes),
            header.id,
            size(header.memory_bytes)
        );
    }
    let alone = milliseconds(costs.compute_secs(0, 0, costs.modules));
    format!(
        "{phones} phones together are faster than {} alone: {time} {unit} instead of {alone}.",
        header.id
    )
}

fn phones(plan: &Plan) -> usize {
    let closing = plan.stages.iter().skip(1).filter(|stage| stage.device == 0).count();
    plan.stages.len() - closing
}

fn objective_words(objective: Objective) -> &'static str {
    match objective {
        Objective::Latency => "per token",
        Objective::Throughput => "per token with several requests in flight",
    }
}

pub(crate) fn milliseconds(secs: f64) -> String {
    match secs * 1e3 {
        millis if millis >= 100.0 => format!("{millis:.0} ms"),
        millis if millis >= 1.0 => format!("{millis:.1} ms"),
        millis => format!("{millis:.3} ms"),
    }
}

/// Bytes in the largest unit that leaves a number of at least 1; MB = 10^6 bytes.
pub(crate) fn size(bytes: f64) -> String {
    match bytes {
        bytes if bytes >= 1e9 => format!("{:.2} GB", bytes / 1e9),
        bytes if bytes >= 1e6 => format!("{:.1} MB", bytes / 1e6),
        bytes if bytes >= 1e3 => format!("{:.1} kB", bytes / 1e3),
        bytes if bytes.round() == 1.0 => "1 byte".into(),
        bytes => format!("{bytes:.0} bytes"),
    }
}

/// As [`size`], but rounded up: what is lent after reading it is enough.
pub(crate) fn size_at_least(bytes: f64) -> String {
    let step = match bytes {
        bytes if bytes >= 1e9 => 1e7,
        bytes if bytes >= 1e6 => 1e5,
        bytes if bytes >= 1e3 => 1e2,
        _ => 1.0,
    };
    size((bytes / step).ceil() * step)
}
