//! Whatever comes, in whatever order: a room never panics, and never answers one
//! input with a flood.

mod common;

use base::{Estimate, Identity, Message, ModuleRange, PeerId, RequestId};
use common::{ROW_BYTES, SAMPLING, Seen, model, options, spec};
use proptest::prelude::*;
use protocol::peer::*;
use session::{AskId, Assignment, Command, Input, JobId, Room};

/// What picks an input: its kind, and numbers small enough to hit what is known.
type Pick = (u8, [u32; 4]);

fn room(coordinator: bool, admits_all: bool) -> Room {
    common::room(PeerId(if coordinator { 0 } else { 3 }), coordinator, admits_all)
}

fn ask(number: u32) -> Command {
    Command::Ask { ask: number, messages: vec![Message::user("t")], options: options() }
}

fn frame(kind: u8, [a, b, c, d]: [u32; 4]) -> Frame {
    let request = RequestId(a);
    let message = || "m".to_owned();
    match kind % 48 {
        0 => Hello {
            version: 1,
            coordinator: a == 0,
            name: String::new(),
            device: String::new(),
            pledge: Pledge::Bytes(36),
        }
        .into(),
        1 => Ping { nonce: a, through_device: b == 1 }.into(),
        2 => Pong { nonce: a, busy_secs: b.into() }.into(),
        3 => Probe { nonce: a, last: b == 0, padding: vec![0; c as usize] }.into(),
        4 => ProbeDone { nonce: a }.into(),
        5 if a == 0 && b == 0 => Leave {}.into(),
        5 | 6 => Measure { model: model(), peers: (0..a).map(PeerId).collect() }.into(),
        7 => DeviceMeasured { flops_per_sec: Estimate::exact(a.into()), overhead_secs: 0.0 }.into(),
        8 => MeasureFailed { message: message() }.into(),
        9 => LinkMeasured {
            to: PeerId(a),
            rtt_secs: Estimate::exact(b.into()),
            bytes_per_sec: Estimate::exact(c.into()),
        }
        .into(),
        10 => LinkLost { peer: PeerId(a) }.into(),
        11 | 12 => roll_out([a, b, c, d]).into(),
        13 => LoadProgress { epoch: a, loaded_bytes: b.into(), total_bytes: (b + c).into() }.into(),
        14 => StageReady { epoch: a, has_caches: b % 2 == 0 }.into(),
        15 => StageFailed { epoch: a, failure: failure(&message()) }.into(),
        16 => Halt { epoch: a }.into(),
        17 | 18 => begin([a, b, c, d]).into(),
        19 | 20 => rows([a, b, c, d]).into(),
        21 => token([a, b, c, d]).into(),
        22 => ChunkDone { request, epoch: c % 3, position: b }.into(),
        23 => Cancel { request }.into(),
        24 => Finished { request }.into(),
        25 => RequestFailed { request, epoch: c % 3, message: message() }.into(),
        26 => Prepare { model: model() }.into(),
        27 => Prepared { url: "/m".into() }.into(),
        28 => Ask { ask: a, messages: vec![Message::user(message())], options: options() }.into(),
        29 => residual([a, b, c, d]).into(),
        30 => CopiesLoaded { number: c % 3, is_there: b % 2 == 0 }.into(),
        31 => {
            let held = vec![ModuleRange::new(0, d as usize + 1)];
            LoadCopies { epoch: c % 3, number: a, model: model(), slots: 1, rows: 1, held }.into()
        }
        33 => {
            let of = CacheAsk { epoch: c % 3, module: a, slot: 0, position: b, rows: 1 };
            CacheLost { of }.into()
        }
        32 => report([a, b, c, d]).into(),
        34..=41 => other_frame(kind % 48, [a, b, c, d]),
        42 => Resume { ask: a, text_bytes: b % 3 }.into(),
        43..=46 => admission(kind, [a, b, c, d]).into(),
        _ => StopAsk { ask: a }.into(),
    }
}

fn admission(kind: u8, [a, b, _, _]: [u32; 4]) -> Admission {
    match kind % 48 {
        43 => Admission::Ask { ticket: vec![0; a as usize] },
        44 if a == 0 => Admission::Out(Refusal::ALL[b as usize]),
        44 => Admission::Wait,
        45 if a == 0 => Admission::Remembered(RoomSecret([b as u8; 32])),
        _ => Admission::In { members: (a..=b + 1).map(identity).collect() },
    }
}

fn identity(number: u32) -> Identity {
    Identity([number as u8; 32])
}

fn door_command([a, b, c, _]: [u32; 4]) -> Command {
    match a {
        0 => Command::LetIn(PeerId(b)),
        1 => Command::TurnAway(PeerId(b)),
        2 => Command::Lock(b % 2 == 0),
        3 if c == 0 => Command::NextSecret(RoomSecret([b as u8; 32])),
        3 => Command::Remove(identity(b)),
        _ => Command::Trust((b..c).map(identity).collect()),
    }
}

fn other_frame(kind: u8, [a, b, c, d]: [u32; 4]) -> Frame {
    match kind {
        34 | 35 => cache_ask([a, b, c, d]).into(),
        36 | 37 => {
            let of = cache_ask([a, b, c, d]);
            CacheRows { of, data: vec![0; 4 * usize::from(of.rows)] }.into()
        }
        38 => Away { why: (a % 2 == 0).then_some(AwayReason::Hidden) }.into(),
        39 => Text { ask: a, delta: "m".to_owned() }.into(),
        40 => AskFailed { ask: a, failure: failure("m") }.into(),
        _ => Prepared { url: "/other".into() }.into(),
    }
}

/// Of what [`carry`] moves, as often as not.
fn cache_ask([a, b, c, d]: [u32; 4]) -> CacheAsk {
    CacheAsk { epoch: c % 3, module: a, slot: (b % 2) as u16, position: d % 3, rows: 1 }
}

fn report([a, b, c, d]: [u32; 4]) -> Report {
    Report {
        counters: Counters::default(),
        last_steps: vec![LastStep { request: RequestId(a), next_position: b }],
        stage_secs: vec![c.into()],
        waiting_rows: d,
        links: vec![LinkTimes {
            to: PeerId(a),
            rtt_secs: b.into(),
            bytes_per_sec: (c > 0).then_some(d.into()),
        }],
    }
}

fn rows([a, b, c, d]: [u32; 4]) -> Activations {
    let (wire, rows, row_len) = (wire(a), d as u16 + 1, ROW_BYTES / 4);
    Activations {
        request: RequestId(a),
        epoch: b,
        sequence: c,
        position: c,
        rows,
        row_len,
        dispatches: u32::MAX,
        last: a == b,
        more: b % 2 == 0,
        wire,
        data: vec![0; usize::from(rows) * wire.row_bytes(row_len) as usize],
    }
}

fn wire(number: u32) -> WireType {
    WireType::ALL[number as usize % WireType::ALL.len()]
}

fn begin([a, b, c, d]: [u32; 4]) -> Begin {
    Begin {
        request: RequestId(a),
        epoch: b,
        slot: c as u16,
        sampling: SAMPLING,
        history_tokens: d + 1,
        drawn: d % 3 % (d + 1),
        kept_tokens: if a == b { 0 } else { a % (d + 1) },
        seen: vec![a; d as usize],
        prompt_rows: if d == 4 { 2 } else { 0 },
    }
}

/// With log probabilities or without them, though they are asked for.
fn token([a, b, c, d]: [u32; 4]) -> Token {
    let logprobs = (a != b).then(common::logprobs);
    let (request, more) = (RequestId(a), a % 2 == 0);
    Token { request, epoch: d % 3, position: b, token: c, dispatches: d, more, logprobs }
}

fn carry([a, b, c]: [u32; 3]) -> Carry {
    let moved = MovedCache { module: b, from: PeerId(c), to: PeerId(3), row_bytes: 4 };
    let carried = Carried { request: RequestId(a), slot: (b % 2) as u16, rows: c };
    Carry { requests: vec![carried], moved: vec![moved] }
}

fn roll_out([a, b, c, d]: [u32; 4]) -> RollOut {
    let ends = [0, b as usize, c as usize, 4];
    let stage = |i: usize| PlannedStage {
        peer: PeerId([0, 3, a][i]),
        range: ModuleRange::new(ends[i], ends[i + 1]),
    };
    let stages = (0..3).map(stage).filter(|stage| !stage.range.is_empty()).collect();
    let copied =
        (d == 3).then(|| PlannedStage { peer: PeerId(3), range: ModuleRange::new(0, ends[1]) });
    RollOut {
        epoch: a,
        model: model(),
        stages,
        overlap: copied.into_iter().collect(),
        chunk_tokens: 3,
        slots: 2,
        row_bytes: ROW_BYTES,
        wire: wire(d),
        encoder: (d == 2).then(|| PlannedEncoder {
            modules: 1 + c as usize % 3,
            readers: vec![3],
            prompt_tokens: 3,
            skips: a % 2 == 0,
        }),
        carry: if d == 0 { Carry::default() } else { carry([a, b, c]) },
    }
}

fn residual(numbers: [u32; 4]) -> Residual {
    let Activations { request, epoch, sequence, rows, row_len, wire, data, .. } = rows(numbers);
    Residual { request, epoch, sequence: sequence % 2, rows, row_len, wire, data }
}

fn input(room_has: &Seen, (kind, numbers): Pick) -> Input {
    let [a, b, c, _] = numbers;
    let peer = PeerId(a);
    match kind {
        0..=15 => common::link_up(peer),
        16 if b % 2 == 0 => Input::LinkRestarts { peer },
        16 => Input::LinkDown { peer },
        17..=20 => Input::DeviceMeasured {
            flops_per_sec: Estimate::exact((a + 1).into()),
            overhead_secs: 0.0,
        },
        21 if a == 0 => Input::MeasureFailed { message: "m".into() },
        21 => Input::Prepared { url: "/m".into() },
        22 => Input::LoadProgress { epoch: a, loaded_bytes: b.into(), total_bytes: c.into() },
        23..=29 => Input::StageLoaded { epoch: room_has.epoch, has_caches: a % 2 == 0 },
        30 => Input::CopiesLoaded { number: b, is_there: a % 2 == 0 },
        31 if a == 0 => Input::StageFailed { epoch: b, failure: failure("m") },
        31..=60 => room_has.done(),
        61 => Input::JobFailed { job: room_has.job, message: "m".into() },
        62..=70 => Input::Tokenized { ask: room_has.ask, result: Ok(vec![2; b as usize]) },
        71..=80 => Input::Decoded { request: room_has.request, text: "t".into() },
        81..=84 => Input::Command(Command::SetModel(spec())),
        85..=88 => Input::Command(Command::Begin(Assignment::Best)),
        89..=95 => Input::Command(ask(b)),
        96..=98 => Input::Command(Command::Stop { ask: b }),
        99 => {
            let data = vec![0; 4 * (a as usize % 2)];
            Input::CacheRead { to: peer, ask: cache_ask([b, c, room_has.epoch, a]), data }
        }
        100 => Input::CacheWritten { epoch: room_has.epoch, is_there: a % 2 == 0 },
        101 => Input::Command(Command::Away((a % 2 == 0).then_some(AwayReason::LowBattery))),
        102 | 103 => Input::Exercised { number: a, busy_secs: b.into() },
        104..=110 => Input::Timeout,
        111..=118 => Input::TicketChecked { peer, is_good: b > 0 },
        119..=128 => Input::Command(door_command(numbers)),
        _ => Input::Frame { peer, frame: frame(kind, [b, c, a, numbers[3]]) },
    }
}

/// What a worker tells of its device and its link to the coordinator.
fn figures() -> (DeviceMeasured, LinkMeasured) {
    let [one, rtt_secs, bytes_per_sec] = [1.0, 0.1, 1e6].map(Estimate::exact);
    let device = DeviceMeasured { flops_per_sec: one, overhead_secs: 0.0 };
    (device, LinkMeasured { to: PeerId(0), rtt_secs, bytes_per_sec })
}

/// A room in mid-answer: as the coordinator with one worker, or as that worker.
fn busy_room(coordinator: bool, seen: &mut Seen) -> Room {
    let mut room = room(coordinator, true);
    let peer = PeerId(if coordinator { 3 } else { 0 });
    let from = |frame: Frame| Input::Frame { peer, frame };
    let hello = Hello {
        version: 1,
        coordinator: !coordinator,
        name: String::new(),
        device: String::new(),
        pledge: Pledge::Bytes(36),
    };
    let admission = match coordinator {
        true => Admission::Ask { ticket: Vec::new() },
        false => Admission::In { members: Vec::new() },
    };
    let (device, link) = figures();
    let begin = begin([1, 1, 0, 1]);
    let data = vec![0; 2 * ROW_BYTES as usize];
    let first = Activations { last: true, wire: WireType::F32, data, ..rows([1, 1, 0, 1]) };
    let asked = ask(9);
    let ask = AskId { from: PeerId(0), number: 9 };
    let mut inputs = vec![common::link_up(peer), from(hello.into()), from(admission.into())];
    if coordinator {
        inputs.extend([
            Input::Command(Command::SetModel(spec())),
            Input::Prepared { url: "/m".into() },
            from(Prepared { url: "/m".into() }.into()),
            Input::Command(Command::Begin(Assignment::Best)),
            Input::DeviceMeasured { flops_per_sec: Estimate::exact(1.0), overhead_secs: 0.0 },
            from(device.into()),
            from(link.into()),
            from(Ping { nonce: 0, through_device: false }.into()),
            Input::Timeout,
            Input::Timeout,
            Input::Timeout,
            Input::Timeout,
            Input::Timeout,
            Input::StageLoaded { epoch: 1, has_caches: false },
            from(StageReady { epoch: 1, has_caches: true }.into()),
            Input::Command(asked),
            Input::Tokenized { ask, result: Ok(vec![2; 2]) },
        ]);
    } else {
        inputs.extend([
            from(roll_out([1, 2, 4, 0]).into()),
            Input::StageLoaded { epoch: 1, has_caches: false },
            from(begin.into()),
            from(first.into()),
        ]);
    }
    for (at, input) in inputs.into_iter().enumerate() {
        // Slow enough for the link that nobody answers for to count as late.
        let at_secs = at as f64 * if at < 10 { 0.5 } else { 1.0 };
        seen.give(&mut room, at_secs, input);
        if at == 2 && coordinator {
            seen.give(&mut room, at_secs, Input::TicketChecked { peer, is_good: true });
        }
    }
    assert_eq!(seen.job, JobId(1), "a step runs: {:?}", room.view());
    room
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_room_survives_any_input(
        coordinator in any::<bool>(),
        is_busy in any::<bool>(),
        admits_all in any::<bool>(),
        picks in prop::collection::vec((any::<u8>(), any::<[u8; 4]>(), 0.0..1.0_f64), 1..300),
    ) {
        let mut seen = Seen::default();
        let mut room =
            if is_busy { busy_room(coordinator, &mut seen) } else { room(coordinator, admits_all) };
        let mut now = if is_busy { 20.0 } else { 0.0 };
        for (kind, numbers, secs) in picks {
            now += secs.powi(4);
            let input = input(&seen, (kind, numbers.map(|number| u32::from(number % 5))));
            let outputs = seen.give(&mut room, now, input);
            prop_assert!(outputs < 200, "{outputs} outputs at once");
            let _ = room.view();
        }
    }
}

fn failure(message: &str) -> Failure {
    Failure::new(FailureCode::DeviceFailed, message)
}
