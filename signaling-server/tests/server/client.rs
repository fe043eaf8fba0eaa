//! A phone's side of `/signal`.

use std::net::SocketAddr;

use base::{PeerId, RoomId};
use futures_util::{SinkExt as _, StreamExt as _};
use protocol::signal::{ClientMessage, RefusalCode, ServerMessage};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use crate::soon;

pub const ROOM: RoomId = RoomId(*b"a room of phones");
pub const ANNA: PeerId = PeerId(0xaaaa_aaaa);
pub const BEN: PeerId = PeerId(0xbbbb_bbbb);
pub const CLEO: PeerId = PeerId(0xcccc_cccc);

pub struct Client(pub WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        Self(connect_async(format!("ws://{address}/signal")).await.unwrap().0)
    }

    /// Opens the room and reads that it did.
    pub async fn open(address: SocketAddr, peer: PeerId) -> Self {
        let mut client = Self::connect(address).await;
        client.say(&ClientMessage::Open { room: ROOM, peer }).await;
        assert_eq!(client.hear().await, entered(&[]));
        client
    }

    /// Joins the room and reads who is in it.
    pub async fn join(address: SocketAddr, peer: PeerId, others: &[PeerId]) -> Self {
        let mut client = Self::connect(address).await;
        client.say(&ClientMessage::Join { room: ROOM, peer }).await;
        assert_eq!(client.hear().await, entered(others));
        client
    }

    /// The connection below, for what no client would send.
    pub fn stream(&mut self) -> &mut TcpStream {
        match self.0.get_mut() {
            MaybeTlsStream::Plain(stream) => stream,
            _ => panic!("this socket is a plain one"),
        }
    }

    pub async fn say(&mut self, message: &ClientMessage) {
        self.send(Message::text(message.to_json())).await;
    }

    pub async fn send(&mut self, message: Message) {
        self.0.send(message).await.unwrap();
    }

    /// The next message but pings; `None` when the server closed or is gone.
    pub async fn next(&mut self) -> Option<Message> {
        loop {
            match soon(self.0.next()).await? {
                Ok(Message::Ping(_)) => {}
                Ok(message) => return Some(message),
                Err(_) => return None,
            }
        }
    }

    pub async fn hear(&mut self) -> ServerMessage {
        let message = self.next().await.expect("a message");
        ServerMessage::from_json(message.to_text().unwrap()).unwrap()
    }

    pub async fn hear_refusal(&mut self) -> RefusalCode {
        match self.hear().await {
            ServerMessage::Refused { code, message } => {
                assert!(!message.is_empty());
                code
            }
            other => panic!("not a refusal: {other:?}"),
        }
    }

    /// Reads until the connection is closed; the close frame's code, if there was one.
    pub async fn hear_close(&mut self) -> Option<u16> {
        let mut code = None;
        while let Some(message) = self.next().await {
            if let Message::Close(frame) = message {
                code = frame.map(|frame| frame.code.into());
            }
        }
        code
    }
}

pub fn entered(peers: &[PeerId]) -> ServerMessage {
    ServerMessage::Entered { peers: peers.to_vec(), ice_servers: vec![] }
}
