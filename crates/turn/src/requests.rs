//! Requests: who asks, and what is answered.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use turn_types::{
    AddressFamily,
    attribute::{
        ChannelNumber, Lifetime, RequestedAddressFamily, RequestedTransport, XorPeerAddress,
        XorRelayedAddress,
    },
    message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH},
    stun::{
        attribute::{
            AttributeType, ErrorCode, MessageIntegrity, Nonce, Realm, Username, XorMappedAddress,
        },
        message::{
            BINDING, IntegrityAlgorithm, IntegrityKey, LongTermKeyCredentials, Message,
            MessageWriteVec,
        },
        prelude::{Attribute as _, AttributeFromRaw as _, AttributeStaticType as _},
    },
};

use crate::{
    Note, Now, Outcome, Relay,
    allocations::{Allocation, Asker, CHANNELS_MAX, Channel, Full},
    answers::{REALM, challenge, error, finish, success},
    credentials::parts,
};

/// A request that is read, and where from.
struct Request<'a> {
    client: SocketAddr,
    counts_as: IpAddr,
    message: &'a Message<'a>,
    now: Now,
}

/// Who has shown credentials.
struct User {
    username: String,
    room: String,
    key: IntegrityKey,
}

/// What is not done, for programs and for those who count.
struct Refused(u16, &'static str);

type Answered = Result<(Vec<u8>, Note), Refused>;

impl Relay {
    pub(crate) fn hear_request(
        &mut self,
        client: SocketAddr,
        counts_as: IpAddr,
        message: &Message<'_>,
        now: Now,
    ) -> Outcome {
        let request = Request { client, counts_as, message, now };
        let (bytes, note) = if message.has_method(BINDING) {
            (request.mapped(), Note::Answered)
        } else {
            match self.user(&request) {
                Ok(user) => self.answer(&request, &user),
                Err(answer) => answer,
            }
        };
        Outcome { send: Some((client, bytes)), note }
    }

    /// The user whose credentials the request shows; or else what it is answered.
    fn user(&self, request: &Request<'_>) -> Result<User, (Vec<u8>, Note)> {
        let Request { client, message, now, .. } = *request;
        let again = |code, note| {
            let nonce = self.nonces.make(client, now.unix_secs);
            Err((challenge(message, code, &nonce), note))
        };
        if !message.has_attribute(MessageIntegrity::TYPE) {
            return again(ErrorCode::UNAUTHORIZED, Note::Answered);
        }
        let shown = (message.attribute::<Username>(), message.attribute::<Nonce>());
        let (Ok(username), Ok(nonce), Ok(_)) = (shown.0, shown.1, message.attribute::<Realm>())
        else {
            return Err((error(message, ErrorCode::BAD_REQUEST, None), Note::Refused("malformed")));
        };
        if !self.nonces.is_fresh(nonce.nonce(), client, now.unix_secs) {
            return again(ErrorCode::STALE_NONCE, Note::Answered);
        }
        match self.proven(request, username.username()) {
            Ok(user) => Ok(user),
            Err(Refused(code, reason)) => again(code, Note::Refused(reason)),
        }
    }

    /// What was allocated with a name may be renewed with it, also when it is too old for something new.
    fn proven(&self, request: &Request<'_>, username: &str) -> Result<User, Refused> {
        let Request { client, message, now, .. } = *request;
        let unauthorized = |reason| Refused(ErrorCode::UNAUTHORIZED, reason);
        let (ends, room) = parts(username).ok_or(unauthorized("credentials"))?;
        let known = self.allocations.of(client);
        let key = match known.filter(|one| one.username == username) {
            Some(allocation) => allocation.key.clone(),
            None => key_of(username, self.secret.password(username)),
        };
        let signed = message.validate_integrity_with_key(&key);
        signed.map_err(|_| unauthorized("credentials"))?;
        match known {
            Some(allocation) if allocation.username != username => {
                Err(Refused(ErrorCode::WRONG_CREDENTIALS, "credentials"))
            }
            None if ends <= now.unix_secs => Err(unauthorized("expired")),
            _ => Ok(User { username: username.to_owned(), room: room.to_owned(), key }),
        }
    }

    fn answer(&mut self, request: &Request<'_>, user: &User) -> (Vec<u8>, Note) {
        let message = request.message;
        // Their kinds are few, and each request has some of them.
        if let Some(answer) =
            Message::check_attribute_types(message, &KNOWN, &[], MessageWriteVec::new())
        {
            return (finish(answer, &[], Some(&user.key)), Note::Refused("malformed"));
        }
        let answered = match message.method() {
            ALLOCATE => self.allocate(request, user),
            REFRESH => self.refresh(request, user),
            CREATE_PERMISSION => self.permit(request, user),
            CHANNEL_BIND => self.bind_channel(request, user),
            _ => Err(bad("malformed")),
        };
        answered.unwrap_or_else(|Refused(code, reason)| {
            (error(message, code, Some(&user.key)), Note::Refused(reason))
        })
    }

    fn allocate(&mut self, request: &Request<'_>, user: &User) -> Answered {
        let Request { client, message, now, .. } = *request;
        if let Some(allocation) = self.allocations.of(client) {
            // The answer may have been lost.
            return match allocation.request == message.transaction_id() {
                true => Ok((self.allocated(request, allocation), Note::Answered)),
                false => Err(Refused(ErrorCode::ALLOCATION_MISMATCH, "allocated")),
            };
        }
        let transport = message.attribute::<RequestedTransport>().map_err(|_| bad("malformed"))?;
        if transport.protocol() != UDP {
            return Err(Refused(ErrorCode::UNSUPPORTED_TRANSPORT_PROTOCOL, "transport"));
        }
        self.check_family(message, ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED)?;
        if self.is_closing {
            return Err(Refused(ErrorCode::INSUFFICIENT_CAPACITY, "closing"));
        }
        let lasts = lifetime(message).clamp(LIFETIME, LIFETIME_MAX).min(self.limits.life);
        let asker = Asker {
            client,
            counts_as: request.counts_as,
            username: &user.username,
            room: &user.room,
            key: user.key.clone(),
            request: message.transaction_id(),
        };
        let made = self.allocations.make(asker, &self.limits, now.elapsed, now.elapsed + lasts);
        made.map_err(|full| match full {
            Full::Theirs => Refused(ErrorCode::ALLOCATION_QUOTA_REACHED, "quota"),
            Full::All => Refused(ErrorCode::INSUFFICIENT_CAPACITY, "full"),
        })?;
        let allocation = self.allocations.of(client).ok_or(MISMATCH)?;
        Ok((self.allocated(request, allocation), Note::Allocated))
    }

    fn allocated(&self, request: &Request<'_>, allocation: &Allocation) -> Vec<u8> {
        let (message, id) = (request.message, request.message.transaction_id());
        let relayed = XorRelayedAddress::new(SocketAddr::new(self.address, allocation.port), id);
        let mapped = XorMappedAddress::new(request.seen(), id);
        let lasts = allocation.ends.saturating_sub(request.now.elapsed);
        let lasts = Lifetime::new(u32::try_from(lasts.as_secs()).unwrap_or(u32::MAX));
        success(message, &[&relayed, &lasts, &mapped], Some(&allocation.key))
    }

    fn refresh(&mut self, request: &Request<'_>, user: &User) -> Answered {
        let Request { client, message, now, .. } = *request;
        self.check_family(message, ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH)?;
        let (wanted, life) = (lifetime(message), self.limits.life);
        let allocation = self.allocations.of_mut(client).ok_or(MISMATCH)?;
        let oldest = allocation.made + life;
        let ends = (now.elapsed + wanted.clamp(LIFETIME, LIFETIME_MAX)).min(oldest);
        let lasts = match wanted.is_zero() {
            true => Duration::ZERO,
            false => ends.saturating_sub(now.elapsed),
        };
        allocation.ends = now.elapsed + lasts;
        if lasts.is_zero() {
            self.allocations.remove(client);
        }
        let lasts = Lifetime::new(u32::try_from(lasts.as_secs()).unwrap_or(u32::MAX));
        Ok((success(message, &[&lasts], Some(&user.key)), Note::Answered))
    }

    /// Others of the room may come through. Who is elsewhere is refused: nothing goes there, and nothing comes from there.
    fn permit(&mut self, request: &Request<'_>, user: &User) -> Answered {
        let Request { client, message, now, .. } = *request;
        let mut peers = 0;
        for (_, attribute) in message.iter_attributes() {
            if attribute.get_type() == XorPeerAddress::TYPE {
                let peer = XorPeerAddress::from_raw_ref(&attribute);
                self.check_peer(
                    peer.map_err(|_| bad("malformed"))?.addr(message.transaction_id()),
                )?;
                peers += 1;
            }
        }
        if peers == 0 {
            return Err(bad("malformed"));
        }
        let allocation = self.allocations.of_mut(client).ok_or(MISMATCH)?;
        allocation.permitted_until = now.elapsed + PERMISSION;
        Ok((success(message, &[], Some(&user.key)), Note::Answered))
    }

    fn bind_channel(&mut self, request: &Request<'_>, user: &User) -> Answered {
        let Request { client, message, now, .. } = *request;
        let number = message.attribute::<ChannelNumber>().map_err(|_| bad("malformed"))?.channel();
        let peer = message.attribute::<XorPeerAddress>().map_err(|_| bad("malformed"))?;
        let port = peer.addr(message.transaction_id()).port();
        if !(CHANNEL_MIN..=CHANNEL_LAST).contains(&number) {
            return Err(bad("channel"));
        }
        self.check_peer(peer.addr(message.transaction_id()))?;
        let allocation = self.allocations.of_mut(client).ok_or(MISMATCH)?;
        allocation.channels.retain(|_, channel| channel.ends > now.elapsed);
        let mut others = allocation.channels.iter();
        if others.any(|(other, channel)| (*other == number) != (channel.port == port)) {
            return Err(bad("channel"));
        }
        if allocation.channels.len() >= CHANNELS_MAX && !allocation.channels.contains_key(&number) {
            return Err(Refused(ErrorCode::INSUFFICIENT_CAPACITY, "channel"));
        }
        allocation.channels.insert(number, Channel { port, ends: now.elapsed + CHANNEL });
        allocation.permitted_until = now.elapsed + PERMISSION;
        Ok((success(message, &[], Some(&user.key)), Note::Answered))
    }

    fn check_peer(&self, peer: SocketAddr) -> Result<(), Refused> {
        match peer.ip() == self.address {
            true => Ok(()),
            false => Err(Refused(ErrorCode::FORBIDDEN, "elsewhere")),
        }
    }

    /// Where a family is asked for, it is the one there is.
    fn check_family(&self, message: &Message<'_>, code: u16) -> Result<(), Refused> {
        let wanted = message.attribute::<RequestedAddressFamily>().map(|wanted| wanted.family());
        let is_other = wanted.is_ok_and(|wanted| wanted != AddressFamily::from(&self.address));
        if is_other { Err(Refused(code, "family")) } else { Ok(()) }
    }
}

impl Request<'_> {
    /// Where the request comes from, for whoever stands behind a NAT.
    fn mapped(&self) -> Vec<u8> {
        let mapped = XorMappedAddress::new(self.seen(), self.message.transaction_id());
        success(self.message, &[&mapped], None)
    }

    fn seen(&self) -> SocketAddr {
        SocketAddr::new(self.client.ip().to_canonical(), self.client.port())
    }
}

fn key_of(username: &str, password: String) -> IntegrityKey {
    LongTermKeyCredentials::new(username.to_owned(), password, REALM.to_owned())
        .make_key(IntegrityAlgorithm::Sha1)
}

/// What is asked for; zero is an end.
fn lifetime(message: &Message<'_>) -> Duration {
    let wanted = message.attribute::<Lifetime>();
    wanted.map_or(LIFETIME, |wanted| Duration::from_secs(wanted.seconds().into()))
}

fn bad(reason: &'static str) -> Refused {
    Refused(ErrorCode::BAD_REQUEST, reason)
}

const MISMATCH: Refused = Refused(ErrorCode::ALLOCATION_MISMATCH, "no_allocation");
/// The attributes that are understood.
const KNOWN: [AttributeType; 9] = [
    Username::TYPE,
    Realm::TYPE,
    Nonce::TYPE,
    MessageIntegrity::TYPE,
    RequestedTransport::TYPE,
    RequestedAddressFamily::TYPE,
    Lifetime::TYPE,
    ChannelNumber::TYPE,
    XorPeerAddress::TYPE,
];
/// The protocol's number (RFC 8656, section 18.8).
const UDP: u8 = 17;
/// Times and numbers of RFC 8656.
const LIFETIME: Duration = Duration::from_secs(600);
const LIFETIME_MAX: Duration = Duration::from_secs(3600);
const PERMISSION: Duration = Duration::from_secs(300);
const CHANNEL: Duration = Duration::from_secs(600);
const CHANNEL_MIN: u16 = 0x4000;
/// RFC 5766 had more than RFC 8656 has, and browsers may use them.
const CHANNEL_LAST: u16 = 0x7fff;
