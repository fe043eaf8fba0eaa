//! The same phones in the same order, with the cuts elsewhere: what a load balancer can do at once.

use base::{ModuleRange, Objective, Plan, PlanInput, Stage};

use crate::evaluate;

/// The cheapest plan with the devices of `stages` in their order, each with a stage that it may run
/// ([`base::DeviceProfile::may_run`]): exact without residual tensors; with them, no single cut can be moved to
/// any gain. None where there is none, or `stages` are no plan.
pub fn rebalance(input: &PlanInput, stages: &[Stage]) -> Option<Plan> {
    let devices: Vec<usize> = stages.iter().map(|stage| stage.device).collect();
    let start = Plan { stages: stages.to_vec(), overlap: Vec::new() };
    evaluate(input, &start).ok()?;
    let best = cheapest(input, &devices)?;
    if input.residual.is_empty() {
        return Some(best);
    }
    let refined = [start, best].map(|plan| refine(input, plan));
    refined.into_iter().min_by(|a, b| a.1.total_cmp(&b.1)).map(|(plan, _)| plan)
}

/// Moves one cut after the other as long as that gains something; and the cost then.
fn refine(input: &PlanInput, plan: Plan) -> (Plan, f64) {
    let secs = evaluate(input, &plan).map_or(f64::INFINITY, |costs| costs.objective_secs);
    let mut refined = (plan, secs);
    while let Some(better) = best_move(input, &refined.0).filter(|(_, secs)| *secs < refined.1) {
        refined = better;
    }
    refined
}

/// By a dynamic program over the ends of stages, without residual tensors.
fn cheapest(input: &PlanInput, devices: &[usize]) -> Option<Plan> {
    let modules = input.modules.len();
    // By end of the stages so far: their least cost, and where the last of them begins.
    let mut rows: Vec<Vec<(f64, usize)>> = Vec::new();
    for (position, &device) in devices.iter().enumerate() {
        let best_to = |end: usize| {
            let starts = if position == 0 { 0..end.min(1) } else { position..end };
            let ways = starts.map(|start| {
                let before = match position {
                    0 => 0.0,
                    _ => combine(
                        input,
                        rows[position - 1][start].0,
                        link_secs(input, devices[position - 1], device, start),
                    ),
                };
                let stage = stage_secs(input, device, ModuleRange::new(start, end));
                (combine(input, before, stage), start)
            });
            ways.min_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((f64::INFINITY, 0))
        };
        rows.push((0..=modules).map(best_to).collect());
    }
    rows.last()?[modules].0.is_finite().then(|| {
        let mut end = modules;
        let mut stages: Vec<Stage> = Vec::new();
        for (row, &device) in rows.iter().zip(devices).rev() {
            let start = row[end].1;
            stages.push(Stage { device, modules: ModuleRange::new(start, end) });
            end = start;
        }
        stages.reverse();
        Plan { stages, overlap: Vec::new() }
    })
}

fn stage_secs(input: &PlanInput, device: usize, stage: ModuleRange) -> f64 {
    if stage.is_empty() || !input.devices[device].may_run(stage) {
        return f64::INFINITY;
    }
    input.stage_secs(device, stage)
}

fn link_secs(input: &PlanInput, from: usize, to: usize, cut: usize) -> f64 {
    let bytes = input.sequential_bytes[cut - 1];
    let own_secs = if bytes > 0.0 { bytes / input.bytes_per_sec[from][to] } else { 0.0 };
    match input.objective {
        Objective::Latency if bytes > 0.0 => input.rtt_secs[from][to] / 2.0 + own_secs,
        _ => own_secs,
    }
}

fn combine(input: &PlanInput, a: f64, b: f64) -> f64 {
    match input.objective {
        Objective::Latency => a + b,
        Objective::Throughput => a.max(b),
    }
}

/// The best plan with one cut elsewhere, and its cost.
fn best_move(input: &PlanInput, plan: &Plan) -> Option<(Plan, f64)> {
    let moved = |boundary: usize, cut: usize| {
        let mut plan = plan.clone();
        plan.stages[boundary].modules.end = cut;
        plan.stages[boundary + 1].modules.start = cut;
        plan
    };
    let cuts = plan.stages.windows(2).enumerate().flat_map(|(boundary, pair)| {
        let between = pair[0].modules.start + 1..pair[1].modules.end;
        between.map(move |cut| moved(boundary, cut))
    });
    let costed = cuts.filter_map(|plan| {
        let secs = evaluate(input, &plan).ok()?.objective_secs;
        Some((plan, secs))
    });
    costed.min_by(|a, b| a.1.total_cmp(&b.1))
}
