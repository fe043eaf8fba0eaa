//! What one client says, from its first message to the reason for which it is heard no longer.

use std::{ops::ControlFlow, pin::pin, time::Instant};

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use base::PeerId;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream::SplitStream};
use governor::DefaultDirectRateLimiter;
use protocol::signal::{ClientMessage, RefusalCode, ServerMessage, SignalError};
use tokio::time::{MissedTickBehavior, interval_at, timeout_at};
use tokio_tungstenite::tungstenite::{self, error::ProtocolError};
use tracing::{debug, info};

use crate::{
    Limits, Server,
    limits::rate_limit,
    outbox::Outbox,
    rooms::{Refusal, Seat, in_logs, refusal},
};

/// A binary message starts with the receiver's id, big-endian.
pub(crate) const TARGET_BYTES: usize = size_of::<u32>();

/// A client that is heard.
pub(crate) struct Connection {
    server: Server,
    outbox: Outbox,
    seat: Option<Seat>,
    rate: DefaultDirectRateLimiter,
    signaling_bytes: u64,
    started: Instant,
    heard: Instant,
}

/// Why a socket ends.
pub(crate) enum End {
    /// The client closed it, or the network did.
    Left,
    /// It lets too much wait.
    Slow,
    /// Nothing was heard for too long.
    Silent,
    /// It has lasted as long as connections may.
    Old,
    /// It sent what is no WebSocket.
    Broken,
    /// The server stops.
    Stopping,
    /// It broke a rule.
    Refused(Refusal),
}

impl End {
    /// For figures and the log.
    fn name(&self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Slow => "slow",
            Self::Silent => "silent",
            Self::Old => "old",
            Self::Broken => "broken",
            Self::Stopping => "stopping",
            Self::Refused(_) => "refused",
        }
    }
}

impl Connection {
    pub(crate) fn new(server: Server, outbox: Outbox) -> Self {
        let now = Instant::now();
        let Limits { messages_per_sec, messages_burst, .. } = *server.limits();
        let rate = rate_limit(messages_per_sec, messages_burst);
        Self { server, outbox, seat: None, rate, signaling_bytes: 0, started: now, heard: now }
    }

    /// Does what the client says until there is a reason to end.
    pub(crate) async fn listen(&mut self, stream: &mut SplitStream<WebSocket>) -> End {
        let (stopping, outbox) = (self.server.0.stopping.clone(), self.outbox.clone());
        // Once, and not for each message: all sockets wait in one list for the server's stop.
        let (mut stopped, mut given_up) = (pin!(stopping.cancelled()), pin!(outbox.given_up()));
        let period = self.server.limits().ping_interval;
        let mut pings = interval_at((Instant::now() + period).into(), period);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let (deadline, end) = self.deadline();
            // In this order, so that what was sent in time is heard before a deadline. That is no branch of its own: whoever
            // sends without end, and never a whole message, leaves the branches behind the stream no turn.
            let next = tokio::select! {
                biased;
                () = &mut stopped => return End::Stopping,
                () = &mut given_up => return End::Slow,
                next = timeout_at(deadline.into(), stream.next()) => match next {
                    Ok(next) => next,
                    Err(_) => return end,
                },
                _ = pings.tick() => {
                    outbox.push(Message::Ping(Bytes::new()));
                    continue;
                }
            };
            if let ControlFlow::Break(end) = self.hear(next) {
                return end;
            }
        }
    }

    /// When the socket ends if nothing more is heard, and why.
    fn deadline(&self) -> (Instant, End) {
        let limits = self.server.limits();
        let silent = (self.heard + limits.idle_timeout, End::Silent);
        let old = (self.started + limits.connection_life, End::Old);
        let other = match &self.seat {
            None => (self.started + limits.handshake_timeout, End::Silent),
            Some(seat) => {
                let message = "this room has lasted as long as rooms may: open a new one";
                (seat.ends, End::Refused(refusal(RefusalCode::RoomGone, message)))
            }
        };
        let earlier = |one: (Instant, End), other: (Instant, End)| match other.0 < one.0 {
            true => other,
            false => one,
        };
        earlier(earlier(silent, old), other)
    }

    fn hear(&mut self, next: Option<Result<Message, axum::Error>>) -> ControlFlow<End> {
        let message = match next {
            None | Some(Ok(Message::Close(_))) => return ControlFlow::Break(End::Left),
            Some(Err(error)) => return ControlFlow::Break(unreadable(error)),
            Some(Ok(message)) => message,
        };
        self.heard = Instant::now();
        self.server.0.metrics.messages.count(kind(&message));
        if self.rate.check().is_err() {
            let limit = self.server.limits().messages_per_sec;
            let message = format!("more than {limit} messages per second: send fewer");
            return stop(RefusalCode::TooFast, &message);
        }
        match message {
            Message::Text(text) => self.hear_text(&text),
            Message::Binary(bytes) => self.hear_binary(&bytes),
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => ControlFlow::Continue(()),
        }
    }

    fn hear_text(&mut self, text: &str) -> ControlFlow<End> {
        self.server.0.metrics.signaling_bytes.inc_by(text.len() as u64);
        self.signaling_bytes += text.len() as u64;
        let limits = self.server.limits();
        let (limit, in_all) = (limits.message_bytes, limits.signaling_bytes_per_connection);
        if text.len() > limit {
            let message = format!("a signaling message has at most {limit} bytes");
            return stop(RefusalCode::TooLarge, &message);
        }
        if self.signaling_bytes > in_all {
            let message = format!("one connection may send {in_all} bytes of signaling in all");
            return stop(RefusalCode::TooLarge, &message);
        }
        match ClientMessage::from_json(text) {
            Ok(message) => self.obey(message),
            Err(error @ SignalError::TooLarge { .. }) => {
                stop(RefusalCode::TooLarge, &error.to_string())
            }
            Err(error) => stop(RefusalCode::BadMessage, &error.to_string()),
        }
    }

    fn obey(&mut self, message: ClientMessage) -> ControlFlow<End> {
        let rooms = &self.server.0.rooms;
        let seated = match (message, &self.seat) {
            (ClientMessage::Open { room, peer }, None) => rooms.open(room, peer, &self.outbox),
            (ClientMessage::Join { room, peer }, None) => rooms.join(room, peer, &self.outbox),
            (ClientMessage::Send { to, sealed }, Some(seat)) => {
                return self.report(seat.send(to, sealed));
            }
            (ClientMessage::Send { .. }, None) => {
                return stop(RefusalCode::BadMessage, "enter a room before sending");
            }
            (ClientMessage::Open { .. } | ClientMessage::Join { .. }, Some(_)) => {
                return stop(RefusalCode::BadMessage, "a socket enters one room, once");
            }
        };
        let outcome = seated.map(|seat| self.seat = Some(seat));
        self.report(outcome)
    }

    fn hear_binary(&mut self, bytes: &[u8]) -> ControlFlow<End> {
        let Some((target, payload)) = bytes.split_first_chunk::<TARGET_BYTES>() else {
            return stop(RefusalCode::BadMessage, "a binary message starts with its receiver");
        };
        let limit = self.server.limits().relay_message_bytes;
        if payload.len() > limit {
            let message = format!("a relayed message has at most {limit} bytes");
            return stop(RefusalCode::TooLarge, &message);
        }
        match &self.seat {
            Some(seat) => self.report(seat.relay(PeerId(u32::from_be_bytes(*target)), payload)),
            None => stop(RefusalCode::BadMessage, "enter a room before sending"),
        }
    }

    /// Tells the client what was not done, where that is no reason to end.
    fn report(&self, outcome: Result<(), Refusal>) -> ControlFlow<End> {
        if let Err(refusal) = outcome {
            self.refuse(&refusal);
        }
        ControlFlow::Continue(())
    }

    fn refuse(&self, refusal: &Refusal) {
        let Refusal { code, message } = refusal.clone();
        self.server.0.metrics.refusals.count(code.name());
        self.outbox.say(&ServerMessage::Refused { code, message });
    }

    /// Counts the end, and notes those of interest: a client's own leaving is everyday.
    pub(crate) fn note(&self, end: &End) {
        let reason = end.name();
        self.server.0.metrics.sockets_ended.count(reason);
        let room = self.seat.as_ref().map(|seat| in_logs(&seat.room));
        let peer = self.seat.as_ref().map(|seat| seat.peer.to_string());
        let secs = self.started.elapsed().as_secs();
        match end {
            End::Refused(Refusal { code, .. }) => {
                info!(room, peer, secs, reason, code = code.name(), "socket ended");
            }
            End::Slow | End::Silent | End::Old | End::Broken => {
                info!(room, peer, secs, reason, "socket ended");
            }
            End::Left | End::Stopping => debug!(room, peer, secs, reason, "socket ended"),
        }
    }

    /// Leaves the room and says goodbye. Whether the socket is to be read to its end: for the client's answer, or so that
    /// its own goodbye gets one.
    pub(crate) fn part(&mut self, end: &End) -> bool {
        self.seat = None;
        let (code, reason) = match end {
            End::Left => return true,
            End::Slow => return false,
            End::Silent => (close_code::POLICY, "nothing was heard for too long"),
            End::Stopping => (close_code::AWAY, "the server stops"),
            End::Old => (close_code::AWAY, "connected for as long as one may be: connect again"),
            End::Broken => (close_code::PROTOCOL, "this is no WebSocket"),
            End::Refused(refusal) => {
                self.refuse(refusal);
                (close_code::POLICY, "refused")
            }
        };
        self.outbox.push(Message::Close(Some(CloseFrame { code, reason: reason.into() })));
        true
    }
}

fn stop(code: RefusalCode, message: &str) -> ControlFlow<End> {
    ControlFlow::Break(End::Refused(refusal(code, message)))
}

fn kind(message: &Message) -> &'static str {
    match message {
        Message::Text(_) => "text",
        Message::Binary(_) => "binary",
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) => "control",
    }
}

/// What the WebSocket layer could not read.
fn unreadable(error: axum::Error) -> End {
    use tungstenite::Error::{Capacity, Protocol, Utf8};
    match error.into_inner().downcast_ref::<tungstenite::Error>() {
        Some(Capacity(_)) => {
            End::Refused(refusal(RefusalCode::TooLarge, "the message is far too long"))
        }
        Some(Protocol(ProtocolError::ResetWithoutClosingHandshake)) => End::Left,
        Some(Protocol(_) | Utf8(_)) => End::Broken,
        _ => End::Left,
    }
}
