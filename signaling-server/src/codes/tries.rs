//! How often an address tries codes: so many a minute, and none for a while after too many wrong ones.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    num::NonZeroU32,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::{Limits, limits::REMEMBERED_MAX};

pub(super) struct Tries {
    rate: DefaultKeyedRateLimiter<IpAddr>,
    failures: Mutex<BTreeMap<IpAddr, Failures>>,
    most_failures: u32,
    lockout: Duration,
}

/// Of one address, with less than the lock-out's time between them.
struct Failures {
    count: u32,
    last: Instant,
}

impl Tries {
    pub(super) fn new(limits: &Limits) -> Self {
        let some = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_minute(some(limits.redeems_per_minute))
            .allow_burst(some(limits.redeems_burst));
        Self {
            rate: RateLimiter::keyed(quota),
            failures: Mutex::default(),
            most_failures: limits.redeem_failures,
            lockout: limits.redeem_lockout,
        }
    }

    /// Whether `address` may try a code now. Where more addresses come than are remembered, new ones may not: codes can be
    /// done without.
    pub(super) fn may(&self, address: IpAddr) -> bool {
        let failures = self.lock();
        let is_locked = failures.get(&address).is_some_and(|failures| {
            failures.count >= self.most_failures && failures.last.elapsed() < self.lockout
        });
        let is_known = failures.contains_key(&address) || failures.len() < REMEMBERED_MAX;
        drop(failures);
        let has_room = self.rate.len() < REMEMBERED_MAX;
        !is_locked && is_known && has_room && self.rate.check_key(&address).is_ok()
    }

    /// There was no such code, or it was wrong.
    pub(super) fn failed(&self, address: IpAddr) {
        let mut failures = self.lock();
        if failures.len() >= REMEMBERED_MAX && !failures.contains_key(&address) {
            return;
        }
        let now = Instant::now();
        let failed = failures.entry(address).or_insert(Failures { count: 0, last: now });
        let is_new = failed.last.elapsed() >= self.lockout;
        failed.count = if is_new { 1 } else { failed.count.saturating_add(1) };
        failed.last = now;
    }

    /// Forgets the addresses that have been quiet.
    pub(super) fn forget(&self) {
        self.lock().retain(|_, failures| failures.last.elapsed() < self.lockout);
        self.rate.retain_recent();
        self.rate.shrink_to_fit();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<IpAddr, Failures>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNA: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const BEN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    #[test]
    fn failures_lock_an_address_out_and_are_forgotten() {
        let lockout = Duration::from_millis(200);
        let limits = Limits {
            redeem_failures: 2,
            redeem_lockout: lockout,
            redeems_burst: 100,
            ..Limits::default()
        };
        let tries = Tries::new(&limits);
        tries.failed(ANNA);
        assert!(tries.may(ANNA));
        tries.failed(ANNA);
        assert!(!tries.may(ANNA) && tries.may(BEN), "others are not held up");
        std::thread::sleep(lockout);
        assert!(tries.may(ANNA));
        tries.failed(ANNA);
        assert!(tries.may(ANNA), "it begins anew");
        std::thread::sleep(lockout);
        tries.forget();
        assert!(tries.lock().is_empty());
    }
}
