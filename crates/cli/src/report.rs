//! A plan in words and columns.

use anyhow::Result;
use base::{Objective, PlanInput};
use plan::{Solution, best_alone, equal_split, evaluate, verify};

/// Prints who runs what, and what that takes.
pub fn print(input: &PlanInput, solution: &Solution) -> Result<()> {
    let costs = evaluate(input, &solution.plan)?;
    for (stage, secs) in solution.plan.stages.iter().zip(&costs.stage_secs) {
        let device = &input.devices[stage.device];
        let modules = &input.modules[stage.modules.indices()];
        let bytes: f64 = modules.iter().map(|module| module.resident_bytes()).sum();
        println!(
            "{:16} modules {:9} {:>12} ms  {} of {} bytes",
            device.id,
            stage.modules.to_string(),
            millis(*secs),
            bytes,
            device.memory_bytes
        );
    }
    for copy in &solution.plan.overlap {
        println!("{:16} copies  {:9}", input.devices[copy.device].id, copy.modules.to_string());
    }
    for pair in &costs.pairs {
        let [from, to] = [pair.from, pair.to].map(|device| &input.devices[device].id);
        println!("{from} -> {to}: {} ms for {} bytes", millis(pair.secs), pair.bytes);
    }
    let what = match input.objective {
        Objective::Latency => "a token",
        Objective::Throughput => "the slowest device or link",
    };
    let [found, least] = [solution.objective_secs, solution.lower_bound_secs].map(millis);
    println!("{what}: {found} ms, and no plan takes less than {least} ms");
    println!("{}", solution.reason);
    for one in &solution.unused {
        println!("{}", one.reason);
    }
    print_comparisons(input)
}

/// What the plan is better than.
fn print_comparisons(input: &PlanInput) -> Result<()> {
    if let Some((device, secs)) = best_alone(input) {
        println!("the fastest alone: {} with {} ms", input.devices[device].id, millis(secs));
    }
    let split = equal_split(input);
    match verify(input, &split) {
        Ok(()) => {
            let secs = evaluate(input, &split)?.objective_secs;
            println!("an equal split: {} ms", millis(secs));
        }
        Err(violation) => println!("an equal split is not possible: {violation}"),
    }
    Ok(())
}

fn millis(secs: f64) -> String {
    format!("{:.3}", 1e3 * secs)
}
