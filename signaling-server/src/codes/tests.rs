use std::{net::Ipv4Addr, time::Duration};

use axum::extract::ws::Message;

use super::*;
use crate::outbox::{Outgoing, outbox};

const ANNA: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const EVE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));

/// A phone that shows a code, and somebody who calls it.
struct Stage {
    codes: Arc<Codes>,
    shown: ShownCode,
    shower: Outgoing,
    caller: Outbox,
    called: Outgoing,
}

impl Stage {
    fn set(limits: &Limits) -> Self {
        let codes = Arc::new(Codes::new(limits, Arc::new(Metrics::new()), None));
        let ((anna, shower), (caller, called)) = (outbox(9, 9999), outbox(9, 9999));
        let shown = codes.offer(ANNA, &anna).map_err(|refusal| refusal.code).unwrap();
        Self { codes, shown, shower, caller, called }
    }

    fn call(&self) -> Result<Calling, RefusalCode> {
        let called = self.codes.call(self.shown.place, "AA".to_owned(), EVE, &self.caller);
        called.map_err(|refusal| refusal.code)
    }
}

/// All that was said to whoever has this end.
fn said(outgoing: &mut Outgoing) -> Vec<ServerMessage> {
    let read = |message: Message| ServerMessage::from_json(message.to_text().unwrap()).unwrap();
    std::iter::from_fn(|| outgoing.next_now()).map(read).collect()
}

#[test]
fn who_calls_for_too_long_is_hung_up() {
    let patience = Duration::from_millis(500);
    let mut stage = Stage::set(&Limits { handshake_timeout: patience, ..Limits::default() });
    let slow = stage.call().unwrap();
    assert_eq!(stage.call().err(), Some(RefusalCode::CodeBusy));
    std::thread::sleep(2 * patience);
    let next = stage.call().unwrap();
    drop(slow);
    let left: Vec<_> = said(&mut stage.shower)
        .into_iter()
        .filter(|message| matches!(message, ServerMessage::CallLeft { .. }))
        .collect();
    assert_eq!(left.len(), 1, "the first alone has left: {left:?}");
    drop(next);
    assert!(stage.call().is_ok());
}

#[test]
fn the_last_word_has_its_turn() {
    let mut stage = Stage::set(&Limits { redeem_failures: 1, ..Limits::default() });
    for is_confirmed in [false, true] {
        let calling = stage.call().unwrap();
        stage.shown.answer(calling.number, "AA".to_owned());
        if is_confirmed {
            calling.confirm("AA".to_owned());
        }
        stage.shown.end(calling.number, Some("secret".to_owned()));
        let message = Some("secret".to_owned());
        let heard = said(&mut stage.called).contains(&ServerMessage::CallEnded { message });
        assert_eq!(heard, is_confirmed);
    }
}

/// A phone that ends a call before it knows what was typed blames nobody.
#[test]
fn only_a_confirmed_code_was_wrong() {
    let mut stage = Stage::set(&Limits { redeem_failures: 1, ..Limits::default() });
    let calling = stage.call().unwrap();
    stage.shown.end(calling.number, None);
    assert_eq!(said(&mut stage.called), [ServerMessage::CallEnded { message: None }]);
    let calling = stage.call().unwrap();
    stage.shown.answer(calling.number, "AA".to_owned());
    calling.confirm("AA".to_owned());
    stage.shown.end(calling.number, None);
    assert_eq!(stage.call().err(), Some(RefusalCode::LockedOut));
}
