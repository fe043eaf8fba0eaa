//! How many bytes may go: so many a second, and those of one second at once.

use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Bucket {
    per_sec: u64,
    left: u64,
    filled: Duration,
}

impl Bucket {
    pub(crate) fn full(per_sec: u64, elapsed: Duration) -> Self {
        Self { per_sec, left: per_sec, filled: elapsed }
    }

    /// Whether there is room for so many.
    pub(crate) fn takes(&mut self, bytes: usize, elapsed: Duration) -> bool {
        self.fill(elapsed);
        let left = self.left.checked_sub(bytes as u64);
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }

    fn fill(&mut self, elapsed: Duration) {
        let passed = elapsed.saturating_sub(self.filled);
        let more = u128::from(self.per_sec) * passed.as_nanos() / 1_000_000_000;
        // What is less than a byte goes on to wait.
        if more > 0 {
            let more = u64::try_from(more).unwrap_or(u64::MAX);
            self.left = self.left.saturating_add(more).min(self.per_sec);
            self.filled = elapsed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_at_once_and_then_the_rate() {
        let at = Duration::from_millis;
        let mut bucket = Bucket::full(1000, at(0));
        assert!(bucket.takes(600, at(0)) && bucket.takes(400, at(0)));
        assert!(!bucket.takes(1, at(0)));
        assert!(!bucket.takes(101, at(100)) && bucket.takes(100, at(100)));
        assert!(!bucket.takes(1001, at(9000)), "never more than a second's");
        assert!(bucket.takes(1000, at(9000)));
    }
}
