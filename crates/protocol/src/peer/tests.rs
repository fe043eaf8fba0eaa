//! Every frame's bytes, round trips, and bytes that are no frame.

use super::*;
use base::{
    Estimate, Identity, MAX_LABEL_CHARS, MAX_LABELS, Message, ModuleRange, PeerId, RequestId, Role,
};

mod any;

const SAMPLING: Sampling = Sampling {
    temperature: 0.5,
    top_k: 40,
    top_p: 1.0,
    min_p: 0.25,
    repetition_penalty: 1.5,
    seed: 7,
    max_tokens: 64,
    logprobs: Some(1),
};

fn model() -> ModelRef {
    ModelRef {
        url: "/m".into(),
        name: "m".into(),
        total_bytes: 300,
        context_tokens: 8,
        takes_chats: true,
        labels: Vec::new(),
    }
}

fn asked(stop: &[&str]) -> AskOptions {
    AskOptions { sampling: SAMPLING, stop: stop.iter().map(|&text| text.to_owned()).collect() }
}

fn failure() -> Failure {
    Failure::new(FailureCode::PromptTooLong { prompt_tokens: 9, context_tokens: 8 }, "long")
}

fn stats() -> AnswerStats {
    AnswerStats {
        prompt_tokens: 3,
        completion_tokens: 2,
        ttft_secs: 0.5,
        decode_tokens_per_sec: 4.0,
        dispatches_per_token: 12.0,
        finish: Finish::Length,
        tokens: vec![5, 300],
        logprobs: vec![logprobs(1)],
    }
}

fn logprobs(alternatives: u32) -> TokenLogprobs {
    let alternative = |token| Alternative { token, logprob: -0.25 };
    TokenLogprobs { chosen: -0.5, alternatives: (0..alternatives).map(alternative).collect() }
}

fn status() -> Status {
    let counters = Counters { steps_run: 1, rows_run: 2, dispatches: 3, ..Counters::default() };
    Status {
        phase: Phase::Ready,
        model: Some(ModelStatus { model: model(), modules: 6, weights_bytes: 256 }),
        peers: vec![PeerStatus {
            peer: PeerId(1),
            flops_per_sec: Some(Estimate { mean: 1.0, spread: 0.5 }),
            remark: Some("r".into()),
            pledge_bytes: None,
            used_bytes: 7,
            loaded_bytes: 4,
            total_bytes: 5,
            ready: true,
            waiting_rows: 3,
            counters,
        }],
        links: vec![LinkStatus {
            from: PeerId(1),
            to: PeerId(2),
            rtt_secs: Estimate { mean: 0.5, spread: 0.25 },
            bytes_per_sec: Estimate { mean: 2.0, spread: 1.0 },
            rtt_drift: 2.0,
            bytes_drift: 1.0,
        }],
        measuring: Some(MeasuringStatus { done: 3, total: 4 }),
        plan: Some(Box::new(PlanStatus {
            stages: vec![StageStatus {
                peer: PeerId(1),
                range: ModuleRange::new(0, 6),
                weights_bytes: 256,
                predicted_secs: 0.5,
                measured_secs: Some(0.75),
            }],
            overlap: vec![CopyStatus {
                peer: PeerId(2),
                range: ModuleRange::new(4, 6),
                weights_bytes: 128,
            }],
            traffic: vec![TrafficStatus {
                from: PeerId(1),
                to: PeerId(2),
                bytes: 2.0,
                predicted_secs: 0.25,
            }],
            predicted_token_secs: 0.5,
            measured_token_secs: Some(1.0),
            lower_bound_secs: 0.25,
            equal_split_secs: Some(2.0),
            best_alone: Some(Alone { peer: PeerId(1), secs: 4.0 }),
            reason: "one".into(),
            cause: Some("c".into()),
            pause_secs: Some(0.5),
            unused: vec![Unused { peer: PeerId(2), reason: "two".into() }],
        })),
        failure: Some(failure()),
    }
}

/// One frame of each tag, and its bytes. The bytes are the protocol: a change here is
/// a new protocol version.
fn samples() -> Vec<(Frame, &'static str)> {
    [phone_samples(), plan_samples(), ring_samples(), ask_samples()].concat()
}

fn phone_samples() -> Vec<(Frame, &'static str)> {
    vec![
        (
            Hello {
                version: 1,
                coordinator: true,
                name: "a".into(),
                device: "b".into(),
                pledge: Pledge::Share { factor: 1.5, phones: 3 },
            }
            .into(),
            "090101010161016201000000000000f83f03",
        ),
        (Ping { nonce: 300, through_device: true }.into(), "0902ac0201"),
        (Pong { nonce: 300, busy_secs: 1.0 }.into(), "0903ac02000000000000f03f"),
        (Probe { nonce: 1, last: true, padding: vec![0xee; 3] }.into(), "0904010103eeeeee"),
        (ProbeDone { nonce: 1 }.into(), "090501"),
        (Leave {}.into(), "0906"),
        (Admission::Ask { ticket: vec![7, 8] }.into(), "090700020708"),
        (Admission::Wait.into(), "090701"),
        (
            Admission::In { members: vec![Identity([1; 32])] }.into(),
            "0907020140 30313031303130313031303130313031303130313031303130313031303130313031303130313031303130313031303130313031303130313031303130313031",
        ),
        (Admission::Out(Refusal::Locked).into(), "09070301"),
        (
            Admission::Remembered(RoomSecret([7; 32])).into(),
            "0907040707070707070707070707070707070707070707070707070707070707070707",
        ),
        (
            Measure { model: model(), peers: vec![PeerId(1), PeerId(2)] }.into(),
            "0910022f6d016dac0208010002083030303030303031083030303030303032",
        ),
        (
            DeviceMeasured {
                flops_per_sec: Estimate { mean: 1.0, spread: 0.5 },
                overhead_secs: 0.25,
            }
            .into(),
            "0911000000000000f03f000000000000e03f000000000000d03f",
        ),
        (MeasureFailed { message: "no".into() }.into(), "0912026e6f"),
        (
            LinkMeasured {
                to: PeerId(1),
                rtt_secs: Estimate { mean: 0.5, spread: 0.25 },
                bytes_per_sec: Estimate { mean: 2.0, spread: 1.0 },
            }
            .into(),
            "0913083030303030303031000000000000e03f000000000000d03f0000000000000040000000000000f03f",
        ),
        (LinkLost { peer: PeerId(1) }.into(), "0914083030303030303031"),
        (Prepare { model: model() }.into(), "0915022f6d016dac02080100"),
        (Prepared { url: "/m".into() }.into(), "0916022f6d"),
        (Away { why: Some(AwayReason::LowBattery) }.into(), "09170101"),
    ]
}

fn plan_samples() -> Vec<(Frame, &'static str)> {
    vec![
        (
            RollOut {
                epoch: 1,
                model: model(),
                stages: vec![PlannedStage { peer: PeerId(1), range: ModuleRange::new(0, 6) }],
                overlap: vec![PlannedStage { peer: PeerId(2), range: ModuleRange::new(4, 6) }],
                chunk_tokens: 32,
                slots: 1,
                row_bytes: 256,
                wire: WireType::F16,
                encoder: Some(PlannedEncoder {
                    modules: 3,
                    readers: vec![4],
                    prompt_tokens: 300,
                    skips: true,
                }),
                carry: Carry {
                    requests: vec![Carried { request: RequestId(9), slot: 0, rows: 5 }],
                    moved: vec![MovedCache {
                        module: 3,
                        from: PeerId(1),
                        to: PeerId(2),
                        row_bytes: 8,
                    }],
                },
            }
            .into(),
            "092001022f6d016dac020801000108303030303030303100060108303030303030303204062001800201\
             0103 0104 ac0201 0109000501030830303030303030310830303030303030 3208",
        ),
        (LoadProgress { epoch: 1, loaded_bytes: 4, total_bytes: 5 }.into(), "0921010405"),
        (StageReady { epoch: 1, has_caches: true }.into(), "09220101"),
        (
            StageFailed { epoch: 1, failure: Failure::new(FailureCode::OutOfMemory, "no") }.into(),
            "0923010a026e6f",
        ),
        (Halt { epoch: 1 }.into(), "092401"),
        (cache_ask().into(), "0925010300020 2"),
        (
            CacheRows { of: cache_ask(), data: vec![7, 8] }.into(),
            "0926010000000300000002000000000002000708",
        ),
        (
            LoadCopies {
                epoch: 1,
                number: 4,
                model: model(),
                slots: 2,
                rows: 9,
                held: vec![ModuleRange::new(0, 3), ModuleRange::new(5, 8)],
            }
            .into(),
            "09270104022f6d016dac0208010002090200030508",
        ),
        (CopiesLoaded { number: 1, is_there: true }.into(), "09280101"),
        (CacheLost { of: cache_ask() }.into(), "09290103000202"),
    ]
}

fn ring_samples() -> Vec<(Frame, &'static str)> {
    let request = RequestId(9);
    vec![
        (
            Begin {
                request,
                epoch: 1,
                slot: 0,
                sampling: SAMPLING,
                history_tokens: 3,
                drawn: 1,
                kept_tokens: 2,
                seen: vec![5, 300],
                prompt_rows: 2,
            }
            .into(),
            "09300901000000003f280000803f0000803e0000c03f074001010301020205ac0202",
        ),
        (
            activations_as(WireType::F32).into(),
            "093101010900000001000000020000000100000006000000030000000200 0000803f 00000040",
        ),
        (
            activations_as(WireType::F16).into(),
            "093102010900000001000000020000000100000006000000030000000200 0000803f003c 0000803f0040",
        ),
        (
            activations_as(WireType::Int8).into(),
            "093103010900000001000000020000000100000006000000030000000200 0402013c7f 0402813c7f",
        ),
        (token(None).into(), "0932090000000100000003000000020100000c0000000000"),
        (
            token(Some(logprobs(1))).into(),
            "0932090000000100000003000000020100000c0000000102000000bf00000000000080be",
        ),
        (ChunkDone { request, epoch: 1, position: 2 }.into(), "0933090102"),
        (Cancel { request }.into(), "093409"),
        (Finished { request }.into(), "093509"),
        (RequestFailed { request, epoch: 1, message: "no".into() }.into(), "09360901026e6f"),
        (
            residual_as(WireType::F32).into(),
            "093701090000000100000001000000000000000200 0000803f 00000040",
        ),
        (
            residual_as(WireType::Int8).into(),
            "093703090000000100000001000000000000000200 0402013c7f 0402813c7f",
        ),
    ]
}

fn cache_ask() -> CacheAsk {
    CacheAsk { epoch: 1, module: 3, slot: 0, position: 2, rows: 2 }
}

/// Two rows of one value each.
fn activations_as(wire: WireType) -> Activations {
    let rows = [1.0_f32, 2.0].map(f32::to_le_bytes).concat();
    Activations {
        request: RequestId(9),
        epoch: 1,
        sequence: 3,
        position: 2,
        rows: 2,
        row_len: 1,
        dispatches: 6,
        last: true,
        more: false,
        wire,
        data: wire.pack(rows, 1),
    }
}

/// The same rows, as an encoder's output.
fn residual_as(wire: WireType) -> Residual {
    let Activations { request, epoch, rows, row_len, data, .. } = activations_as(wire);
    Residual { request, epoch, sequence: 0, rows, row_len, wire, data }
}

fn token(logprobs: Option<TokenLogprobs>) -> Token {
    let (request, more) = (RequestId(9), logprobs.is_some());
    Token { request, epoch: 1, position: 3, token: 0x0102, dispatches: 12, more, logprobs }
}

fn link_times(rtt_secs: f64, bytes_per_sec: Option<f64>) -> LinkTimes {
    LinkTimes { to: PeerId(2), rtt_secs, bytes_per_sec }
}

fn ask_samples() -> Vec<(Frame, &'static str)> {
    let request = RequestId(9);
    vec![
        (
            Ask { ask: 1, messages: vec![Message::user("hi")], options: asked(&["."]) }.into(),
            "09400101010268690000003f280000803f0000803e0000c03f0740010101012e",
        ),
        (StopAsk { ask: 1 }.into(), "094101"),
        (Text { ask: 1, delta: "yo".into() }.into(), "09420102796f"),
        (
            Answered { ask: 1, stats: stats() }.into(),
            "0943010302000000000000e03f00000000000010400000000000002840020205ac0201000000bf0100000080be",
        ),
        (AskFailed { ask: 1, failure: failure() }.into(), "094401020908046c6f6e67"),
        (Resume { ask: 1, text_bytes: 5 }.into(), "09450105"),
        (
            Report {
                counters: Counters { bytes_sent: 300, ..Counters::default() },
                last_steps: vec![LastStep { request, next_position: 4 }],
                stage_secs: vec![0.5],
                waiting_rows: 3,
                links: vec![link_times(0.5, Some(2.0))],
            }
            .into(),
            "095000000000ac020001090401000000000000e03f0301083030303030303032000000000000e03f010000000000000040",
        ),
        (
            status().into(),
            "09510501022f6d016dac020801000680020108303030303030303101000000000000f03f000000000000e03f01017200070405010301020300000001083030303030303031083030303030303032000000000000e03f000000000000d03f0000000000000040000000000000f03f0000000000000040000000000000f03f010304010108303030303030303100068002000000000000e03f01000000000000e83f0108303030303030303204068001010830303030303030310830303030303030320000000000000040000000000000d03f000000000000e03f01000000000000f03f000000000000d03f010000000000000040010830303030303030310000000000001040036f6e6501016301000000000000e03f010830303030303030320374776f01020908046c6f6e67",
        ),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_frame_has_these_bytes() {
    for (frame, expected) in samples() {
        let bytes = frame.encode();
        assert_eq!(hex(&bytes), expected.replace(' ', ""), "{}", frame.name());
        assert_eq!(bytes.len(), frame.encoded_len(), "{}", frame.name());
        assert_eq!(Frame::decode(&bytes), Ok(frame));
    }
}

#[test]
fn the_samples_cover_every_tag() {
    let mut sampled: Vec<u8> = samples().iter().map(|(frame, _)| frame.tag()).collect();
    sampled.dedup();
    let known =
        |tag: u8| Frame::decode(&[PROTOCOL_VERSION, tag]) != Err(DecodeError::UnknownTag { tag });
    assert_eq!(sampled, (0..=255).filter(|&tag| known(tag)).collect::<Vec<_>>());
}

#[test]
fn a_cut_or_padded_frame_is_refused() {
    for (frame, _) in samples() {
        let bytes = frame.encode();
        for len in 0..bytes.len() {
            assert!(Frame::decode(&bytes[..len]).is_err(), "{} cut at {len}", frame.name());
        }
        let mut padded = bytes.clone();
        padded.push(0);
        assert!(Frame::decode(&padded).is_err(), "{} and a byte", frame.name());
    }
}

#[test]
fn another_version_is_named() {
    let mut bytes = Frame::from(Leave {}).encode();
    bytes[0] = 1;
    assert_eq!(Frame::decode(&bytes), Err(DecodeError::Version { found: 1 }));
}

#[test]
fn tickets_and_lists_of_members_are_bounded() {
    let refused = |admission: Admission, field| {
        let bytes = Frame::from(admission).encode();
        assert_eq!(Frame::decode(&bytes), Err(DecodeError::OutOfRange { field }));
    };
    refused(Admission::Ask { ticket: vec![0; MAX_TICKET_BYTES + 1] }, "ticket");
    refused(Admission::In { members: vec![Identity([0; 32]); MAX_ADMITTED + 1] }, "members");
}

#[test]
fn values_out_of_bounds_are_refused() {
    let refused = |frame: Frame, field| {
        assert_eq!(Frame::decode(&frame.encode()), Err(DecodeError::OutOfRange { field }));
    };
    let measured = |flops_per_sec, overhead_secs| {
        DeviceMeasured { flops_per_sec: Estimate::exact(flops_per_sec), overhead_secs }.into()
    };
    refused(measured(f64::NAN, 0.0), "flops_per_sec");
    refused(measured(-1.0, 0.0), "flops_per_sec");
    refused(measured(1e-300, 0.0), "flops_per_sec");
    refused(measured(1e300, 0.0), "flops_per_sec");
    refused(measured(1.0, -1.0), "overhead_secs");
    refused(measured(1.0, 1e9), "overhead_secs");
    let link = |rtt_secs, bytes_per_sec| {
        let [rtt_secs, bytes_per_sec] = [rtt_secs, bytes_per_sec].map(Estimate::exact);
        LinkMeasured { to: PeerId(1), rtt_secs, bytes_per_sec }.into()
    };
    refused(link(1e9, 1e6), "rtt_secs");
    refused(link(0.1, 1e-9), "bytes_per_sec");
    refused(Measure { model: model(), peers: vec![PeerId(1); 9] }.into(), "peers");
    let named = |labels: Vec<String>| Prepare { model: ModelRef { labels, ..model() } }.into();
    refused(named(vec!["x".repeat(MAX_LABEL_CHARS + 1)]), "model.labels");
    refused(named(vec!["x".into(); MAX_LABELS + 1]), "model.labels");
    refused(MeasureFailed { message: "x".repeat(1001) }.into(), "message");
    refused(LoadProgress { epoch: 1, loaded_bytes: 2, total_bytes: 1 }.into(), "loaded_bytes");
    let ask = |messages| Ask { ask: 1, messages, options: asked(&[]) }.into();
    let half = Message::user("x".repeat(MAX_PROMPT_BYTES / 2 + 1));
    refused(ask(vec![half.clone(), half]), "messages");
    refused(ask(vec![Message::user(""); MAX_MESSAGES + 1]), "messages");
    refused(ask(Vec::new()), "messages");
    refused(begin_after(MAX_SEEN_TOKENS + 1).into(), "seen");
    let prompt_rows = MAX_CHUNK_TOKENS + 1;
    refused(Begin { prompt_rows, ..begin_after(0) }.into(), "prompt_rows");
}

#[test]
fn links_out_of_bounds_are_refused() {
    let refused = |links: Vec<LinkTimes>, field| {
        let counters = Counters::default();
        let (last_steps, stage_secs, waiting_rows) = (Vec::new(), Vec::new(), 0);
        let report = Report { counters, last_steps, stage_secs, waiting_rows, links };
        let bytes = Frame::from(report).encode();
        assert_eq!(Frame::decode(&bytes), Err(DecodeError::OutOfRange { field }));
    };
    refused(vec![link_times(0.1, None); MAX_PEERS + 1], "links");
    for rtt_secs in [-0.1, f64::NAN, 1e9] {
        refused(vec![link_times(rtt_secs, None)], "links.rtt_secs");
    }
    for bytes_per_sec in [-1.0, f64::NAN, f64::INFINITY] {
        refused(vec![link_times(0.1, Some(bytes_per_sec))], "links.bytes_per_sec");
    }
}

#[test]
fn wishes_out_of_bounds_are_refused() {
    let refused = |options: AskOptions, field| {
        let frame = Frame::from(Ask { ask: 1, messages: vec![Message::user("")], options });
        assert_eq!(Frame::decode(&frame.encode()), Err(DecodeError::OutOfRange { field }));
    };
    refused(Sampling { temperature: f32::NAN, ..SAMPLING }.into(), "temperature");
    for min_p in [-0.1, 1.1, f32::NAN] {
        refused(Sampling { min_p, ..SAMPLING }.into(), "min_p");
    }
    for repetition_penalty in [0.0, -1.0, f32::INFINITY] {
        refused(Sampling { repetition_penalty, ..SAMPLING }.into(), "repetition_penalty");
    }
    refused(Sampling { logprobs: Some(6), ..SAMPLING }.into(), "logprobs");
    refused(asked(&["a"; 5]), "stop");
    refused(asked(&["a", ""]), "stop");
    refused(asked(&["x".repeat(65).as_str()]), "stop");
}

#[test]
fn activations_have_as_many_bytes_as_they_say() {
    for wire in WireType::ALL {
        let sound = activations_as(wire);
        let frame = Frame::from(sound.clone());
        assert_eq!(frame.encoded_len(), ACTIVATIONS_HEADER_BYTES + sound.data.len());
        let refused = |frame: Activations, field| {
            let bytes = Frame::from(frame).encode();
            assert_eq!(Frame::decode(&bytes), Err(DecodeError::OutOfRange { field }), "{wire:?}");
        };
        refused(Activations { rows: 0, data: Vec::new(), ..sound.clone() }, "rows");
        refused(Activations { rows: MAX_CHUNK_TOKENS + 1, ..sound.clone() }, "rows");
        refused(Activations { row_len: 0, ..sound.clone() }, "row_len");
        refused(Activations { row_len: u32::MAX, ..sound.clone() }, "data");
        refused(Activations { rows: 1, ..sound.clone() }, "data");
        refused(Activations { position: u32::MAX, ..sound.clone() }, "position");
        for other in WireType::ALL.into_iter().filter(|&other| other != wire) {
            refused(Activations { wire: other, ..sound.clone() }, "data");
        }
        for code in [0, 4, u8::MAX] {
            let mut bytes = frame.encode();
            bytes[2] = code;
            let field = "wire";
            assert_eq!(Frame::decode(&bytes), Err(DecodeError::OutOfRange { field }));
        }
    }
}

#[test]
fn an_encoders_output_has_as_many_bytes_as_it_says() {
    for wire in WireType::ALL {
        let sound = residual_as(wire);
        let frame = Frame::from(sound.clone());
        assert_eq!(frame.encoded_len(), RESIDUAL_HEADER_BYTES + sound.data.len());
        let refused = |frame: Residual, field| {
            let bytes = Frame::from(frame).encode();
            assert_eq!(Frame::decode(&bytes), Err(DecodeError::OutOfRange { field }), "{wire:?}");
        };
        refused(Residual { rows: 0, data: Vec::new(), ..sound.clone() }, "rows");
        refused(Residual { rows: MAX_CHUNK_TOKENS + 1, ..sound.clone() }, "rows");
        refused(Residual { row_len: 0, ..sound.clone() }, "row_len");
        refused(Residual { row_len: u32::MAX, ..sound.clone() }, "data");
        refused(Residual { rows: 1, ..sound.clone() }, "data");
    }
}

#[test]
fn an_encoder_that_cannot_be_is_refused() {
    let (frame, _) = plan_samples().remove(0);
    let Frame::RollOut(plan) = frame else { panic!("it is the first sample") };
    let sound = plan.encoder.clone().expect("it has one");
    let refused = |encoder: PlannedEncoder, field| {
        let frame = Frame::from(RollOut { encoder: Some(encoder), ..plan.clone() });
        assert_eq!(Frame::decode(&frame.encode()), Err(DecodeError::OutOfRange { field }));
    };
    refused(PlannedEncoder { modules: 0, ..sound.clone() }, "encoder.modules");
    refused(PlannedEncoder { readers: vec![2], ..sound.clone() }, "encoder.readers");
    refused(PlannedEncoder { readers: vec![4; 1025], ..sound.clone() }, "encoder.readers");
    refused(PlannedEncoder { prompt_tokens: 0, ..sound }, "encoder.prompt_tokens");
}

#[test]
fn log_probabilities_out_of_bounds_are_refused() {
    let refused = |logprobs: TokenLogprobs, field| {
        let error = Err(DecodeError::OutOfRange { field });
        let in_stats = AnswerStats { logprobs: vec![logprobs.clone()], ..stats() };
        for frame in [token(Some(logprobs)).into(), Answered { ask: 1, stats: in_stats }.into()] {
            assert_eq!(Frame::decode(&Frame::encode(&frame)), error);
        }
    };
    refused(logprobs(6), "alternatives");
    refused(TokenLogprobs { chosen: f32::NAN, ..logprobs(2) }, "logprobs");
    refused(TokenLogprobs { chosen: 0.5, ..logprobs(2) }, "logprobs");
}

#[test]
fn the_longest_answer_fits_a_frame() {
    let alternatives = vec![Alternative { token: u32::MAX, logprob: -1.0 }; 5];
    let most = MAX_COMPLETION_TOKENS as usize;
    let answer = AnswerStats {
        tokens: vec![u32::MAX; most],
        logprobs: vec![TokenLogprobs { chosen: -1.0, alternatives }; most],
        ..stats()
    };
    let frame = Frame::from(Answered { ask: 1, stats: answer });
    assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
}

fn begin_after(seen_tokens: usize) -> Begin {
    let (request, seen) = (RequestId(9), vec![300; seen_tokens]);
    let (history_tokens, drawn, kept_tokens, prompt_rows) = (9_999, 0, 0, 0);
    Begin {
        request,
        epoch: 1,
        slot: 0,
        sampling: SAMPLING,
        history_tokens,
        drawn,
        kept_tokens,
        seen,
        prompt_rows,
    }
}

#[test]
fn a_control_frame_over_its_limit_is_not_read() {
    let mut bytes = vec![PROTOCOL_VERSION, 4];
    bytes.resize(MAX_CONTROL_BYTES + 3, 0);
    let limit = MAX_CONTROL_BYTES;
    assert_eq!(Frame::decode(&bytes), Err(DecodeError::TooLarge { bytes: limit + 1, limit }));
}
