//! The scenarios that are shipped, and what all of them keep.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use protocol::peer::Finish;
use sim::{
    Report,
    scenario::{Assignment, Run, Scenario, Speed, simulate},
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

fn shipped(name: &str) -> Scenario {
    let path = folder().join(name).with_extension("json");
    let text = fs::read_to_string(&path).expect("it is shipped");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn run(scenario: &Scenario) -> Run {
    simulate(scenario, &mut |_| {}).expect("its room answers")
}

fn report(name: &str) -> Report {
    run(&shipped(name)).report
}

fn token_secs(report: &Report) -> f64 {
    report.token_secs.expect("tokens").median
}

#[test]
fn every_shipped_scenario_runs_quickly_and_changes_no_token() {
    let mut count = 0;
    for entry in fs::read_dir(folder()).expect("there are scenarios") {
        let path = entry.expect("a file").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let started = Instant::now();
        let Run { report, svg } = run(&shipped(&name));
        assert!(started.elapsed().as_secs() < 30, "{name}");
        assert!(report.requests.iter().all(|request| request.undisturbed), "{name}");
        assert!(report.requests.iter().all(|request| request.tokens > 0), "{name}");
        for phone in &report.phones {
            let sum = phone.compute + phone.send + phone.wait;
            assert!((sum - 1.0).abs() < 1e-4, "{name}: {phone:?}");
        }
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{name}");
        assert!(svg.len() < 300_000, "{name}: {} bytes", svg.len());
        count += 1;
    }
    assert_eq!(count, 11);
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    for name in ["lost-phone", "joining"] {
        let mut scenario = shipped(name);
        let bytes = |scenario: &Scenario| {
            let Run { report, svg } = run(scenario);
            (serde_json::to_string(&report).expect("JSON"), svg)
        };
        let first = bytes(&scenario);
        assert_eq!(first, bytes(&scenario), "{name}");
        scenario.seed += 1;
        let other = bytes(&scenario);
        assert_ne!(first.0, other.0, "{name}");
        assert_ne!(first.1, other.1, "{name}");
    }
}

/// LinguaLinked publishes 1.11 to 1.61 (arXiv 2312.00388), measured on phones.
#[test]
fn the_plan_is_better_than_equal_parts_on_the_papers_fleet() {
    for size in ["1b1", "1b7", "3b"] {
        for precision in ["fp32", "int8"] {
            let mut scenario = shipped(&format!("fleet-bloom-{size}-{precision}"));
            let planned = run(&scenario).report;
            (scenario.assignment, scenario.balances) = (Assignment::Equal, false);
            let equal = run(&scenario).report;
            let ratio = token_secs(&equal) / token_secs(&planned);
            assert!((1.2..1.6).contains(&ratio), "{size} {precision}: {ratio}");
            assert_eq!(equal.plans[0].stages.len(), 4, "{size} {precision}");
            let slow = |report: &Report| report.phones[2].steps;
            assert!(slow(&planned) < slow(&equal), "{size} {precision}: the slow phone has less");
        }
    }
}

/// LinguaLinked publishes 1.73 to 2.65, measured on phones.
#[test]
fn requests_in_flight_share_the_phones() {
    let mut scenario = shipped("in-flight");
    let together = run(&scenario).report;
    scenario.model.slots = 1;
    let one_by_one = run(&scenario).report;
    let ratio = together.tokens_per_sec / one_by_one.tokens_per_sec;
    assert!((1.5..3.5).contains(&ratio), "{ratio}");
    assert!(together.phones.iter().all(|phone| phone.compute > 0.3), "{:?}", together.phones);
}

#[test]
fn a_predicted_token_takes_as_long_as_it_was_predicted() {
    let report = report("fleet-bloom-1b7-fp32");
    let predicted = report.plans[0].predicted_token_secs.expect("a prediction");
    let ratio = token_secs(&report) / predicted;
    assert!((0.97..1.03).contains(&ratio), "{ratio}");
    // 2 operations for each weight that is multiplied with: those of all layers and of the head.
    assert!((report.model.flops / 2.0 / 1.72e9 - 1.0).abs() < 0.02, "{}", report.model.flops);
    assert!((report.model.weights_bytes / 4.0 / 1.722e9 - 1.0).abs() < 0.01, "{report:?}");
}

/// The paper's comparison: tensors that skip stages, or go along the ring.
#[test]
fn what_skips_stages_is_there_sooner_and_takes_no_more_bytes() {
    let [skipping, along] = [true, false].map(|skips| {
        let report = run(&Scenario { skips, ..shipped("encoder-decoder") }).report;
        let frames = report.bytes.iter().filter_map(|pair| pair.frames.get("Residual"));
        let bytes: u64 = frames.map(|frames| frames.bytes).sum();
        let first_secs: f64 =
            report.requests.iter().map(|one| one.first_token_secs.expect("a token")).sum();
        (bytes, first_secs, report.plans[0].stages.len())
    });
    assert_eq!((skipping.2, along.2), (4, 4), "all phones are needed");
    assert!(skipping.0 > 0 && skipping.0 <= along.0, "{skipping:?} {along:?}");
    assert!(skipping.1 < along.1 - 0.1, "{skipping:?} {along:?}");
}

#[test]
fn what_happens_is_in_the_report() {
    let slowed = report("slow-down");
    let event = slowed.events.iter().find(|event| event.phone.is_none()).expect("the slow-down");
    assert_eq!(event.at_secs, 20.0);
    assert!(event.what.starts_with("Ben now computes"), "{}", event.what);
    assert_eq!(slowed.requests[0].finish, Some(Finish::Length));
    assert_eq!(slowed.tokens, 256);

    let joining = report("joining");
    assert_eq!(joining.plans.len(), 2);
    let plan = &joining.plans[1];
    assert!(plan.at_secs > 60.0 && plan.used_secs.expect("it is used") >= 150.0, "{plan:?}");
    assert!(plan.stages.iter().any(|stage| stage.phone == "Cleo"), "{plan:?}");
    let pair = joining.bytes.iter().find(|pair| pair.from == "Cleo" && pair.to == "Ada");
    let tokens = pair.expect("they talk").frames["Token"];
    assert_eq!(tokens.count, 64);
}

#[test]
fn a_phone_that_comes_is_as_fast_as_it_became() {
    let mut scenario = shipped("joining");
    let mut event = scenario.events[0].clone();
    event.join = None;
    event.speed = Some(Speed { phone: "Cleo".to_owned(), flops_per_sec: 1e8 });
    scenario.events.insert(0, event);
    let report = run(&scenario).report;
    assert!(report.plans[1].stages.iter().all(|stage| stage.phone != "Cleo"), "{:?}", report.plans);
}

#[test]
fn answers_go_on_without_a_lost_phone() {
    let lost = report("lost-phone");
    assert!(lost.events.iter().any(|event| event.what == "Cleo is killed"), "{:?}", lost.events);
    assert!(lost.requests.iter().all(|request| request.finish == Some(Finish::Length)));
    let plan = &lost.plans[1];
    assert!(plan.cause.as_ref().is_some_and(|cause| cause.starts_with("Cleo")), "{plan:?}");
    assert!(plan.stages.iter().all(|stage| stage.phone != "Cleo"), "{plan:?}");
    let longest = lost.token_secs.expect("tokens").longest;
    assert!(plan.pause_secs.is_some_and(|secs| (secs - longest).abs() < 0.1), "{plan:?} {longest}");
}

/// LinguaLinked publishes 1.29 to 1.32 with its balancer, measured on phones.
#[test]
fn cuts_move_away_from_a_phone_that_became_slow() {
    let mut scenario = shipped("slow-down");
    let with = run(&scenario).report;
    scenario.balances = false;
    let without = run(&scenario).report;
    assert_eq!(without.plans.len(), 1);
    assert_eq!(with.plans.len(), 2);
    let causes = with.plans[1..].iter().map(|plan| plan.why().to_owned()).collect::<Vec<_>>();
    assert!(causes.iter().any(|cause| cause.starts_with("Ben takes ")), "{causes:?}");
    // Of the time since the phone became slow.
    let ratio = (without.end_secs - 20.0) / (with.end_secs - 20.0);
    assert!((1.08..1.8).contains(&ratio), "{ratio}");
}
