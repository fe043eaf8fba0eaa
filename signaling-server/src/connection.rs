//! What one client says, from its first message to the reason for which it is heard no longer.

use std::{net::IpAddr, ops::ControlFlow, pin::pin, time::Instant};

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use base::{PeerId, RoomId};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream::SplitStream};
use governor::DefaultDirectRateLimiter;
use protocol::signal::{ClientMessage, RefusalCode, ServerMessage, SignalError};
use tokio::time::{MissedTickBehavior, interval_at, timeout_at};
use tokio_tungstenite::tungstenite::{self, error::ProtocolError};
use tracing::{debug, info};

use crate::{
    Limits, Server,
    claims::{Claims, Proof, Wanted},
    cluster::Entrance,
    codes::{Calling, ShownCode},
    limits::rate_limit,
    outbox::Outbox,
    rooms::{Entry, Holder, Refusal, Seat, in_logs, refusal},
};

/// A binary message starts with the receiver's id, big-endian.
pub(crate) const TARGET_BYTES: usize = size_of::<u32>();

/// A client that is heard.
pub(crate) struct Connection {
    server: Server,
    outbox: Outbox,
    address: IpAddr,
    claims: Claims,
    seat: Option<Seat>,
    /// The place that it waits for.
    wanted: Option<Wanted>,
    /// What it owes those who want its own.
    proof: Proof,
    code: Option<ShownCode>,
    calling: Option<Calling>,
    /// When it was last told where to find TURN.
    told_servers: Instant,
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
    /// Another server has its room, too, and it is to come in anew.
    SentAway,
    /// It has lasted as long as connections may.
    Old,
    /// It sent what is no WebSocket.
    Broken,
    /// Another socket of the same peer has its place: it did not answer.
    Replaced,
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
            Self::SentAway => "sent_away",
            Self::Old => "old",
            Self::Broken => "broken",
            Self::Replaced => "replaced",
            Self::Stopping => "stopping",
            Self::Refused(_) => "refused",
        }
    }
}

impl Connection {
    pub(crate) fn new(server: Server, outbox: Outbox, address: IpAddr) -> Self {
        let now = Instant::now();
        let Limits { messages_per_sec, messages_burst, .. } = *server.limits();
        let rate = rate_limit(messages_per_sec, messages_burst);
        Self {
            server,
            outbox,
            address,
            claims: Claims::default(),
            seat: None,
            wanted: None,
            proof: Proof::default(),
            code: None,
            calling: None,
            told_servers: now,
            rate,
            signaling_bytes: 0,
            started: now,
            heard: now,
        }
    }

    /// Does what the client says until there is a reason to end.
    pub(crate) async fn listen(&mut self, stream: &mut SplitStream<WebSocket>) -> End {
        let (stopping, outbox) = (self.server.0.stopping.clone(), self.outbox.clone());
        let claims = self.claims.clone();
        // Once, and not for each message: all sockets wait in one list for the server's stop.
        let (mut stopped, mut given_up) = (pin!(stopping.cancelled()), pin!(outbox.given_up()));
        let period = self.server.limits().ping_interval;
        let mut pings = interval_at((Instant::now() + period).into(), period);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let (deadline, end) = self.deadline();
            let place = Wanted::freed(self.wanted.as_ref().map(Wanted::claims));
            // In this order, so that what was sent in time is heard before a deadline. That is no branch of its own: whoever
            // sends without end, and never a whole message, leaves the branches behind the stream no turn.
            let next = tokio::select! {
                biased;
                () = &mut stopped => return End::Stopping,
                () = &mut given_up => return given_up_because(&outbox),
                next = timeout_at(deadline.into(), stream.next()) => match next {
                    Ok(next) => next,
                    Err(_) => return end,
                },
                () = claims.asked() => {
                    if self.proof.is_wanted(self.server.limits().claim_timeout) {
                        outbox.push(Message::Ping(Bytes::new()));
                    }
                    continue;
                }
                () = place => {
                    self.take_place().await;
                    continue;
                }
                _ = pings.tick() => {
                    outbox.push(Message::Ping(Bytes::new()));
                    self.renew_servers();
                    continue;
                }
            };
            if let ControlFlow::Break(end) = self.hear(next).await {
                return end;
            }
        }
    }

    /// Long before the credentials end that the client has.
    fn renew_servers(&mut self) {
        let Some(seat) = &self.seat else { return };
        if seat.renewal().is_some_and(|after| self.told_servers.elapsed() >= after) {
            self.outbox.say(&seat.newer_ice_servers());
            self.told_servers = Instant::now();
        }
    }

    /// When the socket ends if nothing more is heard, and why.
    fn deadline(&self) -> (Instant, End) {
        let limits = self.server.limits();
        let silent = (self.heard + limits.idle_timeout, End::Silent);
        let old = (self.started + limits.connection_life, End::Old);
        let other = match &self.seat {
            None => match &self.wanted {
                Some(wanted) => {
                    let message = "this peer is in the room already: close its other page";
                    (wanted.until, End::Refused(refusal(RefusalCode::PeerTaken, message)))
                }
                None => (self.started + limits.handshake_timeout, End::Silent),
            },
            Some(seat) => {
                let message = "this room has lasted as long as rooms may: open a new one";
                (seat.ends, End::Refused(refusal(RefusalCode::RoomGone, message)))
            }
        };
        let earlier = |one: (Instant, End), other: (Instant, End)| match other.0 < one.0 {
            true => other,
            false => one,
        };
        let ended = earlier(earlier(silent, old), other);
        match self.proof.due(limits.claim_timeout) {
            Some(due) => earlier(ended, (due, End::Replaced)),
            None => ended,
        }
    }

    async fn hear(&mut self, next: Option<Result<Message, axum::Error>>) -> ControlFlow<End> {
        let message = match next {
            None | Some(Ok(Message::Close(_))) => return ControlFlow::Break(End::Left),
            Some(Err(error)) => return ControlFlow::Break(unreadable(error)),
            Some(Ok(message)) => message,
        };
        self.heard = Instant::now();
        self.proof.give();
        self.server.0.metrics.messages.count(kind(&message));
        if self.rate.check().is_err() {
            let limit = self.server.limits().messages_per_sec;
            let message = format!("more than {limit} messages per second: send fewer");
            return stop(RefusalCode::TooFast, &message);
        }
        match message {
            Message::Text(text) => self.hear_text(&text).await,
            Message::Binary(bytes) => self.hear_binary(&bytes),
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => ControlFlow::Continue(()),
        }
    }

    async fn hear_text(&mut self, text: &str) -> ControlFlow<End> {
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
            Ok(message) => self.obey(message).await,
            Err(error @ SignalError::TooLarge { .. }) => {
                stop(RefusalCode::TooLarge, &error.to_string())
            }
            Err(error) => stop(RefusalCode::BadMessage, &error.to_string()),
        }
    }

    async fn obey(&mut self, message: ClientMessage) -> ControlFlow<End> {
        let (entrance, room, peer) = match (message, &self.seat) {
            (ClientMessage::Open { .. } | ClientMessage::Join { .. }, None)
                if self.wanted.is_some() =>
            {
                return stop(RefusalCode::BadMessage, "a socket waits for one place, once");
            }
            (ClientMessage::Open { room, peer }, None) => (Entrance::Open, room, peer),
            (ClientMessage::Join { room, peer }, None) => (Entrance::Join, room, peer),
            (ClientMessage::Send { to, sealed }, Some(seat)) => {
                return self.report(seat.send(to, sealed));
            }
            (ClientMessage::Send { .. }, None) => {
                return stop(RefusalCode::BadMessage, "enter a room before sending");
            }
            (ClientMessage::Open { .. } | ClientMessage::Join { .. }, Some(_)) => {
                return stop(RefusalCode::BadMessage, "a socket enters one room, once");
            }
            (message, _) => return self.pair(message),
        };
        let outcome = self.ask_for_place(entrance, room, peer).await;
        let outcome = outcome.map(|entry| self.enter(entry));
        self.report(outcome)
    }

    /// What is about short codes: shown by phones in a room, and typed by those in none.
    fn pair(&mut self, message: ClientMessage) -> ControlFlow<End> {
        let codes = &self.server.0.codes;
        match (message, self.seat.is_some(), &self.code, &self.calling) {
            (ClientMessage::OfferCode {}, true, ..) => {
                // First, so that its place is free.
                self.code = None;
                let offered = codes.offer(self.address, &self.outbox);
                let outcome = offered.map(|code| self.code = Some(code));
                return self.report(outcome);
            }
            (ClientMessage::WithdrawCode {}, true, ..) => self.code = None,
            (ClientMessage::Redeem { place, message }, false, ..) => {
                self.calling = None;
                let called = codes.call(place, message, self.address, &self.outbox);
                let outcome = called.map(|calling| self.calling = Some(calling));
                return self.report(outcome);
            }
            (ClientMessage::AnswerCall { call, message }, _, Some(code), _) => {
                code.answer(call, message);
            }
            (ClientMessage::EndCall { call, message }, _, Some(code), _) => code.end(call, message),
            (ClientMessage::ConfirmCall { message }, _, _, Some(calling)) => {
                calling.confirm(message);
            }
            // The code may just have been withdrawn.
            (ClientMessage::AnswerCall { .. } | ClientMessage::EndCall { .. }, true, None, _) => {}
            _ => return stop(RefusalCode::BadMessage, "this is not to be said now"),
        }
        ControlFlow::Continue(())
    }

    async fn ask_for_place(
        &self,
        entrance: Entrance,
        room: RoomId,
        peer: PeerId,
    ) -> Result<Entry, Refusal> {
        let holder = Holder { outbox: self.outbox.clone(), claims: self.claims.clone() };
        // Apart from the rest, since a socket at rest would keep room for it.
        Box::pin(self.server.0.rooms.seat(entrance, (room, peer), &holder)).await
    }

    fn enter(&mut self, entry: Entry) {
        match entry {
            Entry::Seated(seat) => {
                self.told_servers = Instant::now();
                // Whoever is in a room types no code.
                (self.seat, self.wanted, self.calling) = (Some(seat), None, None);
            }
            Entry::Waits(wanted) => self.wanted = Some(wanted),
        }
    }

    /// The place that was waited for is free, unless another was faster.
    async fn take_place(&mut self) {
        let Some(Wanted { room, peer, .. }) = self.wanted.take() else { return };
        let mut entry = self.ask_for_place(Entrance::Join, room, peer).await;
        // Where the holder was alone, the room has ended with it.
        if matches!(&entry, Err(refusal) if refusal.code == RefusalCode::RoomGone) {
            entry = self.ask_for_place(Entrance::Open, room, peer).await;
        }
        match entry {
            Ok(entry) => self.enter(entry),
            Err(refusal) => self.refuse(&refusal),
        }
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
            End::Slow | End::Silent | End::SentAway | End::Old | End::Broken | End::Replaced => {
                info!(room, peer, secs, reason, "socket ended");
            }
            End::Left | End::Stopping => debug!(room, peer, secs, reason, "socket ended"),
        }
    }

    /// Leaves the room and says goodbye. Whether the socket is to be read to its end: for the client's answer, or so that
    /// its own goodbye gets one.
    pub(crate) fn part(&mut self, end: &End) -> bool {
        (self.code, self.calling, self.seat) = (None, None, None);
        let (code, reason) = match end {
            End::Left => return true,
            End::Slow => return false,
            End::Silent => (close_code::POLICY, "nothing was heard for too long"),
            End::Replaced => (close_code::POLICY, "another socket of this peer is in its place"),
            End::Stopping => (close_code::AWAY, "the server stops"),
            End::SentAway => {
                (close_code::AWAY, "two servers found this room at each other: connect again")
            }
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

fn given_up_because(outbox: &Outbox) -> End {
    if outbox.is_sent_away() { End::SentAway } else { End::Slow }
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
