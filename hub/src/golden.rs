//! Documents under `golden/`: the newest version of each, whole, as text. What search and API answer from.

use std::sync::Arc;

use bytes::Bytes;
use certus_protocol::ids::{AgentId, ContentHash, DocumentId, SourceId, Tenant, Version};
use serde::{Deserialize, Serialize};

use crate::limits;
use crate::objects::{Condition, Key, Objects, ObjectsError, Put};
use crate::state::StateError;

/// The newest version of a document, or its deletion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Golden {
    /// Which document.
    pub document: DocumentId,
    /// Which version.
    pub version: Version,
    /// Where it came from.
    pub origin: Origin,
    /// What it says; `None`: it was deleted.
    pub content: Option<GoldenContent>,
}

/// The frame that brought a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Whose frame.
    pub agent: AgentId,
    /// In which life.
    pub epoch: u32,
    /// 0 interactive, 1 bulk.
    pub lane: u8,
    /// Its number.
    pub seq: u64,
    /// Which of its envelopes.
    pub index: usize,
}

/// What a document says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoldenContent {
    /// Its source.
    pub source: SourceId,
    /// The source's name.
    pub source_name: String,
    /// `file`, `blob`, `commit`, `reference` or `sarif`.
    pub kind: String,
    /// Path within the source.
    pub path: String,
    /// Git object or reference; else empty.
    pub reference: String,
    /// Media type.
    pub media_type: String,
    /// Language; empty where unknown.
    pub language: String,
    /// Length of the sanitized content, in bytes.
    pub size: u64,
    /// Its hash.
    pub hash: ContentHash,
    /// Unix milliseconds, as the source says.
    pub modified_ms: Option<i64>,
    /// Further facts.
    pub attributes: Vec<(String, String)>,
    /// Rule, type and how often it took something out.
    pub redactions: Vec<(String, String, u32)>,
    /// The sanitized content as text.
    pub text: String,
}

/// Where a document stands.
///
/// # Errors
/// Never for parsed names.
pub fn key(tenant: &Tenant, document: &DocumentId) -> Result<Key, ObjectsError> {
    Key::new(format!("golden/{tenant}/{document}"))
}

/// The newest version of a document.
///
/// # Errors
/// See [`StateError`].
pub async fn get(
    objects: &Arc<dyn Objects>,
    tenant: &Tenant,
    document: &DocumentId,
) -> Result<Option<Golden>, StateError> {
    let key = key(tenant, document)?;
    match objects.get(&key).await? {
        Some(object) => decode(&key, &object.bytes).map(Some),
        None => Ok(None),
    }
}

/// Writes a version unless a newer one is there; `false`: one is.
///
/// # Errors
/// See [`StateError`].
pub async fn put_if_newer(
    objects: &Arc<dyn Objects>,
    tenant: &Tenant,
    golden: &Golden,
) -> Result<bool, StateError> {
    let key = key(tenant, &golden.document)?;
    let damaged = |cause: String| StateError::Damaged { key: key.clone(), cause };
    let json = serde_json::to_vec(golden).map_err(|error| damaged(error.to_string()))?;
    let bytes = Bytes::from(zstd::bulk::compress(&json, 1).map_err(|error| damaged(error.to_string()))?);
    loop {
        let condition = match objects.get(&key).await? {
            None => Condition::Absent,
            Some(there) if decode(&key, &there.bytes)?.version > golden.version => return Ok(false),
            Some(there) if there.bytes == bytes => return Ok(true),
            Some(there) => Condition::Match(there.tag),
        };
        if let Put::Written(_) = objects.put(&key, bytes.clone(), condition).await? {
            return Ok(true);
        }
    }
}

fn decode(key: &Key, bytes: &[u8]) -> Result<Golden, StateError> {
    let damaged = |cause: String| StateError::Damaged { key: key.clone(), cause };
    let limit = 2 * limits::TEXT_BYTES_MAX;
    let size = zstd::zstd_safe::get_frame_content_size(bytes).ok().flatten().unwrap_or(0) as usize;
    let json = zstd::bulk::decompress(bytes, size.min(limit)).map_err(|error| damaged(error.to_string()))?;
    serde_json::from_slice(&json).map_err(|error| damaged(error.to_string()))
}
