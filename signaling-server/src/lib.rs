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
mod error;
mod limits;
mod models;
mod outbox;
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
pub use qr::{lan_address, qr_code};
pub use rooms::Stats;
pub use serve::run;
pub use tls::{Identity, local_names};

use access_log::AccessLog;
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
        let rooms = Arc::new(Rooms::new(config.limits.clone(), config.ice_servers.clone()));
        let (stopping, sockets) = (CancellationToken::new(), TaskTracker::new());
        Ok(Self(Arc::new(Shared { config, rooms, statics, access_log, stopping, sockets })))
    }

    /// What the server counts.
    pub fn stats(&self) -> Stats {
        self.0.rooms.stats()
    }

    fn limits(&self) -> &Limits {
        &self.0.config.limits
    }
}

/// All routes of a server.
pub fn app(server: &Server) -> Router {
    Router::new()
        .route("/signal", any(socket::upgrade))
        .route("/healthz", get(async || "ok\n"))
        .route("/api/stats", get(stats))
        .route("/api/models", get(catalogue::list))
        .route("/api/{*rest}", any(async || StatusCode::NOT_FOUND))
        .route("/models/{name}", get(models::serve))
        .route("/models/{folder}/{name}", get(models::serve_of_folder))
        .fallback(statics::serve)
        .layer(middleware::map_response(statics::guard))
        .layer(middleware::from_fn_with_state(server.clone(), access_log::record))
        .with_state(server.clone())
}

async fn stats(State(server): State<Server>) -> impl IntoResponse {
    (NO_STORE, Json(server.stats()))
}

/// For answers that are only true now.
const NO_STORE: [(HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];
