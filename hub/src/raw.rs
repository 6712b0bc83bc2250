//! Objects under `raw/`: frames as they came, or, where something was erased, a stub with what remains.
//!
//! | offset | bytes | field of a stub |
//! | --- | --- | --- |
//! | 0 | 4 | magic `CSTB` |
//! | 4 | 4 | format version, 1 (little-endian, as all) |
//! | 8 | 200 | header of the original frame |
//! | 208 | 4 | count of erased envelopes |
//! | 212 | 4 each | their indices in the original |
//! | … | … | a frame with the remaining envelopes, in order; absent where none remains |

use std::collections::BTreeSet;

use certus_protocol::envelope::Envelope;
use certus_protocol::frame::{self, BodyV1, FrameError, HEADER_BYTES, Header, Place};
use certus_protocol::ids::{AgentId, ContentHash, Epoch, Lane, Seq, Tenant};

use crate::objects::{Key, ObjectsError};

const STUB_MAGIC: &[u8; 4] = b"CSTB";
const STUB_VERSION: u32 = 1;

/// One agent's sequence of frames.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LaneId {
    /// Whose data.
    pub tenant: Tenant,
    /// Whose frames.
    pub agent: AgentId,
    /// In which life.
    pub epoch: Epoch,
    /// In which order.
    pub lane: Lane,
}

impl LaneId {
    /// The lane of a frame.
    pub fn of(header: &Header) -> Self {
        Self { tenant: header.tenant.clone(), agent: header.agent, epoch: header.epoch, lane: header.lane }
    }

    /// `<tenant>/<agent>/<epoch>/<lane>`.
    pub fn path(&self) -> String {
        format!("{}/{}/{}/{}", self.tenant, self.agent, self.epoch, self.lane)
    }

    /// The lane of a path as [`LaneId::path`] writes it.
    pub fn parse(path: &str) -> Option<Self> {
        let mut parts = path.split('/');
        let lane = Self {
            tenant: parts.next()?.parse().ok()?,
            agent: parts.next()?.parse().ok()?,
            epoch: Epoch(parts.next()?.parse().ok()?),
            lane: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(lane)
    }

    /// The object of frame `seq`.
    ///
    /// # Errors
    /// Never for parsed names; the key's rule is checked all the same.
    pub fn key(&self, seq: Seq) -> Result<Key, ObjectsError> {
        Key::new(format!("raw/{}/{seq}", self.path()))
    }
}

/// The number in a key under `raw/`.
pub fn seq_of(key: &Key) -> Option<Seq> {
    key.as_str().rsplit_once('/').and_then(|(_, seq)| seq.parse().ok()).map(Seq)
}

/// An object under `raw/`, opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw {
    /// Header of the frame as it came.
    pub header: Header,
    /// Hash of the frame as it came.
    pub hash: ContentHash,
    /// What it holds.
    pub content: Content,
    /// Indices of envelopes that were erased.
    pub erased: BTreeSet<usize>,
}

/// What a frame holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Envelopes with their indices in the original frame.
    Data {
        /// The source's name.
        source_name: String,
        /// Those that were not erased.
        envelopes: Vec<(usize, Envelope)>,
    },
    /// A range that was lost, and why.
    Gap(String),
}

/// Bytes under `raw/` that are neither frame nor stub.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RawError {
    /// The frame's.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A stub that is cut short or of another version.
    #[error("stub in raw/ is damaged")]
    Stub,
}

/// The hash of the frame that an object holds or once held.
///
/// # Errors
/// See [`RawError`].
pub fn original(bytes: &[u8]) -> Result<(Header, ContentHash), RawError> {
    let head = if bytes.starts_with(STUB_MAGIC) { bytes.get(8..).ok_or(RawError::Stub)? } else { bytes };
    Ok((Header::parse(head)?, frame::hash(head)))
}

/// Opens an object under `raw/`.
///
/// # Errors
/// See [`RawError`].
pub fn open(bytes: &[u8]) -> Result<Raw, RawError> {
    if !bytes.starts_with(STUB_MAGIC) {
        let (header, body) = frame::open(bytes)?;
        let content = content_of(body, &BTreeSet::new());
        return Ok(Raw { hash: header.hash(), header, content, erased: BTreeSet::new() });
    }
    let number = |at: usize| -> Result<u32, RawError> {
        let bytes = bytes.get(at..at + 4).and_then(|b| b.first_chunk()).ok_or(RawError::Stub)?;
        Ok(u32::from_le_bytes(*bytes))
    };
    if number(4)? != STUB_VERSION {
        return Err(RawError::Stub);
    }
    let (header, hash) = original(bytes)?;
    let count = number(8 + HEADER_BYTES)? as usize;
    if count > header.count as usize {
        return Err(RawError::Stub);
    }
    let list = 12 + HEADER_BYTES;
    let erased: BTreeSet<usize> =
        (0..count).map(|i| number(list + 4 * i).map(|n| n as usize)).collect::<Result<_, _>>()?;
    let rest = bytes.get(list + 4 * count..).ok_or(RawError::Stub)?;
    let content = if rest.is_empty() {
        Content::Data { source_name: String::new(), envelopes: Vec::new() }
    } else {
        content_of(frame::open(rest)?.1, &erased)
    };
    Ok(Raw { header, hash, content, erased })
}

/// What replaces the object when further envelopes are erased.
///
/// # Errors
/// The remaining envelopes can't be packed; they could before.
pub fn stub(raw: &Raw, erase: &[usize]) -> Result<Vec<u8>, RawError> {
    let mut erased = raw.erased.clone();
    erased.extend(erase.iter().copied().filter(|index| *index < raw.header.count as usize));
    let mut bytes = Vec::new();
    bytes.extend_from_slice(STUB_MAGIC);
    bytes.extend_from_slice(&STUB_VERSION.to_le_bytes());
    bytes.extend_from_slice(&raw.header.to_bytes());
    bytes.extend_from_slice(&(erased.len() as u32).to_le_bytes());
    erased.iter().for_each(|index| bytes.extend_from_slice(&(*index as u32).to_le_bytes()));
    if let Content::Data { source_name, envelopes } = &raw.content {
        let remaining: Vec<Envelope> = envelopes
            .iter()
            .filter(|(index, _)| !erased.contains(index))
            .map(|(_, envelope)| envelope.clone())
            .collect();
        if !remaining.is_empty() {
            let body = BodyV1::Data { source_name: source_name.clone(), envelopes: remaining };
            bytes.extend_from_slice(&frame::pack(place(&raw.header), &body)?.bytes);
        }
    }
    Ok(bytes)
}

fn place(header: &Header) -> Place {
    Place {
        tenant: header.tenant.clone(),
        agent: header.agent,
        epoch: header.epoch,
        lane: header.lane,
        seq: header.seq,
        through: header.through,
        source: header.source,
        key_id: header.key_id,
        policy: header.policy,
        previous: header.previous,
    }
}

fn content_of(body: BodyV1, erased: &BTreeSet<usize>) -> Content {
    match body {
        BodyV1::Gap { reason } => Content::Gap(reason),
        BodyV1::Data { source_name, envelopes } => {
            let indices = (0..).filter(|index| !erased.contains(index));
            Content::Data { source_name, envelopes: indices.zip(envelopes).collect() }
        }
    }
}
