//! The program: what it prints, how it stops.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;
use tokio::task::spawn_blocking;

use crate::{client::*, http, soon, write_files};

/// The program as a child of this process; it is killed when this is dropped.
pub struct Program {
    pub child: Child,
    pub address: SocketAddr,
    _folder: TempDir,
}

impl Program {
    /// With a small app, a small model and `args`.
    pub async fn start(args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_files(&folder);
        let mut child = Command::new(env!("CARGO_BIN_EXE_signaling-server"))
            .args(["--listen", "127.0.0.1:0", "--qr", "--models"])
            .arg(folder.path().join("models"))
            .arg("--app")
            .arg(folder.path().join("app"))
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let address = listening_on(&mut child).await;
        Self { child, address, _folder: folder }
    }

    /// What it says where it cannot start.
    pub fn fails(args: &[&str]) -> String {
        let folder = tempfile::tempdir().unwrap();
        write_files(&folder);
        let run = Command::new(env!("CARGO_BIN_EXE_signaling-server"))
            .args(["--listen", "127.0.0.1:0", "--app"])
            .arg(folder.path().join("app"))
            .args(args)
            .output()
            .unwrap();
        assert!(!run.status.success(), "{args:?}");
        String::from_utf8(run.stderr).unwrap()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for its good end, and gives what it logged.
    pub async fn ended(mut self) -> String {
        let wait = spawn_blocking(move || {
            let mut logged = String::new();
            self.child.stderr.take().unwrap().read_to_string(&mut logged).unwrap();
            let status = self.child.wait().unwrap();
            assert!(status.success(), "{status}: {logged}");
            logged
        });
        soon(wait).await.unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

#[tokio::test]
async fn the_program_says_where_it_listens_and_stops_on_signals() {
    for (signal, name) in [("-TERM", "SIGTERM"), ("-INT", "SIGINT")] {
        let program = Program::start(&[]).await;
        assert_eq!(http::get(program.address, "/healthz", &[]).await.status, 200);
        let mut anna = Client::open(program.address, ANNA).await;
        program.signal(signal);
        assert_eq!(anna.hear_close().await, Some(1001), "{name}");
        program.ended().await;
    }
}

/// A client that never answers is not waited for longer than said, and that is no failure.
#[tokio::test]
async fn the_program_drains_and_ends_well() {
    let program = Program::start(&["--drain-timeout-secs", "5"]).await;
    let address = program.address;
    let _anna = Client::open(address, ANNA).await;
    program.signal("-TERM");
    let draining = soon(async {
        loop {
            let answer = http::get(address, "/healthz", &[]).await;
            if answer.status != 200 {
                return answer.status;
            }
        }
    })
    .await;
    assert_eq!(draining, 503);
    program.ended().await;
}

#[tokio::test]
async fn the_program_says_what_is_wrong() {
    let run = Command::new(env!("CARGO_BIN_EXE_signaling-server"))
        .args(["--listen", "127.0.0.1:0", "--app", "no/such/folder"])
        .output()
        .unwrap();
    let said = String::from_utf8(run.stderr).unwrap();
    assert!(!run.status.success() && said.contains("no/such/folder"), "{said}");
}

async fn listening_on(program: &mut Child) -> SocketAddr {
    let output = program.stdout.take().unwrap();
    let line = spawn_blocking(move || {
        let mut lines = BufReader::new(output).lines();
        let line = lines.next().unwrap().unwrap();
        // Keeps reading, so that the program never waits for its reader.
        std::thread::spawn(move || lines.count());
        line
    });
    let line = soon(line).await.unwrap();
    let url = line.strip_prefix("listening on http://").unwrap();
    url.trim_end_matches('/').parse().unwrap()
}
