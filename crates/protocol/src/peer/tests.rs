//! Every frame's bytes, round trips, and bytes that are no frame.

use base::{ModuleRange, PeerId, RequestId};
use proptest::prelude::*;

use super::*;

const SAMPLING: Sampling =
    Sampling { temperature: 0.5, top_k: 40, top_p: 1.0, seed: 7, max_tokens: 64 };

fn model() -> ModelRef {
    ModelRef { url: "/m".into(), name: "m".into(), total_bytes: 300, context_tokens: 8 }
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
    }
}

fn status() -> Status {
    let counters = Counters { steps_run: 1, rows_run: 2, dispatches: 3, ..Counters::default() };
    Status {
        phase: Phase::Ready,
        model: Some(ModelStatus { model: model(), modules: 6, weights_bytes: 256 }),
        peers: vec![PeerStatus {
            peer: PeerId(1),
            flops_per_sec: Some(1.0),
            remark: Some("r".into()),
            pledge_bytes: None,
            loaded_bytes: 4,
            total_bytes: 5,
            ready: true,
            counters,
        }],
        links: vec![LinkStatus {
            from: PeerId(1),
            to: PeerId(2),
            rtt_secs: 0.5,
            bytes_per_sec: 2.0,
        }],
        plan: Some(PlanStatus {
            stages: vec![StageStatus {
                peer: PeerId(1),
                range: ModuleRange::new(0, 6),
                weights_bytes: 256,
                predicted_secs: 0.5,
            }],
            predicted_token_secs: 0.5,
            lower_bound_secs: 0.25,
            reason: "one".into(),
        }),
        failure: Some(failure()),
    }
}

/// One frame of each tag, and its bytes. The bytes are the protocol: a change here is
/// a new protocol version.
fn samples() -> Vec<(Frame, &'static str)> {
    [phone_samples(), ring_samples(), ask_samples()].concat()
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
            "010101010161016201000000000000f83f03",
        ),
        (Ping { nonce: 300 }.into(), "0102ac02"),
        (Pong { nonce: 300 }.into(), "0103ac02"),
        (Probe { nonce: 1, last: true, padding: vec![0xee; 3] }.into(), "0104010103eeeeee"),
        (ProbeDone { nonce: 1 }.into(), "010501"),
        (Leave {}.into(), "0106"),
        (
            Measure { model: model(), peers: vec![PeerId(1), PeerId(2)] }.into(),
            "0110022f6d016dac020802083030303030303031083030303030303032",
        ),
        (
            DeviceMeasured { flops_per_sec: 1.0, memory_bytes: 2.0 }.into(),
            "0111000000000000f03f0000000000000040",
        ),
        (MeasureFailed { message: "no".into() }.into(), "0112026e6f"),
        (
            LinkMeasured { to: PeerId(1), rtt_secs: 0.5, bytes_per_sec: 2.0 }.into(),
            "0113083030303030303031000000000000e03f0000000000000040",
        ),
        (LinkLost { peer: PeerId(1) }.into(), "0114083030303030303031"),
        (Prepare { model: model() }.into(), "0115022f6d016dac0208"),
        (Prepared { url: "/m".into() }.into(), "0116022f6d"),
    ]
}

fn ring_samples() -> Vec<(Frame, &'static str)> {
    let request = RequestId(9);
    vec![
        (
            RollOut {
                epoch: 1,
                model: model(),
                stages: vec![PlannedStage { peer: PeerId(1), range: ModuleRange::new(0, 6) }],
                chunk_tokens: 32,
                slots: 1,
                row_bytes: 256,
            }
            .into(),
            "012001022f6d016dac020801083030303030303031000620018002",
        ),
        (LoadProgress { epoch: 1, loaded_bytes: 4, total_bytes: 5 }.into(), "0121010405"),
        (StageReady { epoch: 1 }.into(), "012201"),
        (StageFailed { epoch: 1, message: "no".into() }.into(), "012301026e6f"),
        (Halt { epoch: 1 }.into(), "012401"),
        (
            Begin { request, epoch: 1, slot: 0, sampling: SAMPLING, prompt_tokens: 3 }.into(),
            "01300901000000003f280000803f074003",
        ),
        (
            Activations {
                request,
                epoch: 1,
                position: 2,
                rows: 2,
                row_len: 1,
                dispatches: 6,
                last: true,
                data: vec![0, 0, 0x80, 0x3f, 0, 0, 0, 0x40],
            }
            .into(),
            "01310101090000000100000002000000010000000600000002000000803f00000040",
        ),
        (
            Token { request, position: 3, token: 0x0102, dispatches: 12 }.into(),
            "01320900000003000000020100000c000000",
        ),
        (ChunkDone { request, position: 2 }.into(), "01330902"),
        (Cancel { request }.into(), "013409"),
        (Finished { request }.into(), "013509"),
        (RequestFailed { request, message: "no".into() }.into(), "013609026e6f"),
    ]
}

fn ask_samples() -> Vec<(Frame, &'static str)> {
    let request = RequestId(9);
    vec![
        (
            Ask { ask: 1, text: "hi".into(), options: SAMPLING }.into(),
            "0140010268690000003f280000803f0740",
        ),
        (StopAsk { ask: 1 }.into(), "014101"),
        (Text { ask: 1, delta: "yo".into() }.into(), "01420102796f"),
        (
            Answered { ask: 1, stats: stats() }.into(),
            "0143010302000000000000e03f00000000000010400000000000002840010205ac02",
        ),
        (AskFailed { ask: 1, failure: failure() }.into(), "014401020908046c6f6e67"),
        (
            Report {
                counters: Counters { bytes_sent: 300, ..Counters::default() },
                last_step: Some(LastStep { request, next_position: 4 }),
            }
            .into(),
            "015000000000ac0200010904",
        ),
        (
            status().into(),
            "01510501022f6d016dac02080680020108303030303030303101000000000000f03f0101720004050101020300000001083030303030303031083030303030303032000000000000e03f0000000000000040010108303030303030303100068002000000000000e03f000000000000e03f000000000000d03f036f6e6501020908046c6f6e67",
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
        assert_eq!(hex(&bytes), expected, "{}", frame.name());
        assert_eq!(bytes.len(), frame.encoded_len(), "{}", frame.name());
        assert_eq!(Frame::decode(&bytes), Ok(frame));
    }
}

#[test]
fn the_samples_cover_every_tag() {
    let sampled: Vec<u8> = samples().iter().map(|(frame, _)| frame.tag()).collect();
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
    bytes[0] = 2;
    assert_eq!(Frame::decode(&bytes), Err(DecodeError::Version { found: 2 }));
}

#[test]
fn values_out_of_bounds_are_refused() {
    let refused = |frame: Frame, field| {
        assert_eq!(Frame::decode(&frame.encode()), Err(DecodeError::OutOfRange { field }));
    };
    refused(DeviceMeasured { flops_per_sec: f64::NAN, memory_bytes: 0.0 }.into(), "flops_per_sec");
    refused(DeviceMeasured { flops_per_sec: 1.0, memory_bytes: -1.0 }.into(), "memory_bytes");
    refused(Measure { model: model(), peers: vec![PeerId(1); 9] }.into(), "peers");
    refused(MeasureFailed { message: "x".repeat(1001) }.into(), "message");
    refused(LoadProgress { epoch: 1, loaded_bytes: 2, total_bytes: 1 }.into(), "loaded_bytes");
    let text = "x".repeat(MAX_PROMPT_BYTES + 1);
    refused(Ask { ask: 1, text, options: SAMPLING }.into(), "text");
    let options = Sampling { temperature: f32::NAN, ..SAMPLING };
    refused(Ask { ask: 1, text: String::new(), options }.into(), "temperature");
}

#[test]
fn a_control_frame_over_its_limit_is_not_read() {
    let mut bytes = vec![PROTOCOL_VERSION, 4];
    bytes.resize(MAX_CONTROL_BYTES + 3, 0);
    let limit = MAX_CONTROL_BYTES;
    assert_eq!(Frame::decode(&bytes), Err(DecodeError::TooLarge { bytes: limit + 1, limit }));
}

fn activations() -> impl Strategy<Value = Activations> {
    let numbers = (any::<u32>(), any::<u32>(), 0..u32::MAX / 2, any::<u32>(), any::<bool>());
    (numbers, 1..=64_u16, 0..=64_u32).prop_flat_map(|(numbers, rows, row_len)| {
        let (request, epoch, position, dispatches, last) = numbers;
        let bytes = usize::from(rows) * row_len as usize * 4;
        prop::collection::vec(any::<u8>(), bytes).prop_map(move |data| Activations {
            request: RequestId(request),
            epoch,
            position,
            rows,
            row_len,
            dispatches,
            last,
            data,
        })
    })
}

fn begin() -> impl Strategy<Value = Begin> {
    let options = (0.0..9.0_f32, any::<u32>(), 0.0..=1.0_f32, any::<u64>(), 0..=1000_u32);
    let rest = (any::<u32>(), any::<u32>(), 0..MAX_SLOTS, 1..u32::MAX);
    (options, rest).prop_map(|((temperature, top_k, top_p, seed, max_tokens), rest)| Begin {
        request: RequestId(rest.0),
        epoch: rest.1,
        slot: rest.2,
        sampling: Sampling { temperature, top_k, top_p, seed, max_tokens },
        prompt_tokens: rest.3,
    })
}

fn any_frame() -> impl Strategy<Value = Frame> {
    prop_oneof![
        activations().prop_map(Frame::from),
        begin().prop_map(Frame::from),
        any::<[u32; 4]>().prop_map(|[request, position, token, dispatches]| {
            Token { request: RequestId(request), position, token, dispatches }.into()
        }),
        (any::<u32>(), ".{0,200}")
            .prop_map(|(ask, text)| Ask { ask, text, options: SAMPLING }.into()),
        (any::<u32>(), prop::collection::vec(any::<u32>(), 0..200)).prop_map(|(ask, tokens)| {
            Answered { ask, stats: AnswerStats { tokens, ..stats() } }.into()
        }),
        (any::<u32>(), any::<bool>(), prop::collection::vec(any::<u8>(), 0..2000))
            .prop_map(|(nonce, last, padding)| Probe { nonce, last, padding }.into()),
    ]
}

proptest! {
    #[test]
    fn frames_come_back_and_know_their_length(frame in any_frame()) {
        let bytes = frame.encode();
        prop_assert_eq!(bytes.len(), frame.encoded_len());
        prop_assert_eq!(Frame::decode(&bytes), Ok(frame));
    }

    #[test]
    fn any_bytes_are_survived(
        tag in 0..96_u8,
        body in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut bytes = vec![PROTOCOL_VERSION, tag];
        bytes.extend(body);
        if let Ok(frame) = Frame::decode(&bytes) {
            prop_assert!(frame.encoded_len() <= bytes.len() + 2);
        }
    }

    #[test]
    fn a_flipped_bit_is_survived(sample in 0..30_usize, at in any::<prop::sample::Index>()) {
        let mut bytes = samples()[sample].0.encode();
        let bit = at.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        let _ = Frame::decode(&bytes);
    }
}
