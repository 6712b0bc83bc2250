//! What the agent knows of itself, written to `status.json` for `certus-agent status`. All names in it are sanitized.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::config::SourceKind;
use crate::limits;
use crate::ship::LinkState;
use crate::spool;

/// Everything that `status` tells.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Status {
    /// The agent's id.
    pub agent: String,
    /// Its tenant.
    pub tenant: String,
    /// Host and port of the hub.
    pub hub: String,
    /// The process that wrote this.
    pub pid: u32,
    /// When, Unix milliseconds.
    pub at_ms: i64,
    /// The pseudonym key in use.
    pub key_id: String,
    /// The sanitizing profile.
    pub profile: String,
    /// The link to the hub.
    pub link: LinkState,
    /// The spool.
    pub spool: SpoolStatus,
    /// Each source, by name.
    pub sources: BTreeMap<String, SourceStatus>,
}

/// What is in the spool.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SpoolStatus {
    /// The agent's life.
    pub epoch: u32,
    /// Segments on the disk, in bytes.
    pub disk_bytes: u64,
    /// Why sources wait, if they do.
    pub blocked: Option<String>,
    /// The source that waits so that others can go on, by its id.
    #[serde(default)]
    pub paused: Option<String>,
    /// Frames dropped to make room since the start; gap frames tell the hub which.
    #[serde(default)]
    pub dropped: u64,
    /// Each lane, by name.
    pub lanes: BTreeMap<String, LaneStatus>,
}

/// What is in a lane.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct LaneStatus {
    /// The last frame spooled.
    pub last: u64,
    /// The hub has everything through here.
    pub acked: u64,
    /// What it has not, in bytes.
    pub unacked_bytes: u64,
}

/// What is known of a source.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SourceStatus {
    /// `folder`, `git` or `sarif`.
    pub kind: String,
    /// How often all of it was read since the start.
    pub rounds: u64,
    /// Why it can't be read, if it can't.
    pub problem: Option<String>,
    /// What it holds now.
    pub holds: Holds,
    /// What was read since the start.
    pub read: Read,
    /// Resources handed to the spool since the start; what was unchanged is not among them.
    pub sent: u64,
    /// Deletions handed to the spool since the start.
    pub deleted: u64,
    /// What was taken out since the start, by type.
    pub redactions: BTreeMap<String, u64>,
    /// What is left out, by reason.
    pub left_out: BTreeMap<String, u64>,
    /// The first of them, by sanitized path, with the reason.
    pub listed: BTreeMap<String, String>,
    /// Time spent reading, sanitizing, and waiting for the spool.
    pub stages: StageTimes,
}

/// What a source holds, whether sent now or before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holds {
    /// Files, or objects of a history, that are sent.
    pub resources: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What was read since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read {
    /// Files and blobs.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Commits and annotated tags.
    pub commits: u64,
    /// Branches and tags.
    pub references: u64,
    /// SARIF files.
    pub sarif_files: u64,
    /// Results in them.
    pub sarif_results: u64,
}

/// Time by stage, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageTimes {
    /// Listing and reading.
    pub read_us: u64,
    /// Sanitizing.
    pub sanitize_us: u64,
    /// Waiting for room or durability.
    pub spool_us: u64,
}

/// Why a resource is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeftOut {
    /// It is no text.
    Binary,
    /// It is larger than the source allows.
    TooLarge,
    /// A symbolic link; they are never followed.
    Symlink,
    /// No file at all: a socket, a pipe, a device.
    Special,
    /// It lies under too many folders.
    TooDeep,
    /// No SARIF, where only SARIF is taken.
    NotSarif,
    /// It can't be read.
    Unreadable(io::ErrorKind),
    /// A container whose text can't be had.
    Unopened(String),
    /// The sanitizer could not make it clean.
    Held(String),
}

impl LeftOut {
    /// The word under which it is counted.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::TooLarge => "too-large",
            Self::Symlink => "symlink",
            Self::Special => "special",
            Self::TooDeep => "too-deep",
            Self::NotSarif => "not-sarif",
            Self::Unreadable(_) => "unreadable",
            Self::Unopened(_) => "unopened",
            Self::Held(_) => "held-back",
        }
    }

    fn sentence(&self) -> String {
        match self {
            Self::Unreadable(kind) => format!("unreadable: {kind}"),
            Self::Unopened(why) => format!("unopened: {why}"),
            Self::Held(why) => format!("held-back: {why}"),
            other => other.word().to_owned(),
        }
    }
}

impl SourceStatus {
    /// Notes that the resource at a sanitized path is left out.
    pub fn leave_out(&mut self, path: &str, why: &LeftOut) {
        let known = self.listed.contains_key(path);
        if known || self.listed.len() < limits::LISTED_MAX {
            self.listed.insert(path.to_owned(), why.sentence());
        }
        if !known {
            *self.left_out.entry(why.word().to_owned()).or_default() += 1;
        }
    }
}

/// One source's status, shared with who writes the file.
#[derive(Debug, Clone, Default)]
pub struct SharedStatus(Arc<Mutex<SourceStatus>>);

impl SharedStatus {
    /// A new one.
    pub fn new(kind: SourceKind) -> Self {
        let kind = match kind {
            SourceKind::Folder => "folder",
            SourceKind::Git => "git",
            SourceKind::Sarif => "sarif",
        };
        Self(Arc::new(Mutex::new(SourceStatus { kind: kind.to_owned(), ..SourceStatus::default() })))
    }

    /// To read or change it.
    pub fn lock(&self) -> MutexGuard<'_, SourceStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SpoolStatus {
    /// What the spool's state says.
    pub fn of(state: &spool::State) -> Self {
        let lane = |lane: &spool::LaneState| {
            let status =
                LaneStatus { last: lane.last.0, acked: lane.acked.0, unacked_bytes: lane.unacked_bytes() };
            (lane.lane.to_string(), status)
        };
        Self {
            epoch: state.epoch.0,
            disk_bytes: state.disk_bytes,
            blocked: state.blocked.clone(),
            paused: state.paused.map(|source| source.to_string()),
            dropped: state.dropped,
            lanes: state.lanes.iter().map(lane).collect(),
        }
    }
}

/// Where the status lies.
pub fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("status.json")
}

/// Writes the status in one step.
///
/// # Errors
/// The file system's.
pub fn write(state_dir: &Path, status: &Status) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(state_dir)?;
    serde_json::to_writer_pretty(&mut file, status)?;
    file.write_all(b"\n")?;
    file.persist(path(state_dir)).map_err(|error| error.error)?;
    Ok(())
}

/// Reads the status that was written last; `None` where none ever was.
///
/// # Errors
/// It can't be read.
pub fn read(state_dir: &Path) -> io::Result<Option<Status>> {
    match fs::read(path(state_dir)) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
