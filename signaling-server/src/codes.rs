//! Short codes: which phone shows one, and who calls it. What the two say is theirs; the server passes on a message of
//! each kind, between exactly these two. Where servers share rooms, each of the two may be at another one ([`away`]).

mod away;
mod tries;

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use protocol::{
    cluster::ShowerSays,
    signal::{CODE_PLACES, RefusalCode, ServerMessage},
};

use crate::{
    Limits,
    cluster::Cluster,
    limits::counted_as,
    metrics::Metrics,
    outbox::Outbox,
    rooms::{Refusal, refusal},
};
use away::Away;
use tries::Tries;

/// All codes that are shown.
pub(crate) struct Codes {
    shown: Mutex<Shown>,
    tries: Tries,
    limits: Limits,
    metrics: Arc<Metrics>,
    cluster: Option<Arc<Cluster>>,
}

#[derive(Default)]
struct Shown {
    by_place: BTreeMap<u16, Code>,
    /// Calls from here to codes at other servers, by their numbers.
    away: BTreeMap<u32, Away>,
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
    caller: Caller,
    began: Instant,
    step: Step,
}

/// Whoever types a code.
#[derive(Clone)]
enum Caller {
    Here {
        outbox: Outbox,
        address: IpAddr,
    },
    /// At another server, which counts its tries.
    There(away::Line),
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
    pub(crate) fn new(
        limits: &Limits,
        metrics: Arc<Metrics>,
        cluster: Option<Arc<Cluster>>,
    ) -> Self {
        let (shown, tries) = (Mutex::default(), Tries::new(limits));
        Self { shown, tries, limits: limits.clone(), metrics, cluster }
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
        let is_full =
            shown.by_place.len() >= self.limits.codes || here >= self.limits.codes_per_address;
        let place = if is_full { None } else { self.free_place(&shown, drawn_place()) };
        let Some(place) = place else {
            let message = "the server has no place for another code: let the QR code be scanned";
            return Err(refusal(RefusalCode::CodesFull, message));
        };
        let number = shown.next_number();
        let ends = Instant::now() + self.limits.code_life;
        let code = Code { number, outbox: outbox.clone(), address, ends, call: None };
        shown.by_place.insert(place, code);
        self.tell_others(place, true);
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
        let calling = || Calling { codes: self.clone(), place, number };
        let caller = Caller::Here { outbox: outbox.clone(), address };
        let Some(code) = shown.current(place) else {
            if self.call_away(&mut shown, (place, number), message, (outbox, address)) {
                return Ok(calling());
            }
            drop(shown);
            self.tries.failed(address);
            return Err(code_gone());
        };
        if code.call.is_some() {
            return Err(code_busy());
        }
        code.ring(number, caller, message);
        Ok(calling())
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
        let is_over = |code: &Code| !code.is_current() && code.call.is_none();
        let over = shown.by_place.iter().filter(|(_, code)| is_over(code));
        for place in over.map(|(place, _)| *place).collect::<Vec<_>>() {
            shown.by_place.remove(&place);
            self.tell_others(place, false);
        }
    }

    /// Ends a call before the phone that is called has said its last word.
    fn hang_up(&self, code: &mut Code) {
        let Some(left) = code.call.take() else { return };
        code.outbox.say(&ServerMessage::CallLeft { call: left.number });
        if let Caller::Here { address, .. } = left.caller {
            self.count_broken_off(left.step, address);
        }
    }

    fn count_broken_off(&self, step: Step, address: IpAddr) {
        self.metrics.redeems.count("broken_off");
        // It may have heard enough to know that it was wrong, or not have cared to hear.
        if step == Step::Confirmed {
            self.tries.failed(address);
        }
    }

    /// A call of somebody here has come to its last word.
    fn count_ended(&self, message: Option<&str>, step: Step, address: IpAddr) {
        let outcome = match (message, step) {
            (Some(_), _) => "right",
            (None, Step::Confirmed) => "wrong",
            (None, _) => "broken_off",
        };
        self.metrics.redeems.count(outcome);
        if outcome == "wrong" {
            self.tries.failed(address);
        }
    }

    /// What the phone that shows a code says to whoever types it.
    fn reply(&self, caller: &Caller, says: ShowerSays) {
        match caller {
            Caller::Here { outbox, .. } => outbox.say(&message_of(says)),
            Caller::There(line) => self.say_away(*line, says),
        }
    }

    /// The first one that is free from `drawn` on, here and at other servers.
    fn free_place(&self, shown: &Shown, drawn: u16) -> Option<u16> {
        let from_there = (drawn..CODE_PLACES).chain(0..drawn);
        let mut free = from_there.filter(|place| !shown.by_place.contains_key(place));
        free.find(|place| self.server_of(*place).is_none())
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shown {
    fn current(&mut self, place: u16) -> Option<&mut Code> {
        self.by_place.get_mut(&place).filter(|code| code.is_current())
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

    /// Its phone hears that somebody types it.
    fn ring(&mut self, number: u32, caller: Caller, message: String) {
        self.call = Some(Call { number, caller, began: Instant::now(), step: Step::Called });
        self.outbox.say(&ServerMessage::Called { call: number, message });
    }

    /// Its phone hears what whoever types it shows, once and after the answer.
    fn confirm(&mut self, message: String) {
        let Some(call) = self.call.as_mut().filter(|call| call.step == Step::Answered) else {
            return;
        };
        call.step = Step::Confirmed;
        self.outbox.say(&ServerMessage::CallConfirmed { call: call.number, message });
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
            self.codes.reply(&call.caller, ShowerSays::Answers(message));
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
        if let Caller::Here { address, .. } = ended.caller {
            self.codes.count_ended(message.as_deref(), ended.step, address);
        }
        self.codes.reply(&ended.caller, ShowerSays::Ends(message));
    }
}

impl Drop for ShownCode {
    fn drop(&mut self) {
        let mut shown = self.codes.lock();
        let Some(code) = shown.code(self.place, self.number) else { return };
        if let Some(call) = code.call.take() {
            self.codes.reply(&call.caller, ShowerSays::IsGone);
        }
        shown.by_place.remove(&self.place);
        self.codes.tell_others(self.place, false);
    }
}

impl Calling {
    /// Passes on what whoever calls shows, once and after the answer.
    pub(crate) fn confirm(&self, message: String) {
        let mut shown = self.codes.lock();
        if shown.away.contains_key(&self.number) {
            return self.codes.confirm_away(&mut shown, self.number, message);
        }
        let Some(code) = shown.by_place.get_mut(&self.place) else { return };
        if code.call(self.number).is_some() {
            code.confirm(message);
        }
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        let mut shown = self.codes.lock();
        if self.codes.leave_away(&mut shown, self.number) {
            return;
        }
        let Some(code) = shown.by_place.get_mut(&self.place) else { return };
        if code.call(self.number).is_some() {
            self.codes.hang_up(code);
        }
    }
}

/// As whoever types a code here hears it.
fn message_of(says: ShowerSays) -> ServerMessage {
    let refused = |Refusal { code, message }| ServerMessage::Refused { code, message };
    match says {
        ShowerSays::Answers(message) => ServerMessage::CallAnswered { message },
        ShowerSays::Ends(message) => ServerMessage::CallEnded { message },
        ShowerSays::IsGone => refused(code_gone()),
        ShowerSays::IsBusy => refused(code_busy()),
    }
}

fn code_gone() -> Refusal {
    refusal(RefusalCode::CodeGone, "no phone shows this code (any more): ask for a new one")
}

fn code_busy() -> Refusal {
    let message = "somebody else is typing this code: try again in some seconds";
    refusal(RefusalCode::CodeBusy, message)
}

/// Any place. Which it is nobody has to be unable to guess, so a system without random numbers is no obstacle.
fn drawn_place() -> u16 {
    let mut bytes = [0; 4];
    let _ = getrandom::fill(&mut bytes);
    (u32::from_be_bytes(bytes) % u32::from(CODE_PLACES)) as u16
}

#[cfg(test)]
mod tests;
