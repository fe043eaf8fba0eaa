//! The server's command line.

mod log;
mod options;
mod secure;
mod shared;
mod trust;

use std::{net::SocketAddr, process::ExitCode};

use clap::Parser as _;
use options::Options;
use rustix::process::{Resource, getrlimit, setrlimit};
use secure::local_folder;
use signaling_server::{Authority, Error, Identity, lan_address, qr_code, run};
use tokio::net::TcpListener;
use tracing::{info, warn};

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    // What is still to be written is written when this is dropped.
    let _log = log::start(options.log, options.log_format);
    match start(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn start(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let authority = || Authority::load_or_make(&local_folder(&options.state_folder()));
    match (options.secure.install_ca, options.secure.remove_ca) {
        (Some(place), _) => Ok(trust::install(&authority()?, place)?),
        (None, Some(place)) => Ok(trust::remove(&authority()?, place)?),
        (None, None) => Ok(serve(options).await?),
    }
}

async fn serve(options: Options) -> Result<(), Error> {
    let (listen, shows_qr, domain) =
        (options.listen, options.qr, options.secure.domain.first().cloned());
    let config = options.into_config()?;
    // From now on, so that whoever has read where it listens may ask it to stop.
    let stopped = stop_asked();
    allow_open_files(config.limits.connections);
    let failed = |source| Error::Listen { address: listen.to_string(), source };
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let scheme = if config.identity.is_some() { "https" } else { "http" };
    announce_identity(config.identity.as_ref());
    println!("listening on {scheme}://{address}/");
    announce(scheme, address, domain, shows_qr);
    announce_authority(config.identity.as_ref(), lan_address(address));
    info!(%address, scheme, version = env!("CARGO_PKG_VERSION"), "listening");
    run(listener, config, stopped).await
}

fn announce_identity(identity: Option<&Identity>) {
    let Some(identity) = identity else { return };
    if let Some(fingerprint) = identity.fingerprint() {
        println!("certificate (SHA-256): {fingerprint}");
    }
    if let Some(fingerprint) = identity.authority_fingerprint() {
        println!("authority (SHA-256): {fingerprint}");
    }
}

/// Every connection is an open file, and may be reading another. Systems allow some 1,024 at first, and more to those who ask.
fn allow_open_files(connections: usize) {
    let wanted = 2 * connections as u64 + 64;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return;
    }
    limit.current = Some(limit.maximum.map_or(wanted, |maximum| maximum.min(wanted)));
    if setrlimit(Resource::Nofile, limit).is_err() || limit.current < Some(wanted) {
        let allowed = getrlimit(Resource::Nofile).current;
        warn!(allowed, wanted, "fewer files may be open than connections may need");
    }
}

/// What is to be known of certificates that only this machine vouches for.
fn announce_authority(identity: Option<&Identity>, lan: SocketAddr) {
    let Some(identity) = identity.filter(|identity| identity.authority().is_some()) else { return };
    println!("browsers warn once; how to do without that: http://{lan}/");
    if !identity.covers(&lan.ip().to_string()) {
        println!(
            "{} is a public address, which this certificate is not for: use --domain",
            lan.ip()
        );
    }
}

/// Where phones find the page. (The line `listening on URL` is for scripts, which need the port chosen for port 0.)
fn announce(scheme: &str, address: SocketAddr, domain: Option<String>, shows_qr: bool) {
    let lan = lan_address(address);
    let is_public = domain.is_some();
    let url = match domain {
        Some(domain) => format!("https://{domain}/"),
        None => format!("{scheme}://{lan}/"),
    };
    if shows_qr {
        println!("on a phone{}: {url}", if is_public { "" } else { " in the same network" });
        match qr_code(&url) {
            Ok(code) => println!("{code}"),
            Err(error) => eprintln!("no QR code: {error}"),
        }
    }
    if scheme == "http" && !lan.ip().is_loopback() {
        println!("phones give WebGPU and the camera to https pages only: add --tls");
    }
}

/// Ready when the terminal or the system asks the server to stop, from this call on.
fn stop_asked() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let [mut interrupt, mut terminate] = [SignalKind::interrupt(), SignalKind::terminate()]
        .map(|kind| signal(kind).expect("these signals may always be handled"));
    async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}
