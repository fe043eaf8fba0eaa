//! Doing what a refusal says makes a plan possible, and a byte less does not.

mod common;

use base::{DeviceProfile, PlanInput};
use common::{Random, instance};
use plan::{Options, PlanError, Shortfall, solve};

/// Every kind of refusal, and how often it was seen.
#[derive(Default, Debug)]
struct Seen {
    header: usize,
    module: usize,
    total: usize,
    contiguous: usize,
    links: usize,
}

#[test]
fn what_is_said_to_help_helps_and_less_does_not() {
    let mut seen = Seen::default();
    for seed in 0..6_000 {
        let random = &mut Random::new(seed);
        let (devices, modules) = (random.int(1, 4), random.int(1, 8));
        let mut input = instance(random, devices, modules, false);
        let percent = random.real(20, 90);
        input.devices.iter_mut().for_each(|device| {
            device.memory_bytes = (device.memory_bytes * percent / 100.0).floor();
        });
        let Some(shortfalls) = refusal(&input) else { continue };
        check(&input, &shortfalls, &mut seen, seed);
    }
    let Seen { header, module, total, contiguous, links } = seen;
    assert!([header, module, total, contiguous].iter().all(|&count| count > 100), "{seen:?}");
    assert!(links > 20, "{seen:?}");
}

fn refusal(input: &PlanInput) -> Option<Vec<Shortfall>> {
    match solve(input, &Options { linear_program: false, ..Options::default() }) {
        Ok(_) => None,
        Err(PlanError::Infeasible(shortfalls)) => Some(shortfalls),
        Err(error) => panic!("{error}"),
    }
}

fn check(input: &PlanInput, shortfalls: &[Shortfall], seen: &mut Seen, seed: u64) {
    let mut helped = input.clone();
    let mut extra = None;
    for one in shortfalls {
        assert!(one.help.ends_with('.') && !one.help.contains('\n'), "seed {seed}: {one:?}");
        match one.constraint {
            "header_memory" | "module_memory" => {
                let id = one.device.as_ref().expect("it names its device");
                let device = helped.devices.iter_mut().find(|device| device.id == *id);
                let missing = one.missing_bytes.expect("it says how much");
                device.expect("it is in the room").memory_bytes += missing;
                *(if one.constraint == "header_memory" {
                    &mut seen.header
                } else {
                    &mut seen.module
                }) += 1;
            }
            "total_memory" => {
                let lent: f64 = input.devices.iter().map(|device| device.memory_bytes).sum();
                let bytes: f64 = input.modules.iter().map(|module| module.resident_bytes()).sum();
                let shared: f64 = input.tied.iter().map(|tied| tied.2).sum();
                assert_eq!(one.missing_bytes, Some(bytes - shared - lent), "seed {seed}");
                extra = lent_bytes(&one.help);
                seen.total += 1;
            }
            "contiguous_memory" => {
                extra = one.missing_bytes;
                assert_eq!(extra, lent_bytes(&one.help), "seed {seed}");
                seen.contiguous += 1;
            }
            "links" => {
                helped.bytes_per_sec.iter_mut().flatten().for_each(|one| *one = one.max(1.0));
                seen.links += 1;
            }
            other => panic!("{other}"),
        }
    }
    if let Some(bytes) = extra.filter(|&bytes| is_monotone(input) && bytes > 0.0) {
        let less = refusal(&with_device(&helped, bytes - 1.0));
        assert!(less.is_some(), "{bytes} bytes less one, seed {seed}: {shortfalls:?}");
    }
    let helped = extra.map_or(helped.clone(), |bytes| with_device(&helped, bytes));
    assert_eq!(refusal(&helped), None, "seed {seed}: {shortfalls:?}");
}

/// The number in ".. one more phone join that lends 12 bytes ..".
fn lent_bytes(help: &str) -> Option<f64> {
    help.split("join that lends ").nth(1)?.split(' ').next()?.parse().ok()
}

fn with_device(input: &PlanInput, memory_bytes: f64) -> PlanInput {
    let mut input = input.clone();
    input.devices.push(DeviceProfile {
        id: "new".into(),
        flops_per_sec: 1.0,
        overhead_secs: 0.0,
        memory_bytes,
        within: Vec::new(),
    });
    for rows in [&mut input.rtt_secs, &mut input.bytes_per_sec] {
        rows.iter_mut().for_each(|row| row.push(1.0));
        rows.push(vec![1.0; input.devices.len()]);
    }
    input
}

/// Else a stage of more modules may take less memory, and no number is the least.
fn is_monotone(input: &PlanInput) -> bool {
    let shared = |module| {
        let parts = input.tied.iter().filter(move |tied| tied.0 == module || tied.1 == module);
        parts.map(|tied| tied.2).sum::<f64>()
    };
    (0..input.modules.len()).all(|module| shared(module) <= input.modules[module].resident_bytes())
}
