//! A room to which three peers and its own driver say whatever they like, as fast as they like.
#![no_main]

use base::{ModuleProfile, PeerId, RequestId};
use libfuzzer_sys::fuzz_target;
use protocol::peer::{Frame, ModelRef, Pledge, Sampling};
use session::{
    AskId, Command, Input, JobId, ModelSpec, Output, Room, RoomConfig, RoomLimits, StageOutput,
    Wants,
};

const PEERS: u32 = 3;
/// One input makes at most a few outputs for every peer and every waiting ask.
const MOST_OUTPUTS: usize = 200;
const ROW_BYTES: u32 = 8;

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, mut rest)) = bytes.split_first() else { return };
    let mut driver = Driver::new(first.is_multiple_of(2));
    for peer in 1..=PEERS {
        driver.give(0.0, Input::LinkUp { peer: PeerId(peer) });
    }
    let mut now_secs = 0.0;
    while let [kind, pause, len, tail @ ..] = rest {
        let (own, next) = tail.split_at(usize::from(*len).min(tail.len()));
        rest = next;
        now_secs += f64::from(*pause) / 100.0;
        let input = driver.input(*kind, own);
        driver.give(now_secs, input);
    }
});

/// The room, and what it asked for last, so that some answers fit.
struct Driver {
    room: Room,
    epoch: u32,
    job: JobId,
    output: StageOutput,
    ask: AskId,
    request: RequestId,
}

impl Driver {
    fn new(coordinator: bool) -> Self {
        let room = Room::new(RoomConfig {
            me: PeerId(0),
            coordinator,
            name: "n".into(),
            device: "d".into(),
            pledge: Pledge::Bytes(25),
            limits: RoomLimits { chunk_tokens: 3, ..RoomLimits::default() },
        });
        Self {
            room,
            epoch: 1,
            job: JobId(0),
            output: StageOutput::Nothing,
            ask: AskId { from: PeerId(0), number: 0 },
            request: RequestId(1),
        }
    }

    fn input(&self, kind: u8, bytes: &[u8]) -> Input {
        let number = u32::from(bytes.first().copied().unwrap_or(0));
        match kind {
            0 => Input::LinkDown { peer: PeerId(number % 4) },
            1 => Input::LinkUp { peer: PeerId(number % 4) },
            2 => Input::Command(Command::SetModel(spec())),
            3 => Input::Prepared { url: "/m".into() },
            4 => Input::DeviceMeasured { flops_per_sec: f64::from(number), memory_bytes: 0.0 },
            5 => Input::Command(Command::Begin),
            6 => Input::StageLoaded { epoch: self.epoch },
            7 => Input::StageFailed { epoch: self.epoch, message: "m".into() },
            8 => Input::LoadProgress {
                epoch: self.epoch,
                loaded_bytes: 1,
                total_bytes: number.into(),
            },
            9 => Input::StageDone {
                job: self.job,
                output: self.output.clone(),
                busy_secs: 0.1,
                dispatches: u32::MAX,
            },
            10 => Input::JobFailed { job: self.job, message: "m".into() },
            11 => Input::Tokenized { ask: self.ask, result: Ok(vec![2; bytes.len() % 16]) },
            12 => Input::Decoded { request: self.request, text: "t".into() },
            13 => Input::Command(Command::Ask { ask: number, text: "t".into(), options: SAMPLING }),
            14 => Input::Command(Command::Stop { ask: number }),
            15 => Input::MeasureFailed { message: "m".into() },
            _ => match Frame::decode(bytes) {
                Ok(frame) => Input::Frame { peer: PeerId(1 + u32::from(kind) % PEERS), frame },
                Err(_) => Input::Timeout,
            },
        }
    }

    fn give(&mut self, now_secs: f64, input: Input) {
        self.room.handle(now_secs, input);
        let mut outputs = 0;
        while let Some(output) = self.room.poll() {
            self.see(output);
            outputs += 1;
        }
        assert!(outputs <= MOST_OUTPUTS, "{outputs} outputs for one input");
        let _ = self.room.view();
    }

    fn see(&mut self, output: Output) {
        match output {
            Output::LoadStage(load) => self.epoch = load.epoch,
            Output::Tokenize { ask, .. } => self.ask = ask,
            Output::Decode { request, .. } => self.request = request,
            Output::RunStage(job) => {
                self.job = job.id;
                let hidden = vec![0; (u32::from(job.rows) * ROW_BYTES) as usize];
                self.output = match job.wants {
                    Wants::Nothing => StageOutput::Nothing,
                    Wants::Token(_) => StageOutput::Token(u32::from(job.rows)),
                    Wants::Hidden => StageOutput::Hidden(hidden),
                };
            }
            Output::Transmit { frame, .. } => {
                assert!(Frame::decode(&frame.encode()).is_ok(), "we send what others take");
            }
            _ => {}
        }
    }
}

const SAMPLING: Sampling =
    Sampling { temperature: 0.0, top_k: 0, top_p: 1.0, seed: 0, max_tokens: 4 };

fn spec() -> ModelSpec {
    let module = |i| ModuleProfile { name: format!("m{i}"), flops: 1.0, weights_bytes: 10.0 };
    ModelSpec {
        model: ModelRef { url: "/m".into(), name: "m".into(), total_bytes: 8, context_tokens: 12 },
        modules: (0..4).map(module).collect(),
        sequential_bytes: vec![8.0; 3],
        residual: Vec::new(),
        tied: Vec::new(),
        eos: vec![1],
        row_bytes: ROW_BYTES,
        slots: 2,
    }
}
