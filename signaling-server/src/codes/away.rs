//! Codes that are shown at one server and typed at another. The server where it is typed counts the tries of whoever types
//! it; the other knows the two numbers of the call, and what is said goes between these two servers alone.

use std::net::IpAddr;

use protocol::{
    cluster::{CallerSays, News, ServerId, ShowerSays},
    signal::ServerMessage,
};

use super::{Caller, Codes, Shown, Step, message_of};
use crate::outbox::Outbox;

/// A call of somebody at another server, by the number that it has there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    server: ServerId,
    call: u32,
}

/// A call of somebody here to a code at another server.
pub(super) struct Away {
    server: ServerId,
    place: u16,
    outbox: Outbox,
    address: IpAddr,
    step: Step,
}

impl Codes {
    /// Takes what another server says about codes. What is about something else comes back.
    pub(crate) fn hear(&self, from: ServerId, news: News) -> Option<News> {
        match news {
            News::Caller { .. } | News::Shower { .. } if !self.knows(from) => {}
            News::Caller { place, call, says } => {
                self.caller_says(place, Line { server: from, call }, says);
            }
            News::Shower { call, says } => self.shower_says(from, call, says),
            other => return Some(other),
        }
        None
    }

    /// Somebody there types a code that is shown here.
    fn caller_says(&self, place: u16, line: Line, says: CallerSays) {
        let mut shown = self.lock();
        self.forget_old(&mut shown);
        let number = shown.next_number();
        let code = shown.by_place.get_mut(&place);
        match (says, code) {
            (CallerSays::Calls(message), Some(code)) if code.is_current() => match code.call {
                Some(_) => self.say_away(line, ShowerSays::IsBusy),
                None => code.ring(number, Caller::There(line), message),
            },
            (CallerSays::Calls(_), _) => self.say_away(line, ShowerSays::IsGone),
            (CallerSays::Confirms(message), Some(code)) if code.is_called_from(line) => {
                code.confirm(message);
            }
            (CallerSays::Leaves, Some(code)) if code.is_called_from(line) => self.hang_up(code),
            // It came too late.
            (CallerSays::Confirms(_) | CallerSays::Leaves, _) => {}
        }
    }

    /// The phone there says something to somebody who types its code here, in its turn.
    fn shower_says(&self, from: ServerId, number: u32, says: ShowerSays) {
        let mut shown = self.lock();
        let away = shown.away.get_mut(&number).filter(|away| away.server == from);
        let Some(away) = away else { return };
        match &says {
            ShowerSays::Answers(_) if away.step == Step::Called => away.step = Step::Answered,
            ShowerSays::Answers(_) => return,
            ShowerSays::Ends(message) => {
                if message.is_some() && away.step != Step::Confirmed {
                    return;
                }
                self.count_ended(message.as_deref(), away.step, away.address);
            }
            // Later it is withdrawn, which is nobody's failure.
            ShowerSays::IsGone if away.step == Step::Called => self.tries.failed(away.address),
            ShowerSays::IsGone | ShowerSays::IsBusy => {}
        }
        let outbox = away.outbox.clone();
        if !matches!(says, ShowerSays::Answers(_)) {
            shown.away.remove(&number);
        }
        let message = message_of(says);
        if let ServerMessage::Refused { code, .. } = &message {
            self.metrics.refusals.count(code.name());
        }
        outbox.say(&message);
    }

    /// Ends the calls to and from servers that are gone; nobody has failed.
    pub(crate) fn forget_lost(&self) {
        let mut shown = self.lock();
        for code in shown.by_place.values_mut() {
            let caller = code.call.as_ref().map(|call| &call.caller);
            if matches!(caller, Some(Caller::There(line)) if !self.knows(line.server)) {
                self.hang_up(code);
            }
        }
        shown.away.retain(|_, away| {
            let is_there = self.knows(away.server);
            if !is_there {
                away.outbox.say(&message_of(ShowerSays::IsGone));
            }
            is_there
        });
    }

    /// Somebody here calls a code at another server. Whether there is one that hears it.
    pub(super) fn call_away(
        &self,
        shown: &mut Shown,
        (place, number): (u16, u32),
        message: String,
        (outbox, address): (&Outbox, IpAddr),
    ) -> bool {
        let Some(server) = self.server_of(place) else { return false };
        let outbox = outbox.clone();
        shown.away.insert(number, Away { server, place, outbox, address, step: Step::Called });
        let is_heard = self.tell_away(shown, number, CallerSays::Calls(message));
        if !is_heard {
            shown.away.remove(&number);
        }
        is_heard
    }

    pub(super) fn confirm_away(&self, shown: &mut Shown, number: u32, message: String) {
        let Some(away) = shown.away.get_mut(&number) else { return };
        if away.step == Step::Answered {
            away.step = Step::Confirmed;
            self.tell_away(shown, number, CallerSays::Confirms(message));
        }
    }

    /// Whether this was a call to another server.
    pub(super) fn leave_away(&self, shown: &mut Shown, number: u32) -> bool {
        self.tell_away(shown, number, CallerSays::Leaves);
        let Some(left) = shown.away.remove(&number) else { return false };
        self.count_broken_off(left.step, left.address);
        true
    }

    /// Whether it is on its way.
    fn tell_away(&self, shown: &Shown, number: u32, says: CallerSays) -> bool {
        let (Some(away), Some(cluster)) = (shown.away.get(&number), &self.cluster) else {
            return false;
        };
        cluster.tell(away.server, News::Caller { place: away.place, call: number, says })
    }

    pub(super) fn say_away(&self, Line { server, call }: Line, says: ShowerSays) {
        if let Some(cluster) = &self.cluster {
            cluster.tell(server, News::Shower { call, says });
        }
    }

    fn knows(&self, server: ServerId) -> bool {
        self.cluster.as_ref().is_some_and(|cluster| cluster.knows(server))
    }

    /// The other server where the code at a place is shown.
    pub(super) fn server_of(&self, place: u16) -> Option<ServerId> {
        self.cluster.as_ref().and_then(|cluster| cluster.place_of_code(place))
    }

    /// The other servers hear that a code is shown here, or is not any more.
    pub(super) fn tell_others(&self, place: u16, is_shown: bool) {
        if let Some(cluster) = &self.cluster {
            cluster.code_changed(place, is_shown);
        }
    }
}

impl super::Code {
    fn is_called_from(&self, line: Line) -> bool {
        let caller = self.call.as_ref().map(|call| &call.caller);
        matches!(caller, Some(Caller::There(from)) if *from == line)
    }
}
