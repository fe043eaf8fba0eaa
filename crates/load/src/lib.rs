//! The load on the signaling server, for `cargo xtask bench server`: a crowd of sockets that stay, most of them idle, and
//! pairings of phones that come, introduce themselves and go.
//!
//! Its one law: what is counted was done. Every body arrives, opens and is the one that was sealed, every phone that pairs
//! says goodbye and hears one, and the crowd stays to the end; whatever else happens is a failure, and a result with
//! failures is none.

mod bodies;
mod crowd;
mod error;
mod figures;
mod network;
mod pairing;
mod phases;
mod phone;
mod process;
mod server;
mod tally;

use std::{path::PathBuf, sync::Arc, time::Duration};

use serde::Deserialize;
use tokio::time::sleep;

pub use error::Error;
pub use figures::{Figures, Phase};

use crowd::Crowd;
use network::Network;
use process::Usage;
use server::Server;
use tally::Tally;

/// What is to be measured.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// The server's program.
    pub server: PathBuf,
    /// Sockets that answer pings and say nothing.
    pub idle_sockets: u32,
    /// Sockets that relay a message a second to another of their room.
    pub active_sockets: u32,
    /// Pairings a second while what relaying takes is measured.
    pub pairings_per_sec: u32,
    /// How long each of the two phases lasts.
    pub secs: u32,
}

/// Starts the server, opens the crowd's sockets and lets phones pair beside it: first on a schedule that waits for nobody,
/// then as fast as it goes. `tell` hears of the progress.
///
/// # Errors
/// [`Error::Files`] where the sockets are more than files may be open, [`Error::Start`] and [`Error::Mute`] where the
/// server does not start, and whatever kept a socket of the crowd from opening. What fails later is in the figures.
pub async fn run(options: &Options, tell: impl Fn(&str)) -> Result<Figures, Error> {
    let Options { idle_sockets, active_sockets, pairings_per_sec, secs, .. } = *options;
    process::allow_open_files(idle_sockets + active_sockets + 2 * phases::UNDER_WAY_MAX)?;
    let server = Server::start(&options.server)?;
    let network = Arc::new(Network::new(server.address));
    let crowd = Crowd::enter(&network, idle_sockets, active_sockets).await?;
    sleep(SETTLING).await;
    let rss_bytes = server.usage().map(|usage| usage.rss_bytes);
    tell(&format!("{} sockets are open", idle_sockets + active_sockets));
    let steady = measured(&server, phases::steady(&network, pairings_per_sec, secs)).await;
    tell(&format!("{secs} s with {pairings_per_sec} pairings a second"));
    let flat_out = measured(&server, phases::flat_out(&network, secs)).await;
    tell(&format!("{secs} s with as many pairings as can be"));
    let peak_rss_bytes = server.usage().map(|usage| usage.peak_rss_bytes);
    let crowd = crowd.leave().await;
    Ok(Figures::new(options, [rss_bytes, peak_rss_bytes], steady, flat_out, crowd))
}

/// What a phase brought, and the processors' time that server and phones took for it.
async fn measured(
    server: &Server,
    phase: impl Future<Output = Tally>,
) -> (Tally, Option<[f64; 2]>) {
    let usages = || Some([server.usage()?, Usage::own()?]);
    let before = usages();
    let tally = phase.await;
    let cpu_secs = before
        .zip(usages())
        .map(|(before, after)| [0, 1].map(|of: usize| after[of].cpu_secs - before[of].cpu_secs));
    (tally, cpu_secs)
}

/// Until what opening took is given back.
const SETTLING: Duration = Duration::from_secs(2);
