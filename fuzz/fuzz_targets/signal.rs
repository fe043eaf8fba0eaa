//! What the server and a page tell each other, an invitation, and what a peer has sealed.
#![no_main]

use base::PeerId;
use libfuzzer_sys::fuzz_target;
use protocol::signal::{ClientMessage, Invitation, ServerMessage, SignalBody};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Ok(message) = ClientMessage::from_json(text) {
        assert_eq!(ClientMessage::from_json(&message.to_json()), Ok(message));
    }
    if let Ok(message) = ServerMessage::from_json(text) {
        assert_eq!(ServerMessage::from_json(&message.to_json()), Ok(message));
    }
    let _ = Invitation::from_fragment(text);
    // What an opened seal holds.
    let _ = serde_json::from_str::<SignalBody>(text);
    let mut opener = Invitation::from_secret([7; 32]).opener(PeerId(1));
    assert!(opener.open(PeerId(2), text).is_err(), "nobody can seal without the key");
});
