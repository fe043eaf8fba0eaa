//! When pairings begin: on a schedule, or when others end.

use std::{sync::Arc, time::Duration};

use tokio::{
    select,
    task::JoinSet,
    time::{Instant, sleep_until},
};

use crate::{
    Error,
    bodies::Bodies,
    network::Network,
    pairing::{Paired, pair},
    tally::Tally,
};

/// `per_sec` pairings a second, each begun when it is due, however many are under way: a server that stands still for a
/// while keeps all of them waiting that are due then, and their waits count.
pub(crate) async fn steady(network: &Arc<Network>, per_sec: u32, secs: u32) -> Tally {
    let mut pairings = Pairings::new(network);
    let begin = Instant::now();
    for number in 0..per_sec * secs {
        let due = begin + Duration::from_secs(number.into()) / per_sec;
        pairings.collect_until(due).await;
        pairings.begin_within(UNDER_WAY_MAX, due);
    }
    pairings.collect_until(begin + Duration::from_secs(secs.into())).await;
    pairings.end(begin).await
}

/// As many pairings as the server takes, a few at once.
pub(crate) async fn flat_out(network: &Arc<Network>, secs: u32) -> Tally {
    let mut pairings = Pairings::new(network);
    let begin = Instant::now();
    let end = begin + Duration::from_secs(secs.into());
    while Instant::now() < end {
        while pairings.under_way.len() < AT_ONCE {
            pairings.begin(Instant::now());
        }
        pairings.collect_one(end).await;
    }
    pairings.end(begin).await
}

/// Pairings that are under way, and what came of others.
struct Pairings {
    network: Arc<Network>,
    bodies: Arc<Bodies>,
    under_way: JoinSet<Result<Paired, Error>>,
    tally: Tally,
}

impl Pairings {
    fn new(network: &Arc<Network>) -> Self {
        Self {
            network: network.clone(),
            bodies: Arc::new(Bodies::new()),
            under_way: JoinSet::new(),
            tally: Tally::default(),
        }
    }

    fn begin(&mut self, due: Instant) {
        self.under_way.spawn(pair(self.network.clone(), self.bodies.clone(), due));
    }

    fn begin_within(&mut self, most: u32, due: Instant) {
        match self.under_way.len() < most as usize {
            true => self.begin(due),
            false => self.tally.failures.add(&Error::Crowded(most)),
        }
    }

    async fn collect_until(&mut self, end: Instant) {
        while self.collect_one(end).await {}
    }

    /// Waits for a pairing's end; not beyond `end`.
    async fn collect_one(&mut self, end: Instant) -> bool {
        select! {
            biased;
            () = sleep_until(end) => false,
            Some(ended) = self.under_way.join_next() => {
                self.tally.add(ended);
                true
            }
        }
    }

    /// Closes the account, and waits for those that are late, whose failures count.
    async fn end(mut self, begin: Instant) -> Tally {
        self.tally.secs = begin.elapsed().as_secs_f64();
        self.tally.in_time = self.tally.took.len() as u64;
        while let Some(ended) = self.under_way.join_next().await {
            self.tally.add(ended);
        }
        self.tally
    }
}

/// Most pairings under way when they come on a schedule: four seconds' worth.
pub(crate) const UNDER_WAY_MAX: u32 = 2_000;
/// Pairings under way when each begins with another's end. More only wait for each other.
const AT_ONCE: usize = 64;
