//! What phones on the same network call this machine, and which names are private ones.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rcgen::{CidrSubnet, GeneralSubtree, NameConstraints};

/// What phones on the same network may call this machine. Without its IPv6
/// addresses: they change daily, and the certificate would have to.
pub fn local_names() -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if let Some(host) = host_name() {
        let label = host.split('.').next().unwrap_or_default();
        names.push(format!("{label}.local"));
        names.push(host);
    }
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let addresses = interfaces.iter().map(if_addrs::Interface::ip);
    names.extend(addresses.filter(|ip| ip.is_ipv4() && !ip.is_loopback()).map(|ip| ip.to_string()));
    names
}

/// This machine's own name, if it has one that others may use.
pub(super) fn host_name() -> Option<String> {
    let host = gethostname::gethostname().to_string_lossy().to_ascii_lowercase();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let is_name = (1..=200).contains(&host.len()) && host.chars().all(is_plain);
    (is_name && host != "localhost").then_some(host)
}

/// Whether a name is one that only a private network gives: what the local authority may vouch for.
pub(super) fn is_private(name: &str) -> bool {
    match name.parse::<IpAddr>() {
        Ok(ip) => NETWORKS.iter().any(|network| contains(*network, ip)),
        Err(_) => DOMAINS.iter().any(|domain| {
            name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        }),
    }
}

/// The same, in the words of a certificate.
pub(super) fn private_only() -> NameConstraints {
    let networks = NETWORKS.iter().map(|(address, prefix)| {
        GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(*address, *prefix))
    });
    let domains = DOMAINS.iter().map(|domain| GeneralSubtree::DnsName((*domain).to_owned()));
    NameConstraints {
        permitted_subtrees: domains.chain(networks).collect(),
        excluded_subtrees: Vec::new(),
    }
}

fn contains((network, prefix): (IpAddr, u8), ip: IpAddr) -> bool {
    match (network, ip) {
        (IpAddr::V4(network), IpAddr::V4(ip)) => {
            (network.to_bits() ^ ip.to_bits()).leading_zeros() >= prefix.into()
        }
        (IpAddr::V6(network), IpAddr::V6(ip)) => {
            (network.to_bits() ^ ip.to_bits()).leading_zeros() >= prefix.into()
        }
        _ => false,
    }
}

/// Domains that nobody can buy: RFC 6761, RFC 6762, RFC 8375, and ICANN's resolution 2024.07.29.06.
const DOMAINS: &[&str] = &["localhost", "local", "home.arpa", "internal"];

/// Networks whose addresses mean something else everywhere: RFC 6890, RFC 4193.
const NETWORKS: &[(IpAddr, u8)] = &[
    (IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8),
    (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 0)), 8),
    (IpAddr::V4(Ipv4Addr::new(172, 16, 0, 0)), 12),
    (IpAddr::V4(Ipv4Addr::new(192, 168, 0, 0)), 16),
    (IpAddr::V4(Ipv4Addr::new(169, 254, 0, 0)), 16),
    (IpAddr::V4(Ipv4Addr::new(100, 64, 0, 0)), 10),
    // For examples and measurements, and so for virtual machines.
    (IpAddr::V4(Ipv4Addr::new(192, 0, 2, 0)), 24),
    (IpAddr::V4(Ipv4Addr::new(198, 18, 0, 0)), 15),
    (IpAddr::V4(Ipv4Addr::new(198, 51, 100, 0)), 24),
    (IpAddr::V4(Ipv4Addr::new(203, 0, 113, 0)), 24),
    (IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
    (IpAddr::V6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0)), 7),
    (IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0)), 10),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_names() {
        let names = local_names();
        assert!(names.contains(&"localhost".into()) && names.contains(&"127.0.0.1".into()));
    }

    #[test]
    fn private_names_are_told_from_those_of_the_internet() {
        for name in [
            "localhost",
            "desk.local",
            "desk.home.arpa",
            "a.b.internal",
            "127.9.9.9",
            "10.255.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "169.254.1.1",
            "100.127.0.1",
            "192.0.2.2",
            "198.19.0.1",
            "::1",
            "fd12::1",
            "fe80::1",
        ] {
            assert!(is_private(name), "{name}");
        }
        for name in [
            "example.org",
            "notlocal",
            "local.example.org",
            "desk",
            "11.0.0.1",
            "172.32.0.1",
            "192.169.0.1",
            "100.128.0.1",
            "192.0.3.2",
            "198.20.0.1",
            "8.8.8.8",
            "::2",
            "2001:db8::1",
            "",
        ] {
            assert!(!is_private(name), "{name}");
        }
    }
}
