//! Two phones that find each other.

use std::{sync::Arc, time::Duration};

use base::PeerId;
use protocol::signal::{Invitation, ServerMessage, SignalBody};
use tokio::time::{Instant, timeout};

use crate::{
    Error,
    bodies::Bodies,
    network::Network,
    phone::{PATIENCE, Phone},
};

/// A pairing that succeeded.
pub(crate) struct Paired {
    /// From the sending of each relayed message to its arrival.
    pub(crate) relays: [[Duration; SAID]; 2],
    /// From when it was due to its end.
    pub(crate) took: Duration,
}

/// Two new sockets, one that opens a room and one that joins it; offer, answer and four candidates; goodbye.
pub(crate) async fn pair(
    network: Arc<Network>,
    bodies: Arc<Bodies>,
    due: Instant,
) -> Result<Paired, Error> {
    let relays = timeout(PATIENCE, meet(&network, &bodies)).await;
    let relays = relays.map_err(|_| Error::Late("the end of a pairing"))??;
    Ok(Paired { relays, took: due.elapsed() })
}

async fn meet(network: &Network, bodies: &Bodies) -> Result<[[Duration; SAID]; 2], Error> {
    let invitation = Invitation::random()?;
    let mut first = Phone::enter(network, &invitation, FIRST, &[]).await?;
    let mut newcomer = Phone::enter(network, &invitation, NEWCOMER, &[FIRST]).await?;
    first.expect(&ServerMessage::PeerEntered { peer: NEWCOMER }).await?;
    let there = relay((&mut newcomer, NEWCOMER), (&mut first, FIRST), &bodies.offered).await?;
    let back = relay((&mut first, FIRST), (&mut newcomer, NEWCOMER), &bodies.answered).await?;
    newcomer.leave().await?;
    first.expect(&ServerMessage::PeerLeft { peer: NEWCOMER }).await?;
    first.leave().await?;
    Ok([there, back])
}

/// A description and, right behind it, the candidates, as a browser gives them. How long each was under way.
async fn relay(
    (from, sender): (&mut Phone, PeerId),
    (to, receiver): (&mut Phone, PeerId),
    bodies: &[SignalBody; SAID],
) -> Result<[Duration; SAID], Error> {
    let mut sent = Vec::with_capacity(SAID);
    for body in bodies {
        sent.push(from.say(receiver, body).await?);
    }
    let mut relays = [Duration::ZERO; SAID];
    for (number, body) in bodies.iter().enumerate() {
        relays[number] = to.hear_body(sender, body).await? - sent[number];
    }
    Ok(relays)
}

/// What each phone says: a description and two candidates.
pub(crate) const SAID: usize = 3;
const FIRST: PeerId = PeerId(1);
const NEWCOMER: PeerId = PeerId(2);
