//! The real NATS (Debian's package `nats-server`), and a way to it that can be cut.

use std::{fs, io::ErrorKind, path::PathBuf, process::Child, time::Duration};

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use signaling_server::{Config, Nats};
use tempfile::TempDir;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::sleep,
};

use crate::{
    TestServer, leave_out,
    pebble::{free_ports, quiet},
    soon,
};

/// It ends when this is dropped.
pub struct NatsServer {
    child: Child,
    args: Vec<String>,
    pub port: u16,
}

impl NatsServer {
    /// Nothing where it is not installed, unless somebody has just seen to that.
    pub async fn start(args: &[&str]) -> Option<Self> {
        let [port] = free_ports();
        let mut all = vec!["--addr".to_owned(), "127.0.0.1".to_owned()];
        all.extend(["--port".to_owned(), port.to_string()]);
        all.extend(args.iter().map(|arg| (*arg).to_owned()));
        let child = match quiet("nats-server").args(&all).spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                leave_out("nats-server", "LINGUALINKED_NATS");
                return None;
            }
            Err(error) => panic!("{error}"),
        };
        let nats = Self { child, args: all, port };
        nats.listens().await;
        Some(nats)
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// On the same port, without any memory.
    pub async fn start_again(&mut self) {
        self.child = quiet("nats-server").args(&self.args).spawn().unwrap();
        self.listens().await;
    }

    /// A signaling server that knows `others` others.
    pub async fn join(&self, others: u64, change: impl FnOnce(&mut Config)) -> TestServer {
        join(&self.url(), others, change).await
    }

    /// Two that know each other.
    pub async fn two(&self) -> (TestServer, TestServer) {
        let first = self.join(0, |_| {}).await;
        let second = self.join(1, |_| {}).await;
        first.counts("servers", 1).await;
        (first, second)
    }

    /// On the same port, with other arguments.
    pub async fn start_again_with(&mut self, args: &[&str]) {
        self.args.truncate(4);
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        self.start_again().await;
    }

    async fn listens(&self) {
        soon(async {
            while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
                sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A signaling server that knows `others` others by this NATS.
pub async fn join(url: &str, others: u64, change: impl FnOnce(&mut Config)) -> TestServer {
    let server = TestServer::start_with(|config| {
        config.nats = Some(Nats { lease: LEASE, ..Nats::new(url) });
        change(config);
    })
    .await;
    server.counts("servers", others).await;
    server
}

/// A port that leads to NATS, until it is cut.
pub struct Cable {
    pub url: String,
    is_whole: watch::Sender<bool>,
    running: JoinHandle<()>,
}

impl Cable {
    pub async fn to(nats: &NatsServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("nats://{}", listener.local_addr().unwrap());
        let (is_whole, state) = watch::channel(true);
        let port = nats.port;
        let running = tokio::spawn(async move {
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                let mut state = state.clone();
                tokio::spawn(async move {
                    if !*state.borrow() {
                        return;
                    }
                    let mut far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                    tokio::select! {
                        _ = copy_bidirectional(&mut near, &mut far) => {}
                        _ = state.wait_for(|is_whole| !is_whole) => {}
                    }
                });
            }
        });
        Self { url, is_whole, running }
    }

    pub fn cut(&self) {
        self.is_whole.send_replace(false);
    }

    pub fn mend(&self) {
        self.is_whole.send_replace(true);
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// Certificates for NATS: its own, its key, and the one to check it with.
pub struct Certificates(TempDir);

impl Certificates {
    pub fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut root = CertificateParams::default();
        root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let root = CertifiedIssuer::self_signed(root, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let leaf = leaf.signed_by(&key, &root).unwrap();
        for (name, text) in
            [("own.pem", leaf.pem()), ("key.pem", key.serialize_pem()), ("root.pem", root.pem())]
        {
            fs::write(folder.path().join(name), text).unwrap();
        }
        Self(folder)
    }

    /// `own.pem`, `key.pem` or `root.pem`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// Short, so that tests need not wait; long enough for a busy machine.
pub const LEASE: Duration = Duration::from_secs(2);
