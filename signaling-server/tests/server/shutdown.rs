//! Stopping: of the library, and of the program.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::spawn_blocking,
};

use crate::{TestServer, client::*, http, soon};

#[tokio::test]
async fn sockets_hear_that_the_server_stops() {
    let mut server = TestServer::start().await;
    let mut anna = Client::open(server.address, ANNA).await;
    let mut ben = Client::join(server.address, BEN, &[ANNA]).await;
    let mut idle = kept_alive(server.address).await;
    let stopped = Instant::now();
    server.stop();
    assert_eq!(anna.hear_close().await, Some(1001));
    assert_eq!(ben.hear_close().await, Some(1001));
    assert_eq!(soon(idle.read(&mut [0])).await.unwrap(), 0);
    let address = server.address;
    server.stopped().await;
    assert!(stopped.elapsed() < Duration::from_secs(4), "{:?}", stopped.elapsed());
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_client_that_does_not_answer_is_not_waited_for() {
    let mut server = TestServer::start_with(|config| {
        config.limits.drain_timeout = Duration::from_millis(300);
    })
    .await;
    let _anna = Client::open(server.address, ANNA).await;
    let stopped = Instant::now();
    server.stop();
    server.stopped().await;
    let took = stopped.elapsed();
    assert!((Duration::from_millis(250)..Duration::from_secs(3)).contains(&took), "{took:?}");
}

#[tokio::test]
async fn the_program_says_where_it_listens_and_stops_on_signals() {
    for (signal, name) in [("-TERM", "SIGTERM"), ("-INT", "SIGINT")] {
        let files = TestServer::start().await;
        let mut program = Command::new(env!("CARGO_BIN_EXE_signaling-server"))
            .args(["--listen", "127.0.0.1:0", "--qr", "--models"])
            .arg(files.folder.path().join("models"))
            .arg("--app")
            .arg(files.folder.path().join("app"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let address = listening_on(&mut program).await;
        assert_eq!(http::get(address, "/healthz", &[]).await.status, 200);
        let mut anna = Client::open(address, ANNA).await;
        let sent = Command::new("kill").args([signal, &program.id().to_string()]).status();
        assert!(sent.unwrap().success());
        assert_eq!(anna.hear_close().await, Some(1001), "{name}");
        let status = soon(spawn_blocking(move || program.wait())).await.unwrap().unwrap();
        assert!(status.success(), "{name}: {status}");
    }
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

/// A connection that had its answer and waits for another request.
async fn kept_alive(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: room\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"ok\n") {
        answer.push(soon(stream.read_u8()).await.unwrap());
    }
    stream
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
