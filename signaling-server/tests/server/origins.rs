//! Which pages may open a socket.

use std::net::SocketAddr;

use tokio_tungstenite::{
    connect_async,
    tungstenite::{ClientRequestBuilder, Error},
};

use crate::TestServer;

#[tokio::test]
async fn a_page_of_the_server_may_open_a_socket() {
    let server = TestServer::start().await;
    for scheme in ["http", "https"] {
        let origin = format!("{scheme}://{}", server.address);
        assert!(connect_from(server.address, &origin).await.is_ok(), "{origin}");
    }
}

#[tokio::test]
async fn a_page_of_another_may_not_and_is_told_so() {
    let server = TestServer::start().await;
    let other_port = format!("http://127.0.0.1:{}", server.address.port() ^ 1);
    for origin in ["https://elsewhere.example", "null", "", "file://", &other_port] {
        match connect_from(server.address, origin).await {
            Err(Error::Http(answer)) => {
                assert_eq!(answer.status(), 403, "{origin}");
                let body = answer.body().as_deref().unwrap_or_default();
                assert!(body.starts_with(b"only this server's own page"), "{origin}");
            }
            other => panic!("{origin}: {other:?}"),
        }
    }
}

async fn connect_from(address: SocketAddr, origin: &str) -> Result<(), Error> {
    let uri = format!("ws://{address}/signal").parse().unwrap();
    connect_async(ClientRequestBuilder::new(uri).with_header("Origin", origin)).await.map(drop)
}
