//! The frame: the one form in which envelopes lie in the spool, travel and stand in `raw/`.
//!
//! A frame is a fixed header and a body. All integers are little-endian.
//!
//! | offset | bytes | field |
//! | --- | --- | --- |
//! | 0 | 4 | magic `CFRM` |
//! | 4 | 2 | format version, 1 |
//! | 6 | 1 | kind: 0 data, 1 gap |
//! | 7 | 1 | lane |
//! | 8 | 16 | agent |
//! | 24 | 4 | epoch |
//! | 28 | 4 | count of envelopes |
//! | 32 | 8 | seq |
//! | 40 | 8 | last seq that the frame stands for: its own, or the end of a gap |
//! | 48 | 4 | body length before compression |
//! | 52 | 4 | body length as it lies there |
//! | 56 | 32 | tenant, ASCII, padded with zeros |
//! | 88 | 16 | source; zero in a gap |
//! | 104 | 8 | pseudonym key id |
//! | 112 | 16 | policy hash |
//! | 128 | 32 | hash of the frame before it in the lane; zero for the first of an epoch |
//! | 160 | 32 | BLAKE3 of the body as it lies there |
//! | 192 | 8 | checksum: first 8 bytes of BLAKE3 of bytes 0 to 192 |
//!
//! The body is bincode (standard configuration) of [`BodyV1`], compressed by zstd level 1. A frame's
//! hash is BLAKE3 of its 200 header bytes, which hold the hash of the body. Every length is checked
//! before it is allocated.

use bincode::{Decode, Encode};

use crate::encoding;
use crate::envelope::{Envelope, EnvelopeError};
use crate::ids::{AgentId, ContentHash, Epoch, KeyId, Lane, PolicyHash, Seq, SourceId, Tenant};
use crate::limits;

/// Length of a header, in bytes.
pub const HEADER_BYTES: usize = 200;
/// First bytes of every frame.
pub const MAGIC: [u8; 4] = *b"CFRM";
/// The version of header and body that this code writes.
pub const FORMAT_VERSION: u16 = 1;

const CHECKED_BYTES: usize = 192;

/// A frame's header, its lengths within the limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// What the body holds.
    pub kind: Kind,
    /// Whose data.
    pub tenant: Tenant,
    /// Whose frame.
    pub agent: AgentId,
    /// In which of the agent's lives.
    pub epoch: Epoch,
    /// In which order.
    pub lane: Lane,
    /// Its number there.
    pub seq: Seq,
    /// The last number it stands for; its own but for a gap.
    pub through: Seq,
    /// The one source of all its envelopes; zero in a gap.
    pub source: SourceId,
    /// Which key made its pseudonyms.
    pub key_id: KeyId,
    /// Which policy sanitized it.
    pub policy: PolicyHash,
    /// Hash of the frame before it in the lane; zero for the first of an epoch.
    pub previous: ContentHash,
    /// Envelopes in the body.
    pub count: u32,
    /// Body before compression, in bytes.
    pub raw_bytes: u32,
    /// Body as it lies behind the header, in bytes.
    pub encoded_bytes: u32,
    /// Hash of the body as it lies there.
    pub body_hash: ContentHash,
}

/// What a frame's body holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Envelopes of one source.
    Data,
    /// The statement that a range of numbers was lost.
    Gap,
}

/// A frame's body.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum BodyV1 {
    /// Envelopes of one source.
    Data {
        /// The source's sanitized name, for people; its id stands in the header.
        source_name: String,
        /// In the order in which they happened.
        envelopes: Vec<Envelope>,
    },
    /// A range of numbers that was lost.
    Gap {
        /// Why, for people.
        reason: String,
    },
}

/// What [`pack`] needs to know besides the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Whose data.
    pub tenant: Tenant,
    /// Whose frame.
    pub agent: AgentId,
    /// In which of the agent's lives.
    pub epoch: Epoch,
    /// In which order.
    pub lane: Lane,
    /// Its number there.
    pub seq: Seq,
    /// The last number it stands for.
    pub through: Seq,
    /// The source of the envelopes; zero for a gap.
    pub source: SourceId,
    /// Which key made the pseudonyms.
    pub key_id: KeyId,
    /// Which policy sanitized.
    pub policy: PolicyHash,
    /// Hash of the frame before it in the lane.
    pub previous: ContentHash,
}

/// A packed frame: its bytes and what the header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The header, as in the first [`HEADER_BYTES`] bytes.
    pub header: Header,
    /// The frame's hash: that of the header's bytes.
    pub hash: ContentHash,
    /// Header and body.
    pub bytes: Vec<u8>,
}

/// Why bytes are no frame. A reader of a stream closes it; a reader of a disk looks for the next magic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Fewer bytes than the frame has.
    #[error("frame is cut short: {have} of {need} bytes")]
    Short {
        /// Bytes at hand.
        have: usize,
        /// Bytes needed.
        need: usize,
    },
    /// The first bytes are no magic.
    #[error("not a frame: wrong magic")]
    Magic,
    /// A format version that this code does not know.
    #[error("frame format version {0} is not known here (this is {FORMAT_VERSION})")]
    Version(u16),
    /// The header's checksum is wrong.
    #[error("frame header is damaged: checksum differs")]
    Checksum,
    /// A field of the header has a value that it can't have.
    #[error("frame header's {0} is not valid")]
    Field(&'static str),
    /// The body's hash differs from the header's.
    #[error("frame body is damaged: hash differs")]
    BodyHash,
    /// The body does not decompress to the length that the header gives.
    #[error("frame body does not decompress to its length")]
    Compression,
    /// The body is no valid encoding.
    #[error("frame body can't be decoded")]
    Encoding,
    /// An envelope breaks a limit.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
}

/// Packs `body` into a frame.
///
/// # Errors
/// [`FrameError::Field`] or [`FrameError::Envelope`] where a limit would be broken.
pub fn pack(place: Place, body: &BodyV1) -> Result<Packed, FrameError> {
    let (kind, count) = check_body(body)?;
    let raw = encoding::encode(body);
    if raw.len() > limits::FRAME_RAW_BYTES_MAX {
        return Err(FrameError::Field("raw length"));
    }
    let encoded = zstd::bulk::compress(&raw, 1).map_err(|_| FrameError::Compression)?;
    let header = Header {
        kind,
        tenant: place.tenant,
        agent: place.agent,
        epoch: place.epoch,
        lane: place.lane,
        seq: place.seq,
        through: place.through,
        source: place.source,
        key_id: place.key_id,
        policy: place.policy,
        previous: place.previous,
        count,
        raw_bytes: raw.len() as u32,
        encoded_bytes: encoded.len() as u32,
        body_hash: ContentHash::of(&encoded),
    };
    header.check()?;
    let head = header.to_bytes();
    let mut bytes = Vec::with_capacity(HEADER_BYTES + encoded.len());
    bytes.extend_from_slice(&head);
    bytes.extend_from_slice(&encoded);
    Ok(Packed { header, hash: ContentHash::of(&head), bytes })
}

/// Splits `bytes` into a header and the body that belongs to it, whose hash is compared, without decoding it.
/// What stands behind the frame is not looked at.
///
/// # Errors
/// What is wrong with the bytes.
pub fn split(bytes: &[u8]) -> Result<(Header, &[u8]), FrameError> {
    let header = Header::parse(bytes)?;
    let need = header.frame_bytes();
    let body = bytes.get(HEADER_BYTES..need).ok_or(FrameError::Short { have: bytes.len(), need })?;
    if ContentHash::of(body) != header.body_hash {
        return Err(FrameError::BodyHash);
    }
    Ok((header, body))
}

/// Opens a frame whole: header, hash, decompression, decoding, every limit of every envelope.
///
/// # Errors
/// What is wrong with the bytes.
pub fn open(bytes: &[u8]) -> Result<(Header, BodyV1), FrameError> {
    let (header, encoded) = split(bytes)?;
    let raw_bytes = header.raw_bytes as usize;
    let raw = zstd::bulk::decompress(encoded, raw_bytes).map_err(|_| FrameError::Compression)?;
    if raw.len() != raw_bytes {
        return Err(FrameError::Compression);
    }
    let body: BodyV1 =
        encoding::decode::<_, { 2 * limits::FRAME_RAW_BYTES_MAX }>(&raw).ok_or(FrameError::Encoding)?;
    let (kind, count) = check_body(&body)?;
    if kind != header.kind || count != header.count {
        return Err(FrameError::Field("count"));
    }
    Ok((header, body))
}

/// The hash by which frames are chained and compared: that of the header's bytes.
///
/// # Panics
/// When `frame` is shorter than a header; parse it first.
pub fn hash(frame: &[u8]) -> ContentHash {
    ContentHash::of(&frame[..HEADER_BYTES])
}

impl Header {
    /// Reads a header from the first [`HEADER_BYTES`] of `bytes`.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, FrameError> {
        let short = FrameError::Short { have: bytes.len(), need: HEADER_BYTES };
        let head: &[u8; HEADER_BYTES] = bytes.first_chunk().ok_or(short)?;
        if head[..4] != MAGIC {
            return Err(FrameError::Magic);
        }
        if head[CHECKED_BYTES..] != checksum(&head[..CHECKED_BYTES]) {
            return Err(FrameError::Checksum);
        }
        let version = u16::from_le_bytes(field(head, 4));
        if version != FORMAT_VERSION {
            return Err(FrameError::Version(version));
        }
        let kind = match head[6] {
            0 => Kind::Data,
            1 => Kind::Gap,
            _ => return Err(FrameError::Field("kind")),
        };
        let header = Self {
            kind,
            lane: Lane::from_byte(head[7]).ok_or(FrameError::Field("lane"))?,
            agent: AgentId(field(head, 8)),
            epoch: Epoch(u32::from_le_bytes(field(head, 24))),
            count: u32::from_le_bytes(field(head, 28)),
            seq: Seq(u64::from_le_bytes(field(head, 32))),
            through: Seq(u64::from_le_bytes(field(head, 40))),
            raw_bytes: u32::from_le_bytes(field(head, 48)),
            encoded_bytes: u32::from_le_bytes(field(head, 52)),
            tenant: parse_tenant(&field::<{ limits::TENANT_BYTES_MAX }>(head, 56))?,
            source: SourceId(field(head, 88)),
            key_id: KeyId(field(head, 104)),
            policy: PolicyHash(field(head, 112)),
            previous: ContentHash(field(head, 128)),
            body_hash: ContentHash(field(head, 160)),
        };
        header.check()?;
        Ok(header)
    }

    /// The header's bytes, as they stand in the frame.
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut head = [0; HEADER_BYTES];
        let mut put = |offset: usize, bytes: &[u8]| head[offset..offset + bytes.len()].copy_from_slice(bytes);
        put(0, &MAGIC);
        put(4, &FORMAT_VERSION.to_le_bytes());
        put(6, &[if self.kind == Kind::Gap { 1 } else { 0 }, self.lane as u8]);
        put(8, &self.agent.0);
        put(24, &self.epoch.0.to_le_bytes());
        put(28, &self.count.to_le_bytes());
        put(32, &self.seq.0.to_le_bytes());
        put(40, &self.through.0.to_le_bytes());
        put(48, &self.raw_bytes.to_le_bytes());
        put(52, &self.encoded_bytes.to_le_bytes());
        put(56, self.tenant.as_str().as_bytes());
        put(88, &self.source.0);
        put(104, &self.key_id.0);
        put(112, &self.policy.0);
        put(128, &self.previous.0);
        put(160, &self.body_hash.0);
        let sum = checksum(&head[..CHECKED_BYTES]);
        head[CHECKED_BYTES..].copy_from_slice(&sum);
        head
    }

    /// The frame's hash.
    pub fn hash(&self) -> ContentHash {
        ContentHash::of(&self.to_bytes())
    }

    /// Header and body, in bytes.
    pub fn frame_bytes(&self) -> usize {
        HEADER_BYTES + self.encoded_bytes as usize
    }

    fn check(&self) -> Result<(), FrameError> {
        let valid = |ok: bool, name| if ok { Ok(()) } else { Err(FrameError::Field(name)) };
        valid(self.epoch >= Epoch::FIRST, "epoch")?;
        valid(self.seq.0 >= 1 && self.seq.0 <= limits::SEQ_MAX, "seq")?;
        valid(self.through.0 <= limits::SEQ_MAX && self.through >= self.seq, "through")?;
        valid(self.kind == Kind::Gap || self.through == self.seq, "through")?;
        valid(self.raw_bytes as usize <= limits::FRAME_RAW_BYTES_MAX, "raw length")?;
        valid(self.encoded_bytes as usize <= limits::FRAME_ENCODED_BYTES_MAX, "encoded length")?;
        valid(self.count as usize <= limits::FRAME_ENVELOPES_MAX, "count")
    }
}

fn check_body(body: &BodyV1) -> Result<(Kind, u32), FrameError> {
    match body {
        BodyV1::Data { source_name, envelopes } => {
            if source_name.len() > limits::SOURCE_NAME_BYTES_MAX {
                return Err(FrameError::Field("source name"));
            }
            if envelopes.is_empty() || envelopes.len() > limits::FRAME_ENVELOPES_MAX {
                return Err(FrameError::Field("count"));
            }
            envelopes.iter().try_for_each(Envelope::check)?;
            Ok((Kind::Data, envelopes.len() as u32))
        }
        BodyV1::Gap { reason } => {
            if reason.len() > limits::TEXT_BYTES_MAX {
                return Err(FrameError::Field("reason"));
            }
            Ok((Kind::Gap, 0))
        }
    }
}

fn parse_tenant(padded: &[u8; limits::TENANT_BYTES_MAX]) -> Result<Tenant, FrameError> {
    let end = padded.iter().position(|byte| *byte == 0).unwrap_or(padded.len());
    let (name, padding) = padded.split_at(end);
    if padding.iter().any(|byte| *byte != 0) {
        return Err(FrameError::Field("tenant"));
    }
    let name = std::str::from_utf8(name).map_err(|_| FrameError::Field("tenant"))?;
    name.parse().map_err(|_| FrameError::Field("tenant"))
}

fn field<const N: usize>(head: &[u8; HEADER_BYTES], offset: usize) -> [u8; N] {
    std::array::from_fn(|i| head[offset + i])
}

fn checksum(bytes: &[u8]) -> [u8; 8] {
    let hash = blake3::hash(bytes);
    std::array::from_fn(|i| hash.as_bytes()[i])
}
