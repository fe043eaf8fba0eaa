//! One client's WebSocket at `/signal`, from its upgrade to its close.

use std::net::{IpAddr, Ipv4Addr};

use axum::{
    Extension,
    extract::{
        State,
        ws::{WebSocket, WebSocketUpgrade},
    },
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use futures_util::{StreamExt as _, stream::SplitStream};
use tokio::time::timeout;
use tracing::debug;

use crate::{
    Server, Shared,
    connection::{Connection, End, TARGET_BYTES},
    connector::Peer,
    limits::{Place, TurnedAway},
    outbox::{TOGETHER_BYTES, outbox},
};

/// Upgrades a request to a socket, and serves that.
pub(crate) async fn upgrade(
    State(server): State<Server>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !is_own_page(&headers) {
        return (StatusCode::FORBIDDEN, FOREIGN_PAGE).into_response();
    }
    if server.is_draining() {
        let later = [(header::RETRY_AFTER, "5")];
        return (StatusCode::SERVICE_UNAVAILABLE, later, STOPPING).into_response();
    }
    let Ok(client) = client_place(&server, &headers, peer.as_deref()) else {
        return (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "5")], TOO_MANY)
            .into_response();
    };
    let address = client_address(&server, &headers, peer.as_deref());
    let limits = server.limits();
    let longest = limits.message_bytes.max(limits.relay_message_bytes + TARGET_BYTES);
    // So that a message somewhat too long is read and gets its refusal.
    let readable = longest + SLACK_BYTES;
    upgrade
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(TOGETHER_BYTES)
        .max_message_size(readable)
        .max_frame_size(readable)
        .max_write_buffer_size(2 * readable)
        .on_upgrade(async move |socket| {
            let tracked = server.0.sockets.track_future(serve(socket, server.clone(), address));
            tracked.await;
            drop((peer, client));
        })
}

/// A proxy's client has a place of its own, for as long as its socket is open.
fn client_place(
    server: &Server,
    headers: &HeaderMap,
    peer: Option<&Peer>,
) -> Result<Option<Place>, TurnedAway> {
    let Shared { clients, metrics, .. } = &*server.0;
    let (Some(clients), Some(peer)) = (clients, peer) else { return Ok(None) };
    clients.place(headers, peer.address).map(Some).inspect_err(|turned_away| {
        metrics.turned_away.count(turned_away.name());
        debug!(reason = turned_away.name(), "a proxy's client turned away");
    })
}

/// Whose socket it is. Where nobody says (a router in a server of somebody else's), all count as one.
fn client_address(server: &Server, headers: &HeaderMap, peer: Option<&Peer>) -> IpAddr {
    let Some(peer) = peer else { return IpAddr::V4(Ipv4Addr::UNSPECIFIED) };
    match &server.0.clients {
        Some(clients) => clients.client(headers, peer.address),
        None => peer.address,
    }
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

async fn serve(socket: WebSocket, server: Server, address: IpAddr) {
    let limits = server.limits();
    let (sink, mut stream) = socket.split();
    let (outbox, outgoing) = outbox(limits.queue_messages, limits.queue_bytes);
    let mut writer = tokio::spawn(outgoing.send_all(sink, limits.write_timeout));
    let mut connection = Connection::new(server.clone(), outbox, address);
    let end = connection.listen(&mut stream).await;
    connection.note(&end);
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

const FOREIGN_PAGE: &str =
    "only this server's own page may open a room here: open the page from this server\n";
const STOPPING: &str = "this server stops: try again in some seconds\n";
const TOO_MANY: &str = "too many sockets from your address: try again in some seconds\n";
const SLACK_BYTES: usize = 64 << 10;
/// What a socket takes from its connection at a time. An idle socket keeps this much.
const READ_BYTES: usize = 2 << 10;
