//! The spool: what was accepted is on the disk, in order, until the hub has it.
//!
//! # Guarantees
//! - [`Spool::accept`] answers when the frames of the batch and its checkpoints are durable, together: after a power
//!   cut either both are there or neither.
//! - Frames are handed out in the order of their numbers, without holes; one that can't be read any more is
//!   replaced by a gap frame in a new epoch, so that nothing waits for ever and the loss is told.
//! - Nothing that the hub has not acknowledged is ever deleted.
//!
//! # How
//! Frame bytes are appended to preallocated segment files and `fdatasync`ed; then one batch of the index commits how far the
//! lanes are, where the segments end, and checkpoints, followed by sled's `flush()` and an `fdatasync` of its file (its own
//! flush survives a kill, not a power cut). The index says what is accepted: what stands in a segment behind that never
//! was, and is overwritten. A full segment is sealed with a footer, so that opening reads no frame but those of the newest.
//! Segments are deleted whole, after the index has forgotten them durably. What can't be written is kept in memory and
//! tried again, and sources wait: a disk that fails loses nothing and ends nothing.
//!
//! | file | what |
//! | --- | --- |
//! | `lock` | held (`flock`) by the one process that has the spool open |
//! | `index-NNNN/` | see [`index`] |
//! | `segments/NNNNNNNNNN.seg` | see [`segment`] |
//! | `reserve` | room for acks and cursors on a full disk |
//!
//! What it is not: a database. Sanitizing, sources and the network are others' work; it takes only `Clean` envelopes.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use certus_protocol::envelope::Envelope;
use certus_protocol::frame::Header;
use certus_protocol::ids::{AgentId, ContentHash, Epoch, KeyId, Lane, PolicyHash, Seq, SourceId, Tenant};
use certus_sanitizer::Clean;
use certus_sanitizer::Text;
use rustix::fs::FlockOperation;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use crate::clock::Clock;
use crate::limits;

mod catalog;
pub mod disk;
pub mod epoch;
pub mod index;
pub mod log;
mod recovery;
pub mod segment;
mod writer;

use catalog::Catalog;
use index::{Index, Sled};
use log::{Again, Log, Seams, Waiter};
use writer::{Command, Writer};

/// Where the spool lies and how large it may become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolConfig {
    /// Its folder.
    pub dir: PathBuf,
    /// All segments together at the most, in bytes.
    pub bytes_max: u64,
    /// What must stay free on its file system, in bytes.
    pub free_bytes_min: u64,
    /// Acknowledged frames that are kept for a hub that lost some, in bytes.
    pub keep_acked_bytes: u64,
    /// How long they are kept, in milliseconds.
    pub keep_acked_ms: u64,
    /// How long a frame that nobody waits for may stay open for more, in milliseconds.
    pub linger_ms: u64,
    /// A segment's length, in bytes.
    pub segment_bytes: u64,
    /// Who loses what when it is full.
    pub when_full: WhenFull,
    /// Whether a file system that forgets (tmpfs) or that syncs in name only (NFS, SMB, FUSE) will do.
    pub volatile: Volatile,
}

/// Who loses what when the spool is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// Nobody: sources wait, and read on from their checkpoints when there is room.
    Block,
    /// The hub: the oldest frames of this lane that were never sent are dropped for new ones. A gap frame tells it which.
    DropOldest(Lane),
    /// Nobody: this source waits before the others do, so that they can go on for longer.
    Pause(SourceId),
}

/// Whether a file system without durability will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Volatile {
    /// It is refused.
    Refuse,
    /// It is taken; a power cut may lose what was accepted.
    Allow,
}

impl SpoolConfig {
    /// The defaults, in `dir`.
    pub fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            bytes_max: 10 << 30,
            free_bytes_min: 1 << 30,
            keep_acked_bytes: 1 << 30,
            keep_acked_ms: 24 * 3_600_000,
            linger_ms: 20_000,
            segment_bytes: limits::SEGMENT_BYTES,
            when_full: WhenFull::Block,
            volatile: Volatile::Refuse,
        }
    }
}

/// Whose spool it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The tenant.
    pub tenant: Tenant,
    /// The agent.
    pub agent: AgentId,
    /// The folder that holds the agent's epoch, beside its identity.
    pub epoch_dir: PathBuf,
}

/// What stands in every frame that is packed from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The pseudonym key in use.
    pub key_id: KeyId,
    /// The policy in use.
    pub policy: PolicyHash,
}

/// Envelopes of one source and what the source has to remember with them.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The source.
    pub source: SourceId,
    /// Its name, sanitized.
    pub source_name: Clean<Text>,
    /// Its lane.
    pub lane: Lane,
    /// In order; all parts of a resource are in one batch.
    pub envelopes: Vec<Clean<Envelope>>,
    /// Checkpoints of the source, committed with the envelopes; `None` forgets one.
    pub checkpoints: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// What is in the spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The agent's life.
    pub epoch: Epoch,
    /// Each lane.
    pub lanes: Vec<LaneState>,
    /// Segments on the disk, in bytes.
    pub disk_bytes: u64,
    /// Why accepting waits, if it does.
    pub blocked: Option<String>,
    /// The source that waits so that others can go on.
    pub paused: Option<SourceId>,
    /// Frames dropped to make room, since the start.
    pub dropped: u64,
}

/// What is in a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneState {
    /// Which one.
    pub lane: Lane,
    /// The hub has everything through here.
    pub acked: Seq,
    /// Hash of that frame; zero for none.
    pub acked_hash: ContentHash,
    /// Bytes of all frames through there, since the epoch began.
    pub acked_total: u64,
    /// The last frame accepted.
    pub last: Seq,
    /// Its hash; zero for none.
    pub last_hash: ContentHash,
    /// Bytes of all frames through there, since the epoch began.
    pub last_total: u64,
}

impl LaneState {
    /// A lane of a new epoch.
    pub fn new(lane: Lane) -> Self {
        let none = ContentHash([0; 32]);
        Self {
            lane,
            acked: Seq::ZERO,
            acked_hash: none,
            acked_total: 0,
            last: Seq::ZERO,
            last_hash: none,
            last_total: 0,
        }
    }

    /// What the hub has not acknowledged, in bytes.
    pub fn unacked_bytes(&self) -> u64 {
        self.last_total.saturating_sub(self.acked_total)
    }
}

/// A frame as it lies in the spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its header.
    pub header: Header,
    /// Its hash.
    pub hash: ContentHash,
    /// Header and body.
    pub bytes: Bytes,
}

/// What went wrong, and what the caller should do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpoolError {
    /// Another process has it open: stop.
    #[error("the spool {0} is in use by another certus-agent; stop that one first")]
    Locked(PathBuf),
    /// A file system without durability: choose another or allow it.
    #[error("the spool {0} lies on {1}, which does not keep what was synced; move it to a local disk")]
    Volatile(PathBuf, &'static str),
    /// It belongs to another agent: stop.
    #[error("the spool {0} belongs to another agent or tenant; move it away, or enrol that agent again")]
    Foreign(PathBuf),
    /// The disk failed: what was not accepted was not; retry later.
    #[error("spool: {0}")]
    Io(#[from] std::io::Error),
    /// The index failed: stop; the next start sets it aside where it is corrupt.
    #[error("spool index: {0}")]
    Index(#[from] sled::Error),
    /// The hub acknowledged a frame that is not this spool's: begin a new epoch.
    #[error("the hub acknowledged frame {seq} of lane {lane} with another hash than this spool's")]
    AckMismatch {
        /// The lane.
        lane: Lane,
        /// The frame.
        seq: Seq,
    },
    /// A frame can't be read any more: begin a new epoch, in which a gap tells of it.
    #[error("frame {seq} of lane {lane} is damaged on the disk")]
    Damaged {
        /// The lane.
        lane: Lane,
        /// The frame.
        seq: Seq,
    },
    /// The caller handed in what breaks a limit: a defect.
    #[error("spool: {0}")]
    Limit(String),
    /// The spool was closed: stop.
    #[error("the spool is closed")]
    Closed,
}

/// A batch that was handed in; it counts only once it is durable.
#[derive(Debug)]
#[must_use = "a batch counts only once it is durable"]
pub struct Receipt(oneshot::Receiver<Result<(), SpoolError>>);

impl Receipt {
    /// Answers when the batch is durable.
    ///
    /// # Errors
    /// It is not in the spool, and its checkpoints are as before.
    pub async fn durable(self) -> Result<(), SpoolError> {
        self.0.await.map_err(|_| SpoolError::Closed)?
    }

    /// The outcome, if it is there already.
    pub fn outcome(&mut self) -> Option<Result<(), SpoolError>> {
        match self.0.try_recv() {
            Ok(outcome) => Some(outcome),
            Err(oneshot::error::TryRecvError::Empty) => None,
            Err(oneshot::error::TryRecvError::Closed) => Some(Err(SpoolError::Closed)),
        }
    }
}

/// The spool's handle; clones are the same spool.
#[derive(Clone)]
pub struct Spool {
    commands: mpsc::Sender<Command>,
    rooms: [Arc<Semaphore>; Lane::ALL.len()],
    index: Arc<dyn Index>,
    catalog: Catalog,
    state: watch::Receiver<State>,
}

impl Spool {
    /// Opens the spool, recovers it and starts its writer; blocks.
    ///
    /// # Errors
    /// See [`SpoolError`].
    pub fn open(
        config: &SpoolConfig,
        owner: Owner,
        stamp: Stamp,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SpoolError> {
        let disk = Arc::new(disk::Folder::open(&config.dir, &[segment::FOLDER])?);
        let lock = lock(&config.dir)?;
        if config.volatile == Volatile::Refuse
            && let Some(kind) = volatile_kind(&lock)?
        {
            return Err(SpoolError::Volatile(config.dir.clone(), kind));
        }
        let epochs = Arc::new(disk::Folder::open(&owner.epoch_dir, &[])?);
        let index: Arc<dyn Index> = Arc::new(open_index(&config.dir)?);
        let seams = Seams { disk, index: index.clone(), epochs, clock };
        let log = Log::open(config.clone(), owner, stamp, seams)?;
        let catalog = log.catalog().clone();
        let (writer, state) = Writer::new(log, lock);
        let (commands, received) = mpsc::channel(limits::SPOOL_QUEUE_BATCHES);
        std::thread::Builder::new().name("spool".to_owned()).spawn(move || writer.run(received))?;
        let rooms = limits::SPOOL_IN_FLIGHT_BYTES.map(|bytes| Arc::new(Semaphore::new(bytes)));
        Ok(Self { commands, rooms, index, catalog, state })
    }

    /// Takes a batch; answers when its frames and checkpoints are durable.
    ///
    /// # Errors
    /// What was not accepted is not in the spool, and its checkpoints are as before.
    pub async fn accept(&self, batch: Batch) -> Result<(), SpoolError> {
        self.submit(batch).await?.durable().await
    }

    /// Hands a batch in, behind those handed in before; waits only for room in memory.
    ///
    /// # Errors
    /// It breaks a limit, or the spool is closed.
    pub async fn submit(&self, batch: Batch) -> Result<Receipt, SpoolError> {
        let over = |(key, value): &(Vec<u8>, Option<Vec<u8>>)| {
            key.len() + value.as_ref().map_or(0, Vec::len) > limits::CHECKPOINT_BYTES_MAX
        };
        if batch.checkpoints.iter().any(over) {
            return Err(SpoolError::Limit("a checkpoint is past its limit".to_owned()));
        }
        let mut state = self.state.clone();
        let waits = |state: &State| state.paused != Some(batch.source);
        state.wait_for(waits).await.map_err(|_| SpoolError::Closed)?;
        let bytes: usize = batch.envelopes.iter().map(|envelope| envelope.cost_bytes()).sum();
        let room = &self.rooms[batch.lane as usize];
        let share = bytes.clamp(1, limits::SPOOL_IN_FLIGHT_BYTES[batch.lane as usize]) as u32;
        let room = match room.clone().try_acquire_many_owned(share) {
            Ok(room) => room,
            Err(_) => {
                // Frames that linger for more hold the room that is waited for.
                self.commands.send(Command::Hurry).await.map_err(|_| SpoolError::Closed)?;
                room.clone().acquire_many_owned(share).await.map_err(|_| SpoolError::Closed)?
            }
        };
        let (done, answer) = oneshot::channel();
        let waiter = Waiter::new(done, Some(room));
        self.commands.send(Command::Accept(batch, waiter)).await.map_err(|_| SpoolError::Closed)?;
        Ok(Receipt(answer))
    }

    /// A checkpoint of `source`.
    ///
    /// # Errors
    /// The index failed.
    pub fn checkpoint(&self, source: SourceId, key: &[u8]) -> Result<Option<Vec<u8>>, SpoolError> {
        index::checkpoint(&*self.index, source, key)
    }

    /// All checkpoints of `source` whose keys begin with `prefix`, in the order of their keys.
    ///
    /// # Errors
    /// Each item tells if the index failed.
    pub fn checkpoints(
        &self,
        source: SourceId,
        prefix: &[u8],
    ) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), SpoolError>> + use<> {
        index::checkpoints(&*self.index, source, prefix)
    }

    /// What is in the spool, as it changes.
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// Frames of `lane` after `after`, in order and without holes, at least one if there is one, `bytes_max` together
    /// unless the first alone is larger.
    ///
    /// # Errors
    /// [`SpoolError::Damaged`] where the first of them can't be read.
    pub async fn frames(&self, lane: Lane, after: Seq, bytes_max: usize) -> Result<Vec<Stored>, SpoolError> {
        let catalog = self.catalog.clone();
        let known = self.state.borrow().lanes.iter().find(|known| known.lane == lane).copied();
        let known = known.unwrap_or(LaneState::new(lane));
        let read = tokio::task::spawn_blocking(move || catalog.frames(&known, after, bytes_max as u64));
        read.await.map_err(|_| SpoolError::Closed)?
    }

    /// The hub has everything of `lane` through `through`, whose frame has this hash.
    ///
    /// # Errors
    /// [`SpoolError::AckMismatch`] where the spool's own frame differs.
    pub async fn acked(&self, lane: Lane, through: Seq, hash: ContentHash) -> Result<(), SpoolError> {
        self.ask(|done| Command::Acked { lane, through, hash, done }).await
    }

    /// Numbers what is not acknowledged again, in a new epoch.
    ///
    /// # Errors
    /// The old epoch goes on.
    pub async fn new_epoch(&self, reason: &str) -> Result<Epoch, SpoolError> {
        tracing::warn!(reason, "spool: a new epoch begins");
        self.ask(Command::NewEpoch).await
    }

    /// Sends again, in a new epoch, what was written since a time and is still kept; answers since when all is. Both are
    /// Unix milliseconds.
    ///
    /// # Errors
    /// The old epoch goes on.
    pub async fn replay(&self, since_ms: i64) -> Result<i64, SpoolError> {
        self.ask(|done| Command::Replay(since_ms, done)).await
    }

    /// Sanitizes what is not acknowledged again, in a new epoch, and stamps it and all that follows.
    ///
    /// # Errors
    /// The old epoch and stamp go on.
    pub async fn resanitize(
        &self,
        stamp: Stamp,
        again: impl FnMut(&Header, Clean<Envelope>) -> Again + Send + 'static,
    ) -> Result<Epoch, SpoolError> {
        self.ask(|done| Command::Resanitize(stamp, Box::new(again), done)).await
    }

    /// Closes frames that are open for more, and waits until everything accepted so far is durable.
    ///
    /// # Errors
    /// The disk or the index failed.
    pub async fn flush(&self) -> Result<(), SpoolError> {
        self.ask(|done| Command::Flush(Waiter::new(done, None))).await
    }

    /// Flushes and stops the writer; further calls answer [`SpoolError::Closed`].
    ///
    /// # Errors
    /// The disk or the index failed.
    pub async fn close(self) -> Result<(), SpoolError> {
        self.ask(Command::Close).await
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, SpoolError>>) -> Command,
    ) -> Result<T, SpoolError> {
        let (done, answer) = oneshot::channel();
        self.commands.send(command(done)).await.map_err(|_| SpoolError::Closed)?;
        answer.await.map_err(|_| SpoolError::Closed)?
    }
}

/// Opens the newest index, or an empty one in place of one that is corrupt.
fn open_index(spool: &Path) -> Result<Sled, SpoolError> {
    match Sled::open(spool) {
        Err(SpoolError::Index(error @ (sled::Error::Corruption { .. } | sled::Error::Unsupported(_)))) => {
            let aside = Sled::set_aside(spool)?;
            tracing::error!(reason = %error, aside = ?aside, "spool: the index is corrupt and set aside");
            Sled::open(spool)
        }
        other => other,
    }
}

fn lock(dir: &Path) -> Result<File, SpoolError> {
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(dir.join("lock"))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(SpoolError::Locked(dir.to_owned())),
        Err(other) => Err(io::Error::from(other).into()),
    }
}

/// The kind of a file system that does not keep what was synced (magic numbers: linux/magic.h).
fn volatile_kind(file: &File) -> io::Result<Option<&'static str>> {
    let kind = rustix::fs::fstatfs(file)?.f_type as u64 & 0xFFFF_FFFF;
    Ok(match kind {
        0x0102_1994 => Some("tmpfs"),
        0x6969 => Some("NFS"),
        0xFF53_4D42 | 0xFE53_4D42 | 0x517B => Some("SMB"),
        0x6573_5546 => Some("FUSE"),
        _ => None,
    })
}
