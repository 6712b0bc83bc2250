//! The egress ledger's rows and their hash chain, as values: what left the customer's network, in order.
//!
//! The ledger is NDJSON, one entry a line, so that it can be read without Certus. Every entry holds, in
//! `previous`, BLAKE3 of the line before it without its line end (zero for the first); changing,
//! dropping or moving a line breaks the chain at the next. Entries of a frame stand on the disk before the
//! frame's first byte leaves. The chain goes on over all files of a ledger; each but the first begins with
//! [`Event::Continue`], which says where it goes on, so that the last file alone tells how to go on.

use serde::{Deserialize, Serialize};

use crate::ids::{AgentId, ContentHash, DocumentId, KeyId, Lane, PolicyHash, ReceiptKey, SourceId};
use crate::receipt::{LedgerHead, Receipt};

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// BLAKE3 of the line before; zero for the first.
    pub previous: ContentHash,
    /// What happened.
    pub event: Event,
}

/// What an entry tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
    /// The ledger goes on in a further file.
    Continue(Continued),
    /// A frame is about to leave.
    Frame(FrameRow),
    /// The hub's receipt.
    Receipt(Receipt),
    /// A key that the hub signs receipts with was seen for the first time.
    ReceiptKey {
        /// The key.
        key: ReceiptKey,
        /// Unix milliseconds.
        at_ms: i64,
    },
    /// A bundle with frames that stand above is about to be complete.
    Bundle(BundleRow),
}

/// How a further file of the ledger begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Continued {
    /// Whose data.
    pub tenant: String,
    /// Whose ledger.
    pub agent: AgentId,
    /// Unix milliseconds.
    pub at_ms: i64,
    /// The file's number, from 1.
    pub file: u32,
    /// Lines in all files before it.
    pub lines: u64,
    /// How far frames were recorded before it.
    pub recorded: Vec<Recorded>,
}

/// How far a lane's frames stand in the ledger: all up to this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// The agent's life.
    pub epoch: u32,
    /// The lane.
    pub lane: Lane,
    /// The last frame's number.
    pub seq: u64,
    /// The last number that it stands for.
    pub through: u64,
    /// Its hash.
    pub frame: ContentHash,
}

/// A bundle that is carried by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleRow {
    /// Unix milliseconds.
    pub at_ms: i64,
    /// The hub that it is for: hash of its CA's certificate.
    pub hub: ContentHash,
    /// Frames in it.
    pub frames: u64,
    /// BLAKE3 of everything before its trailer.
    pub content: ContentHash,
}

/// A frame and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameRow {
    /// Unix milliseconds.
    pub at_ms: i64,
    /// The agent's life.
    pub epoch: u32,
    /// The lane.
    pub lane: Lane,
    /// The frame's number.
    pub seq: u64,
    /// The last number that it stands for, where that is another: a gap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<u64>,
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
    /// Sanitized path; empty for parts but the last; of a gap, the reason.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Hash of the sanitized resource, or of the part where it is not the last.
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

impl FrameRow {
    /// How far the lane is recorded with this row, if it was without a hole before.
    pub fn recorded(&self) -> Recorded {
        Recorded {
            epoch: self.epoch,
            lane: self.lane,
            seq: self.seq,
            through: self.through.unwrap_or(self.seq),
            frame: self.frame,
        }
    }
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
    /// A chain that goes on after `head`.
    pub fn after(head: LedgerHead) -> Self {
        Self { last: head.hash, lines: head.lines }
    }

    /// Its end: lines so far and the hash of the last.
    pub fn head(&self) -> LedgerHead {
        LedgerHead { lines: self.lines, hash: self.last }
    }

    /// The line for `event`, with its line end, and moves on.
    pub fn append(&mut self, event: &Event) -> String {
        #[derive(Serialize)]
        struct Line<'a> {
            previous: ContentHash,
            event: &'a Event,
        }
        let entry = Line { previous: self.last, event };
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
