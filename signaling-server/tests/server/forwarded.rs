//! Behind a proxy: sockets are counted by the client that the proxy names, if that was asked for.

use std::net::SocketAddr;

use protocol::signal::{ClientMessage, RefusalCode};
use signaling_server::{Config, Forwarded};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{self, client::IntoClientRequest as _},
};

use crate::{TestServer, client::*, soon};

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
async fn each_of_a_proxys_clients_has_so_many_sockets_a_second() {
    let server = TestServer::start_with(|config| {
        config.trust_forwarded = Some(Forwarded::XForwardedFor);
        config.limits.connects_per_sec = 2;
        config.limits.connects_burst = 5;
    })
    .await;
    let mut opened = 0;
    for number in 0..30 {
        let forged = format!("6.6.6.{number}, 10.0.0.1");
        match connect(server.address, &[("x-forwarded-for", &forged)]).await {
            Ok(_) => opened += 1,
            Err(status) => assert_eq!(status, 429),
        }
    }
    assert!((5..30).contains(&opened), "{opened}");
    let turned_away = r#"connections_turned_away_total{reason="address_too_fast"}"#;
    assert_eq!(server.metric(turned_away).await, 30 - opened);
    let other = connect(server.address, &[("x-forwarded-for", "10.0.0.2")]).await;
    assert!(other.is_ok(), "others are not held up");
    let first = [("x-forwarded-for", "10.0.0.1")];
    soon(async { while connect(server.address, &first).await.is_err() {} }).await;
}

#[tokio::test]
async fn a_proxys_client_is_locked_out_of_codes_and_the_others_are_not() {
    let server = TestServer::start_with(|config| {
        config.trust_forwarded = Some(Forwarded::XForwardedFor);
        config.limits.redeem_failures = 2;
    })
    .await;
    let guess = async |client: &str| {
        let headers = [("x-forwarded-for", client)];
        let mut phone = connect(server.address, &headers).await.unwrap();
        phone.say(&ClientMessage::Redeem { place: 1, message: "AA".into() }).await;
        phone.hear_refusal().await
    };
    for forged in ["6.6.6.6, 10.0.0.1", "7.7.7.7, 10.0.0.1"] {
        assert_eq!(guess(forged).await, RefusalCode::CodeGone);
    }
    assert_eq!(guess("8.8.8.8, 10.0.0.1").await, RefusalCode::LockedOut);
    assert_eq!(guess("10.0.0.1, 10.0.0.2").await, RefusalCode::CodeGone);
    server.counts(r#"refusals_total{code="locked_out"}"#, 1).await;
    server.counts(r#"refusals_total{code="code_gone"}"#, 3).await;
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
    let mut client = connect(server, headers).await?;
    let port = u128::from(client.stream().local_addr().unwrap().port());
    let room = base::RoomId(port.to_be_bytes());
    client.say(&ClientMessage::Open { room, peer: ANNA }).await;
    assert_eq!(client.hear().await, entered(&[]));
    Ok(client)
}

/// The same in no room yet.
async fn connect(server: SocketAddr, headers: &[(&'static str, &str)]) -> Result<Client, u16> {
    let mut request = format!("ws://{server}/signal").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    match connect_async(request).await {
        Ok((stream, _)) => Ok(Client(stream)),
        Err(tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
        Err(_) => Err(0),
    }
}
