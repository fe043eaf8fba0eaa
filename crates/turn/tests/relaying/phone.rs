//! A phone's side of TURN, in messages made by hand: also such as no client sends.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use turn::{Credentials, Limits, Note, Now, Outcome, Relay, Secret};
use turn_types::{
    attribute::{
        ChannelNumber, Data, Lifetime, RequestedTransport, XorPeerAddress, XorRelayedAddress,
    },
    channel::ChannelData,
    message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH, SEND},
    stun::{
        attribute::{ErrorCode, Nonce, Realm, Username, XorMappedAddress},
        message::{
            BINDING, IntegrityAlgorithm, IntegrityKey, LongTermKeyCredentials, Message,
            MessageWriteVec, Method, TransactionId,
        },
        prelude::{AttributeWrite, MessageWrite as _, MessageWriteExt as _},
    },
};

/// The relay's address: nobody's.
pub const RELAY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

pub struct World {
    pub relay: Relay,
    pub secret: Secret,
    pub now: Now,
}

impl World {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = Limits {
            allocations: 100,
            per_room: 50,
            per_address: 50,
            bytes_per_sec: 1_000_000,
            life: Duration::from_secs(3000),
        };
        change(&mut limits);
        let secret = Secret::new(b"a key");
        let relay = Relay::new(RELAY, secret.clone(), limits).unwrap();
        let now = Now { elapsed: Duration::from_secs(50), unix_secs: 1_000_000 };
        Self { relay, secret, now }
    }

    /// A phone with credentials for ten minutes, at a port of its own.
    pub fn phone(&self, room: &str, port: u16) -> Phone {
        let credentials = self.secret.credentials(room, self.now.unix_secs + 600);
        Phone::new(SocketAddr::from(([10, 0, 0, 1], port)), credentials)
    }

    pub fn pass(&mut self, secs: u64) {
        self.now.elapsed += Duration::from_secs(secs);
        self.now.unix_secs += secs;
    }

    /// A datagram's outcome.
    pub fn hear(&mut self, phone: &Phone, bytes: &[u8]) -> Outcome {
        self.relay.hear(phone.client, phone.client.ip(), bytes, self.now)
    }

    /// The code of an error, and 0 for a success.
    pub fn ask(&mut self, phone: &mut Phone, request: &Request<'_>) -> u16 {
        let first = self.hear(phone, &phone.request(request)).send.unwrap().1;
        let message = Message::from_bytes(&first).unwrap();
        phone.heard(&message);
        code(&message)
    }

    /// A phone that has an allocation and lets others through.
    pub fn settled(&mut self, room: &str, port: u16) -> Phone {
        let mut phone = self.phone(room, port);
        assert_eq!(self.ask(&mut phone, &Request::allocate()), 401, "nobody is known at first");
        assert_eq!(self.ask(&mut phone, &Request::allocate()), 0);
        assert_eq!(self.ask(&mut phone, &Request::permit(SocketAddr::new(RELAY, 1))), 0);
        phone
    }

    /// What is passed on, and to whom.
    pub fn passed(&mut self, phone: &Phone, bytes: &[u8]) -> Option<(SocketAddr, Vec<u8>)> {
        let outcome = self.hear(phone, bytes);
        let is_passed = matches!(outcome.note, Note::Relayed(_) | Note::Checked(_));
        assert_eq!(outcome.send.is_some(), is_passed);
        outcome.send
    }
}

pub struct Phone {
    pub client: SocketAddr,
    pub credentials: Credentials,
    pub nonce: Option<String>,
    pub relayed: Option<SocketAddr>,
}

/// What is asked, without what proves who asks.
pub struct Request<'a> {
    pub method: Method,
    pub id: Option<TransactionId>,
    pub peer: Option<SocketAddr>,
    pub attributes: Vec<&'a dyn AttributeWrite>,
    pub channel: Option<u16>,
    pub lifetime: Option<u32>,
    pub transport: Option<u8>,
}

impl Request<'_> {
    fn new(method: Method) -> Self {
        let (id, peer, channel, lifetime, transport) = (None, None, None, None, None);
        Self { method, id, peer, attributes: vec![], channel, lifetime, transport }
    }

    pub fn allocate() -> Self {
        Self { transport: Some(17), ..Self::new(ALLOCATE) }
    }

    pub fn refresh(secs: u32) -> Self {
        Self { lifetime: Some(secs), ..Self::new(REFRESH) }
    }

    pub fn permit(peer: SocketAddr) -> Self {
        Self { peer: Some(peer), ..Self::new(CREATE_PERMISSION) }
    }

    pub fn bind(channel: u16, peer: SocketAddr) -> Self {
        Self { channel: Some(channel), peer: Some(peer), ..Self::new(CHANNEL_BIND) }
    }
}

impl Phone {
    pub fn new(client: SocketAddr, credentials: Credentials) -> Self {
        Self { client, credentials, nonce: None, relayed: None }
    }

    /// Signed once there is a nonce.
    pub fn request(&self, request: &Request<'_>) -> Vec<u8> {
        let mut message = Message::builder_request(request.method, MessageWriteVec::new());
        if let Some(id) = request.id {
            message = Message::builder(
                turn_types::stun::message::MessageType::from_class_method(
                    turn_types::stun::message::MessageClass::Request,
                    request.method,
                ),
                id,
                MessageWriteVec::new(),
            );
        }
        let id = message.transaction_id();
        let mut add = |attribute: &dyn AttributeWrite| message.add_attribute(attribute).unwrap();
        request.transport.inspect(|number| add(&RequestedTransport::new(*number)));
        request.lifetime.inspect(|secs| add(&Lifetime::new(*secs)));
        request.channel.inspect(|number| add(&ChannelNumber::new(*number)));
        request.peer.inspect(|peer| add(&XorPeerAddress::new(*peer, id)));
        request.attributes.iter().for_each(|attribute| add(*attribute));
        if let Some(nonce) = &self.nonce {
            add(&Username::new(&self.credentials.username).unwrap());
            add(&Realm::new("lingualinked").unwrap());
            add(&Nonce::new(nonce).unwrap());
            message.add_message_integrity_with_key(&self.key(), IntegrityAlgorithm::Sha1).unwrap();
        }
        message.finish()
    }

    pub fn heard(&mut self, message: &Message<'_>) {
        if let Ok(nonce) = message.attribute::<Nonce>() {
            self.nonce = Some(nonce.nonce().to_owned());
        } else {
            message.validate_integrity_with_key(&self.key()).expect("answers are signed");
        }
        if let Ok(relayed) = message.attribute::<XorRelayedAddress>() {
            self.relayed = Some(relayed.addr(message.transaction_id()));
        }
    }

    pub fn relayed(&self) -> SocketAddr {
        self.relayed.unwrap()
    }

    fn key(&self) -> IntegrityKey {
        let Credentials { username, password } = self.credentials.clone();
        let credentials =
            LongTermKeyCredentials::new(username, password, "lingualinked".to_owned());
        credentials.make_key(IntegrityAlgorithm::Sha1)
    }
}

/// The shortest request: where am I?
pub fn binding() -> Vec<u8> {
    Message::builder_request(BINDING, MessageWriteVec::new()).finish()
}

/// Where the answer to that says that one is.
pub fn mapped(bytes: &[u8]) -> SocketAddr {
    let message = Message::from_bytes(bytes).unwrap();
    message.attribute::<XorMappedAddress>().unwrap().addr(message.transaction_id())
}

/// A Send indication.
pub fn send(peer: SocketAddr, data: &[u8]) -> Vec<u8> {
    let mut message = Message::builder_indication(SEND, MessageWriteVec::new());
    let peer = XorPeerAddress::new(peer, message.transaction_id());
    message.add_attribute(&peer).unwrap();
    message.add_attribute(&Data::new(data)).unwrap();
    message.finish()
}

/// A ChannelData message.
pub fn on_channel(number: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 4 + data.len()];
    ChannelData::new(number, data).write_into_unchecked(&mut bytes);
    bytes
}

/// From whom a Data indication is, and what it says.
pub fn indicated(bytes: &[u8]) -> (SocketAddr, Vec<u8>) {
    let message = Message::from_bytes(bytes).unwrap();
    let from = message.attribute::<XorPeerAddress>().unwrap().addr(message.transaction_id());
    (from, message.attribute::<Data>().unwrap().data().to_vec())
}

pub fn code(message: &Message<'_>) -> u16 {
    message.attribute::<ErrorCode>().map_or(0, |error| error.code())
}
