//! The egress ledger's file: what is about to leave stands here, on the disk, before its first byte leaves.
//!
//! One NDJSON line a frame, hash-chained (`certus_protocol::ledger`). The file is only ever appended to; a line that a
//! crash cut short is taken away when it is opened, since its frame had not left. It holds sanitized names
//! and counts, no content.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use certus_protocol::envelope::{BodyV1 as EnvelopeBody, Envelope, ResourceV1};
use certus_protocol::frame::{self, BodyV1};
use certus_protocol::ids::{AgentId, ContentHash, DocumentId, Tenant};
use certus_protocol::ledger::{Chain, ChainError, Entry, Event, FrameRow, ResourceRow, What};

use crate::clock::Clock;
use crate::spool::Stored;

/// The open ledger.
pub struct Ledger {
    file: File,
    chain: Chain,
    /// The last frame recorded of each (epoch, lane).
    recorded: BTreeMap<(u32, String), u64>,
    clock: Arc<dyn Clock>,
}

/// Why the ledger can't be used; nothing may leave without it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The file system's.
    #[error("ledger {path}: {cause}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What failed.
        cause: io::Error,
    },
    /// The file was changed.
    #[error("ledger {path}: {cause}")]
    Chain {
        /// The file.
        path: PathBuf,
        /// Where.
        cause: ChainError,
    },
    /// A frame that is about to leave can't be read.
    #[error("a frame that is about to leave can't be read: {0}")]
    Frame(#[from] frame::FrameError),
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Verified {
    /// Lines.
    pub lines: u64,
    /// Frames among them.
    pub frames: u64,
    /// Hash of the last line, in hexadecimal: what the chain stands for.
    pub head: String,
}

/// Where the ledger lies.
pub fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("ledger").join("egress.ndjson")
}

impl Ledger {
    /// Opens the ledger at `path`, making it where it is missing, and checks its chain.
    ///
    /// # Errors
    /// The file can't be written, or it was changed.
    pub fn open(
        path: &Path,
        tenant: &Tenant,
        agent: AgentId,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, LedgerError> {
        let failed = |cause| LedgerError::Io { path: path.to_owned(), cause };
        if let Some(folder) = path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        }
        let mut file =
            OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path).map_err(failed)?;
        let mut recorded = BTreeMap::new();
        let mut chain = Chain::default();
        let whole = walk(path, &mut chain, |entry| {
            if let Event::Frame(row) = entry.event {
                let last = recorded.entry((row.epoch, row.lane)).or_insert(row.seq);
                *last = row.seq.max(*last);
            }
        })?;
        if whole < file.metadata().map_err(failed)?.len() {
            tracing::warn!("ledger: a line that was cut short is taken away; its frame had not left");
            file.set_len(whole).map_err(failed)?;
            file.seek(SeekFrom::End(0)).map_err(failed)?;
        }
        let mut ledger = Self { file, chain, recorded, clock };
        if ledger.chain.lines() == 0 {
            let at_ms = ledger.clock.now_ms();
            let line = ledger.chain.append(Event::Begin { tenant: tenant.to_string(), agent, at_ms });
            ledger.append(&line).map_err(failed)?;
            if let Some(folder) = path.parent() {
                File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
            }
        }
        Ok(ledger)
    }

    /// Records frames that are about to leave, unless they are recorded already; durable when it answers.
    ///
    /// # Errors
    /// Then none of them may leave.
    pub fn record(&mut self, frames: &[Stored]) -> Result<(), LedgerError> {
        let mut chain = self.chain.clone();
        let mut lines = String::new();
        let mut recorded = Vec::new();
        for stored in frames {
            let key = (stored.header.epoch.0, stored.header.lane.to_string());
            if self.recorded.get(&key).is_some_and(|last| *last >= stored.header.seq.0) {
                continue;
            }
            lines.push_str(&chain.append(Event::Frame(row(stored, self.clock.now_ms())?)));
            recorded.push((key, stored.header.through.0));
        }
        if lines.is_empty() {
            return Ok(());
        }
        let failed = |cause| LedgerError::Io { path: PathBuf::from("egress.ndjson"), cause };
        self.append(&lines).map_err(failed)?;
        self.chain = chain;
        self.recorded.extend(recorded);
        Ok(())
    }

    fn append(&mut self, lines: &str) -> io::Result<()> {
        let before = self.file.metadata()?.len();
        let written = self.file.write_all(lines.as_bytes());
        if let Err(error) = written.and_then(|()| self.file.sync_data()) {
            self.file.set_len(before)?;
            return Err(error);
        }
        Ok(())
    }
}

/// Checks the whole chain of the ledger at `path`.
///
/// # Errors
/// Where it breaks.
pub fn verify(path: &Path) -> Result<Verified, LedgerError> {
    let mut frames = 0;
    let mut chain = Chain::default();
    walk(path, &mut chain, |entry| frames += u64::from(matches!(entry.event, Event::Frame(_))))?;
    Ok(Verified { lines: chain.lines(), frames, head: chain.last().to_string() })
}

/// Hands every frame's row, in order, to `each`; the chain is checked on the way.
///
/// # Errors
/// Where the chain breaks; rows before that were handed over.
pub fn rows(path: &Path, mut each: impl FnMut(FrameRow)) -> Result<(), LedgerError> {
    walk(path, &mut Chain::default(), |entry| {
        if let Event::Frame(row) = entry.event {
            each(row);
        }
    })?;
    Ok(())
}

/// Checks line by line and answers how many bytes are whole lines.
fn walk(path: &Path, chain: &mut Chain, mut each: impl FnMut(Entry)) -> Result<u64, LedgerError> {
    let failed = |cause| LedgerError::Io { path: path.to_owned(), cause };
    let mut reader = BufReader::new(File::open(path).map_err(failed)?);
    let mut line = String::new();
    let mut whole = 0;
    loop {
        line.clear();
        let read = match reader.read_line(&mut line) {
            Ok(read) => read as u64,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let cause = ChainError::Entry { line: chain.lines() + 1 };
                return Err(LedgerError::Chain { path: path.to_owned(), cause });
            }
            Err(error) => return Err(failed(error)),
        };
        if read == 0 || !line.ends_with('\n') {
            return Ok(whole);
        }
        let entry = chain
            .check(line.trim_end_matches('\n'))
            .map_err(|cause| LedgerError::Chain { path: path.to_owned(), cause })?;
        whole += read;
        each(entry);
    }
}

fn row(stored: &Stored, at_ms: i64) -> Result<FrameRow, frame::FrameError> {
    let (header, body) = frame::open(&stored.bytes)?;
    let (source_name, resources) = match body {
        BodyV1::Data { source_name, envelopes } => {
            (source_name, envelopes.iter().map(resource_row).collect())
        }
        BodyV1::Gap { reason } => {
            let gap = plain(What::Gap, DocumentId([0; 16]));
            (String::new(), vec![ResourceRow { path: reason, ..gap }])
        }
    };
    Ok(FrameRow {
        at_ms,
        epoch: header.epoch.0,
        lane: header.lane.to_string(),
        seq: header.seq.0,
        frame: stored.hash,
        bytes: stored.bytes.len() as u64,
        source: header.source,
        source_name,
        key_id: header.key_id,
        policy: header.policy,
        resources,
    })
}

fn resource_row(envelope: &Envelope) -> ResourceRow {
    let id = envelope.document;
    match &envelope.body {
        EnvelopeBody::Whole { resource, content } => described(What::Whole, id, resource, content),
        EnvelopeBody::LastPart { resource, content, .. } => described(What::LastPart, id, resource, content),
        EnvelopeBody::Part { content, .. } => ResourceRow {
            hash: Some(ContentHash::of(content)),
            size: content.len() as u64,
            ..plain(What::Part, id)
        },
        EnvelopeBody::Abort { .. } => plain(What::Abort, id),
        EnvelopeBody::Tombstone { path } => ResourceRow { path: path.clone(), ..plain(What::Tombstone, id) },
        EnvelopeBody::SnapshotEnd { .. } => plain(What::SnapshotEnd, id),
    }
}

fn described(what: What, document: DocumentId, resource: &ResourceV1, content: &[u8]) -> ResourceRow {
    let mut by_type: BTreeMap<&str, u64> = BTreeMap::new();
    for count in &resource.redactions {
        *by_type.entry(&count.type_name).or_default() += u64::from(count.count);
    }
    ResourceRow {
        path: resource.path.clone(),
        hash: Some(ContentHash::of(content)),
        size: content.len() as u64,
        redactions: by_type.into_iter().map(|(name, count)| (name.to_owned(), count)).collect(),
        ..plain(what, document)
    }
}

fn plain(what: What, document: DocumentId) -> ResourceRow {
    ResourceRow { what, document, path: String::new(), hash: None, size: 0, redactions: Vec::new() }
}
