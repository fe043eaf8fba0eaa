//! One other peer: a connection to it, from its first step to its end.

use std::{
    cell::RefCell,
    rc::{Rc, Weak},
    sync::Arc,
    time::Duration,
};

use ::rtc::ice::mdns::MulticastDnsMode;
use base::PeerId;
use peer::messages::RtcEvent;
use protocol::signal::DescriptionKind;
use sha2::{Digest as _, Sha256};
use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    time::{sleep, timeout},
};
use transport::native;
use webrtc::{
    data_channel::{DataChannel, RTCDataChannelState},
    error::{Error, Result},
    peer_connection::{
        PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfiguration,
        RTCConfigurationBuilder, RTCIceCandidateInit, RTCIceServer, RTCPeerConnectionIceEvent,
        RTCPeerConnectionState, RTCSessionDescription, SettingEngineBuilder,
    },
};

use crate::identity::Identity;

use super::{Happened, restart::Restart};

/// Name of the one data channel between two peers.
const CHANNEL_LABEL: &str = "lingualinked";
/// Every local address of either family; one that this computer lacks is passed over.
const ADDRESSES: [&str; 2] = ["0.0.0.0:0", "[::]:0"];
/// Whether the names are looked up that browsers have for their addresses: without, where there is no multicast.
const NAMES: [MulticastDnsMode; 2] = [MulticastDnsMode::QueryOnly, MulticastDnsMode::Disabled];
/// Candidates kept while a remote description is on its way; more than any browser gathers.
const EARLY_CANDIDATES: usize = 64;
/// What a connection tells and was not heard yet.
const TOLD: usize = 128;
/// How long one step may take.
const STEP: Duration = Duration::from_secs(15);
/// How long a channel may take to be closed by its link.
const LINGER: Duration = Duration::from_secs(3);

/// How a connection begins.
pub enum Beginning {
    Offer,
    Answer(String),
}

/// What comes after that.
pub enum Step {
    Accept(String),
    Candidate {
        candidate: String,
        mid: Option<String>,
        line: Option<u16>,
    },
    /// Of this number.
    Restart(u32, Restart),
}

/// What the connection itself tells.
enum Told {
    Candidate(RTCIceCandidateInit),
    State(RTCPeerConnectionState),
}

/// What a connection is made of.
pub struct Seat {
    pub(super) peer: PeerId,
    pub(super) identity: Identity,
    pub(super) ice_servers: Rc<RefCell<Vec<RTCIceServer>>>,
    pub(super) tell: Rc<dyn Fn(Happened)>,
    /// Whether it is still the one to its peer.
    pub(super) current: Weak<()>,
}

impl Seat {
    /// Goes on until `steps` has no sender any more, which says that the connection is to end.
    pub async fn run(self, beginning: Beginning, mut steps: Receiver<Step>) {
        let (sender, mut told) = channel(TOLD);
        let Ok((connection, channel)) = in_time(self.open(sender)).await else {
            return self.failed();
        };
        if self.current.strong_count() == 0 {
            // Another has taken its place meanwhile, and nobody hears of its channel.
            let _ = in_time(connection.close()).await;
            return;
        }
        self.happened(Happened::Channel(self.peer, channel.clone()));
        let mut open = Open { seat: &self, connection, early: Some(Vec::new()) };
        let mut is_well = in_time(open.begin(beginning)).await.is_ok();
        if !is_well {
            self.failed();
        }
        loop {
            tokio::select! {
                step = steps.recv() => match step {
                    Some(step) if is_well => is_well = open.step(step).await.is_ok(),
                    Some(_) => {}
                    None => break,
                },
                told = told.recv(), if is_well => match told {
                    Some(told) => open.on_told(told).await,
                    None => is_well = false,
                },
            }
        }
        open.close(&*channel).await;
    }

    async fn open(
        &self,
        told: Sender<Told>,
    ) -> Result<(Arc<dyn PeerConnection>, Arc<dyn DataChannel>)> {
        let mut connection = Err(Error::ErrConnectionClosed);
        for names in NAMES {
            if connection.is_err() {
                connection = self.connect(told.clone(), names).await;
            }
        }
        let connection = connection?;
        let channel =
            connection.create_data_channel(CHANNEL_LABEL, Some(native::channel())).await?;
        Ok((connection, channel))
    }

    async fn connect(
        &self,
        told: Sender<Told>,
        names: MulticastDnsMode,
    ) -> Result<Arc<dyn PeerConnection>> {
        // A restart is for another network: the addresses of the old one are of no use.
        let settings = SettingEngineBuilder::new()
            .with_multicast_dns_mode(names)
            .with_discard_local_candidates_during_ice_restart(true)
            .build();
        let connection = PeerConnectionBuilder::new()
            .with_configuration(self.configuration())
            .with_setting_engine(settings)
            .with_handler(Arc::new(Ear(told)))
            .with_udp_addrs(ADDRESSES.to_vec())
            .build()
            .await?;
        Ok(Arc::new(connection))
    }

    fn configuration(&self) -> RTCConfiguration {
        RTCConfigurationBuilder::new()
            .with_ice_servers(self.ice_servers.borrow().clone())
            .with_certificates(vec![self.identity.certificate.clone()])
            .build()
    }

    fn happened(&self, happened: Happened) {
        if self.current.strong_count() > 0 {
            (self.tell)(happened);
        }
    }

    fn event(&self, event: RtcEvent) {
        self.happened(Happened::Event(event));
    }

    fn failed(&self) {
        self.event(RtcEvent::State { peer: self.peer, state: "failed".into() });
    }
}

/// A connection that is there.
struct Open<'a> {
    seat: &'a Seat,
    connection: Arc<dyn PeerConnection>,
    /// Candidates that came before the remote description; none once that is there.
    early: Option<Vec<RTCIceCandidateInit>>,
}

impl Open<'_> {
    async fn begin(&mut self, beginning: Beginning) -> Result<()> {
        let (kind, own) = match beginning {
            Beginning::Offer => (DescriptionKind::Offer, self.connection.create_offer(None).await?),
            Beginning::Answer(sdp) => {
                self.set_remote(RTCSessionDescription::offer(sdp)?).await?;
                (DescriptionKind::Answer, self.connection.create_answer(None).await?)
            }
        };
        self.connection.set_local_description(own).await?;
        let own = self.connection.local_description().await.ok_or(Error::ErrConnectionClosed)?;
        let peer = self.seat.peer;
        self.seat.event(RtcEvent::Description { peer, description: kind, sdp: own.sdp });
        Ok(())
    }

    /// A step that fails is the other's failure, and ends the connection.
    async fn step(&mut self, step: Step) -> Result<()> {
        let done = match step {
            Step::Accept(sdp) => {
                let accept = async { self.set_remote(RTCSessionDescription::answer(sdp)?).await };
                in_time(accept).await
            }
            Step::Candidate { candidate, mid, line } => {
                let candidate = RTCIceCandidateInit {
                    candidate,
                    sdp_mid: mid,
                    sdp_mline_index: line,
                    ..RTCIceCandidateInit::default()
                };
                self.add(candidate).await;
                Ok(())
            }
            Step::Restart(number, restart) => {
                self.restart(number, restart).await;
                Ok(())
            }
        };
        if done.is_err() {
            self.seat.failed();
        }
        done
    }

    /// A step of a restart, and what the other end is told of it. One that fails leaves the connection as it is.
    async fn restart(&self, number: u32, restart: Restart) {
        let step = async {
            // Credentials of a relay that were good at the beginning may be over; without others there are still other ways.
            let _ = self.connection.set_configuration(self.seat.configuration()).await;
            restart.step(&*self.connection).await
        };
        if let Ok(Some((description, sdp))) = in_time(step).await {
            let peer = self.seat.peer;
            self.seat.event(RtcEvent::Restart { peer, number, description, sdp });
        }
    }

    async fn set_remote(&mut self, description: RTCSessionDescription) -> Result<()> {
        self.connection.set_remote_description(description).await?;
        for candidate in self.early.take().into_iter().flatten() {
            self.add(candidate).await;
        }
        Ok(())
    }

    /// A candidate that cannot be used (an unknown kind, a stale one) is one path less, not a failure.
    async fn add(&mut self, candidate: RTCIceCandidateInit) {
        match &mut self.early {
            Some(early) if early.len() < EARLY_CANDIDATES => early.push(candidate),
            Some(_) => {}
            None => drop(in_time(self.connection.add_ice_candidate(candidate)).await),
        }
    }

    async fn on_told(&self, told: Told) {
        let peer = self.seat.peer;
        match told {
            Told::Candidate(RTCIceCandidateInit { candidate, sdp_mline_index: line, .. }) => {
                // There is one line, and its name is the other end's where that has offered.
                self.seat.event(RtcEvent::Candidate { peer, candidate, mid: None, line });
            }
            Told::State(state) => {
                self.seat.event(RtcEvent::State { peer, state: state.to_string() });
                if state == RTCPeerConnectionState::Connected {
                    self.secure().await;
                }
            }
        }
    }

    /// Tells between which certificates the connection is encrypted, so that both ends can prove who they are.
    async fn secure(&self) {
        let peer = self.seat.peer;
        let theirs = async {
            let sctp = self.connection.sctp().await.ok_or(Error::ErrConnectionClosed)?;
            let chain = sctp.transport().get_remote_certificates().await?;
            chain.into_iter().next().ok_or(Error::ErrConnectionClosed)
        };
        match in_time(theirs).await {
            Ok(certificate) => self.seat.event(RtcEvent::Secured {
                peer,
                own: self.seat.identity.fingerprint,
                theirs: Sha256::digest(certificate).into(),
            }),
            Err(_) => self.seat.failed(),
        }
    }

    /// The link closes its channel once what was sent has left.
    async fn close(self, channel: &dyn DataChannel) {
        let closed = async {
            while matches!(channel.ready_state().await, Ok(state) if state != RTCDataChannelState::Closed)
            {
                sleep(Duration::from_millis(20)).await;
            }
        };
        let _ = timeout(LINGER, closed).await;
        let _ = in_time(self.connection.close()).await;
    }
}

/// What a connection calls, in whatever thread it is.
struct Ear(Sender<Told>);

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Ear {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        if let Ok(candidate) = event.candidate.to_json() {
            // A path that nobody had the time to hear of is one path less.
            let _ = self.0.try_send(Told::Candidate(candidate));
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        // It waits for a task that waits for nothing but its connection, and not for long.
        let _ = timeout(STEP, self.0.send(Told::State(state))).await;
    }
}

async fn in_time<T>(step: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(STEP, step).await.unwrap_or(Err(Error::ErrConnectionClosed))
}
