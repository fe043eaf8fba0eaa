//! A room of four tiny modules and a driver that answers it, for tests and for `fuzz/` alike.

#![allow(dead_code, reason = "each test uses a part of it")]

use base::{Identity, ModuleProfile, PeerId, RequestId};
use protocol::peer::{Alternative, AskOptions, Frame, ModelRef, Pledge, Sampling, TokenLogprobs};
use protocol::signal::Pictures;
use session::{
    AskId, DoorConfig, Input, JobId, Meeting, ModelSpec, Output, Part, Room, RoomConfig,
    RoomLimits, StageOutput, Wants,
};

pub const ROW_BYTES: u32 = 8;
pub const SAMPLING: Sampling = Sampling {
    temperature: 0.0,
    top_k: 0,
    top_p: 1.0,
    min_p: 0.0,
    repetition_penalty: 1.5,
    seed: 0,
    max_tokens: 4,
    logprobs: Some(1),
};

/// What an ask wishes; its answer may end at its text, which the tests spell with `t` only.
pub fn options() -> AskOptions {
    AskOptions { sampling: SAMPLING, stop: vec!["ttt".into()] }
}

pub fn model() -> ModelRef {
    ModelRef {
        url: "/m".into(),
        name: "m".into(),
        total_bytes: 8,
        context_tokens: 12,
        takes_chats: false,
        labels: Vec::new(),
    }
}

pub fn spec() -> ModelSpec {
    let module =
        |i| ModuleProfile { name: format!("m{i}"), flops: 1.0, weights_bytes: 10.0, kv_bytes: 0.0 };
    ModelSpec {
        model: model(),
        modules: (0..4).map(module).collect(),
        sequential_bytes: vec![8.0; 3],
        residual: Vec::new(),
        tied: Vec::new(),
        encoder: None,
        eos: vec![1],
        row_bytes: ROW_BYTES,
        modules_depend: false,
        slots: 2,
    }
}

/// Everybody may come in, or a person is asked.
pub fn room(me: PeerId, coordinator: bool, admits_all: bool) -> Room {
    Room::new(RoomConfig {
        me,
        coordinator,
        name: "n".into(),
        device: "d".into(),
        pledge: Pledge::Bytes(36),
        door: DoorConfig { admits_all, ..DoorConfig::default() },
        limits: RoomLimits { chunk_tokens: 3, ..RoomLimits::default() },
    })
}

/// A link to this phone is open.
pub fn link_up(peer: PeerId) -> Input {
    let [own, other] = [255, peer.0 as u8].map(|byte| Identity([byte; 32]));
    Input::LinkUp { peer, meeting: Meeting { own, other, pictures: Pictures::from_bits([0; 3]) } }
}

/// As many as the sampling asks for.
pub fn logprobs() -> TokenLogprobs {
    TokenLogprobs { chosen: -1.0, alternatives: vec![Alternative { token: 2, logprob: -0.5 }] }
}

/// What comes out of a part.
fn output_of(part: &Part) -> StageOutput {
    match part.wants {
        Wants::Nothing => StageOutput::Nothing,
        Wants::Token(_) => {
            StageOutput::Token { token: part.rows.into(), logprobs: Some(logprobs()) }
        }
        Wants::Hidden => StageOutput::Hidden(vec![0; (u32::from(part.rows) * ROW_BYTES) as usize]),
    }
}

/// What the room has asked for last, so that some answers fit.
pub struct Seen {
    pub epoch: u32,
    pub job: JobId,
    pub outputs: Vec<StageOutput>,
    pub ask: AskId,
    pub request: RequestId,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            epoch: 1,
            job: JobId(0),
            outputs: Vec::new(),
            ask: AskId { from: PeerId(0), number: 0 },
            request: RequestId(1),
        }
    }
}

impl Seen {
    /// Gives the room an input; how many outputs that makes.
    pub fn give(&mut self, room: &mut Room, now_secs: f64, input: Input) -> usize {
        room.handle(now_secs, input);
        let mut outputs = 0;
        while let Some(output) = room.poll() {
            self.see(output);
            outputs += 1;
        }
        outputs
    }

    /// What came out of the last job.
    pub fn done(&self) -> Input {
        let (job, outputs) = (self.job, self.outputs.clone());
        Input::StageDone { job, outputs, busy_secs: 0.1, dispatches: u32::MAX }
    }

    fn see(&mut self, output: Output) {
        match output {
            Output::LoadStage(load) => self.epoch = load.epoch,
            Output::Tokenize { ask, .. } => self.ask = ask,
            Output::Decode { request, .. } => self.request = request,
            Output::RunStage(job) => {
                self.job = job.id;
                self.outputs = job.parts.iter().map(output_of).collect();
            }
            Output::Transmit { frame, .. } => {
                let bytes = frame.encode();
                assert_eq!(Frame::decode(&bytes), Ok(frame), "we send what others take");
            }
            _ => {}
        }
    }
}
