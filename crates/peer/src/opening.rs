//! Links on their way: a channel opens, and both ends show that they were invited (see
//! [`Invitation::prove_link`](protocol::signal::Invitation::prove_link)). Before that nothing of the other end is heard.

use base::{Identity, PeerId};
use platform::Timer;
use protocol::signal::LinkEnd;
use session::{Input, Meeting};
use transport::Link as _;

use crate::{
    driver::{Driver, with},
    world::World,
};

/// A link whose other end has not shown yet that it was invited.
#[derive(Debug)]
pub(crate) struct Opening {
    is_open: bool,
    /// Ours and the other, as soon as they have seen each other's certificates.
    ends: Option<[LinkEnd; 2]>,
    /// How long all that may take.
    _time: Timer,
}

impl<W: World> Driver<W> {
    pub(crate) fn opening(&self, peer: PeerId) -> Opening {
        let this = self.this.clone();
        let give_up = move || with(&this, |driver| driver.drop_link(peer));
        Opening { is_open: false, ends: None, _time: Timer::after(OPEN_TIMEOUT_SECS, give_up) }
    }

    /// Whether what a link brings can be looked at: a proof can not before its certificates are known.
    pub(crate) fn may_listen(&self, peer: PeerId) -> bool {
        self.opening.get(&peer).is_none_or(|opening| !opening.is_open || opening.ends.is_some())
    }

    pub(crate) fn on_channel_open(&mut self, peer: PeerId) {
        if let Some(opening) = self.opening.get_mut(&peer) {
            opening.is_open = true;
            self.prove(peer);
        }
    }

    /// The connection is encrypted between these certificates.
    pub(crate) fn on_secured(&mut self, peer: PeerId, own: [u8; 32], theirs: [u8; 32]) {
        let own = LinkEnd { peer: self.me, certificate: own };
        let Some(opening) = self.opening.get_mut(&peer).filter(|it| it.ends.is_none()) else {
            return;
        };
        opening.ends = Some([own, LinkEnd { peer, certificate: theirs }]);
        self.prove(peer);
        self.poll_link(peer);
    }

    /// Once there is a channel and certificates.
    fn prove(&mut self, peer: PeerId) {
        let Some(Opening { is_open: true, ends: Some([own, other]), .. }) = self.opening.get(&peer)
        else {
            return;
        };
        let proof = self.invitation.prove_link(own, other);
        // A closed link tells so by itself.
        let _ = self.links.get_mut(&peer).map(|link| link.send(proof));
    }

    /// Certificates are what phones are known by.
    fn meeting(&self, own: &LinkEnd, other: &LinkEnd) -> Meeting {
        let [own, other] = [own, other].map(|end| Identity(end.certificate));
        Meeting { own, other, pictures: self.invitation.pictures(own, other) }
    }

    /// The first that the other end says.
    pub(crate) fn on_proof(&mut self, peer: PeerId, proof: &[u8]) {
        let ends = self.opening.get(&peer).and_then(|opening| opening.ends);
        let Some([own, other]) = ends else { return };
        match self.invitation.check_link(&other, &own, proof) {
            Ok(()) => {
                self.opening.remove(&peer);
                self.link_opened(peer);
                let meeting = self.meeting(&own, &other);
                self.input(Input::LinkUp { peer, meeting });
            }
            Err(wrong) => {
                self.remark(wrong.to_string());
                self.give_link_up(peer);
                self.drop_link(peer);
            }
        }
    }
}

/// How long two phones may take to find a way to each other.
const OPEN_TIMEOUT_SECS: f64 = 30.0;
