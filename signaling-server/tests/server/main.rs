//! The whole server on a port of this machine, used as phones and strangers use it.

#![allow(clippy::unwrap_used, reason = "where a test unwraps, it fails")]

mod access_log;
mod acme;
mod bounds;
mod claims;
mod client;
mod cluster;
mod cluster_access;
mod cluster_codes;
mod cluster_hostile;
mod cluster_losses;
mod codes;
mod coturn;
mod forwarded;
mod hostile;
mod http;
mod load;
mod logs;
mod memory;
mod metrics;
mod models;
mod nats;
mod origins;
mod pebble;
mod places;
mod program;
mod relay;
mod rooms;
mod shutdown;
mod slowness;
mod statics;
mod strangers;
mod tls;
mod turn;
mod turn_phone;

use std::{fs, net::SocketAddr, time::Duration};

use protocol::signal::{ClientMessage, ServerMessage};
use signaling_server::{Config, Error};
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    sync::oneshot,
    task::JoinHandle,
    time::{sleep, timeout},
};

/// A running server; it stops when this is dropped.
pub struct TestServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// With `app/` and `models/` in it, and `secret.gguf` beside them.
    pub folder: TempDir,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<Result<(), Error>>,
}

impl TestServer {
    /// With a small app and a small model.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// With what `change` makes of the usual configuration.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_on(0, change).await
    }

    /// On this port.
    pub async fn start_on(port: u16, change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_files(&folder);
        let mut config = Config::new(folder.path().join("app"));
        config.model_dirs = vec![folder.path().join("models")];
        change(&mut config);
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            let _ = stopped.await;
        };
        let running = tokio::spawn(signaling_server::run(listener, config, shutdown));
        Self { address, folder, stop: Some(stop), running }
    }

    /// Asks the server to stop.
    pub fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    /// Waits until it has.
    pub async fn stopped(self) {
        soon(self.running).await.unwrap().unwrap();
    }

    /// A line of `/metrics`, by what stands before its number and after `signaling_`; 0 where there is none.
    pub async fn metric(&self, name: &str) -> u64 {
        metrics::read(self.address, &format!("signaling_{name}")).await
    }

    /// Waits until a counter is `count`: a socket's end is counted after its client hears of it.
    pub async fn counts(&self, name: &str, count: u64) {
        soon(async {
            while self.metric(name).await != count {
                sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }

    /// Whether two phones can still meet.
    pub async fn is_well(&self) {
        assert_eq!(http::get(self.address, "/healthz", &[]).await.status, 200);
        let room = base::RoomId(*b"another room, ok");
        let mut phones = Vec::new();
        for (peer, others) in [(client::ANNA, &[][..]), (client::BEN, &[client::ANNA])] {
            let mut phone = client::Client::connect(self.address).await;
            let open = ClientMessage::Open { room, peer };
            let join = ClientMessage::Join { room, peer };
            phone.say(if others.is_empty() { &open } else { &join }).await;
            let ServerMessage::Entered { peers, .. } = phone.hear().await else { panic!() };
            assert_eq!(peers, others);
            phones.push(phone);
        }
        for mut phone in phones {
            phone.0.close(None).await.unwrap();
            phone.hear_close().await;
        }
    }

    /// The JSON of `/api/stats`.
    pub async fn stats(&self) -> serde_json::Value {
        http::get(self.address, "/api/stats", &[]).await.json()
    }
}

/// Fails the test where it would wait for ever.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), future).await.expect("this takes no 20 seconds")
}

/// Says that tests leave themselves out because `program` is not installed.
///
/// # Panics
/// Where `variable` says that somebody has just seen to that.
pub fn leave_out(program: &str, variable: &str) {
    let is_required = std::env::var_os(variable).is_some_and(|it| it == "required");
    assert!(!is_required, "{program} is required, and is not installed");
    eprintln!("skipped: {program} is not installed");
}

/// The app's `index.html`.
pub const PAGE: &str = "<!doctype html><title>LinguaLinked</title>";
/// The app's service worker.
pub const SERVICE_WORKER: &str = "addEventListener('fetch', () => {});";
/// The app's script.
pub const SCRIPT: &str = "console.log('the script');";

/// 100,000 bytes that tell where they stand.
pub fn model_bytes() -> Vec<u8> {
    (0..25_000_u32).flat_map(u32::to_be_bytes).collect()
}

/// The files of a server.
pub fn write_files(folder: &TempDir) {
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    file("app/index.html", PAGE.as_bytes());
    file("app/sw.js", SERVICE_WORKER.as_bytes());
    file("app/assets/script-1a2b3c.js", SCRIPT.as_bytes());
    file("app/assets/engine-4d5e6f.wasm", b"\0asm\x01\0\0\0");
    let mut compressed = Vec::new();
    let params = brotli::enc::BrotliEncoderParams::default();
    brotli::BrotliCompress(&mut SCRIPT.as_bytes(), &mut compressed, &params).unwrap();
    file("app/assets/script-1a2b3c.js.br", &compressed);
    file("app/assets/script-1a2b3c.js.gz", b"gzip, says its name");
    file("models/tiny.gguf", &model_bytes());
    file("models/tiny.json", b"{}");
    file("models/lonely.json", b"{}");
    file("models/notes.txt", b"private notes");
    file("models/.hidden.gguf", b"hidden");
    file("models/inner/deep.gguf", b"deep");
    file("secret.gguf", b"secret");
}

/// A client is soon taken for silent.
pub fn short_idle(config: &mut Config) {
    config.limits.idle_timeout = Duration::from_millis(1500);
    config.limits.ping_interval = Duration::from_millis(100);
}

/// A client may say little at once, and one message a second.
pub fn few_messages(config: &mut Config) {
    config.limits.messages_per_sec = 1;
    config.limits.messages_burst = 10;
}
