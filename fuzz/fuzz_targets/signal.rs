//! What the server and a page tell each other, an invitation, and what a peer has sealed.
#![no_main]

use base::PeerId;
use libfuzzer_sys::fuzz_target;
use protocol::signal::{
    ClientMessage, Invitation, Restart, RestartNumbers, ServerMessage, SignalBody,
};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Ok(message) = ClientMessage::from_json(text) {
        assert_eq!(ClientMessage::from_json(&message.to_json()), Ok(message));
    }
    if let Ok(message) = ServerMessage::from_json(text) {
        assert_eq!(ServerMessage::from_json(&message.to_json()), Ok(message));
    }
    if let Ok((invitation, pass)) = Invitation::from_fragment(text) {
        let written = invitation.to_fragment(pass.as_ref());
        assert_eq!(written.as_str(), text.strip_prefix('#').unwrap_or(text));
        let key = invitation.ticket_key([7; 32], [9; 32]);
        assert!(
            pass.is_none_or(|it| key.check(&it.ticket, 0).is_err()),
            "nobody can make one without the key"
        );
    }
    // What an opened seal holds.
    if let Ok(SignalBody::Restart(restart)) = serde_json::from_str(text) {
        let mut numbers = RestartNumbers::default();
        numbers.next_offer(0.0);
        let mut takes = || match &restart {
            Restart::Ask { number } => numbers.takes_ask(*number),
            Restart::Offer { number, .. } => numbers.takes_offer(*number, 0.0),
            Restart::Answer { number, .. } => numbers.takes_answer(*number),
        };
        let is_new = takes();
        let is_again = takes();
        match restart {
            Restart::Ask { .. } => assert!(is_new && is_again, "nothing was answered yet"),
            Restart::Offer { number, .. } => assert_eq!((is_new, is_again), (number > 0, false)),
            Restart::Answer { number, .. } => assert_eq!((is_new, is_again), (number == 1, false)),
        }
    }
    let mut opener = Invitation::from_secret([7; 32]).opener(PeerId(1));
    assert!(opener.open(PeerId(2), text).is_err(), "nobody can seal without the key");
});
