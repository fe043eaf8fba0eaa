//! Behind a proxy: sockets are counted by the client that the proxy names, if that was asked for.

use std::net::SocketAddr;

use protocol::signal::ClientMessage;
use signaling_server::{Config, Forwarded};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{self, client::IntoClientRequest as _},
};

use crate::{TestServer, client::*};

/// Two sockets of each address, of a proxy that passes on what its clients say.
async fn behind(header: Option<Forwarded>) -> TestServer {
    TestServer::start_with(|config: &mut Config| {
        config.trust_forwarded = header;
        config.limits.connections_per_address = 2;
    })
    .await
}

#[tokio::test]
async fn a_proxys_clients_are_counted_each() {
    let server = behind(Some(Forwarded::XForwardedFor)).await;
    let mut open = Vec::new();
    for client in ["10.0.0.1", "10.0.0.2", "2001:db8::1"] {
        for number in 0..2 {
            let forged = format!("6.6.6.{number}, {client}");
            open.push(socket(server.address, &[("x-forwarded-for", &forged)]).await.unwrap());
        }
        let one_more = socket(server.address, &[("x-forwarded-for", client)]).await;
        assert_eq!(one_more.err(), Some(429), "{client}");
    }
    server.counts(r#"connections_turned_away_total{reason="address_full"}"#, 3).await;
    open.pop().unwrap().0.close(None).await.unwrap();
    let freed = [("x-forwarded-for", "2001:db8::2")];
    while socket(server.address, &freed).await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_other_header_is_read_where_the_proxy_writes_that() {
    let server = behind(Some(Forwarded::Forwarded)).await;
    let mut open = Vec::new();
    for client in ["10.0.0.1", "10.0.0.2"] {
        let forwarded = format!("for={client};proto=https");
        for other in ["6.6.6.6", "7.7.7.7"] {
            let headers = [("forwarded", forwarded.as_str()), ("x-forwarded-for", other)];
            open.push(socket(server.address, &headers).await.unwrap());
        }
        let headers = [("forwarded", forwarded.as_str()), ("x-forwarded-for", "8.8.8.8")];
        assert_eq!(socket(server.address, &headers).await.err(), Some(429));
    }
}

/// Who is named nowhere counts as the proxy.
#[tokio::test]
async fn clients_without_a_name_share_the_places_of_one() {
    let server = behind(Some(Forwarded::XForwardedFor)).await;
    let _two = [socket(server.address, &[]).await, socket(server.address, &[]).await];
    let nonsense = [("x-forwarded-for", "who, me?")];
    assert_eq!(socket(server.address, &nonsense).await.err(), Some(429));
}

#[tokio::test]
async fn clients_cannot_choose_their_address_without_a_proxy() {
    let server = behind(None).await;
    let _two = [
        socket(server.address, &[("x-forwarded-for", "10.0.0.1")]).await.unwrap(),
        socket(server.address, &[("forwarded", "for=10.0.0.2")]).await.unwrap(),
    ];
    let third = socket(server.address, &[("x-forwarded-for", "10.0.0.3")]).await;
    assert_eq!(third.err(), Some(0), "closed without a word");
}

/// The proxy's own connections are bounded only in all: pages of many people come over them.
#[tokio::test]
async fn the_proxy_itself_is_no_client() {
    let server = behind(Some(Forwarded::XForwardedFor)).await;
    let mut open = Vec::new();
    for _ in 0..300 {
        open.push(tokio::net::TcpStream::connect(server.address).await.unwrap());
    }
    server.is_well().await;
    server.counts(r#"connections_turned_away_total{reason="address_too_fast"}"#, 0).await;
}

/// A socket in a room of its own, or the status of the refusal; 0 where there was no answer.
async fn socket(server: SocketAddr, headers: &[(&'static str, &str)]) -> Result<Client, u16> {
    let mut request = format!("ws://{server}/signal").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    match connect_async(request).await {
        Ok((stream, _)) => {
            let mut client = Client(stream);
            let port = u128::from(client.stream().local_addr().unwrap().port());
            let room = base::RoomId(port.to_be_bytes());
            client.say(&ClientMessage::Open { room, peer: ANNA }).await;
            assert_eq!(client.hear().await, entered(&[]));
            Ok(client)
        }
        Err(tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
        Err(_) => Err(0),
    }
}
