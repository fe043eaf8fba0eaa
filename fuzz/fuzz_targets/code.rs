//! What is typed as a code, and what two phones and a server between them say about one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::signal::{CODE_TRIES, Offer, Redemption, ShortCode};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Ok(typed) = ShortCode::parse(text) {
        assert_eq!(ShortCode::parse(&typed.to_string()), Ok(typed));
    }
    let (hello, rest) = text.split_once('\n').unwrap_or((text, text));
    let code = ShortCode::parse("4821 - 317 592").expect("that is a code");
    let mut offer = Offer::new(code.clone(), "secret".to_owned().into()).expect("it is short");
    if offer.called(1, hello).is_ok() {
        assert!(offer.confirmed(1, rest).is_err(), "nobody has a key without an exchange");
        assert_eq!(offer.tries_left(), CODE_TRIES - 1);
    }
    let (newcomer, _) = Redemption::start(&code).expect("this machine has random bytes");
    if let Ok((waiting, _)) = newcomer.answered(hello) {
        assert!(waiting.open(rest).is_err(), "nobody can seal without the key");
    }
});
