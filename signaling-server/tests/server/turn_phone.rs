//! A phone's side of TURN, by a client that knows nothing of the relay.

use std::{net::SocketAddr, time::Duration};

use protocol::signal::IceServer;
use tokio::{net::UdpSocket, time::timeout};
use turn_client_proto::{
    api::{Transmit, TurnClientApi as _, TurnConfig, TurnEvent, TurnPollRet, TurnRecvRet},
    stun::Instant,
    types::{
        TransportType, TurnCredentials,
        stun::{
            attribute::XorMappedAddress,
            message::{BINDING, Message, MessageWriteVec},
            prelude::{MessageWrite as _, MessageWriteExt as _},
        },
    },
    udp::TurnClientUdp,
};

use crate::soon;

/// What another phone sent.
type Heard = (SocketAddr, Vec<u8>);

pub struct TurnPhone {
    socket: UdpSocket,
    client: TurnClientUdp,
    started: std::time::Instant,
    server: SocketAddr,
    /// Where others send to.
    pub relayed: SocketAddr,
}

impl TurnPhone {
    /// An allocation at this server, if it gives one.
    pub async fn allocate(ice_server: &IceServer) -> Option<Self> {
        let server = address(ice_server);
        let socket = UdpSocket::bind((server.ip(), 0)).await.unwrap();
        let local = socket.local_addr().unwrap();
        let name = ice_server.username.as_deref().unwrap();
        let password = ice_server.credential.as_deref().unwrap();
        let mut config = TurnConfig::new(TurnCredentials::new(name, password));
        // After an answer that it does not like it asks again, as if none had come.
        let soon = Duration::from_millis(300);
        config.set_request_retransmits(soon, soon, 3, soon);
        let client = TurnClientUdp::allocate(local, server, config);
        let started = std::time::Instant::now();
        let mut phone = Self { socket, client, started, server, relayed: local };
        match phone.event_or_end().await? {
            TurnEvent::AllocationCreated(_, relayed) => phone.relayed = relayed,
            TurnEvent::AllocationCreateFailed(_) => return None,
            other => panic!("{other:?}"),
        }
        Some(phone)
    }

    /// Whether it may talk with whoever is at this address.
    pub async fn permit(&mut self, peer: SocketAddr) -> bool {
        let now = self.now();
        self.client.create_permission(TransportType::Udp, peer.ip(), now).unwrap();
        matches!(self.event().await, TurnEvent::PermissionCreated(..))
    }

    /// Whether there is a channel to this address.
    pub async fn bind_channel(&mut self, peer: SocketAddr) -> bool {
        let now = self.now();
        self.client.bind_channel(TransportType::Udp, peer, now).unwrap();
        loop {
            match self.event().await {
                TurnEvent::ChannelCreated(..) => return true,
                TurnEvent::PermissionCreated(..) => {}
                _ => return false,
            }
        }
    }

    pub async fn send(&mut self, peer: SocketAddr, data: &[u8]) {
        let now = self.now();
        let sent = self.client.send_to(TransportType::Udp, peer, data, now).unwrap().unwrap();
        self.socket.send_to(&sent.build().data, self.server).await.unwrap();
    }

    /// What another phone sends next.
    pub async fn hear(&mut self) -> Heard {
        soon(async {
            loop {
                if let Some(heard) = self.step().await {
                    return heard;
                }
            }
        })
        .await
    }

    /// Gives the allocation back.
    pub async fn leave(mut self) {
        let now = self.now();
        self.client.delete(now).unwrap();
        soon(async {
            while !matches!(self.client.poll(self.now()), TurnPollRet::Closed) {
                self.step().await;
            }
        })
        .await;
    }

    async fn event(&mut self) -> TurnEvent {
        self.event_or_end().await.expect("the client goes on")
    }

    /// What happens next; `None` where the client gives up.
    async fn event_or_end(&mut self) -> Option<TurnEvent> {
        soon(async {
            loop {
                if let Some(event) = self.client.poll_event() {
                    return Some(event);
                }
                if matches!(self.client.poll(self.now()), TurnPollRet::Closed) {
                    return self.client.poll_event();
                }
                self.step().await;
            }
        })
        .await
    }

    /// Sends what is to be sent, and takes a datagram if one comes soon.
    async fn step(&mut self) -> Option<Heard> {
        self.client.poll(self.now());
        while let Some(sent) = self.client.poll_transmit(self.now()) {
            self.socket.send_to(&sent.data, self.server).await.unwrap();
        }
        let mut bytes = vec![0; 65_536];
        let waits = Duration::from_millis(20);
        let (length, from) = timeout(waits, self.socket.recv_from(&mut bytes)).await.ok()?.unwrap();
        let local = self.socket.local_addr().unwrap();
        let transmit = Transmit::new(&bytes[..length], TransportType::Udp, from, local);
        match self.client.recv(transmit, self.now()) {
            TurnRecvRet::PeerData(heard) => Some((heard.peer, heard.data().to_vec())),
            _ => None,
        }
    }

    fn now(&self) -> Instant {
        Instant::from_std(self.started)
    }
}

/// Where a STUN server says that this socket is; nothing where it does not answer soon.
pub async fn mapped_address(socket: &UdpSocket, server: SocketAddr) -> Option<SocketAddr> {
    let asked = Message::builder_request(BINDING, MessageWriteVec::new());
    let id = asked.transaction_id();
    socket.send_to(&asked.finish(), server).await.unwrap();
    let answered = async {
        let mut bytes = [0; 1500];
        loop {
            let (length, from) = socket.recv_from(&mut bytes).await.unwrap();
            assert_eq!(from, server);
            let answer = Message::from_bytes(&bytes[..length]).unwrap();
            // That to an earlier question may come late.
            if answer.transaction_id() == id {
                return answer.attribute::<XorMappedAddress>().unwrap().addr(id);
            }
        }
    };
    timeout(Duration::from_millis(300), answered).await.ok()
}

/// Of a URL as browsers want it.
pub fn address(ice_server: &IceServer) -> SocketAddr {
    let [url] = ice_server.urls.as_slice() else { panic!("{ice_server:?}") };
    let address = url.strip_prefix("turn:").unwrap().strip_suffix("?transport=udp").unwrap();
    address.parse().unwrap()
}
