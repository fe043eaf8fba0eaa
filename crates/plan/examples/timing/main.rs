//! Prints how long plans take to find, and draws it:
//! `cargo run --release --package plan --example timing -- docs/planner-times.svg`.

mod plot;
mod rooms;

use std::{env, time::Instant};

use base::{Objective, PlanInput};
use plan::{Options, linear, overlap, solve};
use rooms::{residuals, room};

fn main() {
    println!(
        "phones, modules, objective, residual tensors: time and steps of the search, time with"
    );
    println!("the linear program; cost, linear bound as a part of it, modules of each stage;");
    println!("time of the copies, and of the integer linear program for them");
    for (phones, modules) in [(3, 14), (8, 62), (12, 62), (16, 130)] {
        for objective in [Objective::Latency, Objective::Throughput] {
            for (name, residual) in residuals(modules) {
                print_row(&room(phones, modules, objective, residual), name);
            }
        }
    }
    for (phones, modules) in [(8, 62), (12, 62)] {
        for objective in [Objective::Latency, Objective::Throughput] {
            let input = room(phones, modules, objective, vec![]);
            print_row(&PlanInput { close_ring: true, ..input }, "closing");
        }
    }
    if let Some(path) = env::args().nth(1) {
        plot::draw(&path).expect("the file can be written");
        println!("drawn: {path}");
    }
}

fn print_row(input: &PlanInput, residual: &str) {
    let both = Options { most_devices: 16, ..Options::default() };
    let options = Options { linear_program: false, ..both };
    let (search_millis, _) = timed(|| solve(input, &options).expect("the memory suffices"));
    let (both_millis, solution) = timed(|| solve(input, &both).expect("the memory suffices"));
    let stages = &solution.plan.stages;
    let (copies_millis, copies) = timed(|| overlap(input, stages));
    let (integer_millis, integer) = timed(|| linear::overlap_integer(input, stages, MOST_NODES));
    println!(
        "{:6} {:7} {:10} {residual:7} {search_millis:7.1} ms {:6} {both_millis:7.1} ms {:7.2} ms  {} \
         {:?}; {} copies {copies_millis:.3} ms, {} {integer_millis:.1} ms",
        input.devices.len(),
        input.modules.len(),
        format!("{:?}", input.objective),
        solution.search_steps,
        solution.objective_secs * 1e3,
        solution
            .linear_bound_secs
            .map_or("-".into(), |secs| { format!("{:.3}", secs / solution.objective_secs) }),
        stages.iter().map(|stage| stage.modules.len()).collect::<Vec<_>>(),
        copies.iter().map(|copy| copy.modules.len()).sum::<usize>(),
        integer.map_or("none".into(), |copies| {
            copies.iter().map(|copy| copy.modules.len()).sum::<usize>().to_string()
        }),
    );
}

/// Milliseconds, and what came of them.
fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let started = Instant::now();
    let result = work();
    (started.elapsed().as_secs_f64() * 1e3, result)
}

/// Of the integer program's tree.
const MOST_NODES: u64 = 1_000;
