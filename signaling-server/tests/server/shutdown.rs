//! Stopping.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_tungstenite::{connect_async, tungstenite::Error};

use crate::{TestServer, client::*, http, soon};

#[tokio::test]
async fn sockets_hear_that_the_server_stops() {
    let mut server = TestServer::start().await;
    let mut anna = Client::open(server.address, ANNA).await;
    let mut ben = Client::join(server.address, BEN, &[ANNA]).await;
    let mut idle = kept_alive(server.address).await;
    server.stop();
    assert_eq!(anna.hear_close().await, Some(1001));
    assert_eq!(ben.hear_close().await, Some(1001));
    assert_eq!(soon(idle.read(&mut [0])).await.unwrap(), 0);
    let address = server.address;
    server.stopped().await;
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
    assert!(stopped.elapsed() >= Duration::from_millis(250), "{:?}", stopped.elapsed());
}

/// A client that does not close its end keeps the server draining.
#[tokio::test]
async fn a_draining_server_says_so_and_takes_no_rooms() {
    let mut server = TestServer::start_with(|config| {
        config.limits.drain_timeout = Duration::from_secs(3);
    })
    .await;
    let mut anna = Client::open(server.address, ANNA).await;
    assert_eq!(server.metric("draining").await, 0);
    server.stop();
    let address = server.address;
    let answer = soon(async {
        loop {
            let answer = http::get(address, "/healthz", &[]).await;
            if answer.status != 200 {
                return answer;
            }
        }
    })
    .await;
    assert_eq!((answer.status, answer.body.as_slice()), (503, &b"draining\n"[..]));
    assert_eq!(server.metric("draining").await, 1);
    match connect_async(format!("ws://{address}/signal")).await {
        Err(Error::Http(refused)) => {
            assert_eq!(refused.status(), 503);
            assert!(refused.headers().contains_key("retry-after"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(anna.hear_close().await, Some(1001));
    server.stopped().await;
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
