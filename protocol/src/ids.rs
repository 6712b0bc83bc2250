//! The names of things: newtypes with their parse rules, so that one can't stand for another.

use std::fmt;
use std::str::FromStr;

use bincode::{Decode, Encode};

use crate::limits;

/// Why a text is no valid name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// A tenant must be 1 to 32 of `a-z 0-9 -`, beginning and ending with a letter or digit.
    #[error(
        "tenant {0:?} must be 1 to 32 characters of a-z, 0-9 and '-', with a letter or digit at both ends"
    )]
    Tenant(String),
    /// A source's name must be 1 to 256 bytes without control characters.
    #[error("source name must be 1 to 256 bytes without control characters")]
    SourceName,
    /// Not the hexadecimal form of so many bytes.
    #[error("expected {0} bytes as hexadecimal digits")]
    Hex(usize),
    /// Not a lane's name.
    #[error("lane {0:?} is neither \"interactive\" nor \"bulk\"")]
    Lane(String),
    /// A number past its limit.
    #[error("{0} is past its limit")]
    Range(&'static str),
}

/// Who owns data; nothing crosses from one to another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tenant(String);

impl Tenant {
    /// The name, at most [`limits::TENANT_BYTES_MAX`] bytes of ASCII.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tenant {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let inner = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-';
        let bytes = text.as_bytes();
        let ok = !bytes.is_empty()
            && bytes.len() <= limits::TENANT_BYTES_MAX
            && bytes.iter().all(inner)
            && bytes[0] != b'-'
            && bytes[bytes.len() - 1] != b'-';
        if ok { Ok(Self(text.to_owned())) } else { Err(IdError::Tenant(text.chars().take(64).collect())) }
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Ledgers write hashes by the million: digits come from a table, a whole hash at a time.
const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";

macro_rules! byte_id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
        pub struct $name(pub [u8; $len]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = [0; 2 * $len];
                for (pair, byte) in text.chunks_exact_mut(2).zip(&self.0) {
                    pair[0] = HEX_DIGITS[usize::from(byte >> 4)];
                    pair[1] = HEX_DIGITS[usize::from(byte & 15)];
                }
                f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                parse_hex(text).map(Self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

byte_id!(
    /// One agent: a UUID's 16 bytes, given by the hub at enrolment.
    AgentId, 16);
byte_id!(
    /// One source of a tenant: derived from tenant and name, the same whichever agent reads it.
    SourceId, 16);
byte_id!(
    /// One document at the hub: derived from tenant, source, git reference and sanitized path.
    DocumentId, 16);
byte_id!(
    /// BLAKE3 of some bytes.
    ContentHash, 32);
byte_id!(
    /// Names a pseudonym key without telling anything of it.
    KeyId, 8);
byte_id!(
    /// Names a sanitizing policy: rules, profile and actions.
    PolicyHash, 16);
byte_id!(
    /// A hub's public key for receipts, Ed25519.
    ReceiptKey, 32);
byte_id!(
    /// A signature: Ed25519 under a receipt, ECDSA on P-256 (r, then s) under a bundle.
    Signature, 64);

impl SourceId {
    /// The id of the source called `name` of `tenant`.
    pub fn derive(tenant: &Tenant, name: &SourceName) -> Self {
        Self(truncated(&keyed("certus source v1", &[tenant.as_str().as_bytes(), name.as_str().as_bytes()])))
    }
}

impl DocumentId {
    /// The id of the document at `path` (sanitized) of `source`; `reference` is a git object or
    /// reference where the source has such, else empty.
    pub fn derive(source: &SourceId, reference: &str, path: &str) -> Self {
        Self(truncated(&keyed("certus document v1", &[&source.0, reference.as_bytes(), path.as_bytes()])))
    }
}

impl ContentHash {
    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

/// What people call a source, as in its configuration; sanitized like everything that leaves.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceName(String);

impl SourceName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SourceName {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let ok = !text.is_empty()
            && text.len() <= limits::SOURCE_NAME_BYTES_MAX
            && !text.chars().any(char::is_control);
        if ok { Ok(Self(text.to_owned())) } else { Err(IdError::SourceName) }
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A sequence of frames with its own order. A source never changes lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[repr(u8)]
pub enum Lane {
    /// What somebody waits for: SARIF drops, HTTP, CI.
    Interactive = 0,
    /// The rest.
    Bulk = 1,
}

impl Lane {
    /// All lanes.
    pub const ALL: [Self; 2] = [Self::Interactive, Self::Bulk];

    /// The lane's name, as in keys under `raw/`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Interactive => "interactive",
            Self::Bulk => "bulk",
        }
    }

    /// The lane of a header's byte.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| *lane as u8 == byte)
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Lane {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::ALL
            .into_iter()
            .find(|lane| lane.as_str() == text)
            .ok_or_else(|| IdError::Lane(text.chars().take(64).collect()))
    }
}

impl serde::Serialize for Lane {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for Lane {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// One life of an agent's numbering; begins at 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
pub struct Epoch(pub u32);

impl Epoch {
    /// The first one.
    pub const FIRST: Self = Self(1);

    /// The next life.
    ///
    /// # Panics
    /// After 2^32 lives.
    #[must_use]
    pub fn next(self) -> Self {
        assert!(self.0 < u32::MAX, "epochs are used up");
        Self(self.0 + 1)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:010}", self.0)
    }
}

/// A frame's number in its lane and epoch; begins at 1, so that "through 0" means nothing yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode, Default)]
pub struct Seq(pub u64);

impl Seq {
    /// Before the first frame.
    pub const ZERO: Self = Self(0);

    /// The number after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012}", self.0)
    }
}

/// One agent's turn at a source; given by the hub, a later one wins. Begins at 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
pub struct Generation(pub u32);

/// Orders the versions of a document: (generation, seq, index in frame) in 63 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Version(u64);

impl Version {
    /// Packs the three.
    ///
    /// # Errors
    /// [`IdError::Range`] names the one that is past its limit.
    pub fn new(generation: Generation, seq: Seq, index: usize) -> Result<Self, IdError> {
        let generation = u64::from(generation.0);
        if generation > limits::GENERATION_MAX {
            return Err(IdError::Range("generation"));
        }
        if seq.0 > limits::SEQ_MAX {
            return Err(IdError::Range("seq"));
        }
        if index >= limits::FRAME_ENVELOPES_MAX {
            return Err(IdError::Range("index in frame"));
        }
        let high = generation << (limits::SEQ_BITS + limits::ENVELOPE_INDEX_BITS);
        Ok(Self(high | (seq.0 << limits::ENVELOPE_INDEX_BITS) | index as u64))
    }

    /// As a number, always below 2^63.
    pub fn as_u64(self) -> u64 {
        self.0
    }

    /// From the number that [`Version::as_u64`] gave.
    pub fn from_u64(number: u64) -> Option<Self> {
        (number >> 63 == 0).then_some(Self(number))
    }
}

fn keyed(context: &str, fields: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    for field in fields {
        hasher.update(&(field.len() as u64).to_le_bytes());
        hasher.update(field);
    }
    *hasher.finalize().as_bytes()
}

fn truncated(hash: &[u8; 32]) -> [u8; 16] {
    std::array::from_fn(|i| hash[i])
}

fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], IdError> {
    let digits = text.as_bytes();
    let mut bytes = [0; N];
    if digits.len() != 2 * N {
        return Err(IdError::Hex(N));
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |d: u8| char::from(d).to_digit(16).ok_or(IdError::Hex(N));
        *byte = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
    }
    Ok(bytes)
}
