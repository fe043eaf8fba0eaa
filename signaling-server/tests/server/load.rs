//! The load that `cargo xtask bench server` puts on the server, but little of it: that it is borne and measured, not how fast.

#![cfg(target_os = "linux")]

use ::load::{Error, Options, run};
use serde_json::Value;

#[tokio::test]
async fn a_small_load_is_borne_and_measured() {
    let figures = run(&options(env!("CARGO_BIN_EXE_signaling-server")), |_| {}).await.unwrap();
    assert_eq!(figures.complaint(), None);
    let figures: Value = serde_json::from_str(&figures.to_json()).unwrap();
    let number = |name: &str| figures[name].as_f64().unwrap_or_else(|| panic!("{name}: {figures}"));
    assert_eq!(number("failures"), 0.0, "{figures}");
    assert_eq!((number("idle_sockets"), number("active_sockets")), (30.0, 10.0));
    for name in ["rss_bytes", "pairings_per_sec", "relay_p99_millis", "active_relayed"] {
        assert!(number(name) > 0.0, "{name}: {figures}");
    }
    for phase in ["steady", "flat_out"] {
        assert!(figures[phase]["server_cpu_secs"].is_f64(), "{figures}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_start_is_told() {
    let missing = run(&options("no/such/program"), |_| {}).await;
    assert!(matches!(missing, Err(Error::Start { .. })), "{missing:?}");
    let mute = run(&options("true"), |_| {}).await;
    assert!(matches!(mute, Err(Error::Mute { .. })), "{mute:?}");
}

fn options(server: &str) -> Options {
    Options {
        server: server.into(),
        idle_sockets: 30,
        active_sockets: 10,
        pairings_per_sec: 20,
        secs: 1,
    }
}
