//! Who has which relayed port, and whom they let through.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use turn_types::stun::message::{IntegrityKey, TransactionId};

use crate::bucket::Bucket;

/// Bounds on what the relay keeps and passes on.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Allocations in all; ports bound them as well.
    pub allocations: usize,
    /// Allocations of one room.
    pub per_room: usize,
    /// Allocations of one address.
    pub per_address: usize,
    /// Bytes that one allocation may send a second, and at once; a datagram counts as 256 at least, and a request as 2,048.
    pub bytes_per_sec: u64,
    /// How long an allocation may be renewed.
    pub life: Duration,
}

/// One phone's way through the relay.
pub(crate) struct Allocation {
    pub(crate) port: u16,
    pub(crate) username: String,
    pub(crate) room: String,
    pub(crate) key: IntegrityKey,
    /// The request that made it, which may come twice.
    pub(crate) request: TransactionId,
    pub(crate) made: Duration,
    pub(crate) ends: Duration,
    /// Until when others of its room get through to it.
    pub(crate) permitted_until: Duration,
    /// Channels by their numbers: at most [`CHANNELS_MAX`].
    pub(crate) channels: BTreeMap<u16, Channel>,
    pub(crate) bucket: Bucket,
    counts_as: IpAddr,
}

/// A short name for another's relayed port.
pub(crate) struct Channel {
    pub(crate) port: u16,
    pub(crate) ends: Duration,
}

/// Why there is no allocation.
pub(crate) enum Full {
    /// The room, or the address, has as many as it may have.
    Theirs,
    /// The relay has.
    All,
}

#[derive(Default)]
pub(crate) struct Allocations {
    by_client: BTreeMap<SocketAddr, Allocation>,
    by_port: BTreeMap<u16, SocketAddr>,
    per_room: BTreeMap<String, usize>,
    per_address: BTreeMap<IpAddr, usize>,
    last_port: u16,
}

/// Who asks for an allocation.
pub(crate) struct Asker<'a> {
    pub(crate) client: SocketAddr,
    pub(crate) counts_as: IpAddr,
    pub(crate) username: &'a str,
    pub(crate) room: &'a str,
    pub(crate) key: IntegrityKey,
    pub(crate) request: TransactionId,
}

impl Allocations {
    pub(crate) fn len(&self) -> usize {
        self.by_client.len()
    }

    pub(crate) fn of(&self, client: SocketAddr) -> Option<&Allocation> {
        self.by_client.get(&client)
    }

    pub(crate) fn of_mut(&mut self, client: SocketAddr) -> Option<&mut Allocation> {
        self.by_client.get_mut(&client)
    }

    pub(crate) fn at_port(&self, port: u16) -> Option<(SocketAddr, &Allocation)> {
        let client = self.by_port.get(&port)?;
        Some((*client, self.by_client.get(client)?))
    }

    /// A new allocation until `ends`, for a client that has none.
    pub(crate) fn make(
        &mut self,
        asker: Asker<'_>,
        limits: &Limits,
        elapsed: Duration,
        ends: Duration,
    ) -> Result<(), Full> {
        let of_room = self.per_room.get(asker.room).copied().unwrap_or(0);
        let of_address = self.per_address.get(&asker.counts_as).copied().unwrap_or(0);
        if of_room >= limits.per_room || of_address >= limits.per_address {
            return Err(Full::Theirs);
        }
        if self.len() >= limits.allocations {
            return Err(Full::All);
        }
        let port = self.free_port().ok_or(Full::All)?;
        self.by_port.insert(port, asker.client);
        self.per_room.insert(asker.room.to_owned(), of_room + 1);
        self.per_address.insert(asker.counts_as, of_address + 1);
        let allocation = Allocation {
            port,
            username: asker.username.to_owned(),
            room: asker.room.to_owned(),
            key: asker.key,
            request: asker.request,
            made: elapsed,
            ends,
            permitted_until: Duration::ZERO,
            channels: BTreeMap::new(),
            bucket: Bucket::full(limits.bytes_per_sec, elapsed),
            counts_as: asker.counts_as,
        };
        self.by_client.insert(asker.client, allocation);
        Ok(())
    }

    pub(crate) fn remove(&mut self, client: SocketAddr) {
        let Some(gone) = self.by_client.remove(&client) else { return };
        self.by_port.remove(&gone.port);
        one_less(&mut self.per_room, &gone.room);
        one_less(&mut self.per_address, &gone.counts_as);
    }

    /// Removes those whose time is over.
    pub(crate) fn remove_ended(&mut self, elapsed: Duration) {
        let ended = self.by_client.iter().filter(|(_, one)| one.ends <= elapsed);
        let ended: Vec<SocketAddr> = ended.map(|(client, _)| *client).collect();
        ended.into_iter().for_each(|client| self.remove(client));
    }

    /// The next one, so that a port that was given up is not soon another's.
    fn free_port(&mut self) -> Option<u16> {
        for _ in PORT_MIN..=u16::MAX {
            self.last_port = self.last_port.checked_add(1).unwrap_or(PORT_MIN).max(PORT_MIN);
            if !self.by_port.contains_key(&self.last_port) {
                return Some(self.last_port);
            }
        }
        None
    }
}

fn one_less<K: Ord>(counts: &mut BTreeMap<K, usize>, key: &K) {
    match counts.get_mut(key) {
        Some(count) if *count > 1 => *count -= 1,
        _ => drop(counts.remove(key)),
    }
}

/// More than the phones of a room have ways to each other.
pub(crate) const CHANNELS_MAX: usize = 64;
/// The range that RFC 8656 names (section 7.2).
const PORT_MIN: u16 = 49_152;
