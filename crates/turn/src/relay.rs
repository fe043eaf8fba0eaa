//! What is heard, and what is passed on.

use std::net::{IpAddr, SocketAddr};

use turn_types::{
    attribute::{Data, XorPeerAddress},
    channel::ChannelData,
    message::SEND,
    stun::{
        message::{Message, MessageClass, MessageHeader},
        prelude::{Attribute as _, AttributeStaticType as _},
    },
};

use crate::{
    Limits, Now, Secret,
    allocations::Allocations,
    answers::{channel_data, data_indication},
    nonces::Nonces,
};

/// All that passes between phones that cannot reach each other.
pub struct Relay {
    /// What relayed addresses begin with: a name that is the same for all, and nowhere to send to.
    pub(crate) address: IpAddr,
    pub(crate) limits: Limits,
    pub(crate) secret: Secret,
    pub(crate) nonces: Nonces,
    pub(crate) allocations: Allocations,
    pub(crate) is_closing: bool,
}

/// What came of something that was heard.
#[derive(PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Where something is to be sent, and what.
    pub send: Option<(SocketAddr, Vec<u8>)>,
    /// For those who count.
    pub note: Note,
}

/// What is worth counting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Note {
    /// An answer of every day.
    Answered,
    /// There is one more allocation.
    Allocated,
    /// So many bytes were passed on.
    Relayed(usize),
    /// So many bytes were passed on of a check whether this way is open (ICE): what phones do with every way that there is.
    Checked(usize),
    /// A request was refused, and told so.
    Refused(&'static str),
    /// Something was not passed on, or not understood; nobody is told.
    Dropped(&'static str),
}

impl Relay {
    /// A relay whose relayed addresses begin with `address`.
    ///
    /// # Errors
    /// Where the system has no random bytes.
    pub fn new(address: IpAddr, secret: Secret, limits: Limits) -> Result<Self, getrandom::Error> {
        Ok(Self {
            address,
            limits,
            secret,
            nonces: Nonces::new()?,
            allocations: Allocations::default(),
            is_closing: false,
        })
    }

    /// Takes a datagram from `client`, whose allocations are counted together with others that count as `counts_as`.
    pub fn hear(
        &mut self,
        client: SocketAddr,
        counts_as: IpAddr,
        bytes: &[u8],
        now: Now,
    ) -> Outcome {
        if self.allocations.of(client).is_some_and(|one| one.ends <= now.elapsed) {
            self.allocations.remove(client);
        }
        let allocation = self.allocations.of_mut(client);
        if allocation.is_some_and(|one| !one.bucket.takes(cost(bytes), now.elapsed)) {
            return dropped("too_fast");
        }
        match bytes.first() {
            Some(0..=3) => self.hear_message(client, counts_as, bytes, now),
            Some(0x40..=0x7f) => self.hear_channel(client, bytes, now),
            _ => dropped("malformed"),
        }
    }

    /// Whether `client` has an allocation.
    pub fn knows(&self, client: SocketAddr) -> bool {
        self.allocations.of(client).is_some()
    }

    /// How many allocations there are.
    pub fn allocations(&self) -> usize {
        self.allocations.len()
    }

    /// Forgets those whose time is over; to be called now and then.
    pub fn tidy(&mut self, now: Now) {
        self.allocations.remove_ended(now.elapsed);
    }

    /// From now on there are no new allocations.
    pub fn close(&mut self) {
        self.is_closing = true;
    }

    fn hear_message(
        &mut self,
        client: SocketAddr,
        counts_as: IpAddr,
        bytes: &[u8],
        now: Now,
    ) -> Outcome {
        let is_whole = MessageHeader::from_bytes(bytes).is_ok_and(|header| {
            MessageHeader::LENGTH + usize::from(header.data_length()) == bytes.len()
        });
        // Only a whole one, since the library speaks of others in the log.
        let message = is_whole.then(|| Message::from_bytes(bytes).ok()).flatten();
        let Some(message) = message else { return dropped("malformed") };
        match message.class() {
            MessageClass::Request => self.hear_request(client, counts_as, &message, now),
            MessageClass::Indication if message.has_method(SEND) => {
                self.hear_indication(client, &message, now)
            }
            _ => dropped("malformed"),
        }
    }

    fn hear_indication(&self, client: SocketAddr, message: &Message<'_>, now: Now) -> Outcome {
        let known = [XorPeerAddress::TYPE, Data::TYPE];
        let mut kinds = message.iter_attributes().map(|(_, attribute)| attribute.get_type());
        let is_odd = kinds.any(|kind| kind.comprehension_required() && !known.contains(&kind));
        let (peer, data) =
            (message.attribute::<XorPeerAddress>(), message.raw_attribute(Data::TYPE));
        let (Ok(peer), Some(data), false) = (peer, data, is_odd) else {
            return dropped("malformed");
        };
        let peer = peer.addr(message.transaction_id());
        if peer.ip() != self.address {
            return dropped("elsewhere");
        }
        self.pass_on(client, peer.port(), &data.value, now)
    }

    fn hear_channel(&self, client: SocketAddr, bytes: &[u8], now: Now) -> Outcome {
        let Ok(heard) = ChannelData::parse(bytes) else { return dropped("malformed") };
        let channel = self.allocations.of(client).and_then(|one| one.channels.get(&heard.id()));
        match channel.filter(|channel| channel.ends > now.elapsed) {
            Some(channel) => self.pass_on(client, channel.port, heard.data(), now),
            None => dropped("no_channel"),
        }
    }

    /// To another of the same room that lets through what comes from here.
    fn pass_on(&self, client: SocketAddr, port: u16, data: &[u8], now: Now) -> Outcome {
        let Some(from) = self.allocations.of(client) else { return dropped("no_allocation") };
        let target = self.allocations.at_port(port);
        let target = target.filter(|(_, to)| to.room == from.room && to.ends > now.elapsed);
        let Some((address, to)) = target else { return dropped("nobody") };
        if from.permitted_until <= now.elapsed || to.permitted_until <= now.elapsed {
            return dropped("no_permission");
        }
        let mut channels = to.channels.iter();
        let channel = channels.find(|(_, one)| one.port == from.port && one.ends > now.elapsed);
        let sent = match channel {
            Some((number, _)) => channel_data(*number, data),
            None => data_indication(SocketAddr::new(self.address, from.port), data),
        };
        // As RFC 7983 tells STUN from what phones say to each other.
        let note = match data.first() {
            Some(0..=3) => Note::Checked(data.len()),
            _ => Note::Relayed(data.len()),
        };
        Outcome { send: Some((address, sent)), note }
    }
}

/// In bytes of what a phone may send. Short datagrams cost the machine as much as longer ones, and a request, which is
/// checked and answered, more.
fn cost(bytes: &[u8]) -> usize {
    let is_request =
        matches!(bytes, [first @ 0..=3, second, ..] if first & 1 == 0 && second & 0x10 == 0);
    bytes.len().max(if is_request { REQUEST_BYTES } else { DATAGRAM_BYTES })
}

/// What a datagram counts as, at least.
const DATAGRAM_BYTES: usize = 256;
/// What a request does.
const REQUEST_BYTES: usize = 2048;

fn dropped(reason: &'static str) -> Outcome {
    Outcome { send: None, note: Note::Dropped(reason) }
}
