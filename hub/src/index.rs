//! What makes documents findable: tantivy embedded or, later, OpenSearch.
//!
//! Everything here is derived from `golden/` and may be thrown away and made anew. One physical
//! index a tenant, so that neither counts nor scores tell of another's data. An older version
//! never replaces a newer one, and a deletion is a version like any other.

use async_trait::async_trait;
use certus_protocol::ids::{DocumentId, SourceId, Tenant, Version};

pub mod tantivy;
pub mod words;

/// The seam to the search engine.
#[async_trait]
pub trait Index: Send + Sync + 'static {
    /// Applies the records, each only if it is newer than what is there; durable when it answers.
    async fn write(&self, tenant: &Tenant, records: Vec<Record>) -> Result<(), IndexError>;

    /// Answers a query from what was written before.
    async fn search(&self, tenant: &Tenant, query: &Query) -> Result<Answer, IndexError>;

    /// Takes every trace of the documents out of the index's files, whatever their version; durable.
    async fn erase(&self, tenant: &Tenant, documents: &[DocumentId]) -> Result<(), IndexError>;

    /// Forgets all of a tenant, so that it can be made anew.
    async fn clear(&self, tenant: &Tenant) -> Result<(), IndexError>;
}

/// One version of a document, with its chunks, or its deletion.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Record {
    /// Which document.
    pub document: DocumentId,
    /// Which version of it.
    pub version: Version,
    /// What it says; `None` when this version is the deletion.
    pub content: Option<Content>,
}

/// What can be searched of a document.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Content {
    /// Its source.
    pub source: SourceId,
    /// The source's name.
    pub source_name: String,
    /// `file`, `blob`, `commit`, `reference` or `sarif`.
    pub kind: String,
    /// Sanitized path within the source.
    pub path: String,
    /// Git object or reference; else empty.
    pub reference: String,
    /// Language, such as `rust`; empty where unknown.
    pub language: String,
    /// Media type.
    pub media_type: String,
    /// Unix milliseconds, as the source says.
    pub modified_ms: Option<i64>,
    /// The text, cut into chunks.
    pub chunks: Vec<Chunk>,
}

/// A piece of a document's text that is answered as a whole.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Chunk {
    /// From 0.
    pub ordinal: u32,
    /// First line, from 1.
    pub line_start: u32,
    /// Last line.
    pub line_end: u32,
    /// The text.
    pub text: String,
}

/// What to search for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Query {
    /// Words, `"phrases"`; empty finds all that the filters leave.
    pub text: String,
    /// Only these sources.
    pub sources: Vec<SourceId>,
    /// Only paths that begin so.
    pub path_prefix: Option<String>,
    /// Only these languages.
    pub languages: Vec<String>,
    /// Only these kinds.
    pub kinds: Vec<String>,
    /// Hits at the most.
    pub limit: usize,
    /// Where an earlier answer ended.
    pub after: Option<Position>,
}

/// Where an answer ended: what the last hit was ordered by.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Position {
    /// Its score.
    pub score: f32,
    /// Its document.
    pub document: DocumentId,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// Documents that match, all of them.
    pub total: u64,
    /// The best ones, best first, each document once.
    pub hits: Vec<Hit>,
    /// Matching documents by value of `source`, `language` and `kind`, most first.
    pub facets: Vec<Facet>,
    /// Where a further answer goes on; `None` at the end.
    pub next: Option<Position>,
}

/// One document found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// Which one.
    pub document: DocumentId,
    /// Its version.
    pub version: Version,
    /// How well it matches.
    pub score: f32,
    /// What is known of it, with the best chunk only.
    pub content: Content,
    /// Pieces of the best chunk's text, and whether each matched.
    pub highlights: Vec<(String, bool)>,
}

/// Counts of one field.
#[derive(Debug, Clone, PartialEq)]
pub struct Facet {
    /// The field.
    pub field: &'static str,
    /// Value and count.
    pub values: Vec<(String, u64)>,
}

/// Why the engine could not serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// The query can't be understood: tell the caller.
    #[error("query: {0}")]
    Query(String),
    /// The engine failed: retry.
    #[error("search index: {0}")]
    Engine(String),
}
