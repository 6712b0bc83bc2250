//! The egress ledger's rows and their hash chain, as values: what left the customer's network, in order.
//!
//! The file is NDJSON, one entry a line, so that it can be read without Certus. Every entry holds, in
//! `previous`, BLAKE3 of the line before it without its line end (zero for the first); changing,
//! dropping or moving a line breaks the chain at the next. Entries of a frame stand in the file before the
//! frame's first byte leaves.

use serde::{Deserialize, Serialize};

use crate::ids::{AgentId, ContentHash, DocumentId, KeyId, PolicyHash, SourceId};

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// BLAKE3 of the line before; zero for the first.
    pub previous: ContentHash,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What an entry tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The ledger begins.
    Begin {
        /// Whose data.
        tenant: String,
        /// Whose ledger.
        agent: AgentId,
        /// Unix milliseconds.
        at_ms: i64,
    },
    /// A frame is about to leave for the first time.
    Frame(FrameRow),
}

/// A frame and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameRow {
    /// Unix milliseconds.
    pub at_ms: i64,
    /// The agent's life.
    pub epoch: u32,
    /// The lane's name.
    pub lane: String,
    /// The frame's number.
    pub seq: u64,
    /// The frame's hash, as in the hub's acks and receipts.
    pub frame: ContentHash,
    /// The frame's length, in bytes.
    pub bytes: u64,
    /// The source.
    pub source: SourceId,
    /// The source's sanitized name.
    pub source_name: String,
    /// Which key made the pseudonyms.
    pub key_id: KeyId,
    /// Which policy sanitized it.
    pub policy: PolicyHash,
    /// One row a resource.
    pub resources: Vec<ResourceRow>,
}

/// One resource in a frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceRow {
    /// What leaves of it.
    pub what: What,
    /// The document's id.
    pub document: DocumentId,
    /// Sanitized path; empty for parts but the last.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Hash of the sanitized content that this frame holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<ContentHash>,
    /// Sanitized content that this frame holds, in bytes.
    pub size: u64,
    /// How often each type was taken out, sorted by type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redactions: Vec<(String, u64)>,
}

/// What of a resource a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// All of it.
    Whole,
    /// A part.
    Part,
    /// The last part.
    LastPart,
    /// A try given up.
    Abort,
    /// Its deletion.
    Tombstone,
    /// A manifest of what is there.
    SnapshotEnd,
    /// The statement that a range of frames was lost.
    Gap,
}

/// Where a chain breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// A line is no entry.
    #[error("line {line} is no ledger entry")]
    Entry {
        /// From 1.
        line: u64,
    },
    /// A line does not follow the one before it.
    #[error("line {line} does not follow from the line before it: the ledger was changed at or before it")]
    Broken {
        /// From 1.
        line: u64,
    },
}

/// The end of a chain, to which further entries are added or along which lines are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    last: ContentHash,
    lines: u64,
}

impl Default for Chain {
    fn default() -> Self {
        Self { last: ContentHash([0; 32]), lines: 0 }
    }
}

impl Chain {
    /// Hash of the last line.
    pub fn last(&self) -> ContentHash {
        self.last
    }

    /// Lines so far.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// The line for `event`, with its line end, and moves on.
    pub fn append(&mut self, event: Event) -> String {
        let entry = Entry { previous: self.last, event };
        let mut line = serde_json::to_string(&entry).expect("plain structs always serialise");
        self.advance(&line);
        line.push('\n');
        line
    }

    /// Checks that `line` (without its line end) follows, and moves on.
    ///
    /// # Errors
    /// Where the chain breaks.
    pub fn check(&mut self, line: &str) -> Result<Entry, ChainError> {
        let number = self.lines + 1;
        let entry: Entry = serde_json::from_str(line).map_err(|_| ChainError::Entry { line: number })?;
        if entry.previous != self.last {
            return Err(ChainError::Broken { line: number });
        }
        self.advance(line);
        Ok(entry)
    }

    fn advance(&mut self, line: &str) {
        self.last = ContentHash::of(line.as_bytes());
        self.lines += 1;
    }
}
