//! One client's WebSocket at `/signal`, from its upgrade to its close.

use std::{ops::ControlFlow, sync::Arc, time::Instant};

use axum::{
    Extension,
    extract::{
        State,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code},
    },
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use base::PeerId;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream::SplitStream};
use protocol::signal::{ClientMessage, RefusalCode, ServerMessage, SignalError};
use tokio::time::{MissedTickBehavior, interval_at, sleep_until, timeout};

use crate::{
    Limits, Server,
    limits::{Place, RateLimit},
    outbox::{Outbox, outbox},
    rooms::{Refusal, Seat, refusal},
};

/// Upgrades a request to a socket, and serves that.
pub(crate) async fn upgrade(
    State(server): State<Server>,
    place: Option<Extension<Arc<Place>>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !is_own_page(&headers) {
        return (StatusCode::FORBIDDEN, FOREIGN_PAGE).into_response();
    }
    let limits = server.limits();
    let longest = limits.message_bytes.max(limits.relay_message_bytes + TARGET_BYTES);
    upgrade
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(0)
        // Twice, so that a message somewhat too long is read and gets its refusal.
        .max_message_size(2 * longest)
        .max_frame_size(2 * longest)
        .max_write_buffer_size(4 * longest)
        .on_upgrade(async move |socket| {
            let tracked = server.0.sockets.track_future(serve(socket, server.clone()));
            tracked.await;
            drop(place);
        })
}

/// Whether a page of this server asks, or a program that is no browser: browsers always name the page's origin, and let
/// any page open sockets to any server.
fn is_own_page(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let origin = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    match (origin.as_ref().and_then(Uri::authority), host) {
        (Some(origin), Some(host)) => origin.as_str().eq_ignore_ascii_case(host),
        _ => false,
    }
}

async fn serve(socket: WebSocket, server: Server) {
    let limits = server.limits();
    let (sink, mut stream) = socket.split();
    let (outbox, outgoing) = outbox(limits.queue_messages, limits.queue_bytes);
    let mut writer = tokio::spawn(outgoing.send_all(sink, limits.write_timeout));
    let mut connection = Connection::new(server.clone(), outbox);
    let end = connection.listen(&mut stream).await;
    if connection.part(&end) {
        // Until the client closes too: a connection with unread bytes would be
        // reset, and the client would never read why.
        let _ = timeout(limits.drain_timeout, until_closed(&mut stream)).await;
    }
    drop(connection);
    if matches!(end, End::Slow) || timeout(limits.drain_timeout, &mut writer).await.is_err() {
        writer.abort();
    }
}

async fn until_closed(stream: &mut SplitStream<WebSocket>) {
    while let Some(Ok(_)) = stream.next().await {}
}

struct Connection {
    server: Server,
    outbox: Outbox,
    seat: Option<Seat>,
    rate: RateLimit,
    signaling_bytes: u64,
    started: Instant,
    heard: Instant,
}

/// Why a socket ends.
enum End {
    /// The client closed it, or the network did.
    Left,
    /// It lets too much wait.
    Slow,
    /// Nothing was heard for too long.
    Silent,
    /// The server stops.
    Stopping,
    /// It broke a rule.
    Refused(Refusal),
}

impl Connection {
    fn new(server: Server, outbox: Outbox) -> Self {
        let now = Instant::now();
        let Limits { messages_per_sec, messages_burst, .. } = *server.limits();
        let rate = RateLimit::new(messages_per_sec, messages_burst, now);
        Self { server, outbox, seat: None, rate, signaling_bytes: 0, started: now, heard: now }
    }

    /// Does what the client says until there is a reason to end.
    async fn listen(&mut self, stream: &mut SplitStream<WebSocket>) -> End {
        let stopping = self.server.0.stopping.clone();
        let outbox = self.outbox.clone();
        let period = self.server.limits().ping_interval;
        let mut pings = interval_at((Instant::now() + period).into(), period);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let (deadline, end) = self.deadline();
            // In this order, so that what was sent in time is heard before a deadline.
            let next = tokio::select! {
                biased;
                () = stopping.cancelled() => return End::Stopping,
                () = outbox.given_up() => return End::Slow,
                next = stream.next() => next,
                _ = pings.tick() => {
                    outbox.push(Message::Ping(Bytes::new()));
                    continue;
                }
                () = sleep_until(deadline.into()) => return end,
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
        let other = match &self.seat {
            None => (self.started + limits.handshake_timeout, End::Silent),
            Some(seat) => {
                let message = "this room has lasted as long as rooms may: open a new one";
                (seat.ends, End::Refused(refusal(RefusalCode::RoomGone, message)))
            }
        };
        if other.0 < silent.0 { other } else { silent }
    }

    fn hear(&mut self, next: Option<Result<Message, axum::Error>>) -> ControlFlow<End> {
        let message = match next {
            None | Some(Ok(Message::Close(_))) => return ControlFlow::Break(End::Left),
            Some(Err(error)) => return ControlFlow::Break(broken(&error)),
            Some(Ok(message)) => message,
        };
        self.heard = Instant::now();
        if !self.rate.take(self.heard) {
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
        self.server.0.rooms.count_signaling(text.len());
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
        self.outbox.say(&ServerMessage::Refused { code, message });
    }

    /// Leaves the room and says goodbye. Whether the client can be expected to answer.
    fn part(&mut self, end: &End) -> bool {
        self.seat = None;
        let (code, reason) = match end {
            End::Left | End::Slow => return false,
            End::Silent => (close_code::POLICY, "nothing was heard for too long"),
            End::Stopping => (close_code::AWAY, "the server stops"),
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

/// What the WebSocket layer could not read. Its error type is not part of axum's
/// interface, so that a message too long by far is told by its text.
fn broken(error: &axum::Error) -> End {
    match error.to_string().contains("too long") {
        true => End::Refused(refusal(RefusalCode::TooLarge, "the message is far too long")),
        false => End::Left,
    }
}

const FOREIGN_PAGE: &str =
    "only this server's own page may open a room here: open the page from this server\n";
/// A binary message starts with the receiver's id, big-endian.
const TARGET_BYTES: usize = size_of::<u32>();
/// What a socket takes from its connection at a time. An idle socket keeps this much.
const READ_BYTES: usize = 2 << 10;
