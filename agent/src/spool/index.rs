//! The spool's index in sled: which frames are accepted, where they lie, how far the hub is, and the sources' checkpoints.
//!
//! | key (integers big-endian) | value |
//! | --- | --- |
//! | `o` | owner: tenant, zero byte, agent |
//! | `e` | epoch that all pointers are of |
//! | `l` lane | acked seq and hash, last seq and hash |
//! | `f` lane seq | segment, offset, length, hash |
//! | `c` source key | a source's checkpoint |

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use certus_protocol::ids::{AgentId, ContentHash, Epoch, Lane, Seq, SourceId, Tenant};

use super::segment::Pointer;
use super::{LaneState, SpoolError};
use crate::limits;

/// The open index; clones are the same.
#[derive(Clone)]
pub(super) struct Index {
    tree: sled::Tree,
    database: sled::Db,
    file: Arc<File>,
}

/// Changes that become durable together.
#[derive(Default)]
pub(super) struct Changes(sled::Batch);

impl Index {
    /// Opens the index, or makes an empty one; the spool's lock is held.
    pub(super) fn open(dir: &Path) -> Result<Self, SpoolError> {
        remove_drafts(dir)?;
        wait_until_let_go(dir)?;
        let database = sled::Config::new()
            .path(dir)
            .cache_capacity(limits::INDEX_CACHE_BYTES)
            .flush_every_ms(None)
            .mode(sled::Mode::LowSpace)
            .open()?;
        let tree = database.open_tree("spool")?;
        let file = Arc::new(File::open(dir.join("db"))?);
        Ok(Self { tree, database, file })
    }

    /// Makes the changes durable: applied in one batch, flushed, and synced through a descriptor of our own.
    pub(super) fn commit(&self, changes: Changes) -> Result<(), SpoolError> {
        self.tree.apply_batch(changes.0)?;
        self.database.flush()?;
        rustix::fs::fdatasync(&*self.file).map_err(io::Error::from)?;
        Ok(())
    }

    pub(super) fn owner(&self) -> Result<Option<Vec<u8>>, SpoolError> {
        Ok(self.tree.get(b"o")?.map(|value| value.to_vec()))
    }

    pub(super) fn epoch(&self) -> Result<Option<Epoch>, SpoolError> {
        let value = self.tree.get(b"e")?;
        Ok(value
            .and_then(|value| value.as_ref().try_into().ok())
            .map(|bytes| Epoch(u32::from_be_bytes(bytes))))
    }

    pub(super) fn lane(&self, lane: Lane) -> Result<LaneState, SpoolError> {
        let none = ContentHash([0; 32]);
        let mut state = LaneState {
            lane,
            acked: Seq::ZERO,
            acked_hash: none,
            last: Seq::ZERO,
            last_hash: none,
            unacked_bytes: 0,
        };
        if let Some(value) = self.tree.get([b'l', lane as u8])?
            && value.len() == 80
        {
            state.acked = Seq(u64_at(&value, 0));
            state.acked_hash = hash_at(&value, 8);
            state.last = Seq(u64_at(&value, 40));
            state.last_hash = hash_at(&value, 48);
        }
        for pointer in self.pointers(lane, state.acked) {
            state.unacked_bytes += u64::from(pointer?.1.bytes);
        }
        Ok(state)
    }

    pub(super) fn pointer(&self, lane: Lane, seq: Seq) -> Result<Option<Pointer>, SpoolError> {
        Ok(self.tree.get(frame_key(lane, seq))?.and_then(|value| pointer_of(&value)))
    }

    /// Pointers of `lane` after `after`, in order.
    pub(super) fn pointers(
        &self,
        lane: Lane,
        after: Seq,
    ) -> impl Iterator<Item = Result<(Seq, Pointer), SpoolError>> + use<> {
        let range = frame_key(lane, after.next())..=frame_key(lane, Seq(u64::MAX));
        self.tree.range(range).filter_map(|found| match found {
            Err(error) => Some(Err(error.into())),
            Ok((key, value)) => pointer_of(&value).map(|pointer| Ok((Seq(u64_at(&key, 2)), pointer))),
        })
    }

    pub(super) fn checkpoint(&self, source: SourceId, key: &[u8]) -> Result<Option<Vec<u8>>, SpoolError> {
        Ok(self.tree.get(checkpoint_key(source, key))?.map(|value| value.to_vec()))
    }

    pub(super) fn checkpoints(
        &self,
        source: SourceId,
        prefix: &[u8],
    ) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), SpoolError>> + use<> {
        self.tree.scan_prefix(checkpoint_key(source, prefix)).map(|found| {
            let (key, value) = found?;
            Ok((key[17..].to_vec(), value.to_vec()))
        })
    }
}

impl Changes {
    pub(super) fn owner(&mut self, tenant: &Tenant, agent: AgentId) {
        self.0.insert(b"o", owner_value(tenant, agent));
    }

    pub(super) fn epoch(&mut self, epoch: Epoch) {
        self.0.insert(b"e", &epoch.0.to_be_bytes());
    }

    pub(super) fn lane(&mut self, state: &LaneState) {
        let mut value = Vec::with_capacity(80);
        value.extend_from_slice(&state.acked.0.to_be_bytes());
        value.extend_from_slice(&state.acked_hash.0);
        value.extend_from_slice(&state.last.0.to_be_bytes());
        value.extend_from_slice(&state.last_hash.0);
        self.0.insert(&[b'l', state.lane as u8], value);
    }

    pub(super) fn frame(&mut self, lane: Lane, seq: Seq, pointer: &Pointer) {
        let mut value = Vec::with_capacity(52);
        value.extend_from_slice(&pointer.segment.to_be_bytes());
        value.extend_from_slice(&pointer.offset.to_be_bytes());
        value.extend_from_slice(&pointer.bytes.to_be_bytes());
        value.extend_from_slice(&pointer.hash.0);
        self.0.insert(&frame_key(lane, seq), value);
    }

    pub(super) fn forget_frame(&mut self, lane: Lane, seq: Seq) {
        self.0.remove(&frame_key(lane, seq));
    }

    pub(super) fn checkpoint(&mut self, source: SourceId, key: &[u8], value: Option<Vec<u8>>) {
        let key = checkpoint_key(source, key);
        match value {
            Some(value) => self.0.insert(key, value),
            None => self.0.remove(key),
        }
    }
}

/// What the key `o` holds for this owner.
pub(super) fn owner_value(tenant: &Tenant, agent: AgentId) -> Vec<u8> {
    [tenant.as_str().as_bytes(), &[0], &agent.0].concat()
}

/// Waits until threads of an index that was just closed have let go of its file: sled's own may outlive it for a moment,
/// and it would only try the lock once. Nobody else can hold it, as the spool's lock is ours.
fn wait_until_let_go(dir: &Path) -> io::Result<()> {
    match File::open(dir.join("db")) {
        Ok(file) => Ok(rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes snapshots that sled was writing when it was killed: it would take one for the newest and call the database
/// corrupt (<https://github.com/spacejam/sled/issues/1527>). The one before stands until the new one has its name.
fn remove_drafts(dir: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "generating") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// The index's folder within a spool's.
pub(super) fn folder(spool: &Path) -> PathBuf {
    spool.join("index")
}

fn frame_key(lane: Lane, seq: Seq) -> [u8; 10] {
    let mut key = [0; 10];
    key[0] = b'f';
    key[1] = lane as u8;
    key[2..].copy_from_slice(&seq.0.to_be_bytes());
    key
}

fn checkpoint_key(source: SourceId, key: &[u8]) -> Vec<u8> {
    [&b"c"[..], &source.0, key].concat()
}

fn pointer_of(value: &[u8]) -> Option<Pointer> {
    (value.len() == 52).then(|| Pointer {
        segment: u64_at(value, 0),
        offset: u64_at(value, 8),
        bytes: u32::from_be_bytes(std::array::from_fn(|i| value[16 + i])),
        hash: hash_at(value, 20),
    })
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(std::array::from_fn(|i| bytes[at + i]))
}

fn hash_at(bytes: &[u8], at: usize) -> ContentHash {
    ContentHash(std::array::from_fn(|i| bytes[at + i]))
}
