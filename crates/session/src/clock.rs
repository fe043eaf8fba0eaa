//! Time without a clock.

/// Lets a change through at most so often, and none be forgotten.
#[derive(Debug)]
pub(crate) struct Throttle {
    interval_secs: f64,
    next_secs: f64,
    is_pending: bool,
}

impl Throttle {
    pub(crate) fn every(interval_secs: f64) -> Self {
        Self { interval_secs, next_secs: 0.0, is_pending: false }
    }

    /// Something has changed.
    pub(crate) fn mark(&mut self) {
        self.is_pending = true;
    }

    /// Whether a change is to be told now; if so it counts as told.
    pub(crate) fn take(&mut self, now_secs: f64) -> bool {
        let is_due = self.is_pending && now_secs >= self.next_secs;
        if is_due {
            self.is_pending = false;
            self.next_secs = now_secs + self.interval_secs;
        }
        is_due
    }

    /// When an untold change may be told.
    pub(crate) fn deadline(&self) -> Option<f64> {
        self.is_pending.then_some(self.next_secs)
    }
}
