//! The one server of a room: it introduces phones to each other over a
//! WebSocket, and serves the app and its models over HTTP.
//!
//! Law: it is trusted with nothing. Signaling passes through sealed, activations
//! do not pass through at all (what is relayed in binary is counted), and
//! whatever a client sends or leaves undone is bounded in bytes, number and time.
//!
//! [`run`] serves a listener until told to stop; [`app`] is the same as a
//! [`Router`] for those who bring their own.

mod access_log;
mod catalogue;
mod config;
mod connection;
mod connector;
mod error;
mod forwarded;
mod limits;
mod metrics;
mod models;
mod outbox;
mod plain;
mod qr;
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

pub use config::{Config, Limits};
pub use error::Error;
pub use forwarded::Forwarded;
pub use qr::{lan_address, qr_code};
pub use rooms::Stats;
pub use serve::run;
pub use tls::{Acme, Authority, Clock, Identity, Local, local_names};

use access_log::AccessLog;
use forwarded::Clients;
use limits::Addresses;
use metrics::Metrics;
use rooms::Rooms;
use statics::Statics;

/// What all requests share. Clones are handles to the same server.
#[derive(Clone)]
pub struct Server(Arc<Shared>);

struct Shared {
    config: Config,
    rooms: Arc<Rooms>,
    statics: Statics,
    access_log: Option<AccessLog>,
    metrics: Arc<Metrics>,
    addresses: Arc<Addresses>,
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
    /// [`Error::AccessLog`] for a log that cannot be written.
    pub fn new(config: Config) -> Result<Self, Error> {
        let statics = Statics::new(&config.app_dir)?;
        models::check(&config.model_dirs)?;
        let access_log = config.access_log.as_deref().map(AccessLog::open).transpose()?;
        let metrics = Arc::new(Metrics::new());
        let rooms = Rooms::new(config.limits.clone(), config.ice_servers.clone(), metrics.clone());
        let limits = &config.limits;
        let clients = config.trust_forwarded.map(|header| Clients::new(header, limits));
        let addresses = match clients {
            Some(_) => Addresses::new(&forwarded::for_proxy(limits)),
            None => Addresses::new(limits),
        };
        Ok(Self(Arc::new(Shared {
            rooms: Arc::new(rooms),
            addresses,
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

    fn limits(&self) -> &Limits {
        &self.0.config.limits
    }

    fn forget_addresses(&self) {
        self.0.addresses.forget();
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
        .layer(middleware::map_response(statics::guard))
        .layer(middleware::map_response_with_state(server.clone(), metrics::count_answer))
        .layer(middleware::from_fn_with_state(server.clone(), access_log::record))
        .with_state(server.clone())
}

/// For whoever sends clients here, or starts servers anew.
async fn health(State(server): State<Server>) -> impl IntoResponse {
    let (status, text) = match server.is_draining() {
        true => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        false => (StatusCode::OK, "ok\n"),
    };
    (status, NO_STORE, text)
}

async fn stats(State(server): State<Server>) -> impl IntoResponse {
    (NO_STORE, Json(server.stats()))
}

/// For answers that are only true now.
const NO_STORE: [(HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];
