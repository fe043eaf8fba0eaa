//! The one server of a room: it introduces phones to each other over a
//! WebSocket, and serves the app and its models over HTTP.
//!
//! Law: it is trusted with nothing. Signaling passes through sealed, activations
//! do not pass through at all, unless phones have no other way than its TURN, and
//! then encrypted by them (what is relayed is counted); and whatever a client
//! sends or leaves undone is bounded in bytes, number and time.
//!
//! Several servers may share their rooms over NATS ([`Nats`]).
//!
//! [`run`] serves a listener until told to stop; [`app`] is the same as a
//! [`Router`] for those who bring their own.

mod access_log;
mod catalogue;
mod claims;
mod cluster;
mod codes;
mod config;
mod connection;
mod connector;
mod error;
mod forwarded;
mod ice;
mod limits;
mod metrics;
mod models;
mod outbox;
mod plain;
mod qr;
mod relaying;
mod rooms;
mod serve;
mod socket;
mod statics;
mod tls;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderName, StatusCode, header},
    middleware,
    response::IntoResponse,
    routing::{any, get},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use cluster::Nats;
pub use config::{Config, Limits, Turn};
pub use error::Error;
pub use forwarded::Forwarded;
pub use qr::{lan_address, qr_code};
pub use rooms::Stats;
pub use serve::run;
pub use tls::{Acme, Authority, Clock, Identity, Local, local_names};
pub use turn::Secret;

use access_log::AccessLog;
use cluster::{Cluster, Link};
use codes::Codes;
use forwarded::Clients;
use ice::IceServers;
use limits::Addresses;
use metrics::Metrics;
use relaying::Relaying;
use rooms::Rooms;
use statics::Statics;

/// What all requests share. Clones are handles to the same server.
#[derive(Clone)]
pub struct Server(Arc<Shared>);

struct Shared {
    config: Config,
    rooms: Arc<Rooms>,
    codes: Arc<Codes>,
    statics: Statics,
    access_log: Option<AccessLog>,
    metrics: Arc<Metrics>,
    addresses: Arc<Addresses>,
    /// TURN.
    relaying: Option<Relaying>,
    /// Those of a proxy.
    clients: Option<Clients>,
    /// Cancelled once: sockets say goodbye and connections end after their answer.
    stopping: CancellationToken,
    /// The open WebSockets.
    sockets: TaskTracker,
}

impl Server {
    /// A server without rooms.
    ///
    /// # Errors
    /// [`Error::App`] and [`Error::Models`] for folders that are not there,
    /// [`Error::AccessLog`] for a log that cannot be written, [`Error::Turn`] for an address where TURN cannot listen,
    /// [`Error::TurnCredentials`] for a TURN server elsewhere without credentials, [`Error::TurnOfOne`] for one that phones of
    /// other servers cannot use, [`Error::TurnLife`] for credentials that end before there are newer ones.
    pub fn new(config: Config) -> Result<Self, Error> {
        let statics = Statics::new(&config.app_dir)?;
        models::check(&config.model_dirs)?;
        let access_log = config.access_log.as_deref().map(AccessLog::open).transpose()?;
        let metrics = Arc::new(Metrics::new());
        if config.nats.is_some() && config.turn.is_some() && config.turn_secret.is_none() {
            return Err(Error::TurnOfOne);
        }
        let secret = config.turn_secret.clone();
        let relaying = config.turn.map(|turn| Relaying::bind(&turn, secret)).transpose()?;
        let ice_servers = IceServers::new(&config, relaying.as_ref())?;
        let limits = &config.limits;
        if ice_servers.renewal().is_some_and(|after| after < limits.ping_interval) {
            return Err(Error::TurnLife);
        }
        let cluster = |nats: &Nats| Arc::new(Cluster::new(nats.lease, limits, metrics.clone()));
        let cluster = config.nats.as_ref().map(cluster);
        let codes = Arc::new(Codes::new(limits, metrics.clone(), cluster.clone()));
        let rooms = Rooms::new(limits.clone(), ice_servers, metrics.clone(), cluster);
        let clients = config.trust_forwarded.map(|header| Clients::new(header, limits));
        let addresses = match clients {
            Some(_) => Addresses::new(&forwarded::for_proxy(limits)),
            None => Addresses::new(limits),
        };
        Ok(Self(Arc::new(Shared {
            rooms: Arc::new(rooms),
            codes,
            addresses,
            relaying,
            clients,
            stopping: CancellationToken::new(),
            sockets: TaskTracker::new(),
            config,
            statics,
            access_log,
            metrics,
        })))
    }

    /// What the server counts.
    pub fn stats(&self) -> Stats {
        self.0.rooms.stats()
    }

    /// Nothing without `--nats`.
    async fn link(&self) -> Result<Option<Link>, Error> {
        let Shared { config, rooms, codes, .. } = &*self.0;
        match &config.nats {
            Some(nats) => Link::connect(nats, (rooms, codes), &config.limits).await,
            None => Ok(None),
        }
    }

    fn limits(&self) -> &Limits {
        &self.0.config.limits
    }

    fn forget_addresses(&self) {
        self.0.addresses.forget();
        self.0.codes.forget();
        if let Some(clients) = &self.0.clients {
            clients.forget();
        }
    }

    fn is_draining(&self) -> bool {
        self.0.stopping.is_cancelled()
    }
}

/// All routes of a server.
pub fn app(server: &Server) -> Router {
    let guarded = routes().layer(middleware::map_response(statics::guard));
    let is_public = server.0.config.identity.as_ref().is_some_and(Identity::is_public);
    let secured = match is_public {
        true => guarded.layer(middleware::map_response(statics::keep_to_https)),
        false => guarded,
    };
    secured
        .layer(middleware::map_response_with_state(server.clone(), metrics::count_answer))
        .layer(middleware::from_fn_with_state(server.clone(), access_log::record))
        .with_state(server.clone())
}

fn routes() -> Router<Server> {
    Router::new()
        .route("/signal", any(socket::upgrade))
        .route("/healthz", get(health))
        .route("/metrics", get(metrics::show))
        .route("/api/stats", get(stats))
        .route("/api/models", get(catalogue::list))
        .route("/api/{*rest}", any(async || StatusCode::NOT_FOUND))
        .route("/models/{name}", get(models::serve))
        .route("/models/{folder}/{name}", get(models::serve_of_folder))
        .fallback(statics::serve)
}

/// For whoever sends clients here, or starts servers anew.
async fn health(State(server): State<Server>) -> impl IntoResponse {
    let (status, text) = match server.is_draining() {
        true => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        false => (StatusCode::OK, "ok\n"),
    };
    // Without NATS the rooms here go on: no reason to send clients elsewhere.
    let nats = match server.0.rooms.cluster().map(|cluster| cluster.is_connected()) {
        None => "",
        Some(true) => "nats: connected\n",
        Some(false) => "nats: lost\n",
    };
    (status, NO_STORE, format!("{text}{nats}"))
}

async fn stats(State(server): State<Server>) -> impl IntoResponse {
    (NO_STORE, Json(server.stats()))
}

/// For answers that are only true now.
const NO_STORE: [(HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];
