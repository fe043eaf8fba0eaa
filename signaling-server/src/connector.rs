//! One connection, from its acceptance to its end, with its time-outs.

use std::{
    error::Error as _,
    future::ready,
    io,
    iter::successors,
    net::{IpAddr, SocketAddr},
    pin::{Pin, pin},
    sync::Arc,
};

use axum::{Router, body::Body, extract::Request};
use hyper::{
    Response, StatusCode,
    body::Incoming,
    header,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;
use tracing::debug;

use crate::{Limits, Server, Shared, app, limits::Place};

/// What every connection is served with.
#[derive(Clone)]
pub(crate) struct Connector {
    server: Server,
    router: Router,
    tls: Option<TlsAcceptor>,
}

/// Why a connection ended before its client ended it, for figures and the log.
type Cut = &'static str;

impl Connector {
    pub(crate) fn new(server: &Server) -> Self {
        let tls = server.0.config.identity.as_ref().map(crate::Identity::acceptor);
        Self { server: server.clone(), router: app(server), tls }
    }

    /// Whoever gets no place is not answered: that would cost more than the connection.
    pub(crate) fn take(&self, stream: TcpStream, address: IpAddr, connections: &mut JoinSet<()>) {
        let Shared { addresses, metrics, .. } = &*self.server.0;
        match addresses.place(address) {
            Ok(place) => {
                metrics.accepted.inc();
                connections.spawn(self.clone().connect(stream, Arc::new(place)));
            }
            Err(turned_away) => {
                metrics.turned_away.count(turned_away.name());
                debug!(%address, reason = turned_away.name(), "connection turned away");
            }
        }
    }

    async fn connect(self, stream: TcpStream, place: Arc<Place>) {
        let _ = stream.set_nodelay(true);
        let served = async {
            match &self.tls {
                None => self.serve_app(guarded(stream, self.limits()), place).await,
                Some(tls) => self.connect_tls(tls, stream, place).await,
            }
        };
        let served = timeout(self.limits().connection_life, served).await;
        if let Err(reason) = served.unwrap_or(Err("life")) {
            self.server.0.metrics.cut.count(reason);
            debug!(reason, "connection cut");
        }
    }

    async fn connect_tls(
        &self,
        tls: &TlsAcceptor,
        stream: TcpStream,
        place: Arc<Place>,
    ) -> Result<(), Cut> {
        let patience = self.limits().handshake_timeout;
        let mut first = [0];
        let peeked = timeout(patience, stream.peek(&mut first)).await;
        peeked.map_err(|_| "handshake")?.map_err(|_| "network")?;
        let address = stream.local_addr().map_err(|_| "network")?;
        let stream = guarded(stream, self.limits());
        if first != [TLS_HANDSHAKE] {
            let redirect = service_fn(move |request| ready(to_https(&request, address)));
            return self.serve_http(stream, redirect).await;
        }
        let accepted = timeout(patience, tls.accept(stream)).await;
        let stream = accepted.map_err(|_| "handshake")?.map_err(|_| "malformed")?;
        self.serve_app(stream, place).await
    }

    async fn serve_app(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        place: Arc<Place>,
    ) -> Result<(), Cut> {
        let service = service_fn(move |mut request: Request<Incoming>| {
            // A socket outlives its connection's task, and takes the place with it.
            request.extensions_mut().insert(place.clone());
            self.router.clone().oneshot(request.map(Body::new))
        });
        self.serve_http(stream, service).await
    }

    async fn serve_http<S>(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        service: S,
    ) -> Result<(), Cut>
    where
        S: Service<Request<Incoming>, Response = Response<Body>>,
        S::Error: std::error::Error + Send + Sync + 'static,
    {
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

/// For those who type the address without `https://`.
fn to_https(
    request: &Request<Incoming>,
    address: SocketAddr,
) -> Result<Response<Body>, hyper::http::Error> {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.map_or_else(|| address.to_string(), ToOwned::to_owned);
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    Response::builder()
        .status(StatusCode::TEMPORARY_REDIRECT)
        .header(header::LOCATION, format!("https://{host}{path}"))
        .header(header::CONNECTION, "close")
        .body(Body::empty())
}

/// The first byte of a TLS connection (RFC 8446, section 5.1); no HTTP method starts with it.
const TLS_HANDSHAKE: u8 = 22;
const HEADERS_MAX_BYTES: usize = 64 * 1024;
