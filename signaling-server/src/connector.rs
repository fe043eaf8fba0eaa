//! One connection, from its acceptance to its end, with its time-outs.

use std::{
    error::Error as _,
    io,
    iter::successors,
    net::{IpAddr, SocketAddr},
    pin::{Pin, pin},
    sync::Arc,
};

use axum::{Router, body::Body, extract::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt as _;
use tracing::debug;

use crate::{Identity, Limits, Server, Shared, app, limits::Place, plain, tls::ACME_TLS};

/// What every connection is served with.
#[derive(Clone)]
pub(crate) struct Connector {
    server: Server,
    router: Router,
    tls: Option<Tls>,
}

#[derive(Clone)]
struct Tls {
    identity: Identity,
    /// For those who do not speak it.
    plain: Router,
}

/// Whose connection it is, for the requests on it.
#[derive(Clone)]
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    /// A socket outlives its connection's task, and takes the place with it.
    _place: Arc<Place>,
}

/// Why a connection ended before its client ended it, for figures and the log.
type Cut = &'static str;

impl Connector {
    /// For a server that listens on `listen`.
    pub(crate) fn new(server: &Server, listen: SocketAddr) -> Self {
        let tls = server.0.config.identity.clone().map(|identity| {
            let plain = plain::app(server, &identity, listen);
            Tls { identity, plain }
        });
        Self { server: server.clone(), router: app(server), tls }
    }

    /// Whoever gets no place is not answered: that would cost more than the connection.
    pub(crate) fn take(&self, stream: TcpStream, address: IpAddr, connections: &mut JoinSet<()>) {
        let Shared { addresses, metrics, .. } = &*self.server.0;
        match addresses.place(address) {
            Ok(place) => {
                metrics.accepted.inc();
                let peer = Peer { address, _place: Arc::new(place) };
                connections.spawn(self.clone().connect(stream, peer));
            }
            Err(turned_away) => {
                metrics.turned_away.count(turned_away.name());
                debug!(%address, reason = turned_away.name(), "connection turned away");
            }
        }
    }

    async fn connect(self, stream: TcpStream, peer: Peer) {
        let _ = stream.set_nodelay(true);
        let served = async {
            match &self.tls {
                None => self.serve(&self.router, guarded(stream, self.limits()), peer).await,
                Some(tls) => self.connect_tls(tls, stream, peer).await,
            }
        };
        let served = timeout(self.limits().connection_life, served).await;
        if let Err(reason) = served.unwrap_or(Err("life")) {
            self.server.0.metrics.cut.count(reason);
            debug!(reason, "connection cut");
        }
    }

    async fn connect_tls(&self, tls: &Tls, stream: TcpStream, peer: Peer) -> Result<(), Cut> {
        let patience = self.limits().handshake_timeout;
        let mut first = [0];
        let peeked = timeout(patience, stream.peek(&mut first)).await;
        peeked.map_err(|_| "handshake")?.map_err(|_| "network")?;
        let stream = guarded(stream, self.limits());
        if first != [TLS_HANDSHAKE] {
            return self.serve(&tls.plain, stream, peer).await;
        }
        let accepted = timeout(patience, tls.identity.acceptor().accept(stream)).await;
        let stream = accepted.map_err(|_| "handshake")?.map_err(|_| "malformed")?;
        if stream.get_ref().1.alpn_protocol() == Some(ACME_TLS) {
            // The handshake was the answer.
            return Ok(());
        }
        self.serve(&self.router, stream, peer).await
    }

    async fn serve(
        &self,
        router: &Router,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: Peer,
    ) -> Result<(), Cut> {
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer.clone());
            router.clone().oneshot(request.map(Body::new))
        });
        let is_late = self.server.is_draining();
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits().handshake_timeout)
            .max_buf_size(HEADERS_MAX_BYTES)
            .keep_alive(!is_late)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        let served = tokio::select! {
            served = connection.as_mut() => served,
            () = self.server.0.stopping.cancelled(), if !is_late => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        served.map_err(|error| reason(&error))
    }

    fn limits(&self) -> &Limits {
        self.server.limits()
    }
}

/// What a failed connection counts as.
fn reason(error: &hyper::Error) -> Cut {
    let mut causes = successors(error.source(), |&cause| cause.source());
    let timed_out = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::TimedOut)
    };
    match error {
        // A request that did not come whole, or not at all.
        _ if error.is_timeout() => "request",
        // Somebody who does not take what is sent.
        _ if causes.any(timed_out) => "write",
        _ if error.is_parse() => "malformed",
        _ => "network",
    }
}

/// The stream, but failing when the other side takes nothing for too long.
fn guarded(stream: TcpStream, limits: &Limits) -> Pin<Box<TimeoutStream<TcpStream>>> {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.write_timeout));
    Box::pin(stream)
}

/// The first byte of a TLS connection (RFC 8446, section 5.1); no HTTP method starts with it.
const TLS_HANDSHAKE: u8 = 22;
/// Headers that are not whole by then are refused; the buffer for the last piece of them may be twice as large.
const HEADERS_MAX_BYTES: usize = 64 * 1024;
