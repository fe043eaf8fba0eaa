//! What the server counts, for Prometheus (in the OpenMetrics text format): numbers alone, nothing that a client said.

use std::fs;

use axum::{
    extract::State,
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Metric, Registry},
};

use crate::{NO_STORE, Server};

/// Counters count by themselves; gauges are set when somebody asks.
pub(crate) struct Metrics {
    registry: Registry,
    /// Connections that got a place.
    pub(crate) accepted: Counter,
    /// Connections that got none.
    pub(crate) turned_away: Labelled,
    /// Connections ended before their client did: time-outs, and what is no HTTP.
    pub(crate) cut: Labelled,
    /// Answers by their status.
    answers: Labelled,
    pub(crate) sockets_ended: Labelled,
    /// What clients were told not to have been done.
    pub(crate) refusals: Labelled,
    pub(crate) messages: Labelled,
    pub(crate) rooms_opened: Counter,
    pub(crate) codes_offered: Counter,
    /// Calls to phones that show codes, by their outcome.
    pub(crate) redeems: Labelled,
    /// Bytes of all text messages.
    pub(crate) signaling_bytes: Counter,
    /// Payload bytes of all binary messages passed on.
    pub(crate) relayed_bytes: Counter,
    codes: Gauge,
    /// What servers tell each other over NATS.
    pub(crate) notices: Labelled,
    /// 1 while NATS is connected.
    pub(crate) nats: Gauge,
    /// Other servers that are heard.
    pub(crate) servers: Gauge,
    pub(crate) turn_allocated: Counter,
    /// Payload bytes that TURN passed on.
    pub(crate) turn_bytes: Counter,
    /// Bytes of checks whether a way is open.
    pub(crate) turn_check_bytes: Counter,
    pub(crate) turn_refusals: Labelled,
    pub(crate) turn_dropped: Labelled,
    pub(crate) turn_allocations: Gauge,
    rooms: Gauge,
    peers: Gauge,
    sockets: Gauge,
    connections: Gauge,
    draining: Gauge,
    resident_bytes: Gauge,
}

/// Counters of one name, one for each value of a label.
#[derive(Clone)]
pub(crate) struct Labelled {
    label: &'static str,
    counters: Family<[(&'static str, &'static str); 1], Counter>,
}

impl Labelled {
    pub(crate) fn count(&self, value: &'static str) {
        self.counters.get_or_create(&[(self.label, value)]).inc();
    }
}

impl Metrics {
    /// All at zero.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::default();
        let resident_bytes =
            made(&mut registry, "process_resident_memory_bytes", "Memory of this process");
        let all = registry.sub_registry_with_prefix("signaling");
        Self {
            accepted: made(all, "connections_accepted", "Connections that got a place"),
            turned_away: labelled(
                all,
                "reason",
                "connections_turned_away",
                "Connections that got none",
            ),
            cut: labelled(
                all,
                "reason",
                "connections_cut",
                "Connections ended by a time-out or by nonsense",
            ),
            answers: labelled(all, "status", "answers", "HTTP answers"),
            sockets_ended: labelled(all, "reason", "sockets_ended", "WebSockets that ended"),
            refusals: labelled(
                all,
                "code",
                "refusals",
                "What sockets were told not to have been done",
            ),
            messages: labelled(all, "kind", "messages", "Messages that sockets brought"),
            rooms_opened: made(all, "rooms_opened", "Rooms that were opened"),
            codes_offered: made(all, "codes_offered", "Places that were given to short codes"),
            redeems: labelled(all, "outcome", "redeems", "Calls to phones that show a short code"),
            signaling_bytes: made(all, "signaling_bytes", "Bytes of text messages received"),
            relayed_bytes: made(all, "relayed_bytes", "Payload bytes of binary messages passed on"),
            codes: made(all, "codes", "Short codes that are shown"),
            notices: labelled(all, "kind", "notices", "What servers tell each other over NATS"),
            nats: made(all, "nats", "1 while NATS is connected"),
            servers: made(all, "servers", "Other servers that are heard"),
            turn_allocated: made(all, "turn_allocated", "TURN allocations that were made"),
            turn_bytes: made(all, "turn_bytes", "Payload bytes that TURN passed on"),
            turn_check_bytes: made(all, "turn_check_bytes", "Bytes of ICE checks passed on"),
            turn_refusals: labelled(all, "reason", "turn_refusals", "TURN requests refused"),
            turn_dropped: labelled(
                all,
                "reason",
                "turn_dropped",
                "Datagrams to TURN that were lost",
            ),
            turn_allocations: made(all, "turn_allocations", "TURN allocations"),
            rooms: made(all, "rooms", "Rooms with somebody in them"),
            peers: made(all, "peers", "Peers in all rooms"),
            sockets: made(all, "sockets", "Open WebSockets"),
            connections: made(all, "connections", "Open connections, those of sockets among them"),
            draining: made(all, "draining", "1 while the server stops"),
            resident_bytes,
            registry,
        }
    }

    fn set_gauges(&self, server: &Server) {
        let stats = server.stats();
        if let Some(cluster) = server.0.rooms.cluster() {
            cluster.set_gauges();
        }
        let sockets = server.0.sockets.len();
        let connections = server.0.addresses.connections();
        let resident_bytes = resident_bytes().unwrap_or(0);
        for (gauge, value) in [
            (&self.codes, server.0.codes.count()),
            (&self.rooms, stats.rooms),
            (&self.peers, stats.peers),
            (&self.sockets, sockets),
            (&self.connections, connections),
            (&self.draining, usize::from(server.is_draining())),
            (&self.resident_bytes, resident_bytes),
        ] {
            gauge.set(value as i64);
        }
    }
}

/// `GET /metrics`.
pub(crate) async fn show(State(server): State<Server>) -> impl IntoResponse {
    let metrics = &server.0.metrics;
    metrics.set_gauges(&server);
    let mut text = String::new();
    encode(&mut text, &metrics.registry).expect("writing to a String succeeds");
    (NO_STORE, OPEN_METRICS, text)
}

/// The layer that counts answers.
pub(crate) async fn count_answer(State(server): State<Server>, response: Response) -> Response {
    server.0.metrics.answers.count(class(response.status()));
    response
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}

fn made<M: Metric + Clone + Default>(all: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    all.register(name, help, metric.clone());
    metric
}

fn labelled(all: &mut Registry, label: &'static str, name: &str, help: &str) -> Labelled {
    Labelled { label, counters: made(all, name, help) }
}

/// What Linux says in `/proc`; other systems do not.
fn resident_bytes() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: usize = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

const OPEN_METRICS: [(HeaderName, &str); 1] =
    [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")];
