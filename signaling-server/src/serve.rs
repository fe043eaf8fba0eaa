//! Accepting connections until told to stop, and letting them end then.

use std::{future::pending, time::Duration};

use tokio::{
    net::TcpListener,
    task::JoinSet,
    time::{interval, sleep},
};
use tracing::{info, warn};

use crate::{Config, Error, Server, connector::Connector, relaying};

/// Serves `listener` until `shutdown` is ready; then sockets are told so, and they and other connections get
/// [`Limits::drain_timeout`](crate::Limits::drain_timeout) to end. Meanwhile `/healthz` says that, and no new socket is opened.
///
/// # Errors
/// Those of [`Server::new`], and [`Error::Nats`]. A connection's errors end that connection alone.
pub async fn run(
    listener: TcpListener,
    config: Config,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    let server = Server::new(config)?;
    let link = server.link().await?;
    let mut connections = JoinSet::new();
    // Until all connections have ended, and then no longer.
    let mut relay = JoinSet::new();
    relay.spawn(relaying::serve(server.clone()));
    tokio::select! {
        () = shutdown => {}
        () = accept_all(&listener, &server, &mut connections) => {}
        () = stay_fresh(&server) => {}
    }
    drain(&listener, &server, connections).await;
    if let Some(link) = link {
        link.end().await;
    }
    Ok(())
}

/// Never returns.
async fn stay_fresh(server: &Server) {
    match &server.0.config.identity {
        Some(identity) => identity.stay_fresh().await,
        None => pending().await,
    }
}

async fn drain(listener: &TcpListener, server: &Server, mut connections: JoinSet<()>) {
    let sockets = &server.0.sockets;
    info!(sockets = sockets.len(), connections = connections.len(), "draining");
    server.0.stopping.cancel();
    sockets.close();
    let drained = async {
        while connections.join_next().await.is_some() {}
        sockets.wait().await;
    };
    // Their answers say that the server stops; nobody waits for them.
    let mut late = JoinSet::new();
    tokio::select! {
        () = drained => {}
        () = accept_all(listener, server, &mut late) => {}
        () = sleep(server.limits().drain_timeout) => {}
    }
    // What is left is dropped: connections with their set here, sockets with the runtime.
    info!(sockets_left = sockets.len(), "stopped");
}

/// Never returns.
async fn accept_all(listener: &TcpListener, server: &Server, connections: &mut JoinSet<()>) {
    let listen = listener.local_addr().expect("an open listener has an address");
    let connector = Connector::new(server, listen);
    let mut tidying = interval(TIDYING);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => connector.take(stream, from.ip(), connections),
                // Too many open files, say: waiting is the only help.
                Err(error) => {
                    warn!(%error, "cannot accept connections");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
            _ = tidying.tick() => server.forget_addresses(),
        }
    }
}

const TIDYING: Duration = Duration::from_secs(10);
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
