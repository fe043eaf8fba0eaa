//! The sockets that stay: rooms of phones that wait, and rooms of phones that talk.

use std::{sync::Arc, time::Duration};

use base::PeerId;
use protocol::signal::{Invitation, ServerMessage};
use tokio::{
    select,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval_at, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Error,
    bodies::candidate,
    network::Network,
    phone::{PATIENCE, Phone, unexpected},
    tally::Failures,
};

/// Phones in rooms of [`ROOM`].
pub(crate) struct Crowd {
    phones: JoinSet<Result<u32, Error>>,
    leaving: CancellationToken,
}

/// What came of the crowd.
#[derive(Default)]
pub(crate) struct Stayed {
    /// Messages that the active phones heard of each other.
    pub(crate) relayed: u64,
    /// Sockets that did not stay, or heard what they should not.
    pub(crate) failures: Failures,
}

impl Crowd {
    /// Opens so many sockets, some rooms at once.
    pub(crate) async fn enter(
        network: &Arc<Network>,
        idle: u32,
        active: u32,
    ) -> Result<Self, Error> {
        let mut crowd = Self { phones: JoinSet::new(), leaving: CancellationToken::new() };
        let mut entering = JoinSet::new();
        let rooms =
            rooms(idle).map(|size| (size, false)).chain(rooms(active).map(|size| (size, true)));
        for (size, is_active) in rooms {
            if entering.len() == ENTERING_MAX {
                crowd.stay(entering.join_next().await.expect("some enter")??);
            }
            let network = network.clone();
            entering.spawn(async move {
                let entered = timeout(PATIENCE, enter_room(&network, size)).await;
                let phones = entered.map_err(|_| Error::Late("a place for the crowd"))??;
                Ok::<_, Error>((phones, is_active))
            });
        }
        while let Some(entered) = entering.join_next().await {
            crowd.stay(entered??);
        }
        Ok(crowd)
    }

    fn stay(&mut self, (room, is_active): (Vec<Phone>, bool)) {
        let size = room.len() as u32;
        for (number, phone) in (0..).zip(room) {
            let leaving = self.leaving.clone();
            match is_active {
                false => self.phones.spawn(wait(phone, leaving)),
                true => {
                    // All begin at different times of a second.
                    let begin = PERIOD * (self.phones.len() as u32 % 1000) / 1000;
                    self.phones.spawn(talk(phone, Place { number, size }, begin, leaving))
                }
            };
        }
    }

    /// Lets all leave.
    pub(crate) async fn leave(mut self) -> Stayed {
        self.leaving.cancel();
        let mut stayed = Stayed::default();
        while let Some(ended) = self.phones.join_next().await {
            match ended.map_err(Error::Task).flatten() {
                Ok(relayed) => stayed.relayed += u64::from(relayed),
                Err(error) => stayed.failures.add(&error),
            }
        }
        stayed
    }
}

/// The sizes of rooms with so many phones together.
fn rooms(phones: u32) -> impl Iterator<Item = u32> {
    (0..phones).step_by(ROOM as usize).map(move |before| ROOM.min(phones - before))
}

async fn enter_room(network: &Network, size: u32) -> Result<Vec<Phone>, Error> {
    let invitation = Invitation::random()?;
    let (mut peers, mut phones) = (Vec::new(), Vec::new());
    for number in 0..size {
        let peer = PeerId(number);
        let entered = Phone::enter(network, &invitation, peer, &peers).await?;
        for phone in &mut phones {
            Phone::expect(phone, &ServerMessage::PeerEntered { peer }).await?;
        }
        peers.push(peer);
        phones.push(entered);
    }
    Ok(phones)
}

/// Hears pings and nothing else.
async fn wait(mut phone: Phone, leaving: CancellationToken) -> Result<u32, Error> {
    select! {
        // First, since others of the room may have left.
        biased;
        () = leaving.cancelled() => Ok(0),
        heard = phone.hear() => Err(unexpected("silence", &heard?)),
    }
}

/// A phone's number in its room, and how many there are.
struct Place {
    number: u32,
    size: u32,
}

/// Says something to the next phone of the room once a second, and hears all that the one before it says. How much
/// that was.
async fn talk(
    mut phone: Phone,
    Place { number, size }: Place,
    begin: Duration,
    leaving: CancellationToken,
) -> Result<u32, Error> {
    let (next, last) = (PeerId((number + 1) % size), PeerId((number + size - 1) % size));
    let mut ticks = interval_at(Instant::now() + begin, PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut said, mut heard, mut heard_at) = (0, 0, Instant::now() + begin);
    loop {
        select! {
            biased;
            () = leaving.cancelled() => return Ok(heard),
            message = phone.hear() => {
                phone.check_body(message?, last, &candidate(heard))?;
                (heard, heard_at) = (heard + 1, Instant::now());
            }
            now = ticks.tick() => {
                if now.saturating_duration_since(heard_at) > PATIENCE {
                    return Err(Error::Late("a message to an active socket"));
                }
                phone.say(next, &candidate(said)).await?;
                said += 1;
            }
        }
    }
}

/// Phones in a room.
const ROOM: u32 = 4;
/// Rooms that fill at once.
const ENTERING_MAX: usize = 32;
/// Between two messages of an active phone.
const PERIOD: Duration = Duration::from_secs(1);
