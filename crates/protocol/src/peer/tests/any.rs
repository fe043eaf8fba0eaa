//! Frames with any values in them, and any bytes.

use proptest::prelude::*;

use super::*;

fn activations() -> impl Strategy<Value = Activations> {
    let numbers = (any::<[u32; 4]>(), 0..u32::MAX / 2, any::<[bool; 2]>());
    let wires = prop::sample::select(WireType::ALL.to_vec());
    (numbers, wires, 1..=64_u16, 1..=64_u32).prop_flat_map(|(numbers, wire, rows, row_len)| {
        let ([request, epoch, sequence, dispatches], position, [last, more]) = numbers;
        let bytes = usize::from(rows) * wire.row_bytes(row_len) as usize;
        prop::collection::vec(any::<u8>(), bytes).prop_map(move |data| Activations {
            request: RequestId(request),
            epoch,
            sequence,
            position,
            rows,
            row_len,
            dispatches,
            last,
            more,
            wire,
            data,
        })
    })
}

fn begin() -> impl Strategy<Value = Begin> {
    let options = (0.0..9.0_f32, any::<u32>(), 0.0..=1.0_f32, any::<u64>(), 0..=1000_u32);
    let more = (0.0..=1.0_f32, 0.1..9.0_f32, prop::collection::vec(any::<u32>(), 0..200));
    let rest = (any::<u32>(), any::<u32>(), 0..MAX_SLOTS, 1..u32::MAX);
    (options, more, rest).prop_map(|(options, (min_p, repetition_penalty, seen), rest)| {
        let (temperature, top_k, top_p, seed, max_tokens) = options;
        Begin {
            request: RequestId(rest.0),
            epoch: rest.1,
            slot: rest.2,
            sampling: Sampling {
                temperature,
                top_k,
                top_p,
                min_p,
                repetition_penalty,
                seed,
                max_tokens,
                logprobs: (rest.0 % 7).checked_sub(1).map(|count| count as u8),
            },
            history_tokens: rest.3,
            drawn: rest.0 % rest.3.min(MAX_COMPLETION_TOKENS),
            kept_tokens: rest.1 % rest.3,
            seen,
            prompt_rows: rest.2,
        }
    })
}

fn message() -> impl Strategy<Value = Message> {
    let roles = prop::sample::select(vec![Role::System, Role::User, Role::Assistant]);
    (roles, ".{0,200}").prop_map(|(role, content)| Message { role, content })
}

fn any_frame() -> impl Strategy<Value = Frame> {
    prop_oneof![
        activations().prop_map(Frame::from),
        begin().prop_map(Frame::from),
        activations().prop_map(|rows| {
            let Activations { request, epoch, sequence, rows, row_len, wire, data, .. } = rows;
            Residual { request, epoch, sequence, rows, row_len, wire, data }.into()
        }),
        (any::<[u32; 5]>(), prop::option::of(0..=5_u32)).prop_map(|(words, alternatives)| {
            let [request, epoch, position, token, dispatches] = words;
            let (request, more) = (RequestId(request), token % 2 == 0);
            let logprobs = alternatives.map(logprobs);
            Token { request, epoch, position, token, dispatches, more, logprobs }.into()
        }),
        (
            any::<u32>(),
            prop::collection::vec(message(), 1..9),
            prop::collection::vec(".{1,16}", 0..=4),
        )
            .prop_map(|(ask, messages, stop)| {
                Ask { ask, messages, options: AskOptions { sampling: SAMPLING, stop } }.into()
            }),
        (any::<u32>(), prop::collection::vec(any::<u32>(), 0..200)).prop_map(|(ask, tokens)| {
            let logprobs = tokens.iter().map(|token| logprobs(token % 6)).collect();
            Answered { ask, stats: AnswerStats { tokens, logprobs, ..stats() } }.into()
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
