//! What waits to be sent to NATS: so many notices and bytes, and no more.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use protocol::cluster::ServerId;
use tokio::sync::{Mutex, MutexGuard, mpsc};

/// A notice and for whom it is; for all where nobody is named.
pub(super) struct Outgoing {
    pub(super) to: Option<ServerId>,
    pub(super) notice: Bytes,
}

pub(super) struct Queue {
    sender: mpsc::Sender<Outgoing>,
    receiver: Mutex<mpsc::Receiver<Outgoing>>,
    waiting_bytes: AtomicUsize,
}

impl Queue {
    pub(super) fn new() -> Self {
        let (sender, receiver) = mpsc::channel(MAX_NOTICES);
        Self { sender, receiver: Mutex::new(receiver), waiting_bytes: AtomicUsize::new(0) }
    }

    /// Whether there was room.
    pub(super) fn push(&self, to: Option<ServerId>, notice: Bytes) -> bool {
        let bytes = notice.len();
        let waiting = self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let is_in = waiting <= MAX_BYTES && self.sender.try_send(Outgoing { to, notice }).is_ok();
        if !is_in {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        is_in
    }

    /// For the one who takes, as long as it does.
    pub(super) async fn taker(&self) -> Taker<'_> {
        Taker { receiver: self.receiver.lock().await, waiting_bytes: &self.waiting_bytes }
    }
}

pub(super) struct Taker<'a> {
    receiver: MutexGuard<'a, mpsc::Receiver<Outgoing>>,
    waiting_bytes: &'a AtomicUsize,
}

impl Taker<'_> {
    /// The next one; waits for it.
    pub(super) async fn next(&mut self) -> Option<Outgoing> {
        let next = self.receiver.recv().await?;
        self.waiting_bytes.fetch_sub(next.notice.len(), Ordering::Relaxed);
        Some(next)
    }

    /// The next one, if there is one.
    pub(super) fn next_now(&mut self) -> Option<Outgoing> {
        let next = self.receiver.try_recv().ok()?;
        self.waiting_bytes.fetch_sub(next.notice.len(), Ordering::Relaxed);
        Some(next)
    }
}

const MAX_NOTICES: usize = 4096;
const MAX_BYTES: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn notices_and_bytes_are_bounded_and_room_comes_back() {
        let queue = Queue::new();
        assert!(queue.push(None, vec![0; MAX_BYTES].into()));
        assert!(!queue.push(None, vec![0; 1].into()));
        queue.taker().await.next().await.unwrap();
        for _ in 0..MAX_NOTICES {
            assert!(queue.push(None, vec![0; 1].into()));
        }
        assert!(!queue.push(None, vec![0; 1].into()));
        let mut taker = queue.taker().await;
        while taker.next_now().is_some() {}
        assert!(queue.push(None, vec![0; MAX_BYTES].into()));
    }
}
