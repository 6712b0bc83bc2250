//! The egress ledger: what is about to leave stands here, on the disk, before its first byte leaves.
//!
//! One NDJSON line a frame, hash-chained (`certus_protocol::ledger`), in files of a few MiB that are only ever
//! appended to. It holds sanitized names and counts, no content. A line that a crash cut short is taken away when the
//! ledger is opened, since its frame had not left. Where it can't be written, nothing leaves; after a failure the file is
//! opened anew and written from where it was known to be whole, so that it goes on by itself once there is room.
//!
//! Several processes may append (the agent, and a bundle being made beside it): each append holds `ledger/lock` and first reads
//! what others appended.
//!
//! What is detected, and what is not:
//! - A line that is changed, dropped or moved breaks the chain: by `ledger verify`, or, in the last file, by the next start.
//! - A tail that is cut, or rewritten with a chain that fits, contradicts the hub's receipts once one was given for a later
//!   line: offline by `ledger verify --receipts` with what `certus-hub receipts export` gives, and online by the hub at
//!   the next session, to which the agent tells the hash that its ledger has at the line receipted last.
//! - A frame that left without a row is missed by `ledger verify`: receipts name numbers and hashes, and rows have no holes.
//! - Not detected: a cut of lines that no receipt covers yet (at the most those of the last seconds), offline without
//!   the hub's receipts any cut at all, and rows that a changed program wrote falsely from the start.
//! - The hub can't change the ledger, which it never has; a receipt that it gave it can't take back, since it is signed.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use certus_protocol::frame;
use certus_protocol::ids::{AgentId, ContentHash, Epoch, Lane, ReceiptKey, Tenant};
use certus_protocol::ledger::{Chain, ChainError, Continued, Event, Recorded};
use certus_protocol::receipt::{LedgerHead, Receipt};
use rustix::fs::FlockOperation;

use crate::clock::Clock;
use crate::limits;
use crate::spool::Stored;

pub mod files;
mod row;
pub mod verify;

use files::{Lines, io_error};

/// The open ledger.
pub struct Ledger {
    folder: PathBuf,
    lock: File,
    tenant: Tenant,
    agent: AgentId,
    clock: Arc<dyn Clock>,
    /// The last file; none after a failure, so that the next call opens it anew.
    tail: Option<Tail>,
    known: Known,
}

struct Tail {
    file: File,
    number: u32,
    bytes: u64,
}

/// What the ledger says so far, as far as it is needed to go on.
#[derive(Clone, Default)]
struct Known {
    chain: Chain,
    /// How far each lane is recorded without a hole.
    recorded: BTreeMap<(u32, Lane), Recorded>,
    /// What the last receipt in the last file says of the ledger.
    receipted: Option<Receipt>,
}

/// Why the ledger can't be used; nothing may leave without it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The file system's: try again later.
    #[error("the egress ledger {path}: {cause}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What failed.
        cause: io::Error,
    },
    /// The file was changed: a person has to look.
    #[error("the egress ledger {path}: {cause}")]
    Chain {
        /// The file.
        path: PathBuf,
        /// Where.
        cause: ChainError,
    },
    /// It is another agent's: a person has to move it away.
    #[error("the egress ledger {0} is another agent's or tenant's; move it away, and keep it")]
    Foreign(PathBuf),
    /// A receipt contradicts it.
    #[error("the egress ledger contradicts a receipt of the hub: {0}")]
    Receipt(String),
    /// A frame that is about to leave can't be read.
    #[error("a frame that is about to leave can't be read: {0}")]
    Frame(#[from] frame::FrameError),
}

/// Where the ledger lies.
pub fn folder(state_dir: &Path) -> PathBuf {
    state_dir.join("ledger")
}

impl Ledger {
    /// Opens the ledger in `folder`, making it where it is missing, and checks the chain of its last file.
    ///
    /// # Errors
    /// The file can't be written, it was changed, or it is another agent's.
    pub fn open(
        folder: &Path,
        tenant: &Tenant,
        agent: AgentId,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, LedgerError> {
        let failed = |cause| io_error(folder, cause);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        let lock = options.open(folder.join("lock")).map_err(failed)?;
        let (folder, tenant) = (folder.to_owned(), tenant.clone());
        let mut ledger = Self { folder, lock, tenant, agent, clock, tail: None, known: Known::default() };
        ledger.append(|_| Ok(Vec::new()))?;
        Ok(ledger)
    }

    /// Its end.
    pub fn head(&self) -> LedgerHead {
        self.known.chain.head()
    }

    /// How far frames of a lane are recorded, if any are.
    pub fn recorded(&self, epoch: Epoch, lane: Lane) -> Option<Recorded> {
        self.known.recorded.get(&(epoch.0, lane)).copied()
    }

    /// The rows of this lane stand for other frames than those there are: theirs are to be written again.
    pub fn forget(&mut self, epoch: Epoch, lane: Lane) {
        self.known.recorded.remove(&(epoch.0, lane));
    }

    /// Records frames that are about to leave, unless they are recorded already; durable when it answers.
    ///
    /// # Errors
    /// Then none of them may leave.
    pub fn record(&mut self, frames: &[Stored]) -> Result<(), LedgerError> {
        let at_ms = self.clock.now_ms();
        self.append(|known| {
            let is_new = |stored: &&Stored| {
                let recorded = known.recorded.get(&(stored.header.epoch.0, stored.header.lane));
                recorded.is_none_or(|recorded| recorded.through < stored.header.through.0)
            };
            let events = frames.iter().filter(is_new);
            events.map(|stored| row::of(stored, at_ms).map(Event::Frame).map_err(LedgerError::from)).collect()
        })
    }

    /// Appends something else; durable when it answers.
    ///
    /// # Errors
    /// It is not in the ledger.
    pub fn note(&mut self, event: Event) -> Result<(), LedgerError> {
        self.append(|_| Ok(vec![event]))
    }

    /// Appends the hub's receipt, whose signature was checked, unless it is the last one already, and the key where it is
    /// `new`.
    ///
    /// # Errors
    /// It is not in the ledger.
    pub fn receipt(&mut self, receipt: &Receipt, new: Option<ReceiptKey>) -> Result<(), LedgerError> {
        let at_ms = self.clock.now_ms();
        self.append(|known| {
            if known.receipted.as_ref() == Some(receipt) {
                return Ok(Vec::new());
            }
            let key = new.map(|key| Event::ReceiptKey { key, at_ms });
            Ok(key.into_iter().chain([Event::Receipt(receipt.clone())]).collect())
        })
    }

    /// The hash at a line, for the hub to compare; `None` where there are fewer.
    ///
    /// # Errors
    /// A file can't be read.
    pub fn hash_at(&self, line: u64) -> Result<Option<ContentHash>, LedgerError> {
        let head = self.head();
        if head.lines == line { Ok(Some(head.hash)) } else { files::hash_at(&self.folder, line) }
    }

    /// Holds the lock, takes in what others appended, and appends what `make` says.
    fn append(
        &mut self,
        make: impl FnOnce(&Known) -> Result<Vec<Event>, LedgerError>,
    ) -> Result<(), LedgerError> {
        self.flock(FlockOperation::LockExclusive)?;
        let outcome = self.catch_up().and_then(|()| {
            let events = make(&self.known)?;
            if events.is_empty() { Ok(()) } else { self.write(&events) }
        });
        // A failed write is never trusted: the next call reads what is there through a new descriptor.
        if outcome.is_err() {
            self.tail = None;
        }
        self.flock(FlockOperation::Unlock)?;
        outcome
    }

    fn flock(&self, operation: FlockOperation) -> Result<(), LedgerError> {
        rustix::fs::flock(&self.lock, operation).map_err(|cause| io_error(&self.folder, cause.into()))
    }

    fn catch_up(&mut self) -> Result<(), LedgerError> {
        if let Some(tail) = &self.tail {
            let length = tail.file.metadata().map_err(|cause| io_error(&self.folder, cause))?.len();
            if length == tail.bytes && !files::path(&self.folder, tail.number + 1).exists() {
                return Ok(());
            }
        }
        self.tail = None;
        self.load()
    }

    /// Reads the last file, takes away what is not whole at its end, and begins the first where there is none.
    fn load(&mut self) -> Result<(), LedgerError> {
        loop {
            let files = files::list(&self.folder).map_err(|cause| io_error(&self.folder, cause))?;
            let Some((number, path)) = files.last() else { return self.begin() };
            let Some(start) = files::start_of(path)? else {
                // A crash came before its first line was whole; nothing that it tells of has left.
                fs::remove_file(path).map_err(|cause| io_error(path, cause))?;
                continue;
            };
            let (mut lines, mut known) =
                (Lines::open(path)?, Known { chain: Chain::after(start), ..Known::default() });
            while let Some(entry) = lines.next(&mut known.chain)? {
                self.is_ours(&entry.event)?;
                known.take_in(&entry.event);
            }
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .open(path)
                .map_err(|cause| io_error(path, cause))?;
            if file.metadata().map_err(|cause| io_error(path, cause))?.len() > lines.whole {
                tracing::warn!("ledger: a line that was cut short is taken away; its frame had not left");
                file.set_len(lines.whole)
                    .and_then(|()| file.sync_all())
                    .map_err(|cause| io_error(path, cause))?;
            }
            self.tail = Some(Tail { file, number: *number, bytes: lines.whole });
            self.known = known;
            return Ok(());
        }
    }

    fn is_ours(&self, event: &Event) -> Result<(), LedgerError> {
        match event {
            Event::Begin { tenant, agent, .. } | Event::Continue(Continued { tenant, agent, .. })
                if (tenant.as_str(), *agent) != (self.tenant.as_str(), self.agent) =>
            {
                Err(LedgerError::Foreign(self.folder.clone()))
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self) -> Result<(), LedgerError> {
        let at_ms = self.clock.now_ms();
        self.known = Known::default();
        self.write(&[Event::Begin { tenant: self.tenant.to_string(), agent: self.agent, at_ms }])
    }

    fn write(&mut self, events: &[Event]) -> Result<(), LedgerError> {
        let mut known = self.known.clone();
        let mut text = String::new();
        let full = self.tail.as_ref().is_none_or(|tail| tail.bytes >= limits::LEDGER_FILE_BYTES);
        let before = self.tail.as_ref().map_or(0, |tail| tail.number);
        if full && before > 0 {
            let on = Event::Continue(self.continued(before + 1));
            text.push_str(&known.chain.append(&on));
        }
        for event in events {
            text.push_str(&known.chain.append(event));
            known.take_in(event);
        }
        if full {
            self.tail = Some(self.create(before + 1, &text)?);
        } else if let Some(tail) = &mut self.tail {
            let written =
                tail.file.write_all_at(text.as_bytes(), tail.bytes).and_then(|()| tail.file.sync_data());
            if let Err(cause) = written {
                // Without this the next start would find whole lines of frames that did not leave; that is no harm.
                drop(tail.file.set_len(tail.bytes));
                return Err(io_error(&files::path(&self.folder, tail.number), cause));
            }
            tail.bytes += text.len() as u64;
        }
        self.known = known;
        Ok(())
    }

    fn continued(&self, file: u32) -> Continued {
        Continued {
            tenant: self.tenant.to_string(),
            agent: self.agent,
            at_ms: self.clock.now_ms(),
            file,
            lines: self.known.chain.head().lines,
            recorded: self.known.recorded.values().copied().collect(),
        }
    }

    /// Makes a file with these lines, durable with its name.
    fn create(&self, number: u32, text: &str) -> Result<Tail, LedgerError> {
        let path = files::path(&self.folder, number);
        let make = || -> io::Result<Tail> {
            let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
            file.write_all_at(text.as_bytes(), 0)?;
            file.sync_all()?;
            File::open(&self.folder)?.sync_all()?;
            Ok(Tail { file, number, bytes: text.len() as u64 })
        };
        make().map_err(|cause| {
            drop(fs::remove_file(&path));
            io_error(&path, cause)
        })
    }
}

impl Known {
    fn take_in(&mut self, event: &Event) {
        match event {
            Event::Continue(on) => {
                self.recorded = on.recorded.iter().map(|lane| ((lane.epoch, lane.lane), *lane)).collect();
            }
            Event::Frame(row) => {
                let recorded = row.recorded();
                let key = (row.epoch, row.lane);
                let next = self.recorded.get(&key).map_or(1, |before| before.through + 1);
                // A row after a hole leaves the lane where it is: what is in the hole has still to be recorded.
                if recorded.seq <= next {
                    self.recorded.insert(key, recorded);
                }
                while self.recorded.len() > limits::LEDGER_LANES_KEPT {
                    self.recorded.pop_first();
                }
            }
            Event::Receipt(receipt) => self.receipted = Some(receipt.clone()),
            Event::Begin { .. } | Event::ReceiptKey { .. } | Event::Bundle(_) => {}
        }
    }
}
