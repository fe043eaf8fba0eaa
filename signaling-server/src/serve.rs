//! Accepting connections, each with its time-outs, until told to stop.

use std::{
    future::ready,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
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
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::{
    Config, Error, Limits, Server, app,
    limits::{Addresses, Place},
};

/// Serves `listener` until `shutdown` is ready; then connections and sockets
/// get [`Limits::drain_timeout`] to end.
///
/// # Errors
/// Those of [`Server::new`]. A connection's errors end that connection alone.
pub async fn run(
    listener: TcpListener,
    config: Config,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    let server = Server::new(config)?;
    let mut connections = JoinSet::new();
    tokio::select! {
        () = shutdown => {}
        () = accept_all(listener, &server, &mut connections) => {}
    }
    server.0.stopping.cancel();
    server.0.sockets.close();
    let drained = async {
        while connections.join_next().await.is_some() {}
        server.0.sockets.wait().await;
    };
    // What is left then is dropped: connections with their set here, sockets with the runtime.
    let _ = timeout(server.limits().drain_timeout, drained).await;
    Ok(())
}

/// Never returns. The listener is closed when this is dropped.
async fn accept_all(listener: TcpListener, server: &Server, connections: &mut JoinSet<()>) {
    let limits = server.limits();
    let addresses = Addresses::new(limits.connections_per_address, limits.connections);
    let connector = Connector::new(server);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => {
                    if let Some(place) = addresses.place(from.ip()) {
                        connections.spawn(connector.clone().connect(stream, Arc::new(place)));
                    }
                }
                // Too many open files, say: waiting is the only help.
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

#[derive(Clone)]
struct Connector {
    router: Router,
    tls: Option<TlsAcceptor>,
    limits: Limits,
    stopping: CancellationToken,
}

impl Connector {
    fn new(server: &Server) -> Self {
        Self {
            router: app(server),
            tls: server.0.config.identity.as_ref().map(crate::Identity::acceptor),
            limits: server.limits().clone(),
            stopping: server.0.stopping.clone(),
        }
    }

    async fn connect(self, stream: TcpStream, place: Arc<Place>) {
        let _ = stream.set_nodelay(true);
        let served = match &self.tls {
            None => self.serve_app(guarded(stream, &self.limits), place).await,
            Some(tls) => self.connect_tls(tls, stream, place).await,
        };
        // Resets, time-outs and nonsense: the other side's affair.
        drop(served);
    }

    async fn connect_tls(
        &self,
        tls: &TlsAcceptor,
        stream: TcpStream,
        place: Arc<Place>,
    ) -> io::Result<()> {
        let patience = self.limits.handshake_timeout;
        let mut first = [0];
        timeout(patience, stream.peek(&mut first)).await??;
        let address = stream.local_addr()?;
        let stream = guarded(stream, &self.limits);
        if first != [TLS_HANDSHAKE] {
            let redirect = service_fn(move |request| ready(to_https(&request, address)));
            return self.serve_http(stream, redirect).await;
        }
        let stream = timeout(patience, tls.accept(stream)).await??;
        self.serve_app(stream, place).await
    }

    async fn serve_app(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        place: Arc<Place>,
    ) -> io::Result<()> {
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
    ) -> io::Result<()>
    where
        S: Service<Request<Incoming>, Response = Response<Body>>,
        S::Error: std::error::Error + Send + Sync + 'static,
    {
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.handshake_timeout)
            .max_buf_size(HEADERS_MAX_BYTES)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        let served = tokio::select! {
            served = connection.as_mut() => served,
            () = self.stopping.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        served.map_err(io::Error::other)
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
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
