//! Frames that a peer may not send are refused, and harm nobody.

mod common;

use base::{Estimate, Message, ModuleRange, PeerId, RequestId};
use common::{GREEDY, alone, config, ready, ready_with, ring, stats};
use protocol::peer::{
    Activations, Ask, Begin, CacheAsk, Cancel, Carry, ChunkDone, CopiesLoaded, DeviceMeasured,
    Failure, FailureCode, Frame, Halt, Hello, LoadCopies, ModelRef, PROTOCOL_VERSION, PlannedStage,
    Pledge, RollOut, Sampling, StageFailed, StageReady, Text, Token, TokenLogprobs, WireType,
};
use session::{Command, Event};
use sim::{Sim, toy};

const REQUEST: RequestId = RequestId(1);

fn activations() -> Activations {
    Activations {
        request: REQUEST,
        epoch: 1,
        sequence: 0,
        position: 0,
        rows: 1,
        row_len: 4,
        dispatches: 0,
        last: false,
        more: false,
        wire: WireType::F32,
        data: vec![0; 16],
    }
}

fn token() -> Token {
    Token {
        request: REQUEST,
        epoch: 1,
        position: 199,
        token: 1,
        dispatches: 0,
        more: false,
        logprobs: None,
    }
}

fn roll_out(epoch: u32, peer: u32) -> RollOut {
    let url = "/models/x.gguf".to_owned();
    let model = ModelRef {
        url,
        name: "x".to_owned(),
        total_bytes: 1,
        context_tokens: 8,
        takes_chats: false,
        labels: Vec::new(),
    };
    let stages = vec![PlannedStage { peer: PeerId(peer), range: ModuleRange::new(0, 2) }];
    RollOut {
        epoch,
        model,
        stages,
        overlap: vec![],
        chunk_tokens: 8,
        slots: 1,
        row_bytes: 16,
        wire: WireType::F32,
        encoder: None,
        carry: Carry::default(),
    }
}

fn begin(request: u32, slot: u16) -> Frame {
    let request = RequestId(request);
    let (history_tokens, drawn, kept_tokens, seen, prompt_rows) = (2, 0, 0, vec![], 0);
    Begin {
        request,
        epoch: 1,
        slot,
        sampling: GREEDY,
        history_tokens,
        drawn,
        kept_tokens,
        seen,
        prompt_rows,
    }
    .into()
}

/// What `to` says about `frame` from `from`, while an answer runs that must not change.
fn complaints(from: usize, to: usize, frame: impl Into<Frame>) -> Vec<String> {
    let mut sim = ready(3);
    assert_eq!(ring(&sim), [0, 1, 2]);
    let text = toy::prompt(200);
    let messages = vec![Message::user(&text)];
    sim.command(0, Command::Ask { ask: 1, messages, options: GREEDY.into() });
    sim.run_for(0.3);
    sim.forge(from, to, &frame.into());
    sim.run_until(60.0, |sim| sim.answer(0, 1).is_some());
    let answer = stats(sim.answer(0, 1).expect("an answer"));
    assert_eq!(answer.tokens, alone(&text, GREEDY).tokens);
    complaints_of(&sim, to)
}

fn complaints_of(sim: &Sim, phone: usize) -> Vec<String> {
    let reason = |event: &Event| match event {
        Event::Misbehaved { reason, .. } => Some(reason.clone()),
        _ => None,
    };
    sim.events(phone).iter().filter_map(reason).collect()
}

fn is_refused(from: usize, to: usize, frame: impl Into<Frame>, why: &str) {
    let frame = frame.into();
    let name = frame.name();
    let complaints = complaints(from, to, frame);
    assert_eq!(complaints.len(), 1, "{name}: {complaints:?}");
    assert!(complaints[0].starts_with(name) && complaints[0].contains(why), "{complaints:?}");
}

fn is_ignored(from: usize, to: usize, frame: impl Into<Frame>) {
    assert_eq!(complaints(from, to, frame), Vec::<String>::new());
}

#[test]
fn only_the_coordinator_plans() {
    is_refused(1, 2, roll_out(2, 2), "only the coordinator");
    is_refused(1, 0, roll_out(2, 2), "only the coordinator");
    is_refused(1, 2, Halt { epoch: 1 }, "only the coordinator");
    is_refused(1, 2, Text { ask: 1, delta: "lies".to_owned() }, "only the coordinator");
}

#[test]
fn a_plan_must_be_new_and_make_sense() {
    is_refused(0, 2, roll_out(1, 1), "epoch is over");
    is_refused(0, 2, roll_out(2, 2), "not the coordinator's");
    let mut gap = roll_out(2, 1);
    gap.stages.push(PlannedStage { peer: PeerId(2), range: ModuleRange::new(3, 4) });
    is_refused(0, 2, gap, "not consecutive");
    let mut twice = roll_out(2, 1);
    twice.stages.push(PlannedStage { peer: PeerId(2), range: ModuleRange::new(2, 4) });
    twice.stages.push(PlannedStage { peer: PeerId(2), range: ModuleRange::new(4, 5) });
    is_refused(0, 2, twice, "two stages");
    let whole = || {
        let mut plan = roll_out(2, 1);
        plan.stages.push(PlannedStage { peer: PeerId(2), range: ModuleRange::new(2, 4) });
        plan
    };
    for (peer, start, end) in [(3, 2, 3), (1, 3, 4), (2, 0, 1), (1, 2, 5), (1, 2, 2)] {
        let mut astray = whole();
        let copy = PlannedStage { peer: PeerId(peer), range: ModuleRange::new(start, end) };
        astray.overlap.push(copy);
        is_refused(0, 2, astray, "not of a neighbour's");
    }
    let mut again = whole();
    let copy = PlannedStage { peer: PeerId(1), range: ModuleRange::new(2, 4) };
    again.overlap.extend([copy, copy]);
    is_refused(0, 2, again, "two copies");
}

#[test]
fn activations_come_from_the_stage_before() {
    is_refused(0, 2, activations(), "stage before");
    is_refused(2, 1, activations(), "stage before");
    is_refused(2, 0, activations(), "stage before");
}

#[test]
fn activations_must_fit() {
    is_refused(0, 1, Activations { position: 7, ..activations() }, "not the next");
    is_refused(1, 2, Activations { row_len: 2, data: vec![0; 8], ..next() }, "as long as");
    is_refused(1, 2, Activations { rows: 40, data: vec![0; 640], ..next() }, "more rows");
    is_refused(1, 2, Activations { last: true, ..next() }, "not due");
    is_refused(1, 2, Activations { sequence: 99, ..next() }, "number is not the next");
    let halves = WireType::F16.pack(vec![0; 16], 4);
    let halves = Activations { wire: WireType::F16, data: halves, ..next() };
    is_refused(1, 2, halves, "not of the plan's wire type");
}

/// What the tail expects a moment after the beginning: it has taken one chunk or none.
fn next() -> Activations {
    let mut sim = ready(3);
    let messages = vec![Message::user(toy::prompt(200))];
    sim.command(0, Command::Ask { ask: 1, messages, options: GREEDY.into() });
    sim.run_for(0.3);
    let sent = |line: &&String| line.contains("00000002 -> 00000003 Activations");
    let sequence = sim.trace().iter().filter(sent).count() as u32;
    Activations { sequence, position: 32 * sequence, ..activations() }
}

#[test]
fn late_frames_are_ignored() {
    is_ignored(0, 1, Activations { epoch: 0, ..activations() });
    is_ignored(0, 1, Activations { request: RequestId(9), ..activations() });
    is_ignored(2, 0, Token { request: RequestId(9), position: 1, ..token() });
    is_ignored(2, 0, ChunkDone { request: RequestId(9), epoch: 1, position: 0 });
    is_ignored(0, 1, Cancel { request: RequestId(9) });
    is_ignored(
        1,
        0,
        StageFailed { epoch: 0, failure: Failure::new(FailureCode::DeviceFailed, "old") },
    );
    is_ignored(0, 2, Halt { epoch: 0 });
}

#[test]
fn requests_begin_with_a_new_number_and_a_free_slot() {
    is_refused(0, 1, begin(1, 0), "not new");
    is_refused(0, 1, begin(2, 0), "slot is taken");
    is_refused(0, 1, begin(2, 9), "no such slot");
    is_refused(0, 2, begin(2, 0), "stage before");
}

#[test]
fn tokens_come_from_the_tail_when_due() {
    is_refused(1, 0, token(), "from the tail");
    is_refused(2, 0, Token { position: 250, ..token() }, "not the next");
    is_refused(2, 0, ChunkDone { request: REQUEST, epoch: 1, position: 777 }, "not the next");
    is_refused(1, 2, token(), "only the coordinator");
}

#[test]
fn log_probabilities_come_where_they_were_asked_for() {
    let logprobs = TokenLogprobs { chosen: -1.0, alternatives: Vec::new() };
    let asking = Sampling { logprobs: Some(0), ..GREEDY };
    for (options, sent) in [(GREEDY, Some(logprobs)), (asking, None)] {
        let mut sim = ready(3);
        // So that the first token is due and does not come.
        sim.hang_device(2);
        sim.command(
            0,
            Command::Ask {
                ask: 1,
                messages: vec![Message::user(toy::prompt(1))],
                options: options.into(),
            },
        );
        sim.run_for(0.3);
        sim.forge(2, 0, &Token { position: 0, logprobs: sent, ..token() }.into());
        sim.run_for(0.1);
        let complaints = complaints_of(&sim, 0);
        assert!(complaints.len() == 1 && complaints[0].contains("asked for"), "{complaints:?}");
    }
}

#[test]
fn a_cancel_comes_along_the_ring() {
    is_refused(0, 2, Cancel { request: REQUEST }, "stage before");
    is_refused(2, 0, Cancel { request: REQUEST }, "stage before");
}

#[test]
fn an_introduction_comes_once_and_first() {
    let hello = Hello {
        version: 1,
        coordinator: true,
        name: "me too".to_owned(),
        device: String::new(),
        pledge: Pledge::Bytes(1),
    };
    is_refused(1, 0, hello, "before");
}

#[test]
fn members_report_only_what_is_theirs() {
    is_refused(1, 0, StageReady { epoch: 1, has_caches: true }, "nothing to load");
    is_refused(1, 2, StageReady { epoch: 1, has_caches: true }, "only the coordinator");
    is_refused(
        1,
        2,
        Ask { ask: 1, messages: vec![Message::user("hi")], options: GREEDY.into() },
        "only the coordinator",
    );
    is_refused(
        1,
        0,
        DeviceMeasured { flops_per_sec: Estimate::exact(0.0), overhead_secs: 0.0 },
        "speed of 0",
    );
}

#[test]
fn caches_go_only_to_those_who_go_on_with_them() {
    // Nothing moves: nobody has any business with another's keys and values.
    let ask = CacheAsk { epoch: 1, module: 3, slot: 0, position: 0, rows: 1 };
    is_refused(1, 2, ask, "does not go on with that cache");
    is_refused(2, 0, ask, "does not go on with that cache");
}

#[test]
fn what_phones_hold_is_said_by_the_coordinator_and_told_by_those_who_were_asked() {
    let loaded = CopiesLoaded { number: 1, is_there: true };
    is_refused(1, 2, loaded, "only the coordinator");
    let model = roll_out(1, 1).model;
    let held = vec![ModuleRange::new(0, 1)];
    let load = LoadCopies { epoch: 1, number: 1, model, slots: 1, rows: 8, held };
    is_refused(1, 2, load.clone(), "only the coordinator");
    is_refused(0, 1, load, "leaves out what we run");
}

#[test]
fn bytes_that_are_no_frame_cost_only_the_link() {
    let mut sim = ready(3);
    let version = PROTOCOL_VERSION;
    let cut_slice = vec![version | 0x80, 0, 0];
    for bytes in [vec![], vec![9, 9], vec![version, 200], vec![version, 49, 0], cut_slice] {
        sim.forge_bytes(1, 0, bytes);
        sim.run_for(0.5);
    }
    assert!(sim.view(0).error.is_some_and(|error| error.code == "phone_left"));
}

#[test]
fn a_flood_of_forged_frames_changes_nothing() {
    let mut sim = ready(3);
    let messages = vec![Message::user(toy::prompt(20))];
    sim.command(0, Command::Ask { ask: 1, messages, options: GREEDY.into() });
    sim.run_for(0.3);
    let before = sim.trace().len();
    let frames = 600;
    for round in 0..frames / 2 {
        sim.forge(2, 1, &begin(round, 0));
        sim.forge(2, 1, &activations().into());
    }
    sim.run_for(0.1);
    // Each is refused once, and nobody answers.
    assert!(complaints_of(&sim, 1).len() >= frames as usize / 2);
    let sent = sim.trace()[before..].iter().filter(|line| line.contains("00000002 -> "));
    assert!(sent.count() < 40, "{:?}", &sim.trace()[before..]);
    assert!(sim.run_until(20.0, |sim| sim.answer(0, 1).is_some()));
    let tokens = stats(sim.answer(0, 1).expect("an answer")).tokens;
    assert_eq!(tokens, alone(&toy::prompt(20), GREEDY).tokens);
}

#[test]
fn a_label_that_the_model_does_not_have_is_refused() {
    let mut config = config(2);
    // The toy draws tokens of a larger vocabulary.
    config.model.model.labels = vec!["no".into(), "yes".into()];
    let mut sim = ready_with(config);
    let messages = vec![Message::user(toy::prompt(20))];
    sim.command(0, Command::Ask { ask: 1, messages, options: GREEDY.into() });
    assert!(sim.run_until(10.0, |sim| !complaints_of(sim, 0).is_empty()), "{:?}", sim.answer(0, 1));
    assert!(complaints_of(&sim, 0)[0].contains("none of the model's labels"));
}
