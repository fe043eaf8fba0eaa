//! The WebSocket to the server.

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use peer::{Socket, SocketEvent};
use protocol::signal::MESSAGE_MAX_BYTES;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::mpsc::{Receiver, Sender, channel},
    task::spawn_local,
    time::{Instant, interval, timeout, timeout_at},
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{
    client_async_with_config,
    tungstenite::{Bytes, Message, protocol::WebSocketConfig},
};

use crate::{Invited, lines::say, world::Program};

/// How long it may take to be connected.
const CONNECT: Duration = Duration::from_secs(10);
/// How long the server may take to take a message.
const WRITE: Duration = Duration::from_secs(10);
/// How often the server is asked for a sign of life.
const PING: Duration = Duration::from_secs(20);
/// One that gives none for so long is gone.
const SILENCE: Duration = Duration::from_secs(75);
/// Messages that wait for that; a link takes some ten.
const QUEUED_MESSAGES: usize = 256;

/// A socket. Dropping it closes it.
#[derive(Debug)]
pub struct NativeSocket(RefCell<Option<Sender<String>>>);

impl NativeSocket {
    /// Connects to the server that `program` was invited to; none where `url` is not one of a WebSocket.
    pub fn connect(
        url: &str,
        program: &Program,
        listener: Rc<dyn Fn(SocketEvent)>,
    ) -> Option<Self> {
        if !url.starts_with("ws") {
            return None;
        }
        let (sender, messages) = channel(QUEUED_MESSAGES);
        let (url, invited) = (url.to_owned(), program.invited.clone());
        let tls = program.trust.tls.clone();
        spawn_local(async move {
            if let Err(error) = serve(&url, &invited, tls, messages, &listener).await {
                say(&format!("  (the server: {error}{})", hint(&*error)));
            }
            listener(SocketEvent::Closed);
        });
        Some(Self(RefCell::new(Some(sender))))
    }
}

impl Socket for NativeSocket {
    fn send(&self, text: String) {
        let mut sender = self.0.borrow_mut();
        // What is not taken would be missed: the socket ends, as its closing tells, and another is made.
        if sender.as_ref().is_some_and(|sender| sender.try_send(text).is_err()) {
            *sender = None;
        }
    }
}

/// What may help.
fn hint(error: &dyn std::error::Error) -> &'static str {
    match error.to_string().contains("UnknownIssuer") {
        true => "; with --trust you can say by which authority it is known",
        false => "",
    }
}

type Ended = Result<(), Box<dyn std::error::Error>>;

async fn serve(
    url: &str,
    invited: &Invited,
    tls: Arc<ClientConfig>,
    messages: Receiver<String>,
    listener: &Rc<dyn Fn(SocketEvent)>,
) -> Ended {
    let stream = TcpStream::connect((invited.host.as_str(), invited.port));
    let stream = timeout(CONNECT, stream).await??;
    stream.set_nodelay(true)?;
    if !invited.is_secure {
        return talk(url, stream, messages, listener).await;
    }
    let name = ServerName::try_from(invited.host.clone())?;
    let stream = timeout(CONNECT, TlsConnector::from(tls).connect(name, stream)).await??;
    talk(url, stream, messages, listener).await
}

async fn talk(
    url: &str,
    stream: impl AsyncRead + AsyncWrite + Unpin,
    mut messages: Receiver<String>,
    listener: &Rc<dyn Fn(SocketEvent)>,
) -> Ended {
    let most = MESSAGE_MAX_BYTES + 1;
    let config = WebSocketConfig::default().max_message_size(Some(most)).max_frame_size(Some(most));
    let socket = client_async_with_config(url, stream, Some(config));
    let (socket, _) = timeout(CONNECT, socket).await??;
    listener(SocketEvent::Open);
    let (mut sink, mut stream) = socket.split();
    let mut pings = interval(PING);
    let mut heard = Instant::now();
    loop {
        tokio::select! {
            _ = pings.tick() => timeout(WRITE, sink.send(Message::Ping(Bytes::new()))).await??,
            message = messages.recv() => match message {
                Some(text) => timeout(WRITE, sink.send(Message::text(text))).await??,
                None => return Ok(timeout(WRITE, sink.close()).await??),
            },
            message = timeout_at(heard + SILENCE, stream.next()) => match message? {
                Some(Ok(Message::Text(text))) => {
                    heard = Instant::now();
                    listener(SocketEvent::Text(text.to_string()));
                }
                Some(Ok(Message::Close(_))) | None => return Ok(()),
                // Pings are answered on the way.
                Some(message) => {
                    message?;
                    heard = Instant::now();
                }
            },
        }
    }
}
