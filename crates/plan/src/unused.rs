//! Why a device got nothing, in words.

use base::{Objective, Plan};
use serde::Serialize;

use crate::{costs::Costs, explain::milliseconds};

/// A device without a stage.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Unused {
    /// Its index.
    pub device: usize,
    /// Why: a sentence for a person, with devices by their ids.
    pub reason: String,
}

/// All devices without a stage. `with_device_secs` are what plans with a device cost at least, and no plan
/// costs less than `proven_secs`.
pub(crate) fn unused(
    costs: &Costs<'_>,
    plan: &Plan,
    secs: f64,
    proven_secs: f64,
    with_device_secs: &[f64],
) -> Vec<Unused> {
    let has_none = |device: &usize| plan.stages.iter().all(|stage| stage.device != *device);
    let why = |device: usize| {
        let with_secs = with_device_secs[device];
        let reason = match with_secs.is_finite() {
            true => too_slow(costs, device, secs, with_secs.max(proven_secs)),
            false => impossible(costs, device),
        };
        Unused { device, reason }
    };
    (0..costs.devices()).filter(has_none).map(why).collect()
}

fn too_slow(costs: &Costs<'_>, device: usize, secs: f64, with_secs: f64) -> String {
    let id = &costs.input.devices[device].id;
    let [with, without] = [with_secs, secs].map(milliseconds);
    let token = match costs.input.objective {
        Objective::Latency => "a token",
        Objective::Throughput => "each of several tokens in flight",
    };
    match with_secs {
        with_secs if with_secs > secs && with != without => {
            format!("With {id} {token} would take at least {with} instead of {without}.")
        }
        with_secs if with_secs >= secs * (1.0 - TIE) => format!(
            "With {id} {token} would take no less than the {without} it takes without, and fewer \
             phones are better."
        ),
        _ => format!("No plan was found in which {token} takes less than {without} with {id}."),
    }
}

/// What keeps a device out of every plan.
fn impossible(costs: &Costs<'_>, device: usize) -> String {
    let input = costs.input;
    let id = &input.devices[device].id;
    let mut ranges = (1..costs.modules)
        .flat_map(|start| (start + 1..=costs.modules).map(move |end| (start, end)));
    if !ranges.any(|(start, end)| costs.fits(device, start, end)) {
        return match costs.modules {
            1 => "The model has one part, and the phone that starts the room runs it.".into(),
            _ => format!("{id} lends less memory than any part of the model needs."),
        };
    }
    let others = || (0..costs.devices()).filter(|&other| other != device);
    let hears = others().any(|other| input.bytes_per_sec[other][device] > 0.0);
    let is_heard = others().any(|other| input.bytes_per_sec[device][other] > 0.0);
    if !hears || !is_heard {
        return format!("{id} has no link to the others.");
    }
    format!("No split with {id} has both the memory and the links it needs.")
}

/// Costs this close, relatively, are equal.
const TIE: f64 = 1e-9;
