//! What is remembered of an object that was sent.

use certus_protocol::ids::DocumentId;
use git2::Oid;

use crate::sanitize::Taken;

/// What is remembered of an object or a reference: id (20 bytes), document (16), size (8, little-endian),
/// sanitized path. Nothing where it was left out or held back.
pub(super) struct Sent {
    pub(super) oid: Oid,
    pub(super) document: DocumentId,
    pub(super) bytes: u64,
    pub(super) path: String,
}

impl Sent {
    pub(super) fn encode(oid: Oid, bytes: usize, taken: &Taken) -> Vec<u8> {
        match taken {
            Taken::Sent { document, path } => {
                [oid.as_bytes(), &document.0, &(bytes as u64).to_le_bytes(), path.as_bytes()].concat()
            }
            Taken::Held(_) => Vec::new(),
        }
    }

    pub(super) fn decode(value: &[u8]) -> Option<Self> {
        let (oid, rest) = value.split_first_chunk::<20>()?;
        let (document, rest) = rest.split_first_chunk::<16>()?;
        let (bytes, path) = rest.split_first_chunk::<8>()?;
        Some(Self {
            oid: Oid::from_bytes(oid).ok()?,
            document: DocumentId(*document),
            bytes: u64::from_le_bytes(*bytes),
            path: String::from_utf8(path.to_vec()).ok()?,
        })
    }
}
