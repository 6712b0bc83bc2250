//! The spool's index: what is small and has to be durable together. How far each lane is, where the newest segment ends,
//! and the sources' checkpoints. Which frames lie where, the segments tell themselves.
//!
//! | key (integers big-endian) | value |
//! | --- | --- |
//! | `o` | owner: tenant, zero byte, agent |
//! | `e` | epoch that all numbers are of |
//! | `l` lane | acked seq, hash and total, last seq, hash and total |
//! | `t` segment | where what was accepted ends in it, when it was last written (Unix milliseconds); a segment without was never accepted |
//! | `g` lane seq | a gap frame that stands in place of frames that were dropped: entry as in a segment's footer, segment |
//! | `c` source key | a source's checkpoint |

use std::collections::BTreeMap;

use certus_protocol::ids::{AgentId, ContentHash, Epoch, Lane, Seq, SourceId, Tenant};

use super::segment::{ENTRY_BYTES, Entry, Pointer};
use super::{LaneState, SpoolError};

mod memory;
mod sled;

pub use self::memory::Memory;
pub use self::sled::Sled;

/// Pairs of keys and values, in order.
pub type Pairs = Box<dyn Iterator<Item = Result<(Vec<u8>, Vec<u8>), SpoolError>> + Send>;

/// The seam to whatever keeps the index.
pub trait Index: Send + Sync + 'static {
    /// Makes the changes durable, all or none. After an error either may have come about.
    fn commit(&self, changes: &Changes) -> Result<(), SpoolError>;

    /// The value at `key`.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, SpoolError>;

    /// What is at the keys that begin with `prefix`.
    fn under(&self, prefix: &[u8]) -> Pairs;

    /// Makes the index anew from what it holds, in place of one whose writing failed.
    fn remake(&self) -> Result<(), SpoolError>;
}

/// Changes that become durable together.
#[derive(Debug, Default, Clone)]
pub struct Changes(pub(super) Vec<(Vec<u8>, Option<Vec<u8>>)>);

pub(super) fn owner(index: &dyn Index) -> Result<Option<Vec<u8>>, SpoolError> {
    index.get(b"o")
}

pub(super) fn epoch(index: &dyn Index) -> Result<Option<Epoch>, SpoolError> {
    let value = index.get(b"e")?;
    Ok(value.and_then(|value| value.try_into().ok()).map(|bytes| Epoch(u32::from_be_bytes(bytes))))
}

/// What was accepted of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Accepted {
    /// Where it ends.
    pub(super) end: u64,
    /// When it was last written, Unix milliseconds.
    pub(super) written_ms: i64,
}

/// What was accepted, by segment.
pub(super) fn accepted(index: &dyn Index) -> Result<BTreeMap<u64, Accepted>, SpoolError> {
    let all = index.under(b"t").map(|pair| {
        let (key, value) = pair?;
        let accepted = || Accepted { end: u64_at(&value, 0), written_ms: u64_at(&value, 8) as i64 };
        Ok((key.len() == 9 && value.len() == 16).then(|| (u64_at(&key, 1), accepted())))
    });
    Ok(all.collect::<Result<Vec<_>, SpoolError>>()?.into_iter().flatten().collect())
}

pub(super) fn lane(index: &dyn Index, lane: Lane) -> Result<LaneState, SpoolError> {
    let mut state = LaneState::new(lane);
    if let Some(value) = index.get(&[b'l', lane as u8])?
        && value.len() == 96
    {
        state.acked = Seq(u64_at(&value, 0));
        state.acked_hash = hash_at(&value, 8);
        state.acked_total = u64_at(&value, 40);
        state.last = Seq(u64_at(&value, 48));
        state.last_hash = hash_at(&value, 56);
        state.last_total = u64_at(&value, 88);
    }
    Ok(state)
}

/// Gap frames in place of what was dropped, of any lane.
pub(super) fn gaps(index: &dyn Index) -> Result<Vec<Pointer>, SpoolError> {
    let gap = |value: &[u8]| {
        let (entry, segment) = value.split_at_checked(ENTRY_BYTES)?;
        Some(Pointer { segment: u64::from_be_bytes(segment.try_into().ok()?), entry: Entry::parse(entry)? })
    };
    let all = index.under(b"g").map(|pair| Ok(gap(&pair?.1)));
    Ok(all.collect::<Result<Vec<_>, SpoolError>>()?.into_iter().flatten().collect())
}

pub(super) fn checkpoint(
    index: &dyn Index,
    source: SourceId,
    key: &[u8],
) -> Result<Option<Vec<u8>>, SpoolError> {
    index.get(&checkpoint_key(source, key))
}

pub(super) fn checkpoints(index: &dyn Index, source: SourceId, prefix: &[u8]) -> Pairs {
    Box::new(index.under(&checkpoint_key(source, prefix)).map(|pair| {
        let (key, value) = pair?;
        Ok((key[17..].to_vec(), value))
    }))
}

impl Changes {
    pub(super) fn owner(&mut self, tenant: &Tenant, agent: AgentId) {
        self.put(b"o".to_vec(), owner_value(tenant, agent));
    }

    pub(super) fn epoch(&mut self, epoch: Epoch) {
        self.put(b"e".to_vec(), epoch.0.to_be_bytes().to_vec());
    }

    /// Frames were placed: what is accepted ends behind them.
    pub(super) fn accepted(&mut self, placed: &[Pointer], written_ms: i64) {
        let mut ends: BTreeMap<u64, u64> = BTreeMap::new();
        for Pointer { segment, entry } in placed {
            let end = ends.entry(*segment).or_default();
            *end = (entry.offset + u64::from(entry.bytes)).max(*end);
        }
        ends.into_iter().for_each(|(segment, end)| self.segment(segment, Accepted { end, written_ms }));
    }

    pub(super) fn segment(&mut self, segment: u64, accepted: Accepted) {
        let value = [accepted.end.to_be_bytes(), accepted.written_ms.to_be_bytes()].concat();
        self.put(segment_key(segment), value);
    }

    pub(super) fn forget_segment(&mut self, segment: u64) {
        self.0.push((segment_key(segment), None));
    }

    pub(super) fn lane(&mut self, state: &LaneState) {
        let mut value = Vec::with_capacity(96);
        value.extend_from_slice(&state.acked.0.to_be_bytes());
        value.extend_from_slice(&state.acked_hash.0);
        value.extend_from_slice(&state.acked_total.to_be_bytes());
        value.extend_from_slice(&state.last.0.to_be_bytes());
        value.extend_from_slice(&state.last_hash.0);
        value.extend_from_slice(&state.last_total.to_be_bytes());
        self.put(vec![b'l', state.lane as u8], value);
    }

    pub(super) fn gap(&mut self, pointer: &Pointer) {
        let value = [&pointer.entry.to_bytes()[..], &pointer.segment.to_be_bytes()].concat();
        self.put(gap_key(pointer.entry.lane, pointer.entry.seq), value);
    }

    pub(super) fn forget_gap(&mut self, lane: Lane, seq: Seq) {
        self.0.push((gap_key(lane, seq), None));
    }

    pub(super) fn checkpoint(&mut self, source: SourceId, key: &[u8], value: Option<Vec<u8>>) {
        self.0.push((checkpoint_key(source, key), value));
    }

    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.0.push((key, Some(value)));
    }
}

/// What the key `o` holds for this owner.
pub(super) fn owner_value(tenant: &Tenant, agent: AgentId) -> Vec<u8> {
    [tenant.as_str().as_bytes(), &[0], &agent.0].concat()
}

fn segment_key(segment: u64) -> Vec<u8> {
    [&b"t"[..], &segment.to_be_bytes()].concat()
}

fn gap_key(lane: Lane, seq: Seq) -> Vec<u8> {
    [&[b'g', lane as u8][..], &seq.0.to_be_bytes()].concat()
}

fn checkpoint_key(source: SourceId, key: &[u8]) -> Vec<u8> {
    [&b"c"[..], &source.0, key].concat()
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(std::array::from_fn(|i| bytes[at + i]))
}

fn hash_at(bytes: &[u8], at: usize) -> ContentHash {
    ContentHash(std::array::from_fn(|i| bytes[at + i]))
}
