//! Counting what clients do: messages per second, connections per address.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

/// A bucket that holds `burst` tokens and gains `per_sec` of them each second.
pub(crate) struct RateLimit {
    per_sec: f64,
    burst: f64,
    tokens: f64,
    updated: Instant,
}

impl RateLimit {
    pub(crate) fn new(per_sec: u32, burst: u32, now: Instant) -> Self {
        let (per_sec, burst) = (f64::from(per_sec), f64::from(burst));
        Self { per_sec, burst, tokens: burst, updated: now }
    }

    /// Takes a token if there is one.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let elapsed_secs = now.saturating_duration_since(self.updated).as_secs_f64();
        self.tokens = (self.tokens + elapsed_secs * self.per_sec).min(self.burst);
        self.updated = now;
        let enough = self.tokens >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
    }
}

/// How many connections each address has.
pub(crate) struct Addresses {
    counts: Mutex<BTreeMap<IpAddr, usize>>,
    per_address: usize,
    in_all: usize,
}

/// One counted connection; dropping it gives the place back.
pub(crate) struct Place {
    addresses: Arc<Addresses>,
    key: IpAddr,
}

impl Addresses {
    pub(crate) fn new(per_address: usize, in_all: usize) -> Arc<Self> {
        Arc::new(Self { counts: Mutex::default(), per_address, in_all })
    }

    /// A place for a connection from `address`, if there is one.
    pub(crate) fn place(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let key = counted_as(address);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let here = counts.get(&key).copied().unwrap_or(0);
        if here >= self.per_address || counts.values().sum::<usize>() >= self.in_all {
            return None;
        }
        counts.insert(key, here + 1);
        Some(Place { addresses: self.clone(), key })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.addresses.counts.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get_mut(&self.key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(counts.remove(&self.key)),
        }
    }
}

/// One subscriber commands a whole /64 of IPv6, so it counts as one address.
fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let start = Instant::now();
        let mut limit = RateLimit::new(2, 3, start);
        let taken = |limit: &mut RateLimit, millis| {
            let now = start + Duration::from_millis(millis);
            (0..10).filter(|_| limit.take(now)).count()
        };
        assert_eq!(taken(&mut limit, 0), 3);
        assert_eq!(taken(&mut limit, 400), 0);
        assert_eq!(taken(&mut limit, 1000), 2);
        assert_eq!(taken(&mut limit, 60_000), 3);
    }

    #[test]
    fn places_are_bounded_and_come_back() {
        let addresses = Addresses::new(2, 3);
        let [anna, ben] = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse::<IpAddr>().unwrap());
        let first = addresses.place(anna);
        let second = addresses.place(anna);
        assert!(first.is_some() && second.is_some() && addresses.place(anna).is_none());
        let third = addresses.place(ben);
        assert!(third.is_some() && addresses.place(ben).is_none(), "3 in all");
        drop(first);
        assert!(addresses.place(anna).is_some());
        drop((second, third));
        assert!(addresses.counts.lock().unwrap().is_empty());
    }

    #[test]
    fn neighbours_in_ipv6_and_mapped_ipv4_count_as_one() {
        let of = |text: &str| counted_as(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
    }
}
