//! Short codes: which phone shows one, and who calls it. What the two say is theirs; the server passes on a message of
//! each kind, between exactly these two.

mod tries;

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use protocol::signal::{CODE_PLACES, RefusalCode, ServerMessage};

use crate::{
    Limits,
    limits::counted_as,
    metrics::Metrics,
    outbox::Outbox,
    rooms::{Refusal, refusal},
};
use tries::Tries;

/// All codes that are shown.
pub(crate) struct Codes {
    shown: Mutex<Shown>,
    tries: Tries,
    limits: Limits,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct Shown {
    by_place: BTreeMap<u16, Code>,
    /// Of the latest code or call; so a number is of one alone.
    last_number: u32,
}

struct Code {
    number: u32,
    /// Of the phone that shows it.
    outbox: Outbox,
    address: IpAddr,
    ends: Instant,
    call: Option<Call>,
}

struct Call {
    number: u32,
    outbox: Outbox,
    address: IpAddr,
    began: Instant,
    step: Step,
}

/// The last that was said in a call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Called,
    Answered,
    Confirmed,
}

/// A code that is shown; dropping it withdraws it.
pub(crate) struct ShownCode {
    codes: Arc<Codes>,
    place: u16,
    number: u32,
}

/// A newcomer's call; dropping it is hanging up.
pub(crate) struct Calling {
    codes: Arc<Codes>,
    place: u16,
    number: u32,
}

impl Codes {
    pub(crate) fn new(limits: &Limits, metrics: Arc<Metrics>) -> Self {
        let (shown, tries) = (Mutex::default(), Tries::new(limits));
        Self { shown, tries, limits: limits.clone(), metrics }
    }

    /// A place for a code, which its phone is told.
    pub(crate) fn offer(
        self: &Arc<Self>,
        address: IpAddr,
        outbox: &Outbox,
    ) -> Result<ShownCode, Refusal> {
        let address = counted_as(address);
        let mut shown = self.lock();
        self.forget_old(&mut shown);
        let here = shown.by_place.values().filter(|code| code.address == address).count();
        if shown.by_place.len() >= self.limits.codes || here >= self.limits.codes_per_address {
            let message = "the server has no place for another code: let the QR code be scanned";
            return Err(refusal(RefusalCode::CodesFull, message));
        }
        let place = shown.free_place(drawn_place());
        let number = shown.next_number();
        let ends = Instant::now() + self.limits.code_life;
        let code = Code { number, outbox: outbox.clone(), address, ends, call: None };
        shown.by_place.insert(place, code);
        let life_secs = self.limits.code_life.as_secs_f64().ceil() as u32;
        outbox.say(&ServerMessage::CodeOffered { place, life_secs });
        self.metrics.codes_offered.inc();
        Ok(ShownCode { codes: self.clone(), place, number })
    }

    /// Calls the phone that shows the code at a place.
    pub(crate) fn call(
        self: &Arc<Self>,
        place: u16,
        message: String,
        address: IpAddr,
        outbox: &Outbox,
    ) -> Result<Calling, Refusal> {
        let address = counted_as(address);
        if !self.tries.may(address) {
            let message = "too many codes were tried from here: wait a while, or scan the QR code";
            return Err(refusal(RefusalCode::LockedOut, message));
        }
        let mut shown = self.lock();
        self.forget_old(&mut shown);
        let number = shown.next_number();
        let Some(code) = shown.current(place) else {
            drop(shown);
            self.tries.failed(address);
            let message = "no phone shows this code (any more): ask for a new one";
            return Err(refusal(RefusalCode::CodeGone, message));
        };
        if code.call.is_some() {
            let message = "somebody else is typing this code: try again in some seconds";
            return Err(refusal(RefusalCode::CodeBusy, message));
        }
        let (began, step) = (Instant::now(), Step::Called);
        code.call = Some(Call { number, outbox: outbox.clone(), address, began, step });
        code.outbox.say(&ServerMessage::Called { call: number, message });
        Ok(Calling { codes: self.clone(), place, number })
    }

    /// Codes that are shown.
    pub(crate) fn count(&self) -> usize {
        self.lock().by_place.values().filter(|code| code.is_current()).count()
    }

    /// Forgets what is over, and addresses that have been quiet.
    pub(crate) fn forget(&self) {
        self.forget_old(&mut self.lock());
        self.tries.forget();
    }

    /// A code whose time is over goes on for as long as somebody is calling, and nobody calls for longer than a socket may
    /// be without a room.
    fn forget_old(&self, shown: &mut Shown) {
        let patience = self.limits.handshake_timeout;
        for code in shown.by_place.values_mut() {
            if code.call.as_ref().is_some_and(|call| call.began.elapsed() > patience) {
                self.hang_up(code);
            }
        }
        shown.by_place.retain(|_, code| code.is_current() || code.call.is_some());
    }

    /// Ends a call before the phone that is called has said its last word.
    fn hang_up(&self, code: &mut Code) {
        let Some(left) = code.call.take() else { return };
        code.outbox.say(&ServerMessage::CallLeft { call: left.number });
        self.metrics.redeems.count("broken_off");
        // It may have heard enough to know that it was wrong, or not have cared to hear.
        if left.step == Step::Confirmed {
            self.tries.failed(left.address);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shown {
    fn current(&mut self, place: u16) -> Option<&mut Code> {
        self.by_place.get_mut(&place).filter(|code| code.is_current())
    }

    /// The first one that is free from `drawn` on; there is one, as there may be fewer codes than places.
    fn free_place(&self, drawn: u16) -> u16 {
        let from_there = (drawn..CODE_PLACES).chain(0..drawn);
        let mut free = from_there.filter(|place| !self.by_place.contains_key(place));
        free.next().unwrap_or(drawn)
    }

    fn next_number(&mut self) -> u32 {
        self.last_number = self.last_number.wrapping_add(1);
        self.last_number
    }

    /// A code that is still there, by its number.
    fn code(&mut self, place: u16, number: u32) -> Option<&mut Code> {
        self.by_place.get_mut(&place).filter(|code| code.number == number)
    }
}

impl Code {
    fn is_current(&self) -> bool {
        self.ends > Instant::now()
    }

    fn call(&mut self, number: u32) -> Option<&mut Call> {
        self.call.as_mut().filter(|call| call.number == number)
    }
}

impl ShownCode {
    /// Passes on what its phone answers, once. Who called may have gone: then there is nobody to tell.
    pub(crate) fn answer(&self, call: u32, message: String) {
        let mut shown = self.codes.lock();
        let code = shown.code(self.place, self.number);
        let Some(call) = code.and_then(|code| code.call(call)) else { return };
        if call.step == Step::Called {
            call.step = Step::Answered;
            call.outbox.say(&ServerMessage::CallAnswered { message });
        }
    }

    /// Passes its last word on: what the code brings only to who has confirmed it. A wrong confirmation is counted against
    /// whoever typed the code.
    pub(crate) fn end(&self, call: u32, message: Option<String>) {
        let mut shown = self.codes.lock();
        let Some(code) = shown.code(self.place, self.number) else { return };
        let is_its_turn =
            |it: &Call| it.number == call && (message.is_none() || it.step == Step::Confirmed);
        let Some(ended) = code.call.take_if(|it| is_its_turn(it)) else { return };
        drop(shown);
        let outcome = match (&message, ended.step) {
            (Some(_), _) => "right",
            (None, Step::Confirmed) => "wrong",
            (None, _) => "broken_off",
        };
        self.codes.metrics.redeems.count(outcome);
        if outcome == "wrong" {
            self.codes.tries.failed(ended.address);
        }
        ended.outbox.say(&ServerMessage::CallEnded { message });
    }
}

impl Drop for ShownCode {
    fn drop(&mut self) {
        let mut shown = self.codes.lock();
        let Some(code) = shown.code(self.place, self.number) else { return };
        if let Some(call) = code.call.take() {
            let message = "the phone that showed the code has withdrawn it: ask for a new one";
            let code = RefusalCode::CodeGone;
            call.outbox.say(&ServerMessage::Refused { code, message: message.to_owned() });
        }
        shown.by_place.remove(&self.place);
    }
}

impl Calling {
    /// Passes on what whoever calls shows, once and after the answer.
    pub(crate) fn confirm(&self, message: String) {
        let mut shown = self.codes.lock();
        let Some(code) = shown.by_place.get_mut(&self.place) else { return };
        let Some(call) = code.call(self.number).filter(|call| call.step == Step::Answered) else {
            return;
        };
        call.step = Step::Confirmed;
        code.outbox.say(&ServerMessage::CallConfirmed { call: self.number, message });
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        let mut shown = self.codes.lock();
        let Some(code) = shown.by_place.get_mut(&self.place) else { return };
        if code.call(self.number).is_some() {
            self.codes.hang_up(code);
        }
    }
}

/// Any place. Which it is nobody has to be unable to guess, so a system without random numbers is no obstacle.
fn drawn_place() -> u16 {
    let mut bytes = [0; 4];
    let _ = getrandom::fill(&mut bytes);
    (u32::from_be_bytes(bytes) % u32::from(CODE_PLACES)) as u16
}

#[cfg(test)]
mod tests;
