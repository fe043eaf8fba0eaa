//! The server's command line.

mod options;

use std::{net::SocketAddr, process::ExitCode};

use clap::Parser as _;
use options::Options;
use signaling_server::{Error, lan_address, qr_code, run};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> ExitCode {
    match start(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn start(options: Options) -> Result<(), Error> {
    let (listen, shows_qr) = (options.listen, options.qr);
    let config = options.into_config()?;
    let failed = |source| Error::Listen { address: listen.to_string(), source };
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let scheme = if config.identity.is_some() { "https" } else { "http" };
    if let Some(identity) = &config.identity {
        println!("certificate (SHA-256): {}", identity.fingerprint());
    }
    announce(scheme, address, shows_qr);
    run(listener, config, stop_asked()).await
}

/// The line `listening on URL` is for scripts, which need the port chosen for port 0.
fn announce(scheme: &str, address: SocketAddr, shows_qr: bool) {
    println!("listening on {scheme}://{address}/");
    let url = format!("{scheme}://{}/", lan_address(address));
    if shows_qr {
        println!("on a phone in the same network: {url}");
        match qr_code(&url) {
            Ok(code) => println!("{code}"),
            Err(error) => eprintln!("no QR code: {error}"),
        }
    }
    if scheme == "http" && !lan_address(address).ip().is_loopback() {
        println!("phones give WebGPU and the camera to https pages only: add --tls");
    }
}

/// Ready when the terminal or the system asks the server to stop.
async fn stop_asked() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).expect("SIGTERM may always be handled");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
