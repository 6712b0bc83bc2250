//! EnvelopeV1: one sanitized version of a resource or a part of it, a tombstone, or the end of
//! a snapshot.
//!
//! Frozen: new fields make a `EnvelopeV2` and a `From`. Every text in an envelope has passed the
//! sanitizer before it came here; this crate cannot prove that, `Clean<Envelope>` does.
//!
//! A resource larger than [`limits::ENVELOPE_CONTENT_BYTES_MAX`] travels as parts. All parts of one
//! try carry the same attempt (the seq of the frame that holds its first part), indices count from
//! 0, and the last one carries the resource, the count of parts, length and hash; nothing of
//! it is visible before. A try that can't be finished is closed with an abort.

use bincode::{Decode, Encode};

use crate::ids::{ContentHash, DocumentId, Seq};
use crate::limits;

/// The version in use.
pub type Envelope = EnvelopeV1;

/// One entry of a frame.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct EnvelopeV1 {
    /// What it is about; for a snapshot end, all zero.
    pub document: DocumentId,
    /// What it says.
    pub body: BodyV1,
}

/// What an envelope says.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum BodyV1 {
    /// A resource in one piece.
    Whole {
        /// What is known of it.
        resource: ResourceV1,
        /// Its sanitized bytes.
        content: Vec<u8>,
    },
    /// A part that is not the last.
    Part {
        /// Seq of the frame that holds part 0 of this try.
        attempt: Seq,
        /// From 0.
        index: u32,
        /// Its sanitized bytes.
        content: Vec<u8>,
    },
    /// The last part; makes the resource visible.
    LastPart {
        /// Seq of the frame that holds part 0 of this try.
        attempt: Seq,
        /// Its index; the parts are `0..=index`.
        index: u32,
        /// What is known of the resource; `size` and `hash` are those of all parts joined.
        resource: ResourceV1,
        /// Its sanitized bytes.
        content: Vec<u8>,
    },
    /// The try will not be finished; drop its parts.
    Abort {
        /// Seq of the frame that holds part 0 of this try.
        attempt: Seq,
    },
    /// The resource is gone from its source.
    Tombstone {
        /// Its sanitized path, for people.
        path: String,
    },
    /// All documents that the source has now; the hub tombstones what is missing.
    SnapshotEnd {
        /// Which piece of the manifest this is, from 0.
        index: u32,
        /// How many pieces there are.
        count: u32,
        /// Document and hash of its sanitized content.
        entries: Vec<(DocumentId, ContentHash)>,
    },
}

/// What is known of a resource, sanitized.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ResourceV1 {
    /// What sort of thing it is.
    pub kind: ResourceKind,
    /// Path within the source, `/` between components.
    pub path: String,
    /// Git object or reference that, with the path, names the document; else empty.
    pub reference: String,
    /// Media type, such as `text/x-rust` or `application/sarif+json`.
    pub media_type: String,
    /// Language of a text, such as `rust` or `markdown`; empty where unknown.
    pub language: String,
    /// Length of the sanitized content, in bytes.
    pub size: u64,
    /// Hash of the sanitized content.
    pub hash: ContentHash,
    /// When the resource itself says that it was changed, Unix milliseconds; for people, orders nothing.
    pub modified_ms: Option<i64>,
    /// Further facts (author, committer, parents, commit …), sanitized, sorted by name.
    pub attributes: Vec<(String, String)>,
    /// How often each rule took something out.
    pub redactions: Vec<RedactionCountV1>,
    /// What the policy keeps on purpose.
    pub kept: Vec<KeptV1>,
    /// Name of the sanitizer's profile, such as `high-recall`.
    pub profile: String,
}

/// What sort of thing a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub enum ResourceKind {
    /// A file of a folder or share.
    File,
    /// A file's content in a git history.
    Blob,
    /// A commit or an annotated tag: its message.
    Commit,
    /// A branch or tag: the object it points to.
    Reference,
    /// A scan result in SARIF.
    Sarif,
}

impl ResourceKind {
    /// The word for it in queries and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Blob => "blob",
            Self::Commit => "commit",
            Self::Reference => "reference",
            Self::Sarif => "sarif",
        }
    }
}

/// How often a rule took something out of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct RedactionCountV1 {
    /// The rule's name.
    pub rule: String,
    /// The type that stands in the replacement, such as `EMAIL`.
    pub type_name: String,
    /// How often.
    pub count: u32,
}

/// A span that a policy keeps on purpose, so that the hub's second scan exempts exactly that.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct KeptV1 {
    /// First byte in the sanitized content.
    pub start: u64,
    /// Byte after the last.
    pub end: u64,
    /// The rule that would have taken it out.
    pub rule: String,
    /// Why it is kept.
    pub reason: String,
}

/// Which limit an envelope breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("envelope's {what} is past its limit of {limit}")]
pub struct EnvelopeError {
    /// The field.
    pub what: &'static str,
    /// The limit.
    pub limit: u64,
}

impl EnvelopeV1 {
    /// Bytes that it takes in a frame's body, at the most.
    pub fn cost_bytes(&self) -> usize {
        64 + match &self.body {
            BodyV1::Whole { resource, content } | BodyV1::LastPart { resource, content, .. } => {
                resource.cost_bytes() + content.len()
            }
            BodyV1::Part { content, .. } => content.len(),
            BodyV1::Abort { .. } => 0,
            BodyV1::Tombstone { path } => path.len(),
            BodyV1::SnapshotEnd { entries, .. } => entries.len() * 48,
        }
    }

    /// Whether every field keeps its limit; readers and writers both ask.
    ///
    /// # Errors
    /// The first limit that is broken.
    pub fn check(&self) -> Result<(), EnvelopeError> {
        match &self.body {
            BodyV1::Whole { resource, content } => {
                at_most("content", content.len(), limits::ENVELOPE_CONTENT_BYTES_MAX)?;
                resource.check()
            }
            BodyV1::Part { index, content, .. } => {
                at_most("part index", *index as usize, limits::PARTS_MAX as usize - 1)?;
                at_most("content", content.len(), limits::ENVELOPE_CONTENT_BYTES_MAX)
            }
            BodyV1::LastPart { index, resource, content, .. } => {
                at_most("part index", *index as usize, limits::PARTS_MAX as usize - 1)?;
                at_most("content", content.len(), limits::ENVELOPE_CONTENT_BYTES_MAX)?;
                resource.check()
            }
            BodyV1::Abort { .. } => Ok(()),
            BodyV1::Tombstone { path } => at_most("path", path.len(), limits::PATH_BYTES_MAX),
            BodyV1::SnapshotEnd { entries, .. } => {
                at_most("manifest", entries.len(), limits::SNAPSHOT_ENTRIES_MAX)
            }
        }
    }
}

impl ResourceV1 {
    fn cost_bytes(&self) -> usize {
        let attributes: usize =
            self.attributes.iter().map(|(name, value)| 8 + name.len() + value.len()).sum();
        let redactions: usize = self.redactions.iter().map(|r| 12 + r.rule.len() + r.type_name.len()).sum();
        let kept: usize = self.kept.iter().map(|k| 24 + k.rule.len() + k.reason.len()).sum();
        let texts = self.path.len() + self.reference.len() + self.media_type.len();
        128 + texts + self.language.len() + self.profile.len() + attributes + redactions + kept
    }

    fn check(&self) -> Result<(), EnvelopeError> {
        at_most("path", self.path.len(), limits::PATH_BYTES_MAX)?;
        at_most("reference", self.reference.len(), limits::PATH_BYTES_MAX)?;
        at_most("attributes", self.attributes.len(), limits::ATTRIBUTES_MAX)?;
        for (name, value) in &self.attributes {
            at_most("attribute", name.len().max(value.len()), limits::ATTRIBUTE_BYTES_MAX)?;
        }
        at_most("redactions", self.redactions.len(), limits::REDACTION_COUNTS_MAX)?;
        at_most("kept spans", self.kept.len(), limits::KEPT_SPANS_MAX)?;
        at_most("description", self.cost_bytes(), limits::ENVELOPE_META_BYTES_MAX)?;
        if self.size > limits::RESOURCE_BYTES_MAX {
            return Err(EnvelopeError { what: "size", limit: limits::RESOURCE_BYTES_MAX });
        }
        Ok(())
    }
}

fn at_most(what: &'static str, value: usize, limit: usize) -> Result<(), EnvelopeError> {
    if value <= limit { Ok(()) } else { Err(EnvelopeError { what, limit: limit as u64 }) }
}
