//! Where phones come from: many addresses of this machine, so that neither ports nor what is bounded for an address is
//! what is measured.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicU32, Ordering},
};

use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config, tungstenite::protocol::WebSocketConfig,
};

use crate::Error;

/// The way to a server.
pub(crate) struct Network {
    server: SocketAddr,
    connected: AtomicU32,
}

/// A connection of a phone.
pub(crate) type Socket = WebSocketStream<TcpStream>;

impl Network {
    pub(crate) fn new(server: SocketAddr) -> Self {
        Self { server, connected: AtomicU32::new(0) }
    }

    /// A new WebSocket, from the next address.
    pub(crate) async fn connect(&self) -> Result<Socket, Error> {
        let number = self.connected.fetch_add(1, Ordering::Relaxed) % ADDRESSES;
        let from = Ipv4Addr::from(u32::from(FIRST_ADDRESS) + number);
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(from.into(), 0))?;
        let stream = socket.connect(self.server).await?;
        stream.set_nodelay(true)?;
        // As the server's: a socket at rest keeps what it reads into.
        let config = WebSocketConfig::default().read_buffer_size(2 << 10).write_buffer_size(0);
        let upgraded = client_async_with_config("ws://room/signal", stream, Some(config)).await?;
        Ok(upgraded.0)
    }
}

/// Each has some 28,000 ports, and a port rests for a minute after its connection.
const ADDRESSES: u32 = 64;
const FIRST_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 1);
