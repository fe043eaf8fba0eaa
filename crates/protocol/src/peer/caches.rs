//! KV caches that go on in another plan.
//!
//! ```text
//! CacheRows    0 version  1 tag  2 epoch u32   6 module u32   10 position u32   14 slot u16   16 rows u16
//!              18 data, rows x bytes of a row
//! ```

use std::{collections::BTreeSet, ops::Range};

use base::{PeerId, RequestId};
use serde::{Deserialize, Serialize};

use super::{
    DecodeError, MAX_MODULES, MAX_SLOTS, bounds,
    frame::{Body, Control},
    hot::Reader,
};

/// What of an earlier plan goes on in another one.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Carry {
    /// Requests that keep their caches; each has a slot of its own.
    pub requests: Vec<Carried>,
    /// Caches that change phones; each module once.
    pub moved: Vec<MovedCache>,
}

/// A request that goes on in another plan with the KV caches it has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Carried {
    /// The request.
    pub request: RequestId,
    /// Its slot, in both plans.
    pub slot: u16,
    /// Positions that the caches have, from 0 on.
    pub rows: u32,
}

/// A KV cache of a module that another phone runs from now on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MovedCache {
    /// The module.
    pub module: u32,
    /// Who ran it.
    pub from: PeerId,
    /// Who runs it now.
    pub to: PeerId,
    /// Bytes of a position in a slot: keys and values of all heads.
    pub row_bytes: u32,
}

/// To the phone that ran a module before: some of its cache is needed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CacheAsk {
    /// The epoch that begins with it.
    pub epoch: u32,
    /// The module.
    pub module: u32,
    /// The slot.
    pub slot: u16,
    /// First position.
    pub position: u32,
    /// How many; at least one.
    pub rows: u16,
}

/// Answers [`CacheAsk`].
#[derive(Clone, PartialEq, Debug)]
pub struct CacheRows {
    /// What was asked for.
    pub of: CacheAsk,
    /// `[rows]` keys and values, in an order of the model's own; at most [`MAX_CACHE_BYTES`].
    pub data: Vec<u8>,
}

/// Answers [`CacheAsk`], too: the sender does not have it any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CacheLost {
    /// What was asked for.
    pub of: CacheAsk,
}

impl Carry {
    pub(super) fn check(&self) -> Result<(), DecodeError> {
        bounds::list("carry", &self.requests, MAX_SLOTS.into())?;
        bounds::list("moved", &self.moved, MAX_MODULES)?;
        bounds::within("slot", self.requests.iter().all(|carried| carried.slot < MAX_SLOTS))?;
        let is_sound = |moved: &MovedCache| {
            let has_size = (1..=MAX_CACHE_BYTES).contains(&(moved.row_bytes as usize));
            has_size && (moved.module as usize) < MAX_MODULES && moved.from != moved.to
        };
        bounds::within("moved", self.moved.iter().all(is_sound))?;
        bounds::within("carry", are_distinct(self.requests.iter().map(|carried| carried.request)))?;
        bounds::within("slot", are_distinct(self.requests.iter().map(|carried| carried.slot)))?;
        bounds::within("moved", are_distinct(self.moved.iter().map(|moved| moved.module)))
    }
}

fn are_distinct<T: Ord>(mut items: impl Iterator<Item = T>) -> bool {
    let mut seen = BTreeSet::new();
    items.all(|item| seen.insert(item))
}

impl CacheAsk {
    /// The positions that it is about.
    pub fn positions(&self) -> Range<usize> {
        let first = self.position as usize;
        first..first + usize::from(self.rows)
    }
}

impl Control for CacheAsk {
    fn check(&self) -> Result<(), DecodeError> {
        bounds::within("rows", self.rows > 0)?;
        bounds::within("module", (self.module as usize) < MAX_MODULES)?;
        bounds::within("position", self.position.checked_add(self.rows.into()).is_some())
    }
}

impl Control for CacheLost {
    fn check(&self) -> Result<(), DecodeError> {
        self.of.check()
    }
}

impl Body for CacheRows {
    fn write(&self, bytes: &mut Vec<u8>) {
        let CacheAsk { epoch, module, slot, position, rows } = self.of;
        for word in [epoch, module, position] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(&slot.to_le_bytes());
        bytes.extend_from_slice(&rows.to_le_bytes());
        bytes.extend_from_slice(&self.data);
    }

    fn len(&self) -> usize {
        HEADER_BYTES + self.data.len()
    }

    fn read(_: &'static str, bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader { bytes };
        let of = CacheAsk {
            epoch: reader.word("epoch")?,
            module: reader.word("module")?,
            position: reader.word("position")?,
            slot: u16::from_le_bytes(reader.take("slot")?),
            rows: u16::from_le_bytes(reader.take("rows")?),
        };
        let data = reader.bytes;
        of.check()?;
        let is_whole = !data.is_empty() && data.len().is_multiple_of(of.rows.into());
        bounds::within("data", is_whole && data.len() <= MAX_CACHE_BYTES)?;
        Ok(Self { of, data: data.to_vec() })
    }
}

/// The most of a cache in one frame.
pub const MAX_CACHE_BYTES: usize = 1 << 18;
/// What a frame has besides version, tag and data.
const HEADER_BYTES: usize = 16;
