//! What somebody with an account at NATS can do who is no server: cost time, and not more.

use std::time::{Duration, Instant};

use async_nats::Client as NatsClient;
use base::RoomId;
use futures_util::StreamExt as _;
use protocol::{
    cluster::{
        Body, CallerSays, Claim, News, Notice, RoomKey, SERVERS_MAX, ServerId, ShowerSays, VERSION,
    },
    signal::{ClientMessage, RefusalCode, ServerMessage},
};

use crate::{TestServer, client::*, nats::NatsServer, soon};

const FORGER: ServerId = ServerId(0xf0f0_f0f0_f0f0_f0f0);

struct Stage {
    nats: NatsServer,
    first: TestServer,
    second: TestServer,
    anna: Client,
    ben: Client,
    forger: NatsClient,
    servers: Vec<ServerId>,
}

impl Stage {
    /// A room over two servers, and somebody who hears and says what they want.
    async fn set() -> Option<Self> {
        let nats = NatsServer::start(&[]).await?;
        let (first, second) = nats.two().await;
        let mut anna = Client::open(first.address, ANNA).await;
        let ben = Client::join(second.address, BEN, &[ANNA]).await;
        assert_eq!(anna.hear().await, ServerMessage::PeerEntered { peer: BEN });
        let forger = async_nats::connect(nats.url()).await.unwrap();
        let mut hellos = forger.subscribe("lingualinked.1.all").await.unwrap();
        let mut servers = Vec::new();
        while servers.len() < 2 {
            let message = soon(hellos.next()).await.unwrap();
            let notice = Notice::decode(&message.payload, 10_000).unwrap();
            if !servers.contains(&notice.from) {
                servers.push(notice.from);
            }
        }
        Some(Self { nats, first, second, anna, ben, forger, servers })
    }

    async fn send(&self, bytes: Vec<u8>) {
        for server in &self.servers {
            let subject = format!("lingualinked.1.to.{server}");
            self.forger.publish(subject, bytes.clone().into()).await.unwrap();
        }
        self.forger.publish("lingualinked.1.all", bytes.into()).await.unwrap();
        self.forger.flush().await.unwrap();
    }

    async fn say(&self, from: ServerId, news: News) {
        self.send(Notice { from, news }.encode()).await;
    }

    /// Until both servers have heard all that was sent: a notice that is none comes after it, on both subjects.
    async fn is_heard(&self) {
        let refused = r#"notices_total{kind="refused"}"#;
        let before = [self.first.metric(refused).await, self.second.metric(refused).await];
        self.send(vec![0xff]).await;
        for (server, before) in [&self.first, &self.second].into_iter().zip(before) {
            server.counts(refused, before + 2).await;
        }
    }

    /// Neither phone has heard anything, and both can still be talked to.
    async fn goes_on(mut self) {
        self.is_heard().await;
        let sealed = "still here".to_owned();
        for (from, to) in [(BEN, ANNA), (ANNA, BEN)] {
            let (speaker, listener) = match from {
                ANNA => (&mut self.anna, &mut self.ben),
                _ => (&mut self.ben, &mut self.anna),
            };
            speaker.say(&ClientMessage::Send { to, sealed: sealed.clone() }).await;
            let message = ServerMessage::From { from, sealed: sealed.clone() };
            assert_eq!(listener.hear().await, message, "the first that was heard");
        }
        self.first.is_well().await;
        self.second.is_well().await;
        drop(self.nats);
    }
}

#[tokio::test]
async fn what_is_no_notice_is_refused() {
    let Some(stage) = Stage::set().await else { return };
    let hello = Notice { from: FORGER, news: News::Hello { changes: 0, known: vec![] } };
    let mut other_version = hello.encode();
    other_version[0] = VERSION + 1;
    let nonsense = [vec![], vec![VERSION], vec![0xff; 100], vec![VERSION; 1000], other_version];
    let oversize = vec![VERSION; 900_000];
    let count = nonsense.len() + 1;
    for bytes in nonsense.into_iter().chain([oversize]) {
        stage.send(bytes).await;
    }
    for server in [&stage.first, &stage.second] {
        server.counts(r#"notices_total{kind="refused"}"#, 2 * count as u64).await;
        assert_eq!(server.metric("servers").await, 1);
    }
    stage.goes_on().await;
}

#[tokio::test]
async fn nobody_speaks_for_a_phone_that_is_not_theirs() {
    let Some(stage) = Stage::set().await else { return };
    let room = RoomKey::of(&ROOM);
    let passed = |from, to| News::Passed { room, from, to, body: Body::Sealed("forged".into()) };
    // Of a server that nobody knows; of one that is known; in the name of a server that has another phone.
    stage.say(FORGER, passed(BEN, ANNA)).await;
    stage.say(FORGER, News::Left { changes: 1, room, peer: BEN }).await;
    stage.say(FORGER, News::Hello { changes: 0, known: vec![] }).await;
    stage
        .say(
            FORGER,
            News::State { changes: 0, part: 0, is_last: true, rooms: vec![], codes: vec![] },
        )
        .await;
    stage.say(FORGER, passed(BEN, ANNA)).await;
    stage.say(FORGER, passed(ANNA, BEN)).await;
    stage.say(FORGER, News::Left { changes: 1, room, peer: BEN }).await;
    for server in stage.servers.clone() {
        stage.say(server, passed(CLEO, ANNA)).await;
    }
    // In another room.
    let other = RoomKey::of(&RoomId(*b"some other room!"));
    stage.say(FORGER, News::Entered { changes: 2, room: other, peer: CLEO }).await;
    let body = Body::Binary(vec![7; 1000]);
    stage.say(FORGER, News::Passed { room: other, from: CLEO, to: ANNA, body }).await;
    stage.goes_on().await;
}

#[tokio::test]
async fn a_flood_of_servers_wishes_and_questions_is_bounded() {
    let Some(stage) = Stage::set().await else { return };
    for id in 0..200 {
        stage.say(ServerId(id), News::Hello { changes: u64::MAX, known: vec![] }).await;
        stage.say(ServerId(id), News::Ask).await;
    }
    for server in [&stage.first, &stage.second] {
        server.counts("servers", SERVERS_MAX as u64).await;
    }
    let room = RoomKey::of(&ROOM);
    for ticket in 0..1000 {
        stage.say(ServerId(1), News::Claim(Claim { ticket, room, peer: CLEO, opens: true })).await;
    }
    stage.goes_on().await;
}

/// Whoever joins rooms that there are not makes all servers talk at a rate, and then no more.
#[tokio::test]
async fn guessed_rooms_are_not_asked_about_without_end() {
    let Some(nats) = NatsServer::start(&[]).await else { return };
    // So that there are no hellos meanwhile.
    let long = |config: &mut signaling_server::Config| {
        config.nats.as_mut().unwrap().lease = Duration::from_secs(600);
    };
    let first = nats.join(0, long).await;
    let second = nats.join(1, long).await;
    first.counts("servers", 1).await;
    let told = r#"notices_total{kind="told"}"#;
    let before = second.metric(told).await;
    let began = Instant::now();
    let mut guesser = Client::connect(second.address).await;
    // On a slow machine fewer, so that the rate tells.
    for number in 0..150 {
        if began.elapsed() > Duration::from_secs(3) {
            break;
        }
        let room = RoomId([number; 16]);
        guesser.say(&ClientMessage::Join { room, peer: BEN }).await;
        assert_eq!(guesser.hear_refusal().await, RefusalCode::RoomGone);
    }
    let asked = second.metric(told).await - before;
    // As many at once, and as many a second.
    let most = 20 + 20 * (began.elapsed().as_secs() + 1);
    assert!((20..=most).contains(&asked), "{asked} of {most}");
}

/// Calls are between the servers of two phones, and each of these says its own part.
#[tokio::test]
async fn nobody_speaks_into_a_call_of_others() {
    let Some(mut stage) = Stage::set().await else { return };
    stage.anna.say(&ClientMessage::OfferCode {}).await;
    let ServerMessage::CodeOffered { place, .. } = stage.anna.hear().await else { panic!() };
    stage.is_heard().await;
    let mut cleo = Client::connect(stage.second.address).await;
    cleo.say(&ClientMessage::Redeem { place, message: "AA".into() }).await;
    let ServerMessage::Called { call, .. } = stage.anna.hear().await else { panic!() };
    // It is known as a server, with no rooms.
    stage.say(FORGER, News::Hello { changes: 0, known: vec![] }).await;
    let rooms = News::State { changes: 0, part: 0, is_last: true, rooms: vec![], codes: vec![] };
    stage.say(FORGER, rooms).await;
    stage.first.counts("servers", 2).await;
    stage.second.counts("servers", 2).await;
    let word = || "forged".to_owned();
    for number in 0..10 {
        for says in [
            ShowerSays::Answers(word()),
            ShowerSays::Ends(Some(word())),
            ShowerSays::Ends(None),
            ShowerSays::IsGone,
            ShowerSays::IsBusy,
        ] {
            stage.say(FORGER, News::Shower { call: number, says }).await;
        }
        for says in [CallerSays::Confirms(word()), CallerSays::Leaves, CallerSays::Calls(word())] {
            stage.say(FORGER, News::Caller { place, call: number, says }).await;
        }
    }
    stage.is_heard().await;
    let message = || "AA".to_owned();
    stage.anna.say(&ClientMessage::AnswerCall { call, message: message() }).await;
    assert_eq!(cleo.hear().await, ServerMessage::CallAnswered { message: message() });
    cleo.say(&ClientMessage::ConfirmCall { message: message() }).await;
    let confirmed = ServerMessage::CallConfirmed { call, message: message() };
    assert_eq!(stage.anna.hear().await, confirmed);
    stage.goes_on().await;
}
