//! The bounded queue of what waits to be sent to one client.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::extract::ws::{Message, WebSocket};
use futures_util::{SinkExt as _, stream::SplitSink};
use protocol::signal::ServerMessage;
use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;

/// The end that the rooms hold. A client that lets its queue fill is given up.
#[derive(Clone)]
pub(crate) struct Outbox {
    queue: mpsc::Sender<Message>,
    waiting_bytes: Arc<AtomicUsize>,
    is_sent_away: Arc<AtomicBool>,
    max_bytes: usize,
    overflow: CancellationToken,
}

/// The end that the socket's writer holds.
pub(crate) struct Outgoing {
    queue: mpsc::Receiver<Message>,
    waiting_bytes: Arc<AtomicUsize>,
}

/// A queue of at most `max_messages` and `max_bytes`.
pub(crate) fn outbox(max_messages: usize, max_bytes: usize) -> (Outbox, Outgoing) {
    let (sender, receiver) = mpsc::channel(max_messages);
    let waiting_bytes = Arc::new(AtomicUsize::new(0));
    let outgoing = Outgoing { queue: receiver, waiting_bytes: waiting_bytes.clone() };
    let overflow = CancellationToken::new();
    let is_sent_away = Arc::default();
    (Outbox { queue: sender, waiting_bytes, is_sent_away, max_bytes, overflow }, outgoing)
}

impl Outbox {
    /// Queues a message, or gives the client up if it has let too much wait.
    pub(crate) fn push(&self, message: Message) {
        let bytes = len(&message);
        let waiting = self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if waiting > self.max_bytes || self.queue.try_send(message).is_err() {
            self.overflow.cancel();
        }
    }

    /// Queues a message of the protocol.
    pub(crate) fn say(&self, message: &ServerMessage) {
        self.push(Message::text(message.to_json()));
    }

    /// Ends the client's socket, so that it connects anew.
    pub(crate) fn send_away(&self) {
        self.is_sent_away.store(true, Ordering::Release);
        self.overflow.cancel();
    }

    /// Whether that is why the client was given up.
    pub(crate) fn is_sent_away(&self) -> bool {
        self.is_sent_away.load(Ordering::Acquire)
    }

    /// Waits until the client is given up, or its socket no longer takes messages.
    pub(crate) async fn given_up(&self) {
        tokio::select! {
            () = self.overflow.cancelled() => {}
            () = self.queue.closed() => {}
        }
    }
}

impl Outgoing {
    /// Sends what is queued until the queue's other ends are gone, or the client takes nothing for as long as `patience`.
    /// Short messages that wait together leave together: writing is most of what passing a message on costs.
    pub(crate) async fn send_all(
        mut self,
        mut sink: SplitSink<WebSocket, Message>,
        patience: Duration,
    ) {
        while let Some(message) = self.queue.recv().await {
            match timeout(patience, self.send_with_others(&mut sink, message)).await {
                Ok(Ok(bytes)) => self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed),
                _ => return,
            };
        }
    }

    /// What is queued, if anything is.
    #[cfg(test)]
    pub(crate) fn next_now(&mut self) -> Option<Message> {
        self.queue.try_recv().ok()
    }

    /// Sends the message and what waits behind it. The number of bytes.
    async fn send_with_others(
        &mut self,
        sink: &mut SplitSink<WebSocket, Message>,
        message: Message,
    ) -> Result<usize, axum::Error> {
        let mut bytes = len(&message);
        sink.feed(message).await?;
        while bytes < TOGETHER_BYTES
            && let Ok(next) = self.queue.try_recv()
        {
            bytes += len(&next);
            sink.feed(next).await?;
        }
        sink.flush().await?;
        Ok(bytes)
    }
}

/// What leaves together, when there are several messages, and the last of them.
pub(crate) const TOGETHER_BYTES: usize = 4 << 10;

fn len(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes) => bytes.len(),
        Message::Close(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn too_many_messages_give_the_client_up() {
        let (outbox, _outgoing) = outbox(2, 100);
        outbox.push(Message::text("1"));
        outbox.push(Message::text("2"));
        assert!(!outbox.overflow.is_cancelled());
        outbox.push(Message::text("3"));
        assert!(outbox.overflow.is_cancelled());
        outbox.given_up().await;
    }

    #[tokio::test]
    async fn too_many_bytes_give_the_client_up() {
        let (outbox, _outgoing) = outbox(9, 100);
        outbox.push(Message::binary(vec![0; 100]));
        assert!(!outbox.overflow.is_cancelled());
        outbox.push(Message::binary(vec![0; 1]));
        assert!(outbox.overflow.is_cancelled());
    }

    #[tokio::test]
    async fn a_lost_writer_gives_the_client_up() {
        let (outbox, outgoing) = outbox(9, 100);
        drop(outgoing);
        outbox.given_up().await;
    }
}
