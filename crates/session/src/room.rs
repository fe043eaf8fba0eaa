//! The room itself.

use std::collections::VecDeque;

use crate::{Input, Output, RoomConfig};

/// One phone's side of a room.
#[derive(Debug)]
pub struct Room {
    config: RoomConfig,
    now_secs: f64,
    outputs: VecDeque<Output>,
}

impl Room {
    /// A room with nobody else in it yet.
    pub fn new(config: RoomConfig) -> Self {
        Self { config, now_secs: 0.0, outputs: VecDeque::new() }
    }

    /// Takes what happened at `now_secs` (monotonic, any origin).
    pub fn handle(&mut self, now_secs: f64, input: Input) {
        self.now_secs = self.now_secs.max(now_secs);
        let _ = (input, &self.config);
    }

    /// The next thing to do; `None` when there is nothing left.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}
