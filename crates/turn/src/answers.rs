//! What the relay sends, as bytes.

use std::net::SocketAddr;

use turn_types::{
    attribute::{Data, XorPeerAddress},
    channel::ChannelData,
    message::DATA,
    stun::{
        attribute::{ErrorCode, Nonce, Realm},
        message::{IntegrityAlgorithm, IntegrityKey, Message, MessageWriteVec},
        prelude::{AttributeWrite, MessageWrite as _, MessageWriteExt as _},
    },
};

/// What long-term credentials belong to.
pub(crate) const REALM: &str = "lingualinked";

pub(crate) fn success(
    request: &Message<'_>,
    attributes: &[&dyn AttributeWrite],
    key: Option<&IntegrityKey>,
) -> Vec<u8> {
    finish(Message::builder_success(request, MessageWriteVec::new()), attributes, key)
}

/// An error with its usual sentence.
pub(crate) fn error(request: &Message<'_>, code: u16, key: Option<&IntegrityKey>) -> Vec<u8> {
    let answer = Message::builder_error(request, MessageWriteVec::new());
    finish(answer, &[&error_code(code)], key)
}

/// An error that says how to ask again.
pub(crate) fn challenge(request: &Message<'_>, code: u16, nonce: &str) -> Vec<u8> {
    let answer = Message::builder_error(request, MessageWriteVec::new());
    let realm = Realm::new(REALM).expect("the realm is short");
    let nonce = Nonce::new(nonce).expect("nonces are short");
    finish(answer, &[&error_code(code), &realm, &nonce], None)
}

/// What another sent, for a phone that has no channel to it.
pub(crate) fn data_indication(from: SocketAddr, data: &[u8]) -> Vec<u8> {
    let message =
        Message::builder_indication(DATA, MessageWriteVec::with_capacity(data.len() + 64));
    let from = XorPeerAddress::new(from, message.transaction_id());
    finish(message, &[&from, &Data::new(data)], None)
}

pub(crate) fn channel_data(number: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; CHANNEL_HEADER_BYTES + data.len()];
    ChannelData::new(number, data).write_into_unchecked(&mut bytes);
    bytes
}

/// With the signature of who asked with one.
pub(crate) fn finish(
    mut answer: MessageWriteVec,
    attributes: &[&dyn AttributeWrite],
    key: Option<&IntegrityKey>,
) -> Vec<u8> {
    for attribute in attributes {
        answer.add_attribute(*attribute).expect("each attribute is there once");
    }
    if let Some(key) = key {
        let signed = answer.add_message_integrity_with_key(key, IntegrityAlgorithm::Sha1);
        signed.expect("an answer is signed once, at its end");
    }
    answer.finish()
}

fn error_code(code: u16) -> ErrorCode {
    let built = ErrorCode::builder(code).build();
    built.expect("the codes here are those of RFC 8656")
}

const CHANNEL_HEADER_BYTES: usize = 4;
