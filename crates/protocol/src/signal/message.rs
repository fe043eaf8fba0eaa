//! The JSON that peers and server exchange, and the bodies that peers seal.

use base::{PeerId, RoomId};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    CODE_MESSAGE_MAX_CHARS, CODE_PLACES, ICE_SERVERS_MAX, MESSAGE_MAX_BYTES, PEERS_MAX, Restart,
    SEALED_MAX_CHARS, SignalError, check_size,
};

/// What a peer tells the server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ClientMessage {
    /// Make a room that does not exist yet, and enter it.
    Open {
        /// The room's public name.
        room: RoomId,
        /// Who enters.
        peer: PeerId,
    },
    /// Enter a room that somebody is in.
    Join {
        /// The room's public name.
        room: RoomId,
        /// Who enters.
        peer: PeerId,
    },
    /// Pass a sealed body on to another peer of the room.
    Send {
        /// The receiver.
        to: PeerId,
        /// The output of [`super::Sealer::seal`].
        sealed: String,
    },
    /// A place for a code that others may type; it replaces the one before.
    OfferCode {},
    /// The code is not to be typed any more.
    WithdrawCode {},
    /// Answer to [`ServerMessage::Called`].
    AnswerCall {
        /// Whom.
        call: u32,
        /// The output of [`super::Offer::called`].
        message: String,
    },
    /// The last word of a call.
    EndCall {
        /// Whose.
        call: u32,
        /// The output of [`super::Offer::confirmed`]; nothing for who does not know the code.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// Call the phone that shows the code at a place.
    Redeem {
        /// The first digits of the code.
        place: u16,
        /// The output of [`super::Redemption::start`].
        message: String,
    },
    /// Answer to [`ServerMessage::CallAnswered`].
    ConfirmCall {
        /// The output of [`super::Redemption::answered`].
        message: String,
    },
}

/// What the server tells a peer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ServerMessage {
    /// The receiver is in its room now and offers a link to each of `peers`.
    Entered {
        /// Who was there before, in ascending order.
        peers: Vec<PeerId>,
        /// For `RTCPeerConnection`.
        ice_servers: Vec<IceServer>,
    },
    /// What is good for links from now on: credentials have an end, and newer ones come long before.
    IceServers {
        /// For `RTCPeerConnection`.
        ice_servers: Vec<IceServer>,
    },
    /// Somebody entered; an offer will come from there.
    PeerEntered {
        /// Who.
        peer: PeerId,
    },
    /// Somebody's socket to the server is gone; open links may well live on.
    PeerLeft {
        /// Who.
        peer: PeerId,
    },
    /// A sealed body from another peer of the room.
    From {
        /// The sender, as the server says; [`super::Opener::open`] proves it.
        from: PeerId,
        /// What the sender sealed.
        sealed: String,
    },
    /// A place for a code, until it is withdrawn or its time is over.
    CodeOffered {
        /// The code's first digits.
        place: u16,
        /// How long it may be typed.
        life_secs: u32,
    },
    /// Somebody types the receiver's code.
    Called {
        /// The number of the call.
        call: u32,
        /// What the newcomer says.
        message: String,
    },
    /// Whoever called shows that it knows the code, or tries to.
    CallConfirmed {
        /// The number of the call.
        call: u32,
        /// What the newcomer shows.
        message: String,
    },
    /// Whoever called has gone.
    CallLeft {
        /// The number of the call.
        call: u32,
    },
    /// The phone that shows the code answers.
    CallAnswered {
        /// What it says.
        message: String,
    },
    /// Its last word.
    CallEnded {
        /// The invitation, sealed; nothing for who does not know the code.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// Something was not done.
    Refused {
        /// Why, for programs.
        code: RefusalCode,
        /// Why, and what to do, for people.
        message: String,
    },
}

/// Why the server did not do something.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// As many peers as a room may have are in it.
    RoomFull,
    /// Nobody is in the room, or it is too old.
    RoomGone,
    /// The room to open is open already.
    RoomExists,
    /// Another socket holds this peer id in the room.
    PeerTaken,
    /// The receiver is not in the room.
    PeerUnknown,
    /// Not a message of this protocol, or not now.
    BadMessage,
    /// A message, or all of them together, over the limit.
    TooLarge,
    /// More messages per second than the limit.
    TooFast,
    /// As many rooms as the server may have are open.
    ServerFull,
    /// As many codes as there may be are shown already.
    CodesFull,
    /// No code is shown at this place (any more).
    CodeGone,
    /// Somebody else is typing this code.
    CodeBusy,
    /// Too many codes were tried from this address.
    LockedOut,
}

impl RefusalCode {
    /// The code as it stands in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::RoomFull => "room_full",
            Self::RoomGone => "room_gone",
            Self::RoomExists => "room_exists",
            Self::PeerTaken => "peer_taken",
            Self::PeerUnknown => "peer_unknown",
            Self::BadMessage => "bad_message",
            Self::TooLarge => "too_large",
            Self::TooFast => "too_fast",
            Self::ServerFull => "server_full",
            Self::CodesFull => "codes_full",
            Self::CodeGone => "code_gone",
            Self::CodeBusy => "code_busy",
            Self::LockedOut => "locked_out",
        }
    }
}

/// One entry of `RTCConfiguration.iceServers`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IceServer {
    /// `stun:` and `turn:` URLs.
    pub urls: Vec<String>,
    /// For `turn:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// For `turn:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// What two peers tell each other to open a link; only ever sent sealed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SignalBody {
    /// A session description.
    Description(Description),
    /// An ICE candidate.
    Candidate(Candidate),
    /// Another way for an open link.
    Restart(Restart),
}

/// `RTCSessionDescription`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// Offer or answer.
    pub kind: DescriptionKind,
    /// The session description (RFC 8866).
    pub sdp: String,
}

/// Which half of the negotiation a description is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DescriptionKind {
    /// From the newcomer.
    Offer,
    /// From the peer that was there before.
    Answer,
}

/// `RTCIceCandidate`; an empty `candidate` ends the list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// The candidate line.
    pub candidate: String,
    /// `sdpMid`.
    #[serde(default)]
    pub mid: Option<String>,
    /// `sdpMLineIndex`.
    #[serde(default)]
    pub line: Option<u16>,
}

impl ClientMessage {
    /// Reads one message.
    ///
    /// # Errors
    /// [`SignalError::TooLarge`] or [`SignalError::Malformed`].
    pub fn from_json(text: &str) -> Result<Self, SignalError> {
        let message = parse("a message to the server", text, MESSAGE_MAX_BYTES)?;
        match &message {
            Self::Send { sealed, .. } => {
                check_size("a sealed body", sealed.len(), SEALED_MAX_CHARS)?;
            }
            Self::Redeem { place, message } => {
                check_place(*place)?;
                check_call(Some(message))?;
            }
            Self::AnswerCall { message, .. } | Self::ConfirmCall { message } => {
                check_call(Some(message))?;
            }
            Self::EndCall { message, .. } => check_call(message.as_ref())?,
            Self::Open { .. } | Self::Join { .. } => {}
            Self::OfferCode {} | Self::WithdrawCode {} => {}
        }
        Ok(message)
    }

    /// Writes the message.
    pub fn to_json(&self) -> String {
        write(self)
    }
}

impl ServerMessage {
    /// Reads one message.
    ///
    /// # Errors
    /// [`SignalError::TooLarge`] or [`SignalError::Malformed`].
    pub fn from_json(text: &str) -> Result<Self, SignalError> {
        let message = parse("a message of the server", text, MESSAGE_MAX_BYTES)?;
        match &message {
            Self::Entered { peers, ice_servers } => {
                check_size("the list of peers", peers.len(), PEERS_MAX)?;
                check_size("the list of ICE servers", ice_servers.len(), ICE_SERVERS_MAX)?;
            }
            Self::IceServers { ice_servers } => {
                check_size("the list of ICE servers", ice_servers.len(), ICE_SERVERS_MAX)?;
            }
            Self::From { sealed, .. } => {
                check_size("a sealed body", sealed.len(), SEALED_MAX_CHARS)?;
            }
            Self::CodeOffered { place, .. } => check_place(*place)?,
            Self::Called { message, .. }
            | Self::CallConfirmed { message, .. }
            | Self::CallAnswered { message } => check_call(Some(message))?,
            Self::CallEnded { message } => check_call(message.as_ref())?,
            Self::PeerEntered { .. } | Self::PeerLeft { .. } => {}
            Self::Refused { .. } | Self::CallLeft { .. } => {}
        }
        Ok(message)
    }

    /// Writes the message.
    pub fn to_json(&self) -> String {
        write(self)
    }
}

fn check_place(place: u16) -> Result<(), SignalError> {
    check_size("a place for a code", place.into(), usize::from(CODE_PLACES) - 1)
}

fn check_call(message: Option<&String>) -> Result<(), SignalError> {
    check_size("a message about a code", message.map_or(0, String::len), CODE_MESSAGE_MAX_CHARS)
}

/// Reads JSON of at most `limit` bytes.
pub(super) fn parse<T: DeserializeOwned>(
    what: &'static str,
    text: &str,
    limit: usize,
) -> Result<T, SignalError> {
    check_size(what, text.len(), limit)?;
    serde_json::from_str(text)
        .map_err(|error| SignalError::Malformed { what, reason: error.to_string() })
}

/// Writes JSON.
pub(super) fn write<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("signaling types have text keys and finite numbers only")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROOM: RoomId = RoomId(*b"0123456789abcdef");

    /// The JSON forms are what other implementations write, so they never change.
    #[test]
    fn json_of_client_messages() {
        let cases = [
            (
                ClientMessage::Open { room: ROOM, peer: PeerId(0xab) },
                r#"{"type":"open","room":"30313233343536373839616263646566","peer":"000000ab"}"#,
            ),
            (
                ClientMessage::Join { room: ROOM, peer: PeerId(0xab) },
                r#"{"type":"join","room":"30313233343536373839616263646566","peer":"000000ab"}"#,
            ),
            (
                ClientMessage::Send { to: PeerId(1), sealed: "AA-_".into() },
                r#"{"type":"send","to":"00000001","sealed":"AA-_"}"#,
            ),
            (ClientMessage::OfferCode {}, r#"{"type":"offer_code"}"#),
            (ClientMessage::WithdrawCode {}, r#"{"type":"withdraw_code"}"#),
            (
                ClientMessage::AnswerCall { call: 7, message: "AA".into() },
                r#"{"type":"answer_call","call":7,"message":"AA"}"#,
            ),
            (
                ClientMessage::EndCall { call: 7, message: Some("AA".into()) },
                r#"{"type":"end_call","call":7,"message":"AA"}"#,
            ),
            (ClientMessage::EndCall { call: 7, message: None }, r#"{"type":"end_call","call":7}"#),
            (
                ClientMessage::Redeem { place: 42, message: "AA".into() },
                r#"{"type":"redeem","place":42,"message":"AA"}"#,
            ),
            (
                ClientMessage::ConfirmCall { message: "AA".into() },
                r#"{"type":"confirm_call","message":"AA"}"#,
            ),
        ];
        for (message, json) in cases {
            assert_eq!(message.to_json(), json);
            assert_eq!(ClientMessage::from_json(json), Ok(message));
        }
    }

    #[test]
    fn json_of_server_messages() {
        let stun = IceServer { urls: vec!["stun:a".into()], username: None, credential: None };
        let turn = IceServer {
            urls: vec!["turn:b".into()],
            username: Some("17:b".into()),
            credential: Some("c".into()),
        };
        let refused = ServerMessage::Refused { code: RefusalCode::RoomFull, message: "no".into() };
        let cases = [
            (
                ServerMessage::IceServers { ice_servers: vec![turn] },
                r#"{"type":"ice_servers","ice_servers":[{"urls":["turn:b"],"username":"17:b","credential":"c"}]}"#,
            ),
            (
                ServerMessage::Entered { peers: vec![PeerId(1)], ice_servers: vec![stun] },
                r#"{"type":"entered","peers":["00000001"],"ice_servers":[{"urls":["stun:a"]}]}"#,
            ),
            (
                ServerMessage::PeerEntered { peer: PeerId(2) },
                r#"{"type":"peer_entered","peer":"00000002"}"#,
            ),
            (
                ServerMessage::PeerLeft { peer: PeerId(2) },
                r#"{"type":"peer_left","peer":"00000002"}"#,
            ),
            (
                ServerMessage::From { from: PeerId(3), sealed: "AA".into() },
                r#"{"type":"from","from":"00000003","sealed":"AA"}"#,
            ),
            (refused, r#"{"type":"refused","code":"room_full","message":"no"}"#),
            (
                ServerMessage::CodeOffered { place: 42, life_secs: 300 },
                r#"{"type":"code_offered","place":42,"life_secs":300}"#,
            ),
            (
                ServerMessage::Called { call: 7, message: "AA".into() },
                r#"{"type":"called","call":7,"message":"AA"}"#,
            ),
            (
                ServerMessage::CallConfirmed { call: 7, message: "AA".into() },
                r#"{"type":"call_confirmed","call":7,"message":"AA"}"#,
            ),
            (ServerMessage::CallLeft { call: 7 }, r#"{"type":"call_left","call":7}"#),
            (
                ServerMessage::CallAnswered { message: "AA".into() },
                r#"{"type":"call_answered","message":"AA"}"#,
            ),
            (
                ServerMessage::CallEnded { message: Some("AA".into()) },
                r#"{"type":"call_ended","message":"AA"}"#,
            ),
            (ServerMessage::CallEnded { message: None }, r#"{"type":"call_ended"}"#),
        ];
        for (message, json) in cases {
            assert_eq!(message.to_json(), json);
            assert_eq!(ServerMessage::from_json(json), Ok(message));
        }
    }

    #[test]
    fn json_of_refusal_codes() {
        use RefusalCode::*;
        let codes = [
            (RoomFull, "room_full"),
            (RoomGone, "room_gone"),
            (RoomExists, "room_exists"),
            (PeerTaken, "peer_taken"),
            (PeerUnknown, "peer_unknown"),
            (BadMessage, "bad_message"),
            (TooLarge, "too_large"),
            (TooFast, "too_fast"),
            (ServerFull, "server_full"),
            (CodesFull, "codes_full"),
            (CodeGone, "code_gone"),
            (CodeBusy, "code_busy"),
            (LockedOut, "locked_out"),
        ];
        for (code, text) in codes {
            assert_eq!(write(&code), format!("\"{text}\""));
            assert_eq!(code.name(), text);
        }
    }

    #[test]
    fn json_of_bodies() {
        let sdp = "v=0\r\n".to_owned();
        let offer = SignalBody::Description(Description { kind: DescriptionKind::Offer, sdp });
        let candidate = Candidate { candidate: "c".into(), mid: Some("0".into()), line: Some(0) };
        let end = Candidate { candidate: String::new(), mid: None, line: None };
        let cases = [
            (offer, r#"{"type":"description","kind":"offer","sdp":"v=0\r\n"}"#),
            (
                SignalBody::Candidate(candidate),
                r#"{"type":"candidate","candidate":"c","mid":"0","line":0}"#,
            ),
            (
                SignalBody::Candidate(end),
                r#"{"type":"candidate","candidate":"","mid":null,"line":null}"#,
            ),
        ];
        for (body, json) in cases {
            assert_eq!(write(&body), json);
            assert_eq!(parse("a body", json, 1000), Ok(body));
        }
    }

    #[test]
    fn other_messages_are_refused() {
        for text in [
            "",
            "null",
            "[]",
            r#"{"type":"open"}"#,
            r#"{"type":"OPEN","room":"30313233343536373839616263646566","peer":"000000ab"}"#,
            r#"{"type":"open","room":"3031","peer":"000000ab"}"#,
            r#"{"type":"send","to":"1","sealed":""}"#,
            r#"{"type":"send","to":"00000001","sealed":"","more":1}"#,
            r#"{"type":"send","to":"00000001","sealed":"","sealed":""}"#,
            r#"{"type":"send","to":"00000001","sealed":""} "x""#,
        ] {
            let refused = ClientMessage::from_json(text);
            assert!(matches!(refused, Err(SignalError::Malformed { .. })), "{text}: {refused:?}");
        }
        let nested = "[".repeat(MESSAGE_MAX_BYTES);
        assert!(matches!(ServerMessage::from_json(&nested), Err(SignalError::Malformed { .. })));
    }

    #[test]
    fn long_messages_are_refused() {
        let sealed = "A".repeat(SEALED_MAX_CHARS);
        let longest = ClientMessage::Send { to: PeerId(1), sealed };
        assert!(longest.to_json().len() < MESSAGE_MAX_BYTES);
        assert_eq!(ClientMessage::from_json(&longest.to_json()), Ok(longest));

        let sealed = "A".repeat(SEALED_MAX_CHARS + 1);
        let long = ServerMessage::From { from: PeerId(1), sealed }.to_json();
        assert!(matches!(ServerMessage::from_json(&long), Err(SignalError::TooLarge { .. })));
        for place in [CODE_PLACES, u16::MAX] {
            let odd = ClientMessage::Redeem { place, message: String::new() }.to_json();
            assert!(matches!(ClientMessage::from_json(&odd), Err(SignalError::TooLarge { .. })));
        }
        let message = "A".repeat(CODE_MESSAGE_MAX_CHARS + 1);
        for long in [
            ClientMessage::Redeem { place: 1, message: message.clone() },
            ClientMessage::ConfirmCall { message: message.clone() },
            ClientMessage::AnswerCall { call: 1, message: message.clone() },
            ClientMessage::EndCall { call: 1, message: Some(message.clone()) },
        ] {
            let refused = ClientMessage::from_json(&long.to_json());
            assert!(matches!(refused, Err(SignalError::TooLarge { .. })), "{refused:?}");
        }
        let long = ServerMessage::CallAnswered { message }.to_json();
        assert!(matches!(ServerMessage::from_json(&long), Err(SignalError::TooLarge { .. })));
        let spaces = " ".repeat(MESSAGE_MAX_BYTES + 1);
        assert!(matches!(ServerMessage::from_json(&spaces), Err(SignalError::TooLarge { .. })));
        let peers = vec![PeerId(1); PEERS_MAX + 1];
        let crowd = ServerMessage::Entered { peers, ice_servers: vec![] }.to_json();
        assert!(matches!(ServerMessage::from_json(&crowd), Err(SignalError::TooLarge { .. })));
        let server = IceServer { urls: vec![], username: None, credential: None };
        let ice_servers = vec![server; ICE_SERVERS_MAX + 1];
        let many = ServerMessage::IceServers { ice_servers }.to_json();
        assert!(matches!(ServerMessage::from_json(&many), Err(SignalError::TooLarge { .. })));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
            let _ = ClientMessage::from_json(&text);
            let _ = ServerMessage::from_json(&text);
        }

        #[test]
        fn near_messages_are_read_or_refused(
            cut in 0..90_usize, byte in 0..128_u8, place in 0..80_usize,
        ) {
            let json = r#"{"type":"open","room":"30313233343536373839616263646566","peer":"000000ab"}"#;
            let mut bytes = json.as_bytes().to_vec();
            let place = place % bytes.len();
            bytes[place] = byte;
            bytes.truncate(cut);
            let text = String::from_utf8(bytes).unwrap();
            if let Ok(message) = ClientMessage::from_json(&text) {
                prop_assert_eq!(ClientMessage::from_json(&message.to_json()), Ok(message));
            }
        }
    }
}
