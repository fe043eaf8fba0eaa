//! Counting what clients do: messages per second; connections of each address, at once and per second.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::Limits;

/// For one client: `burst` at once, and `per_sec` in the long run.
pub(crate) fn rate_limit(per_sec: u32, burst: u32) -> DefaultDirectRateLimiter {
    RateLimiter::direct(quota(per_sec, burst))
}

pub(crate) fn quota(per_sec: u32, burst: u32) -> Quota {
    let some = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    Quota::per_second(some(per_sec)).allow_burst(some(burst))
}

/// How many connections each address has, and how fast it makes them.
pub(crate) struct Addresses {
    open: Mutex<Open>,
    arrivals: DefaultKeyedRateLimiter<IpAddr>,
    per_address: usize,
    in_all: usize,
}

#[derive(Default)]
struct Open {
    per_address: BTreeMap<IpAddr, usize>,
    in_all: usize,
}

/// One counted connection; dropping it gives the place back.
pub(crate) struct Place {
    addresses: Arc<Addresses>,
    key: IpAddr,
}

/// Why a connection gets no place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TurnedAway {
    AddressTooFast,
    AddressFull,
    ServerFull,
}

impl TurnedAway {
    /// For figures and the log.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AddressTooFast => "address_too_fast",
            Self::AddressFull => "address_full",
            Self::ServerFull => "server_full",
        }
    }
}

impl Addresses {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            open: Mutex::default(),
            arrivals: RateLimiter::keyed(quota(limits.connects_per_sec, limits.connects_burst)),
            per_address: limits.connections_per_address,
            in_all: limits.connections,
        })
    }

    /// A place for a connection from `address`, if there is one.
    pub(crate) fn place(self: &Arc<Self>, address: IpAddr) -> Result<Place, TurnedAway> {
        let key = counted_as(address);
        if !self.arrives_in_time(key) {
            return Err(TurnedAway::AddressTooFast);
        }
        let mut open = self.lock();
        let here = open.per_address.get(&key).copied().unwrap_or(0);
        if here >= self.per_address {
            return Err(TurnedAway::AddressFull);
        }
        if open.in_all >= self.in_all {
            return Err(TurnedAway::ServerFull);
        }
        open.per_address.insert(key, here + 1);
        open.in_all += 1;
        Ok(Place { addresses: self.clone(), key })
    }

    /// Connections that have a place.
    pub(crate) fn connections(&self) -> usize {
        self.lock().in_all
    }

    /// Forgets the addresses whose rates are at rest.
    pub(crate) fn forget(&self) {
        self.arrivals.retain_recent();
        self.arrivals.shrink_to_fit();
    }

    /// Where more addresses come than are remembered, only the number of connections is bounded.
    fn arrives_in_time(&self, key: IpAddr) -> bool {
        self.arrivals.len() >= REMEMBERED_MAX || self.arrivals.check_key(&key).is_ok()
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.addresses.lock();
        open.in_all -= 1;
        match open.per_address.get_mut(&self.key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(open.per_address.remove(&self.key)),
        }
    }
}

/// One subscriber commands a whole /64 of IPv6, so it counts as one address.
pub(crate) fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

/// Addresses whose rates are remembered: some 64 bytes each.
pub(crate) const REMEMBERED_MAX: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_come_back() {
        let limits = Limits { connections_per_address: 2, connections: 3, ..Limits::default() };
        let addresses = Addresses::new(&limits);
        let [anna, ben] = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse::<IpAddr>().unwrap());
        let first = addresses.place(anna).unwrap();
        let second = addresses.place(anna).unwrap();
        assert_eq!(addresses.place(anna).err(), Some(TurnedAway::AddressFull));
        let third = addresses.place(ben).unwrap();
        assert_eq!(addresses.place(ben).err(), Some(TurnedAway::ServerFull));
        assert_eq!(addresses.connections(), 3);
        drop(first);
        assert!(addresses.place(anna).is_ok());
        drop((second, third));
        assert!(addresses.lock().per_address.is_empty() && addresses.connections() == 0);
    }

    #[test]
    fn a_burst_has_places_and_then_the_rate_and_rest_is_forgotten() {
        let limits = Limits { connects_per_sec: 100, connects_burst: 3, ..Limits::default() };
        let addresses = Addresses::new(&limits);
        let [anna, ben] = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse::<IpAddr>().unwrap());
        let placed = (0..50).filter(|_| addresses.place(anna).is_ok()).count();
        assert!((3..50).contains(&placed), "{placed}");
        assert!(addresses.place(ben).is_ok(), "others are not held up");
        assert_eq!(addresses.arrivals.len(), 2);
        std::thread::sleep(std::time::Duration::from_millis(100));
        addresses.forget();
        assert_eq!(addresses.arrivals.len(), 0);
        assert!(addresses.place(anna).is_ok());
    }

    #[test]
    fn neighbours_in_ipv6_and_mapped_ipv4_count_as_one() {
        let of = |text: &str| counted_as(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
    }
}
