//! Whose request a proxy passes on.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::http::HeaderMap;
use clap::ValueEnum;

use crate::{
    Limits,
    limits::{Addresses, Place, TurnedAway},
};

/// The header in which the proxy names its client. One alone: in another the client could name whom it likes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Forwarded {
    /// `X-Forwarded-For`, a list of addresses.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl Forwarded {
    /// The client of the last proxy, which adds to the list's end. What stands before that anybody may have written.
    fn client(self, headers: &HeaderMap) -> Option<IpAddr> {
        match self {
            Self::XForwardedFor => address(last(headers, "x-forwarded-for")?),
            Self::Forwarded => {
                let mut pairs = last(headers, "forwarded")?.split(';');
                let named = pairs.find_map(|pair| {
                    let (name, value) = pair.split_once('=')?;
                    name.trim().eq_ignore_ascii_case("for").then_some(value)
                });
                address(named?.trim().trim_matches('"'))
            }
        }
    }
}

/// Counts the sockets of a proxy's clients.
pub(crate) struct Clients {
    header: Forwarded,
    addresses: Arc<Addresses>,
}

impl Clients {
    pub(crate) fn new(header: Forwarded, limits: &Limits) -> Self {
        Self { header, addresses: Addresses::new(limits) }
    }

    /// A place for a socket of whom `headers` name, or of `peer`, who sent them, where they name nobody.
    pub(crate) fn place(&self, headers: &HeaderMap, peer: IpAddr) -> Result<Place, TurnedAway> {
        self.addresses.place(self.client(headers, peer))
    }

    /// Whose socket it is: that of whom `headers` name, or of `peer`.
    pub(crate) fn client(&self, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
        self.header.client(headers).unwrap_or(peer)
    }

    /// Forgets the addresses whose rates are at rest.
    pub(crate) fn forget(&self) {
        self.addresses.forget();
    }
}

/// Bounds for the proxy itself: those of each address are its clients'.
pub(crate) fn for_proxy(limits: &Limits) -> Limits {
    Limits {
        connections_per_address: limits.connections,
        connects_per_sec: 1_000_000,
        connects_burst: 1_000_000,
        ..limits.clone()
    }
}

fn last<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let line = headers.get_all(name).iter().next_back()?.as_bytes();
    // What stands before may be no text, as the client wrote it.
    let last = line.rsplit(|byte| *byte == b',').next()?;
    std::str::from_utf8(last).ok().map(str::trim)
}

/// With or without a port, and IPv6 with or without brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn the_last_hop_counts() {
        let client = |header: Forwarded, lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                let (name, value) = line.split_once(": ").unwrap();
                headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
            }
            header.client(&headers).map(|ip| ip.to_string())
        };
        let x = |lines: &[&str]| client(Forwarded::XForwardedFor, lines);
        assert_eq!(x(&["x-forwarded-for: 10.0.0.1"]).as_deref(), Some("10.0.0.1"));
        assert_eq!(x(&["x-forwarded-for: 6.6.6.6, 10.0.0.1:80"]).as_deref(), Some("10.0.0.1"));
        assert_eq!(
            x(&["x-forwarded-for: 6.6.6.6", "x-forwarded-for: [2001:db8::1]"]).as_deref(),
            Some("2001:db8::1")
        );
        assert_eq!(x(&["x-forwarded-for: 6.6.6.6, unknown"]), None);
        assert_eq!(x(&["forwarded: for=6.6.6.6"]), None, "the other header is not looked at");
        assert_eq!(x(&[]), None);
        let mut odd = HeaderMap::new();
        odd.append("x-forwarded-for", HeaderValue::from_bytes(b"\xff, 10.0.0.1").unwrap());
        let named = Forwarded::XForwardedFor.client(&odd);
        assert_eq!(named, Some([10, 0, 0, 1].into()), "what a client writes hides nobody");
        let f = |line: &str| client(Forwarded::Forwarded, &[line]);
        assert_eq!(f("forwarded: for=6.6.6.6, for=10.0.0.1").as_deref(), Some("10.0.0.1"));
        assert_eq!(
            f("forwarded: For=\"6.6.6.6, for=7.7.7.7\", by=a;FOR=\"[2001:db8::1]:4711\";proto=http")
                .as_deref(),
            Some("2001:db8::1")
        );
        assert_eq!(f("forwarded: for=_hidden"), None);
        assert_eq!(f("forwarded: proto=http"), None);
        assert_eq!(f("x-forwarded-for: 6.6.6.6"), None);
    }

    const BOTH: [(Forwarded, &str); 2] =
        [(Forwarded::XForwardedFor, "x-forwarded-for"), (Forwarded::Forwarded, "forwarded")];

    fn headers(name: &'static str, value: &[u8]) -> HeaderMap {
        let value = value.try_into().expect("a header may have these bytes");
        HeaderMap::from_iter([(HeaderName::from_static(name), value)])
    }

    proptest! {
        #[test]
        fn any_header_is_survived(value in vec(prop_oneof![Just(b'\t'), 32..127_u8, 128..=255_u8], 0..99)) {
            for (header, name) in BOTH {
                header.client(&headers(name, &value));
            }
        }

        /// Addresses, what is nearly one, and what nobody would write.
        #[test]
        fn whoever_is_found_is_named_last(
            before in "([0-9.]{7}, )?",
            hop in "\\[?([0-9]{1,2}\\.){3}[0-9]{1,3}\\]?(:[0-9]{0,5})?|\"?[0-9a-f:.\\[\\]]{0,30}\"?",
        ) {
            let cuts = (0..hop.len()).flat_map(|from| (from + 1..=hop.len()).map(move |to| from..to));
            let named: Vec<IpAddr> = cuts.filter_map(|cut| hop[cut].parse().ok()).collect();
            for ((header, name), word) in BOTH.into_iter().zip(["", "for="]) {
                let value = format!("{before}{word}{hop}");
                let found = header.client(&headers(name, value.as_bytes()));
                prop_assert!(found.is_none_or(|found| named.contains(&found)), "{:?}", found);
            }
        }

        /// As the proxy writes it, with or without a port, and whatever its client has written before.
        #[test]
        fn the_proxys_word_counts_whatever_stands_before(
            before in "[ -~]{0,60}", is_v4: bool, bits: u128, port: Option<u16>,
        ) {
            let ip = if is_v4 { IpAddr::V4((bits as u32).into()) } else { IpAddr::V6(bits.into()) };
            let written = port.map_or(ip.to_string(), |port| SocketAddr::new(ip, port).to_string());
            let words =
                [format!("{before}, {written}"), format!("{before}, For=\"{written}\";proto=https")];
            for ((header, name), value) in BOTH.into_iter().zip(words) {
                prop_assert_eq!(header.client(&headers(name, value.as_bytes())), Some(ip));
            }
        }
    }
}
