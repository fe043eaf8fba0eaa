//! Two peers of the `webrtc` crate in one process, over the loopback interface.

#![allow(clippy::unwrap_used, reason = "where a test unwraps, it fails")]

use std::{rc::Rc, sync::Arc, time::Duration};

use rtc::ice::mdns::MulticastDnsMode;
use tokio::{
    sync::{
        Notify,
        mpsc::{Receiver, Sender, channel},
    },
    task::LocalSet,
    time::timeout,
};
use transport::{Link, LinkError, LinkEvent, MAX_BUFFERED_BYTES, native, native::NativeLink};
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceCandidateInit,
    RTCPeerConnectionIceEvent, SettingEngineBuilder,
};

/// What a frame begins with: not what a slice does.
const VERSION: u8 = 1;
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn frames_of_all_sizes_come_whole_and_in_order() {
    with_links(async |mut ann, mut ben| {
        let sizes = [1, 31, 1200, 61_440, 61_441, 100_000, 1 << 20, 3 << 20, 5];
        for size in sizes {
            ann.send(filled(size)).await;
        }
        ben.send(b"the other way".to_vec()).await;
        for size in sizes {
            assert_eq!(ben.frame().await, filled(size), "{size} bytes");
        }
        assert_eq!(ann.frame().await, b"the other way");
    });
}

#[test]
fn small_frames_go_to_and_fro() {
    with_links(async |mut ann, mut ben| {
        for number in 0..200_u32 {
            let (from, to) =
                if number % 2 == 0 { (&mut ann, &mut ben) } else { (&mut ben, &mut ann) };
            let frame = [&[VERSION][..], &number.to_le_bytes()].concat();
            from.send(frame.clone()).await;
            assert_eq!(to.frame().await, frame);
        }
    });
}

#[test]
fn what_waits_is_bounded_and_leaves() {
    with_links(async |mut ann, mut ben| {
        let frame = MAX_BUFFERED_BYTES / 8;
        let mut taken = 0;
        let full = loop {
            // Nothing leaves meanwhile: no task gets its turn.
            match ann.link.send(filled(frame)) {
                Ok(()) => taken += 1,
                Err(full) => break full,
            }
            assert!(ann.link.buffered_bytes() <= MAX_BUFFERED_BYTES + frame);
        };
        assert!(matches!(full, LinkError::Full { .. }), "{full:?}");
        assert!(taken >= 7, "{taken} frames");
        for _ in 0..taken {
            assert_eq!(ben.frame().await.len(), frame);
        }
        let drained = async {
            while ann.link.buffered_bytes() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(LIMIT, drained).await.expect("it drains");
        ann.link.send(vec![1]).expect("there is room again");
        assert_eq!(ben.frame().await, [1]);
    });
}

#[test]
fn what_was_sent_before_a_link_is_dropped_arrives_and_then_it_is_closed() {
    with_links(async |mut ann, mut ben| {
        for size in [10, 300_000, 20] {
            ann.send(filled(size)).await;
        }
        drop(ann.link);
        for size in [10, 300_000, 20] {
            assert_eq!(ben.frame().await, filled(size));
        }
        assert_eq!(ben.event().await, LinkEvent::Closed);
        assert_eq!(ben.link.send(vec![1]), Err(LinkError::Closed));
    });
}

/// One end, and what wakes it.
struct End {
    link: NativeLink,
    woken: Rc<Notify>,
}

impl End {
    async fn send(&mut self, frame: Vec<u8>) {
        self.link.send(frame).expect("the link is open and has room");
    }

    async fn event(&mut self) -> LinkEvent {
        let next = async {
            loop {
                match self.link.poll() {
                    Some(event) => return event,
                    None => self.woken.notified().await,
                }
            }
        };
        timeout(LIMIT, next).await.expect("something happens on the link")
    }

    async fn frame(&mut self) -> Vec<u8> {
        match self.event().await {
            LinkEvent::Frame(frame) => frame,
            other => panic!("{other:?} instead of a frame"),
        }
    }
}

/// Bytes that tell their place and the frame's size, behind a first one as frames have it.
fn filled(size: usize) -> Vec<u8> {
    let byte = |at: usize| (at * 31 + at / 251 + size) as u8;
    std::iter::once(VERSION).chain((1..size).map(byte)).collect()
}

fn with_links(test: impl AsyncFnOnce(End, End)) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    LocalSet::new().block_on(&runtime.expect("a test has a runtime"), async {
        let [(ann, mut anns_paths), (ben, mut bens_paths)] = [connect().await, connect().await];
        let [mut ann_end, mut ben_end] = [end(&*ann).await, end(&*ben).await];
        let offer = ann.create_offer(None).await.unwrap();
        ann.set_local_description(offer).await.unwrap();
        ben.set_remote_description(ann.local_description().await.unwrap()).await.unwrap();
        let answer = ben.create_answer(None).await.unwrap();
        ben.set_local_description(answer).await.unwrap();
        ann.set_remote_description(ben.local_description().await.unwrap()).await.unwrap();
        let (to_ben, to_ann) = (ben.clone(), ann.clone());
        tokio::task::spawn_local(async move { pass_on(&mut anns_paths, &*to_ben).await });
        tokio::task::spawn_local(async move { pass_on(&mut bens_paths, &*to_ann).await });
        for end in [&mut ann_end, &mut ben_end] {
            assert_eq!(end.event().await, LinkEvent::Open);
        }
        test(ann_end, ben_end).await;
        for connection in [ann, ben] {
            timeout(LIMIT, connection.close()).await.unwrap().unwrap();
        }
    });
}

async fn end(connection: &dyn PeerConnection) -> End {
    let channel =
        connection.create_data_channel("lingualinked", Some(native::channel())).await.unwrap();
    let woken = Rc::new(Notify::new());
    let wake = woken.clone();
    End { link: NativeLink::new(channel, Rc::new(move || wake.notify_one())), woken }
}

async fn pass_on(paths: &mut Receiver<RTCIceCandidateInit>, to: &dyn PeerConnection) {
    while let Some(path) = paths.recv().await {
        to.add_ice_candidate(path).await.unwrap();
    }
}

async fn connect() -> (Arc<dyn PeerConnection>, Receiver<RTCIceCandidateInit>) {
    let (sender, paths) = channel(64);
    let settings = SettingEngineBuilder::new()
        .with_include_loopback_candidate(true)
        // Nobody asks for names here, and a machine without a network has no multicast.
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .build();
    let connection = PeerConnectionBuilder::new()
        .with_setting_engine(settings)
        .with_handler(Arc::new(Paths(sender)))
        .with_udp_addrs(vec!["127.0.0.1:0"])
        .build()
        .await
        .unwrap();
    (Arc::new(connection), paths)
}

struct Paths(Sender<RTCIceCandidateInit>);

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Paths {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        let _ = self.0.send(event.candidate.to_json().unwrap()).await;
    }
}
