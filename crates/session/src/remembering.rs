//! Phones that are remembered hear how they find the rooms to come.

use base::PeerId;
use protocol::peer::{Admission, RoomSecret};

use crate::{Event, Room, frames::Verdict};

impl Room {
    /// Coordinator: another secret.
    pub(crate) fn tell_next_secret(&mut self, secret: RoomSecret) {
        self.config.door.next_secret = Some(secret);
        self.trusted_here().into_iter().for_each(|peer| self.tell_remembered(peer));
    }

    /// Coordinator: to a phone that is in, if it is remembered and there are rooms to come.
    pub(crate) fn tell_remembered(&mut self, peer: PeerId) {
        let is_trusted = self.trusted_here().contains(&peer);
        if let Some(secret) = self.config.door.next_secret.filter(|_| is_trusted) {
            self.transmit(peer, Admission::Remembered(secret));
        }
    }

    pub(crate) fn trusted_here(&self) -> Vec<PeerId> {
        let mut here = self.open_peers();
        here.retain(|peer| self.door.trusts(self.members[peer].meeting.other));
        here
    }

    /// From the coordinator that let us in.
    pub(crate) fn take_remembered(&mut self, peer: PeerId, secret: RoomSecret) -> Verdict {
        let member = self.members.get(&peer).filter(|_| self.coordinator == Some(peer));
        let member = member.ok_or("it has not let us in")?;
        let hello = member.hello.as_ref().ok_or("it has not introduced itself")?;
        let (name, device) = (hello.name.clone(), hello.device.clone());
        let identity = member.meeting.other;
        self.tell(Event::Remembered { identity, name, device, secret });
        Ok(())
    }
}
