//! What a plan costs, straight from the definitions. Shares nothing with the search.

use std::collections::{BTreeMap, BTreeSet};

use base::{Objective, Plan, PlanInput, Stage};
use serde::Serialize;

use crate::{Violation, verify::verify_shape};

/// One ordered pair of devices with traffic.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct PairCost {
    /// The sender's index.
    pub from: usize,
    /// The receiver's index.
    pub to: usize,
    /// Bytes for one token.
    pub bytes: f64,
    /// Half a round trip and the bytes' own time.
    pub secs: f64,
}

/// A plan's exact costs.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Evaluation {
    /// The one of the next two that the input asks for.
    pub objective_secs: f64,
    /// Computes and pair times, added up: one token through the whole ring.
    pub latency_secs: f64,
    /// The slowest device or link: the time between tokens with several requests in flight.
    pub throughput_secs: f64,
    /// Compute of each stage, in ring order.
    pub stage_secs: Vec<f64>,
    /// Every pair with traffic, by sender and receiver.
    pub pairs: Vec<PairCost>,
}

/// Costs a plan exactly.
///
/// Traffic from one device to another is every sequential and residual tensor made
/// on the one and read on the other, a residual tensor once for each device
/// that reads it, and the sampled token. A pair with traffic takes half its round
/// trip and bytes over bandwidth.
///
/// # Errors
/// Stages that are not contiguous, or traffic where there is no link; memory is [`verify`](crate::verify)'s.
pub fn evaluate(input: &PlanInput, plan: &Plan) -> Result<Evaluation, Violation> {
    verify_shape(input, plan)?;
    let secs = |stage: &Stage| input.stage_secs(stage.device, stage.modules);
    let stage_secs: Vec<f64> = plan.stages.iter().map(secs).collect();
    let traffic = traffic(input, plan);
    let pairs = traffic
        .iter()
        .map(|(&(from, to), &bytes)| pair_cost(input, from, to, bytes))
        .collect::<Result<Vec<_>, _>>()?;
    let latency_secs =
        stage_secs.iter().sum::<f64>() + pairs.iter().map(|pair| pair.secs).sum::<f64>();
    let throughput_secs = bottleneck(input, plan, &stage_secs, &pairs);
    let objective_secs = match input.objective {
        Objective::Latency => latency_secs,
        Objective::Throughput => throughput_secs,
    };
    Ok(Evaluation { objective_secs, latency_secs, throughput_secs, stage_secs, pairs })
}

/// The device of every module.
pub(crate) fn owners(input: &PlanInput, plan: &Plan) -> Vec<usize> {
    let mut owners = vec![0; input.modules.len()];
    for stage in &plan.stages {
        owners[stage.modules.indices()].fill(stage.device);
    }
    owners
}

/// Bytes over 0 between devices, by (sender, receiver).
fn traffic(input: &PlanInput, plan: &Plan) -> BTreeMap<(usize, usize), f64> {
    let owner = owners(input, plan);
    let mut traffic = BTreeMap::new();
    let mut send = |from: usize, to: usize, bytes: f64| {
        if from != to && bytes > 0.0 {
            *traffic.entry((from, to)).or_insert(0.0) += bytes;
        }
    };
    for (module, &bytes) in input.sequential_bytes.iter().enumerate() {
        send(owner[module], owner[module + 1], bytes);
    }
    for residual in &input.residual {
        let readers: BTreeSet<usize> = residual.to.iter().map(|&module| owner[module]).collect();
        for reader in readers {
            send(owner[residual.from], reader, residual.bytes);
        }
    }
    send(owner[owner.len() - 1], owner[input.token_to], input.token_bytes);
    traffic
}

fn pair_cost(input: &PlanInput, from: usize, to: usize, bytes: f64) -> Result<PairCost, Violation> {
    let bandwidth = input.bytes_per_sec[from][to];
    if bandwidth == 0.0 {
        return Err(Violation::NoLink { from, to, bytes });
    }
    let secs = input.rtt_secs[from][to] / 2.0 + bytes / bandwidth;
    Ok(PairCost { from, to, bytes, secs })
}

fn bottleneck(input: &PlanInput, plan: &Plan, stage_secs: &[f64], pairs: &[PairCost]) -> f64 {
    let mut device_secs = vec![0.0; input.devices.len()];
    for (stage, secs) in plan.stages.iter().zip(stage_secs) {
        device_secs[stage.device] += secs;
    }
    let link_secs = pairs.iter().map(|pair| pair.bytes / input.bytes_per_sec[pair.from][pair.to]);
    device_secs.iter().copied().chain(link_secs).fold(0.0, f64::max)
}
