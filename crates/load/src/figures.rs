//! What was measured, as a table for people and as JSON for programs.

use std::{
    collections::BTreeMap,
    fmt::{Display, Formatter, Result},
};

use serde::Serialize;

use crate::{
    Options,
    crowd::Stayed,
    tally::{Tally, percentile_millis},
};

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// Sockets that answered pings and said nothing.
    pub idle_sockets: u32,
    /// Sockets that relayed a message a second.
    pub active_sockets: u32,
    /// The server's resident memory with these sockets, and before pairings; nothing where there is no `/proc`.
    pub rss_bytes: Option<u64>,
    /// The most that it took until the end.
    pub peak_rss_bytes: Option<u64>,
    /// Pairings a second, as many as went.
    pub pairings_per_sec: f64,
    /// 99 of 100 relayed messages of pairings took at most this from sending to arrival, on the schedule.
    pub relay_p99_millis: f64,
    /// Messages of active sockets that arrived.
    pub active_relayed: u64,
    /// What went wrong.
    pub failures: u64,
    /// How often each thing did.
    pub failed: BTreeMap<String, u64>,
    /// Pairings on a schedule.
    pub steady: Phase,
    /// As many pairings as went.
    pub flat_out: Phase,
}

/// One phase of pairings, with all sockets open.
#[derive(Clone, Debug, Serialize)]
pub struct Phase {
    /// For as long as pairings were begun.
    pub secs: f64,
    /// Those that ended well within that time.
    pub pairings: u64,
    /// The same, a second.
    pub pairings_per_sec: f64,
    /// From when a pairing was due to its end: half took at most this.
    pub pairing_p50_millis: f64,
    /// 99 of 100 took at most this.
    pub pairing_p99_millis: f64,
    /// From a relayed message's sending to its arrival: half took at most this.
    pub relay_p50_millis: f64,
    /// 99 of 100 took at most this.
    pub relay_p99_millis: f64,
    /// None took more.
    pub relay_max_millis: f64,
    /// Seconds of a processor that the server took; nothing where there is no `/proc`.
    pub server_cpu_secs: Option<f64>,
    /// Seconds of a processor that all the phones took.
    pub load_cpu_secs: Option<f64>,
}

impl Figures {
    pub(crate) fn new(
        options: &Options,
        [rss_bytes, peak_rss_bytes]: [Option<u64>; 2],
        mut steady: Measured,
        mut flat_out: Measured,
        stayed: Stayed,
    ) -> Self {
        let mut failures = stayed.failures;
        failures.merge(std::mem::take(&mut steady.0.failures));
        failures.merge(std::mem::take(&mut flat_out.0.failures));
        let (steady, flat_out) = (Phase::new(steady), Phase::new(flat_out));
        Self {
            idle_sockets: options.idle_sockets,
            active_sockets: options.active_sockets,
            rss_bytes,
            peak_rss_bytes,
            pairings_per_sec: flat_out.pairings_per_sec,
            relay_p99_millis: steady.relay_p99_millis,
            active_relayed: stayed.relayed,
            failures: failures.total(),
            failed: failures.0,
            steady,
            flat_out,
        }
    }

    /// Why they are none, or not those of a server that may be used; nothing where all is well. Memory counts where the system
    /// tells it.
    pub fn complaint(&self) -> Option<String> {
        match (self.failures, self.rss_bytes, self.relay_p99_millis) {
            (failures @ 1.., ..) => {
                Some(format!("{failures} failures, so the figures count for nothing"))
            }
            (0, Some(bytes), _) if bytes > RSS_MAX_BYTES => Some(format!(
                "with all sockets open the server takes {bytes} bytes of memory, and may take {RSS_MAX_BYTES}"
            )),
            (0, _, millis) if millis > RELAY_P99_MAX_MILLIS => Some(format!(
                "one of 100 relayed messages took more than {millis:.1} ms, and may take {RELAY_P99_MAX_MILLIS}: \
                 end other programs and try again"
            )),
            _ => None,
        }
    }

    /// One JSON object on one line.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("figures have text keys and finite numbers only")
    }
}

/// A phase's pairings, and the seconds of a processor of server and phones.
pub(crate) type Measured = (Tally, Option<[f64; 2]>);

impl Phase {
    fn new((mut tally, cpu_secs): Measured) -> Self {
        tally.relays.sort_unstable();
        tally.took.sort_unstable();
        let relay = |hundredths| percentile_millis(&tally.relays, hundredths);
        let pairing = |hundredths| percentile_millis(&tally.took, hundredths);
        Self {
            secs: tally.secs,
            pairings: tally.in_time,
            pairings_per_sec: tally.in_time as f64 / tally.secs,
            pairing_p50_millis: pairing(50),
            pairing_p99_millis: pairing(99),
            relay_p50_millis: relay(50),
            relay_p99_millis: relay(99),
            relay_max_millis: relay(100),
            server_cpu_secs: cpu_secs.map(|[server, _]| server),
            load_cpu_secs: cpu_secs.map(|[_, load]| load),
        }
    }
}

impl Display for Figures {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let megabytes = |bytes: Option<u64>| {
            bytes.map_or("?".to_owned(), |bytes| format!("{:.0}", bytes as f64 / 1e6))
        };
        let Self { idle_sockets, active_sockets, .. } = self;
        let (rss, peak) = (megabytes(self.rss_bytes), megabytes(self.peak_rss_bytes));
        writeln!(
            f,
            "{idle_sockets} idle and {active_sockets} active sockets: {rss} MB, later {peak} MB at most"
        )?;
        writeln!(f, "{:<24}{:>12}{:>12}", "with them open", "scheduled", "flat out")?;
        for (name, value) in ROWS {
            let [steady, flat_out] = [&self.steady, &self.flat_out].map(value);
            writeln!(f, "{name:<24}{steady:>12.2}{flat_out:>12.2}")?;
        }
        self.failed
            .iter()
            .try_for_each(|(message, count)| writeln!(f, "failed {count} times: {message}"))
    }
}

/// A row of the table, and its value in a phase.
type Row = (&'static str, fn(&Phase) -> f64);

const ROWS: [Row; 8] = [
    ("pairings a second", |phase| phase.pairings_per_sec),
    ("a pairing, p50, ms", |phase| phase.pairing_p50_millis),
    ("a pairing, p99, ms", |phase| phase.pairing_p99_millis),
    ("a relay, p50, ms", |phase| phase.relay_p50_millis),
    ("a relay, p99, ms", |phase| phase.relay_p99_millis),
    ("a relay, longest, ms", |phase| phase.relay_max_millis),
    ("processors: the server", |phase| phase.server_cpu_secs.unwrap_or(f64::NAN) / phase.secs),
    ("processors: the phones", |phase| phase.load_cpu_secs.unwrap_or(f64::NAN) / phase.secs),
];

/// What the server may take with all sockets open: a requirement, whatever it takes today.
const RSS_MAX_BYTES: u64 = 500_000_000;
/// The same of a relayed message's way, for 99 of 100, on the schedule.
const RELAY_P99_MAX_MILLIS: f64 = 20.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(rss_bytes: Option<u64>) -> Figures {
        let options = Options {
            server: "server".into(),
            idle_sockets: 10_000,
            active_sockets: 2_000,
            pairings_per_sec: 500,
            secs: 60,
        };
        let measured = || (Tally::default(), None);
        Figures::new(&options, [rss_bytes; 2], measured(), measured(), Stayed::default())
    }

    #[test]
    fn a_server_that_takes_too_much_memory_is_told() {
        for fine in [None, Some(RSS_MAX_BYTES)] {
            assert_eq!(figures(fine).complaint(), None);
        }
        let told = figures(Some(RSS_MAX_BYTES + 1)).complaint().expect("it is too much");
        assert!(told.contains("500000001 bytes") && told.contains("500000000"), "{told}");
    }

    #[test]
    fn messages_that_take_too_long_are_told() {
        for (relay_p99_millis, is_told) in [(RELAY_P99_MAX_MILLIS, false), (20.1, true)] {
            let told = Figures { relay_p99_millis, ..figures(None) }.complaint();
            assert_eq!(told.is_some_and(|told| told.contains("20.1 ms")), is_told);
        }
    }

    #[test]
    fn failures_are_told_before_memory() {
        let figures = Figures { failures: 3, ..figures(Some(u64::MAX)) };
        let told = figures.complaint().expect("something failed");
        assert!(told.starts_with("3 failures"), "{told}");
    }
}
