//! What a person or a program reads: paths of invalid fields, missing bytes, and reasons.

mod common;

use base::{DeviceProfile, ModuleProfile, Objective, PlanInput, Residual, Tied};
use plan::{Options, PlanError, Shortfall, best_alone, equal_split, solve};

/// Two phones with a link, three modules of 10 bytes.
fn room() -> PlanInput {
    let module = |name: &str| ModuleProfile {
        name: name.into(),
        flops: 1e6,
        weights_bytes: 10.0,
        kv_bytes: 0.0,
    };
    let device = |id: &str| DeviceProfile {
        id: id.into(),
        flops_per_sec: 1e9,
        overhead_secs: 0.0,
        memory_bytes: 20.0,
        within: Vec::new(),
    };
    PlanInput {
        objective: Objective::Latency,
        modules: ["embed", "attn.0", "head"].map(module).into(),
        sequential_bytes: vec![100.0; 2],
        residual: vec![],
        tied: vec![],
        devices: ["a", "b"].map(device).into(),
        rtt_secs: vec![vec![0.0, 0.002], vec![0.002, 0.0]],
        bytes_per_sec: vec![vec![0.0, 1e6], vec![1e6, 0.0]],
        token_bytes: 4.0,
        token_to: 0,
        close_ring: false,
    }
}

#[test]
fn invalid_fields_are_named_by_their_json_path() {
    type Spoil = fn(&mut PlanInput);
    let cases: [(Spoil, &str); 20] = [
        (|i| i.modules.clear(), "modules: must have at least one module"),
        (|i| i.modules[1].flops = -1.0, "modules[1].flops: must be finite and not negative"),
        (|i| i.modules[0].weights_bytes = f64::NAN, "modules[0].weights_bytes: must be finite"),
        (|i| i.modules[2].kv_bytes = -1.0, "modules[2].kv_bytes: must be finite and not negative"),
        (|i| i.sequential_bytes.clear(), "sequential_bytes: must have 2 entries, has 0"),
        (|i| i.sequential_bytes[1] = f64::INFINITY, "sequential_bytes[1]: must be finite"),
        (
            |i| i.residual.push(Residual { from: 3, to: vec![2], bytes: 1.0 }),
            "residual[0].from: must be a module, 0 to 2",
        ),
        (
            |i| i.residual.push(Residual { from: 0, to: vec![2, 1], bytes: 1.0 }),
            "residual[0].to[1]: must be over 1",
        ),
        (
            |i| i.residual.push(Residual { from: 0, to: vec![], bytes: 1.0 }),
            "residual[0].to: must name",
        ),
        (
            |i| i.residual.push(Residual { from: 0, to: vec![2], bytes: -1.0 }),
            "residual[0].bytes: ",
        ),
        (|i| i.tied.push(Tied(0, 3, 1.0)), "tied[0][1]: must be a module, 0 to 2"),
        (|i| i.tied.push(Tied(1, 1, 1.0)), "tied[0]: must name two different modules"),
        (|i| i.devices.clear(), "devices: must have at least one device"),
        (|i| i.devices[1].id = "a".into(), "devices[1].id: `a` is taken"),
        (
            |i| i.devices[1].flops_per_sec = 0.0,
            "devices[1].flops_per_sec: must be finite and over 0",
        ),
        (|i| i.devices[1].memory_bytes = -1.0, "devices[1].memory_bytes: must be finite and not"),
        (
            |i| i.devices.iter_mut().for_each(|device| device.overhead_secs = 1e308),
            "devices[0].overhead_secs: gives sums or times beyond the largest number",
        ),
        (|i| i.rtt_secs[1].push(0.0), "rtt_secs[1]: must have 2 entries, has 3"),
        (|i| i.bytes_per_sec[0][1] = -2.0, "bytes_per_sec[0][1]: must be finite and not negative"),
        (|i| i.token_to = 3, "token_to: must be a module, 0 to 2"),
    ];
    for (spoil, message) in cases {
        let mut input = room();
        spoil(&mut input);
        let error = solve(&input, &Options::default()).expect_err(message).to_string();
        assert!(error.starts_with(message), "{error} should start with {message}");
    }
}

#[test]
fn diagonals_are_ignored() {
    let mut input = room();
    let expected = solve(&input, &Options::default()).expect("fits");
    for i in 0..2 {
        (input.rtt_secs[i][i], input.bytes_per_sec[i][i]) = (f64::NAN, -1.0);
    }
    assert_eq!(solve(&input, &Options::default()), Ok(expected));
}

fn shortfall(input: &PlanInput) -> Shortfall {
    match solve(input, &Options::default()) {
        Err(PlanError::Infeasible(shortfalls)) => shortfalls[0].clone(),
        other => panic!("expected no plan, not {other:?}"),
    }
}

#[test]
fn missing_memory_is_named_to_the_byte() {
    let mut input = room();
    input.devices[0].memory_bytes = 7.0;
    let found = shortfall(&input);
    assert_eq!((found.constraint, found.device.as_deref()), ("header_memory", Some("a")));
    assert_eq!(found.missing_bytes, Some(3.0));

    let mut input = room();
    input.modules[1].weights_bytes = 26.0;
    let found = shortfall(&input);
    assert_eq!((found.constraint, found.missing_bytes), ("module_memory", Some(6.0)));

    let mut input = room();
    input.devices[1].memory_bytes = 5.0;
    let found = shortfall(&input);
    assert_eq!((found.constraint, found.missing_bytes), ("total_memory", Some(5.0)));
    assert!(found.help.contains("one more phone join that lends 10 bytes"), "{}", found.help);

    let mut input = room();
    (input.devices[0].memory_bytes, input.devices[1].memory_bytes) = (15.0, 17.0);
    let found = shortfall(&input);
    assert_eq!((found.constraint, found.missing_bytes), ("contiguous_memory", Some(10.0)));
}

#[test]
fn sizes_are_whole_bytes_and_nothing_is_said_twice() {
    let mut input = room();
    input.modules.iter_mut().for_each(|module| module.weights_bytes = 10.4);
    input.devices[0].memory_bytes = 9.5;
    let found = shortfall(&input);
    assert!(
        found.help.contains("takes 10 bytes") && found.help.contains("1 byte more"),
        "{found:?}"
    );

    let mut input = room();
    input.devices[0].memory_bytes = 0.0;
    let Err(PlanError::Infeasible(found)) = solve(&input, &Options::default()) else {
        panic!("the header holds nothing")
    };
    let constraints: Vec<_> = found.iter().map(|one| one.constraint).collect();
    assert_eq!(constraints, ["header_memory"], "10 bytes more there are enough for all");
}

#[test]
fn a_shared_tensor_makes_room() {
    let mut input = room();
    input.devices.truncate(1);
    input.rtt_secs = vec![vec![0.0]];
    input.bytes_per_sec = vec![vec![0.0]];
    assert_eq!(shortfall(&input).missing_bytes, Some(10.0));
    input.tied.push(Tied(0, 2, 10.0));
    assert!(solve(&input, &Options::default()).is_ok());
}

#[test]
fn missing_links_are_told_apart_from_missing_memory() {
    let mut input = room();
    input.bytes_per_sec[1][0] = 0.0;
    assert_eq!(shortfall(&input).constraint, "links");
    input.token_bytes = 0.0;
    assert!(solve(&input, &Options::default()).is_ok(), "nothing goes back then");
}

#[test]
fn the_reason_says_why_and_against_what() {
    let mut input = room();
    let reason = |input: &PlanInput| solve(input, &Options::default()).expect("fits").reason;
    let split = "The model needs 30 bytes and a has room for 20 bytes, so 2 phones share it: 5.1 ms per token.";
    assert_eq!(reason(&input), split);
    input.devices[0].memory_bytes = 30.0;
    let alone = "a alone is best: 3.0 ms per token, and any split would take at least 5.1 ms.";
    assert_eq!(reason(&input), alone);
    input.devices[1].flops_per_sec = 1e11;
    input.devices[1].memory_bytes = 30.0;
    input.rtt_secs = vec![vec![0.0; 2]; 2];
    let faster = "2 phones together are faster than a alone: 1.1 ms per token instead of 3.0 ms.";
    assert_eq!(reason(&input), faster);
    input.bytes_per_sec = vec![vec![0.0; 2]; 2];
    assert_eq!(reason(&input), "a does everything: 3.0 ms per token, and no split is possible.");
}

#[test]
fn every_phone_without_a_stage_is_told_why() {
    let mut input = room();
    input.devices[0].memory_bytes = 30.0;
    let reasons = |input: &PlanInput| {
        let solution = solve(input, &Options::default()).expect("fits");
        assert!(solution.unused.iter().all(|one| one.device == 1), "{:?}", solution.unused);
        solution.unused.into_iter().map(|one| one.reason).collect::<Vec<_>>()
    };
    let slower = "With b a token would take at least 5.1 ms instead of 3.0 ms.";
    assert_eq!(reasons(&input), [slower]);
    input.objective = Objective::Throughput;
    input.devices[1].flops_per_sec = 1e8;
    let slower =
        "With b each of several tokens in flight would take at least 10.0 ms instead of 3.0 ms.";
    assert_eq!(reasons(&input), [slower]);
    input.objective = Objective::Latency;
    input.devices[1].flops_per_sec = 1e9;
    (input.sequential_bytes, input.token_bytes) = (vec![0.0; 2], 0.0);
    let equal = "With b a token would take no less than the 3.0 ms it takes without, and fewer \
                 phones are better.";
    assert_eq!(reasons(&input), [equal]);
    input.token_bytes = 1.0;
    input.bytes_per_sec[1][0] = 0.0;
    assert_eq!(reasons(&input), ["b has no link to the others."]);
    input.devices[1].memory_bytes = 9.0;
    assert_eq!(reasons(&input), ["b lends less memory than any part of the model needs."]);
}

#[test]
fn a_phone_that_only_fits_where_it_has_no_link_is_told_so() {
    let mut input = room();
    input.devices[0].memory_bytes = 30.0;
    input.devices.push(DeviceProfile { id: "c".into(), ..input.devices[1].clone() });
    // To `c` nothing comes but from `b`, and from `c` nothing goes but to `b`.
    input.rtt_secs = vec![vec![0.0; 3]; 3];
    input.bytes_per_sec = vec![vec![0.0, 1e6, 0.0], vec![1e6, 0.0, 1e6], vec![0.0, 1e6, 0.0]];
    let solution = solve(&input, &Options::default()).expect("`a` can do it alone");
    let reasons: Vec<_> = solution.unused.iter().map(|one| one.reason.as_str()).collect();
    assert_eq!(reasons[1], "No split with c has both the memory and the links it needs.");
}

#[test]
fn equal_splits_and_single_phones_are_what_plans_are_compared_with() {
    let mut input = room();
    let stages: Vec<_> = equal_split(&input).stages.iter().map(|one| one.modules.len()).collect();
    assert_eq!((stages, best_alone(&input)), (vec![2, 1], None));
    input.devices[1].memory_bytes = 30.0;
    assert_eq!(best_alone(&input), Some((1, 3e6 / 1e9)));
    input.devices[0].memory_bytes = 30.0;
    assert_eq!(best_alone(&input).map(|one| one.0), Some(0), "the first of equals");
    let many = common::instance(&mut common::Random::new(1), 4, 3, true);
    let split = equal_split(&many);
    assert!(
        split.stages.iter().enumerate().all(|(i, one)| one.device == i && one.modules.len() == 1)
    );
    assert_eq!(split.stages.len(), 3);
}

#[test]
fn inputs_beyond_the_tables_are_refused() {
    let mut random = common::Random::new(1);
    let devices = common::instance(&mut random, 13, 3, true);
    let error = solve(&devices, &Options::default()).expect_err("13 devices");
    assert_eq!(error, PlanError::TooManyDevices { devices: 13, limit: 12 });
    let modules = common::instance(&mut random, 1, 1027, true);
    let error = solve(&modules, &Options::default()).expect_err("1027 modules");
    assert_eq!(error, PlanError::TooManyModules { modules: 1027, limit: 1026 });
}
