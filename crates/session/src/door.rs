//! The coordinator's door: who may come in at once, who waits for a person, and who is turned away. It decides;
//! `admission` says so to the phones.

use std::collections::BTreeSet;

use base::{Identity, PeerId};
use protocol::peer::{MAX_ADMITTED, Refusal};

use crate::{DoorConfig, Meeting};

/// Phones that wait for a person at once.
pub const MAX_ASKERS: usize = 4;
/// Phones that are let in without asking, wherever they were let in before.
pub const MAX_TRUSTED: usize = 256;

/// Who may come in.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) admits_all: bool,
    pub(crate) is_locked: bool,
    trusted: BTreeSet<Identity>,
    /// Those that were let in, the latest last.
    admitted: Vec<Identity>,
    /// In the order in which they came.
    askers: Vec<Asker>,
}

#[derive(Debug)]
struct Asker {
    peer: PeerId,
    identity: Identity,
    until_secs: f64,
    /// Its ticket is good, so that a person is asked.
    is_shown: bool,
}

/// What becomes of a phone that asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Knock {
    In,
    /// Its ticket is to be checked, and then a person is asked, or nobody where everybody comes in.
    Check,
    Out(Refusal),
}

/// What becomes of one whose ticket was looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Checked {
    In,
    /// A person is asked.
    Shown,
    Expired,
}

impl Door {
    pub(crate) fn new(config: &DoorConfig) -> Self {
        let latest = config.admitted.len().saturating_sub(MAX_ADMITTED);
        Self {
            admits_all: config.admits_all,
            is_locked: config.is_locked,
            trusted: config.trusted.iter().copied().take(MAX_TRUSTED).collect(),
            admitted: config.admitted[latest..].to_vec(),
            askers: Vec::new(),
        }
    }

    /// A phone asks. Whoever has our own key is this device.
    pub(crate) fn knock(&mut self, peer: PeerId, meeting: &Meeting, until_secs: f64) -> Knock {
        let identity = meeting.other;
        if identity == meeting.own || self.knows(identity) {
            return Knock::In;
        }
        if self.is_locked {
            return Knock::Out(Refusal::Locked);
        }
        // Nobody's patience is tried where no person is asked.
        if !self.admits_all && self.askers.len() >= MAX_ASKERS {
            return Knock::Out(Refusal::Crowded);
        }
        self.askers.push(Asker { peer, identity, until_secs, is_shown: false });
        Knock::Check
    }

    /// Its ticket was looked at. Nothing where nobody asks.
    pub(crate) fn ticket_checked(&mut self, peer: PeerId, is_good: bool) -> Option<Checked> {
        let asker = self.askers.iter_mut().find(|asker| asker.peer == peer && !asker.is_shown)?;
        if !is_good {
            return Some(Checked::Expired);
        }
        if self.admits_all {
            return Some(Checked::In);
        }
        asker.is_shown = true;
        Some(Checked::Shown)
    }

    pub(crate) fn is_asking(&self, peer: PeerId) -> bool {
        self.askers.iter().any(|asker| asker.peer == peer)
    }

    /// Whom a person is asked about.
    pub(crate) fn shown(&self) -> impl Iterator<Item = PeerId> {
        self.askers.iter().filter(|asker| asker.is_shown).map(|asker| asker.peer)
    }

    /// Whether a phone comes in without asking.
    pub(crate) fn knows(&self, identity: Identity) -> bool {
        self.trusted.contains(&identity) || self.admitted.contains(&identity)
    }

    /// Whether it is remembered, and not only let into this room.
    pub(crate) fn trusts(&self, identity: Identity) -> bool {
        self.trusted.contains(&identity)
    }

    pub(crate) fn admitted(&self) -> &[Identity] {
        &self.admitted
    }

    /// Somebody comes in. Gives whether that is new. Of those that were let in the first that is not here is forgotten
    /// where there are too many.
    pub(crate) fn admit(&mut self, identity: Identity, is_here: impl Fn(Identity) -> bool) -> bool {
        let known = self.admitted.iter().position(|&known| known == identity);
        if let Some(known) = known {
            self.admitted.remove(known);
        } else if self.admitted.len() >= MAX_ADMITTED {
            let gone = self.admitted.iter().position(|&known| !is_here(known)).unwrap_or(0);
            self.admitted.remove(gone);
        }
        self.admitted.push(identity);
        known.is_none()
    }

    /// It does not ask any more.
    pub(crate) fn forget(&mut self, peer: PeerId) {
        self.askers.retain(|asker| asker.peer != peer);
    }

    /// From now on it has to ask.
    pub(crate) fn remove(&mut self, identity: Identity) {
        self.admitted.retain(|&known| known != identity);
        self.trusted.remove(&identity);
    }

    /// Gives who need not wait any more.
    pub(crate) fn trust(&mut self, trusted: BTreeSet<Identity>) -> Vec<PeerId> {
        self.trusted = trusted.into_iter().take(MAX_TRUSTED).collect();
        let known = self.askers.iter().filter(|asker| self.knows(asker.identity));
        known.map(|asker| asker.peer).collect()
    }

    /// Gives who waits in vain.
    pub(crate) fn lock(&mut self, is_locked: bool) -> Vec<PeerId> {
        self.is_locked = is_locked;
        let askers = self.askers.iter().filter(|_| is_locked);
        askers.map(|asker| asker.peer).collect()
    }

    /// Who has waited for too long.
    pub(crate) fn late(&self, now_secs: f64) -> Vec<PeerId> {
        let late = self.askers.iter().filter(|asker| now_secs >= asker.until_secs);
        late.map(|asker| asker.peer).collect()
    }

    pub(crate) fn deadline(&self) -> Option<f64> {
        self.askers.iter().map(|asker| asker.until_secs).reduce(f64::min)
    }
}

#[cfg(test)]
mod tests {
    use protocol::signal::Pictures;

    use super::*;

    fn identity(number: u8) -> Identity {
        Identity([number; 32])
    }

    fn knock(door: &mut Door, number: u8) -> Knock {
        let pictures = Pictures::from_bits([0; 3]);
        let meeting = Meeting { own: identity(0), other: identity(number), pictures };
        door.knock(PeerId(number.into()), &meeting, 9.0)
    }

    fn door(config: DoorConfig) -> Door {
        Door::new(&config)
    }

    #[test]
    fn a_person_is_asked_about_whoever_is_not_known() {
        for is_locked in [false, true] {
            let (trusted, admitted) = (BTreeSet::from([identity(1)]), vec![identity(2)]);
            let config = DoorConfig { is_locked, trusted, admitted, ..DoorConfig::default() };
            let mut door = door(config);
            (0..3).for_each(|known| assert_eq!(knock(&mut door, known), Knock::In, "{known}"));
            let refused = if is_locked { Knock::Out(Refusal::Locked) } else { Knock::Check };
            assert_eq!(knock(&mut door, 3), refused);
        }
    }

    #[test]
    fn an_open_door_can_be_locked() {
        let mut door = door(DoorConfig { admits_all: true, ..DoorConfig::default() });
        for number in 1..=MAX_ASKERS as u8 + 1 {
            assert_eq!(knock(&mut door, number), Knock::Check);
        }
        assert_eq!(door.ticket_checked(PeerId(1), true), Some(Checked::In));
        assert_eq!(door.ticket_checked(PeerId(2), false), Some(Checked::Expired));
        door.forget(PeerId(2));
        door.lock(true);
        assert_eq!(knock(&mut door, 2), Knock::Out(Refusal::Locked));
    }

    #[test]
    fn askers_are_few_and_are_shown_once_their_tickets_are_good() {
        let mut door = door(DoorConfig::default());
        (1..=MAX_ASKERS as u8)
            .for_each(|number| assert_eq!(knock(&mut door, number), Knock::Check));
        assert_eq!(knock(&mut door, 9), Knock::Out(Refusal::Crowded));
        assert_eq!(door.shown().count(), 0);
        assert_eq!(door.ticket_checked(PeerId(2), true), Some(Checked::Shown));
        assert_eq!(door.ticket_checked(PeerId(2), false), None, "it was looked at before");
        assert_eq!(door.ticket_checked(PeerId(3), false), Some(Checked::Expired));
        assert_eq!(door.shown().collect::<Vec<_>>(), [PeerId(2)]);
        door.forget(PeerId(1));
        assert_eq!(knock(&mut door, 9), Knock::Check);
        assert!(door.late(8.9).is_empty());
        assert_eq!(door.late(9.0).len(), MAX_ASKERS);
    }

    #[test]
    fn of_those_that_were_let_in_the_first_that_is_gone_is_forgotten() {
        let mut door = door(DoorConfig::default());
        let is_here = |known: Identity| known == identity(0);
        assert!((0..MAX_ADMITTED as u8).all(|number| door.admit(identity(number), is_here)));
        assert!(!door.admit(identity(2), is_here), "it was in before");
        assert!(door.admit(identity(200), is_here));
        assert_eq!(door.admitted().len(), MAX_ADMITTED);
        assert!(door.knows(identity(0)) && !door.knows(identity(1)) && door.knows(identity(2)));
        door.remove(identity(2));
        assert!(!door.knows(identity(2)));
    }

    #[test]
    fn what_a_page_gives_is_bounded() {
        let all = |count: u16| {
            (0..count).map(|number| {
                let mut bytes = [0; 32];
                bytes[..2].copy_from_slice(&number.to_be_bytes());
                Identity(bytes)
            })
        };
        let config = DoorConfig {
            trusted: all(999).collect(),
            admitted: all(999).collect(),
            ..DoorConfig::default()
        };
        let mut door = door(config);
        assert_eq!((door.trusted.len(), door.admitted.len()), (MAX_TRUSTED, MAX_ADMITTED));
        door.trust(all(999).collect());
        assert_eq!(door.trusted.len(), MAX_TRUSTED);
    }
}
