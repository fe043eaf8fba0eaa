use proptest::prelude::*;

use super::*;
use crate::signal::{CODE_INVITATION_MAX_BYTES, CODE_MESSAGE_MAX_CHARS, CODE_TRIES, SignalError};

const INVITATION: &str = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA";

#[test]
fn the_right_code_brings_the_invitation() {
    let mut offer = offer(INVITATION);
    // One after another, as several phones type what one shows.
    for call in 1..4 {
        let (opened, heard) = redeem(&mut offer, call, &code());
        assert_eq!(opened.unwrap().as_str(), INVITATION);
        assert!(!heard.concat().contains(INVITATION), "what the server relays is sealed");
    }
    assert_eq!(offer.tries_left(), CODE_TRIES);
}

#[test]
fn a_code_brings_the_invitation_of_now() {
    let mut offer = offer(INVITATION);
    offer.renew("another".to_owned().into()).unwrap();
    assert_eq!(redeem(&mut offer, 1, &code()).0.unwrap().as_str(), "another");
    let long = "A".repeat(CODE_INVITATION_MAX_BYTES + 1);
    assert!(matches!(offer.renew(long.into()), Err(SignalError::TooLarge { .. })));
    assert_eq!(redeem(&mut offer, 2, &code()).0.unwrap().as_str(), "another");
}

#[test]
fn a_wrong_code_brings_nothing_and_three_of_them_spend_the_right_one() {
    let mut offer = offer(INVITATION);
    for (call, left) in (1..).zip((0..CODE_TRIES).rev()) {
        let wrong = ShortCode::parse("4821 - 317 593").unwrap();
        let (opened, heard) = redeem(&mut offer, call, &wrong);
        assert_eq!(opened, Err(SignalError::WrongCode));
        assert_eq!(heard.len(), 3, "nothing is said to whoever guesses, not even a confirmation");
        assert_eq!(offer.tries_left(), left);
    }
    assert_eq!(redeem(&mut offer, 9, &code()).0, Err(SignalError::WrongCode));
}

/// Who breaks off before showing anything has learned nothing, so that costs no try: else anybody could spend the code.
#[test]
fn who_breaks_off_or_says_nonsense_costs_no_try() {
    let mut offer = offer(INVITATION);
    for call in 0..10 {
        let (_, hello) = Redemption::start(&code()).unwrap();
        offer.called(call, &hello).unwrap();
        offer.left(call);
        assert_eq!(offer.confirmed(call, "AA"), Err(SignalError::NoCall));
    }
    for nonsense in ["", "AA", "!", &"A".repeat(44), &"A".repeat(CODE_MESSAGE_MAX_CHARS + 1)] {
        assert!(offer.called(11, nonsense).is_err(), "{nonsense}");
    }
    assert_eq!(offer.tries_left(), CODE_TRIES);
    assert_eq!(redeem(&mut offer, 12, &code()).0.unwrap().as_str(), INVITATION);
}

#[test]
fn a_replayed_exchange_is_refused() {
    let mut offer = offer(INVITATION);
    let (newcomer, hello) = Redemption::start(&code()).unwrap();
    let (_, shown) = newcomer.answered(&offer.called(1, &hello).unwrap()).unwrap();
    let sealed = offer.confirmed(1, &shown).unwrap();
    assert_eq!(offer.confirmed(1, &shown), Err(SignalError::NoCall), "once is enough");
    // The same messages again: the other half of the exchange is a new one.
    offer.called(2, &hello).unwrap();
    assert_eq!(offer.confirmed(2, &shown), Err(SignalError::WrongCode));
    // An invitation of an earlier exchange, in a later one.
    let (newcomer, hello) = Redemption::start(&code()).unwrap();
    let (waiting, _) = newcomer.answered(&offer.called(3, &hello).unwrap()).unwrap();
    assert_eq!(waiting.open(&sealed), Err(SignalError::WrongCode));
}

#[test]
fn reflected_messages_are_refused() {
    let mut offer = offer(INVITATION);
    let (newcomer, hello) = Redemption::start(&code()).unwrap();
    assert!(matches!(newcomer.answered(&hello), Err(SignalError::Malformed { .. })));
    let (newcomer, hello) = Redemption::start(&code()).unwrap();
    let answer = offer.called(1, &hello).unwrap();
    assert!(matches!(offer.called(2, &answer), Err(SignalError::Malformed { .. })));
    let answer = offer.called(3, &hello).unwrap();
    let (waiting, shown) = newcomer.answered(&answer).unwrap();
    assert_eq!(waiting.open(&shown), Err(SignalError::WrongCode), "its own confirmation");
}

/// Two codes may have the same password: who is asked for one must not give the other's invitation.
#[test]
fn an_exchange_is_good_for_one_place() {
    let elsewhere = ShortCode::parse("4822 - 317 592").unwrap();
    let mut offer = offer(INVITATION);
    assert_eq!(redeem(&mut offer, 1, &elsewhere).0, Err(SignalError::WrongCode));
}

/// A server that does not know the password has an exchange with each of the two: neither tells it anything.
#[test]
fn nobody_between_them_learns_anything() {
    let guess = ShortCode::parse("4821 000 000").unwrap();
    let mut offer = offer(INVITATION);
    let mut mallory = Offer::new(guess.clone(), "hers".to_owned().into()).unwrap();

    // Towards the newcomer: what it shows does not fit her key, and hers not its.
    let (newcomer, hello) = Redemption::start(&code()).unwrap();
    let (waiting, shown) = newcomer.answered(&mallory.called(1, &hello).unwrap()).unwrap();
    assert_eq!(mallory.confirmed(1, &shown), Err(SignalError::WrongCode));
    let forged = redeem_sealed(&mut mallory, &guess);
    assert_eq!(waiting.open(&forged), Err(SignalError::WrongCode));
    // Towards who offers: what the newcomer has shown her is of another exchange.
    let (_, hello) = Redemption::start(&guess).unwrap();
    offer.called(1, &hello).unwrap();
    assert_eq!(offer.confirmed(1, &shown), Err(SignalError::WrongCode));
}

#[test]
fn every_bit_counts() {
    let mut offer = offer(INVITATION);
    let (newcomer, hello) = Redemption::start(&code()).unwrap();
    let (waiting, shown) = newcomer.answered(&offer.called(1, &hello).unwrap()).unwrap();
    for altered in altered(&shown) {
        assert_eq!(waiting.0.check(&altered), Err(SignalError::WrongCode), "{altered}");
    }
    let sealed = offer.confirmed(1, &shown).unwrap();
    for altered in altered(&sealed) {
        assert!(waiting.0.open(&altered).is_err(), "{altered}");
    }
    assert_eq!(waiting.open(&sealed).unwrap().as_str(), INVITATION);
}

#[test]
fn invitations_are_bounded() {
    let longest = "x".repeat(CODE_INVITATION_MAX_BYTES);
    let mut offer = offer(&longest);
    let (opened, heard) = redeem(&mut offer, 1, &code());
    assert_eq!(opened.unwrap().as_str(), longest);
    assert_eq!(heard.last().unwrap().len(), CODE_MESSAGE_MAX_CHARS);
    let long = "x".repeat(CODE_INVITATION_MAX_BYTES + 1);
    let refused = Offer::new(code(), long.into()).err();
    assert!(matches!(refused, Some(SignalError::TooLarge { .. })), "{refused:?}");
}

#[test]
fn codes_are_read_as_they_are_shown_and_as_they_are_typed() {
    assert_eq!(code().to_string(), "4821 - 317 592");
    let typed = [
        "4821317592",
        "4821 317592",
        " 4821-317-592 ",
        "4821\u{2013}317\u{a0}592\n",
        "48.21.31.75.92",
    ];
    for text in typed {
        assert_eq!(ShortCode::parse(text), Ok(code()), "{text}");
    }
    let zeros = ShortCode::parse("0000 - 000 007").unwrap();
    assert_eq!((zeros.place(), zeros.to_string().as_str()), (0, "0000 - 000 007"));
    for text in ["", "482131759", "48213175921", "4821 317 59x", "４８２１317592", "+821317592"]
    {
        assert_eq!(ShortCode::parse(text), Err(SignalError::BadCode), "{text}");
    }
    assert_eq!(ShortCode::parse(&" ".repeat(1000)), Err(SignalError::BadCode));
    assert_eq!(ShortCode::random(CODE_PLACES), Err(SignalError::BadCode));
}

#[test]
fn passwords_are_drawn_and_not_shown_in_logs() {
    let codes = [(); 8].map(|()| ShortCode::random(7).unwrap());
    let shown: std::collections::BTreeSet<String> = codes.iter().map(ToString::to_string).collect();
    assert!(shown.len() > 5, "{shown:?}");
    for code in codes {
        assert_eq!(ShortCode::parse(&code.to_string()), Ok(code.clone()));
        let offer = Offer::new(code, "secret".to_owned().into()).unwrap();
        let logged = format!("{offer:?}");
        assert!(
            !logged.contains("secret") && !logged.contains(offer.code().password.as_str()),
            "{logged}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_messages_are_survived(hello in "\\PC{0,60}", shown in "[A-Za-z0-9_-]{0,60}") {
        let mut offer = offer(INVITATION);
        let _ = offer.called(1, &hello);
        prop_assert!(offer.called(2, &shown).is_err() || offer.confirmed(2, &hello).is_err());
        if let Ok((waiting, _)) = Redemption::start(&code()).unwrap().0.answered(&shown) {
            prop_assert!(waiting.open(&hello).is_err());
        }
    }
}

/// A newcomer with `code` calls. What it gets, and all that went through the server.
fn redeem(
    offer: &mut Offer,
    call: u32,
    code: &ShortCode,
) -> (Result<Zeroizing<String>, SignalError>, Vec<String>) {
    let (newcomer, hello) = Redemption::start(code).unwrap();
    let mut heard = vec![hello.clone()];
    let answer = match offer.called(call, &hello) {
        Ok(answer) => answer,
        Err(refused) => return (Err(refused), heard),
    };
    let (waiting, shown) = newcomer.answered(&answer).unwrap();
    heard.extend([answer, shown.clone()]);
    match offer.confirmed(call, &shown) {
        Ok(sealed) => {
            heard.push(sealed.clone());
            (waiting.open(&sealed), heard)
        }
        Err(refused) => (Err(refused), heard),
    }
}

fn redeem_sealed(offer: &mut Offer, code: &ShortCode) -> String {
    redeem(offer, 1, code).1.pop().unwrap()
}

fn altered(message: &str) -> impl Iterator<Item = String> {
    (0..message.len()).map(|at| {
        let mut bytes = message.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    })
}

fn offer(invitation: &str) -> Offer {
    Offer::new(code(), invitation.to_owned().into()).unwrap()
}

fn code() -> ShortCode {
    ShortCode::parse("4821317592").unwrap()
}
