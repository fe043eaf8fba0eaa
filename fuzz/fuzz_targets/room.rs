//! A room to which three peers and its own driver say whatever they like, as fast as they like.
#![no_main]

#[path = "../../crates/session/tests/common/mod.rs"]
mod common;

use base::{Estimate, Identity, Message, PeerId};
use common::{Seen, link_up, options, room, spec};
use libfuzzer_sys::fuzz_target;
use protocol::peer::{AwayReason, CacheAsk, Failure, FailureCode, Frame, RoomSecret};
use session::{Assignment, Command, Input};

const PEERS: u32 = 3;
/// One input makes at most a few outputs for every peer and every waiting ask.
const MOST_OUTPUTS: usize = 200;

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, mut rest)) = bytes.split_first() else { return };
    let mut room = room(PeerId(0), first.is_multiple_of(2), first & 2 == 0);
    let mut seen = Seen::default();
    for peer in 1..=PEERS {
        seen.give(&mut room, 0.0, link_up(PeerId(peer)));
    }
    let mut now_secs = 0.0;
    while let [kind, pause, len, tail @ ..] = rest {
        let (own, next) = tail.split_at(usize::from(*len).min(tail.len()));
        rest = next;
        now_secs += f64::from(*pause) / 100.0;
        let outputs = seen.give(&mut room, now_secs, input(&seen, *kind, own));
        assert!(outputs <= MOST_OUTPUTS, "{outputs} outputs for one input");
        let _ = room.view();
    }
});

fn input(seen: &Seen, kind: u8, bytes: &[u8]) -> Input {
    let number = u32::from(bytes.first().copied().unwrap_or(0));
    let message = || "m".to_owned();
    match kind {
        0 => Input::LinkDown { peer: PeerId(number % 4) },
        1 => link_up(PeerId(number % 4)),
        2 => Input::Command(Command::SetModel(spec())),
        3 => Input::Prepared { url: "/m".into() },
        4 => Input::DeviceMeasured {
            flops_per_sec: Estimate::exact(f64::from(number)),
            overhead_secs: 0.0,
        },
        5 => Input::Command(Command::Begin(Assignment::Best)),
        6 => Input::StageLoaded { epoch: seen.epoch, has_caches: number % 2 == 0 },
        7 => {
            let failure = Failure::new(FailureCode::DeviceFailed, "m");
            Input::StageFailed { epoch: seen.epoch, failure }
        }
        8 => Input::LoadProgress { epoch: seen.epoch, loaded_bytes: 1, total_bytes: number.into() },
        9 => seen.done(),
        10 => Input::JobFailed { job: seen.job, message: message() },
        11 => Input::Tokenized { ask: seen.ask, result: Ok(vec![2; bytes.len() % 16]) },
        12 => Input::Decoded { request: seen.request, text: "t".into() },
        17 => Input::CopiesLoaded { number, is_there: number % 2 == 0 },
        13 => {
            let messages = vec![Message::user("t")];
            Input::Command(Command::Ask { ask: number, messages, options: options() })
        }
        14 => Input::Command(Command::Stop { ask: number }),
        15 => Input::MeasureFailed { message: message() },
        16 => Input::Exercised { number, busy_secs: f64::from(bytes.len() as u32) },
        18 => {
            let data = bytes.get(4..).unwrap_or_default().to_vec();
            Input::CacheRead { to: PeerId(1 + number % PEERS), ask: cache_ask(seen, bytes), data }
        }
        19 => Input::CacheWritten { epoch: seen.epoch, is_there: number % 2 == 0 },
        20 => Input::Command(Command::Away((number % 2 == 0).then_some(AwayReason::LowBattery))),
        21 if number == 0 => Input::Command(Command::Leave),
        22 => Input::TicketChecked { peer: PeerId(number % 4), is_good: number < 128 },
        23 => Input::Command(door_command(number)),
        24 => Input::LinkRestarts { peer: PeerId(number % 4) },
        _ => match Frame::decode(bytes) {
            Ok(frame) => Input::Frame { peer: PeerId(1 + u32::from(kind) % PEERS), frame },
            Err(_) => Input::Timeout,
        },
    }
}

fn door_command(number: u32) -> Command {
    let (peer, identity) = (PeerId(number % 4), Identity([number as u8 % 4; 32]));
    match number / 4 % 6 {
        0 => Command::LetIn(peer),
        1 => Command::TurnAway(peer),
        2 => Command::Lock(number < 128),
        3 => Command::Remove(identity),
        4 => Command::NextSecret(RoomSecret(identity.0)),
        _ => Command::Trust([identity].into()),
    }
}

fn cache_ask(seen: &Seen, bytes: &[u8]) -> CacheAsk {
    let [module, slot, position] = [1, 2, 3].map(|at| bytes.get(at).copied().unwrap_or(0) % 4);
    CacheAsk {
        epoch: seen.epoch,
        module: module.into(),
        slot: slot.into(),
        position: position.into(),
        rows: 1,
    }
}
