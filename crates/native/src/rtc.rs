//! The peer connections: what `web/src/engine/rtc.ts` is to a page. It decides nothing: the driver sends commands, they
//! are carried out here, and what comes of them is reported.

mod restart;
mod seat;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc, time::Duration};

use base::PeerId;
use peer::messages::{RtcCommand, RtcEvent};
use protocol::signal::{IceServer, PEERS_MAX};
use tokio::{
    sync::mpsc::{Sender, channel},
    task::{JoinHandle, spawn_local},
    time::timeout,
};
use webrtc::{data_channel::DataChannel, peer_connection::RTCIceServer};

use crate::identity::Identity;

use restart::Restart;
use seat::{Beginning, Seat, Step};

/// Commands for one peer that wait; more than a description and a phone's candidates.
const QUEUED_STEPS: usize = 128;
/// How long the connections may take to be closed at the end.
const CLOSE: Duration = Duration::from_secs(4);
/// Connections to one peer at once, with those that are ending.
const MOST_OF_PEER: usize = 4;
/// To all.
const MOST_CONNECTIONS: usize = 2 * MOST_OF_PEER * PEERS_MAX;

/// What happened to a connection.
pub enum Happened {
    /// There is a channel, which may not be open yet.
    Channel(PeerId, Arc<dyn DataChannel>),
    /// Something else.
    Event(RtcEvent),
}

/// Where a connection is told what to do. What is dropped ends its connection, which is not heard any more.
struct Place {
    steps: Sender<Step>,
    _current: Rc<()>,
}

/// Owns the peer connections. Commands for one peer run one after the other, except `close`, which waits for nothing.
pub struct Connections {
    identity: Identity,
    tell: Rc<dyn Fn(Happened)>,
    /// Those of now; their credentials end, and others come.
    ice_servers: Rc<RefCell<Vec<RTCIceServer>>>,
    seats: RefCell<BTreeMap<PeerId, Place>>,
    /// Those that go on until their channels have been closed, each with its peer.
    tasks: RefCell<Vec<(PeerId, JoinHandle<()>)>>,
}

impl Connections {
    /// No connections yet; all will show this certificate.
    pub fn new(identity: Identity, tell: impl Fn(Happened) + 'static) -> Self {
        Self {
            identity,
            tell: Rc::new(tell),
            ice_servers: Rc::default(),
            seats: RefCell::default(),
            tasks: RefCell::default(),
        }
    }

    /// Takes a command, and carries it out later.
    pub fn handle(&self, command: &RtcCommand) {
        match command.clone() {
            RtcCommand::Config { ice_servers } => {
                *self.ice_servers.borrow_mut() = ice_servers.into_iter().map(server).collect();
            }
            RtcCommand::Offer { peer } => self.begin(peer, Beginning::Offer),
            RtcCommand::Answer { peer, sdp } => self.begin(peer, Beginning::Answer(sdp)),
            RtcCommand::Accept { peer, sdp } => self.step(peer, Step::Accept(sdp)),
            RtcCommand::Candidate { peer, candidate, mid, line } => {
                self.step(peer, Step::Candidate { candidate, mid, line });
            }
            RtcCommand::Restart { peer, number } => {
                self.step(peer, Step::Restart(number, Restart::Offer));
            }
            RtcCommand::AnswerRestart { peer, number, sdp } => {
                self.step(peer, Step::Restart(number, Restart::Answer(sdp)));
            }
            RtcCommand::AcceptRestart { peer, number, sdp } => {
                self.step(peer, Step::Restart(number, Restart::Accept(sdp)));
            }
            RtcCommand::Close { peer } => drop(self.seats.borrow_mut().remove(&peer)),
        }
    }

    /// Ends all connections, once what was sent over them has left or had its time.
    pub async fn close_all(&self) {
        self.seats.borrow_mut().clear();
        let tasks = self.tasks.take().into_iter().map(|(_, task)| task);
        let _ = timeout(CLOSE, futures_util::future::join_all(tasks)).await;
    }

    /// A fresh connection; one that was there for the same peer ends. Whoever begins too many gets none.
    fn begin(&self, peer: PeerId, beginning: Beginning) {
        let mut tasks = self.tasks.borrow_mut();
        tasks.retain(|(_, task)| !task.is_finished());
        let of_peer = tasks.iter().filter(|(other, _)| *other == peer).count();
        if of_peer >= MOST_OF_PEER || tasks.len() >= MOST_CONNECTIONS {
            return;
        }
        let ((sender, steps), current) = (channel(QUEUED_STEPS), Rc::new(()));
        let seat = Seat {
            peer,
            identity: self.identity.clone(),
            ice_servers: self.ice_servers.clone(),
            tell: self.tell.clone(),
            current: Rc::downgrade(&current),
        };
        self.seats.borrow_mut().insert(peer, Place { steps: sender, _current: current });
        tasks.push((peer, spawn_local(seat.run(beginning, steps))));
    }

    /// Where too many wait, the connection does not come about, and is begun anew by whoever misses it.
    fn step(&self, peer: PeerId, step: Step) {
        if let Some(place) = self.seats.borrow().get(&peer) {
            let _ = place.steps.try_send(step);
        }
    }
}

fn server(server: IceServer) -> RTCIceServer {
    RTCIceServer {
        urls: server.urls,
        username: server.username.unwrap_or_default(),
        credential: server.credential.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::LocalSet;

    use super::*;

    #[test]
    fn connections_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let identity = Identity::load_or_make(folder.path()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        // None of them runs: nothing here waits.
        LocalSet::new().block_on(&runtime, async {
            let connections = Connections::new(identity, |_| {});
            let begun = || connections.tasks.borrow().len();
            for _ in 0..2 * MOST_OF_PEER {
                connections.handle(&RtcCommand::Offer { peer: PeerId(0) });
            }
            assert_eq!(begun(), MOST_OF_PEER);
            for peer in 1..=MOST_CONNECTIONS as u32 {
                connections.handle(&RtcCommand::Offer { peer: PeerId(peer) });
            }
            assert_eq!(begun(), MOST_CONNECTIONS);
        });
    }
}
