//! What phones and strangers send to TURN: as it comes, and as the attributes of requests that are signed.
#![no_main]

use std::{net::SocketAddr, time::Duration};

use libfuzzer_sys::fuzz_target;
use turn::{Limits, Note, Now, Relay, Secret};
use turn_types::stun::{
    attribute::{Nonce, RawAttribute, Realm, Username},
    message::{IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageWriteVec, Method},
    prelude::{MessageWrite as _, MessageWriteExt as _},
};

fuzz_target!(|bytes: &[u8]| {
    let mut world = World::new();
    let mut rest = bytes;
    // A byte for who and how, one for the length, then what is said.
    while let [how, length, after @ ..] = rest {
        let (said, after) = after.split_at(usize::from(*length).min(after.len()));
        rest = after;
        let client = SocketAddr::from(([10, 0, 0, 1], u16::from(how & 3)));
        match how & 12 {
            0 => world.hear(client, said),
            4 => world.pass(*length),
            _ => world.hear_signed(client, u16::from(how >> 4), said),
        }
    }
});

struct World {
    relay: Relay,
    secret: Secret,
    now: Now,
}

impl World {
    fn new() -> Self {
        let secret = Secret::new(b"a key");
        let limits = Limits {
            allocations: 3,
            per_room: 2,
            per_address: 3,
            bytes_per_sec: 100_000,
            life: Duration::from_secs(3000),
        };
        let relay =
            Relay::new([192, 0, 2, 7].into(), secret.clone(), limits).expect("random bytes");
        Self { relay, secret, now: Now { elapsed: Duration::from_secs(1), unix_secs: 1_000_000 } }
    }

    fn hear(&mut self, client: SocketAddr, bytes: &[u8]) {
        let outcome = self.relay.hear(client, client.ip(), bytes, self.now);
        assert!(self.relay.allocations() <= 3);
        if let (Note::Relayed(length), Some((to, sent))) = (outcome.note, &outcome.send) {
            assert!(self.relay.knows(*to) && sent.len() <= length + 40);
        }
    }

    fn pass(&mut self, secs: u8) {
        self.now.elapsed += Duration::from_secs(u64::from(secs) * 4);
        self.now.unix_secs += u64::from(secs) * 4;
        self.relay.tidy(self.now);
    }

    /// With the nonce that the relay itself gives.
    fn hear_signed(&mut self, client: SocketAddr, method: u16, attributes: &[u8]) {
        let asks = Message::builder_request(Method::new(method), MessageWriteVec::new()).finish();
        let challenge = self.relay.hear(client, client.ip(), &asks, self.now).send;
        let Some((_, challenge)) = challenge else { return };
        let challenge = Message::from_bytes(&challenge).expect("what we send is read");
        let Ok(nonce) = challenge.attribute::<Nonce>() else { return };
        let credentials = self.secret.credentials("room", 1_000_600);
        let mut message = Message::builder_request(Method::new(method), MessageWriteVec::new());
        let mut rest = attributes;
        while let [kind, length, after @ ..] = rest {
            let (value, after) = after.split_at(usize::from(*length).min(after.len()));
            rest = after;
            // The library's builder wants signatures by another way, and panics.
            if [0x08, 0x1c].contains(kind) {
                continue;
            }
            let _ = message.add_attribute(&RawAttribute::new(u16::from(*kind).into(), value));
        }
        let _ = message.add_attribute(&Username::new(&credentials.username).expect("short"));
        let _ = message.add_attribute(&Realm::new("lingualinked").expect("short"));
        let _ = message.add_attribute(&nonce);
        let (username, password) = (credentials.username, credentials.password);
        let key = LongTermKeyCredentials::new(username, password, "lingualinked".to_owned())
            .make_key(IntegrityAlgorithm::Sha1);
        let _ = message.add_message_integrity_with_key(&key, IntegrityAlgorithm::Sha1);
        self.hear(client, &message.finish());
    }
}
