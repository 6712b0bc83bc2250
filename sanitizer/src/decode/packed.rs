//! Bytes that are packed as gzip, zlib or Zstandard: unpacked within limits, and packed again.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use flate2::write::{GzEncoder, ZlibEncoder};

use crate::SanitizeError;
use crate::work;

/// Unpacked, a document has at the most so many bytes, in all that is packed in it.
pub(crate) const BYTES_MAX: usize = 64 << 20;
/// So many times as long as it was packed, or [`SLACK_BYTES`].
const RATIO_MAX: usize = 200;
const SLACK_BYTES: usize = 1 << 20;
/// Windows of Zstandard, as a power of two.
const WINDOW_LOG_MAX: u32 = 25;
const ZSTD_LEVEL: i32 = 3;

/// How bytes are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Gzip,
    Zlib,
    Zstd,
}

/// Whether packed bytes may begin so.
pub(crate) fn is_magic(head: &[u8]) -> bool {
    Packing::detect(head).is_some()
}

impl Packing {
    /// Tells by the first bytes (RFC 1952, RFC 1950, RFC 8878).
    pub(crate) fn detect(head: &[u8]) -> Option<Self> {
        match head {
            [0x1F, 0x8B, 8, ..] => Some(Self::Gzip),
            [0x78, 0x01 | 0x5E | 0x9C | 0xDA, ..] => Some(Self::Zlib),
            [0x28, 0xB5, 0x2F, 0xFD, ..] => Some(Self::Zstd),
            _ => None,
        }
    }

    /// What the bytes unpack to; what did so before they broke off counts. `None` where nothing does.
    pub(crate) fn unpack(self, bytes: &[u8], left: &mut usize) -> Result<Option<Unpacked>, SanitizeError> {
        let most = (bytes.len().saturating_mul(RATIO_MAX)).max(SLACK_BYTES).min(*left);
        let mut plain = Vec::new();
        let limit = most as u64 + 1;
        let read = match self {
            Self::Gzip => MultiGzDecoder::new(bytes).take(limit).read_to_end(&mut plain),
            Self::Zlib => ZlibDecoder::new(bytes).take(limit).read_to_end(&mut plain),
            Self::Zstd => zstd::stream::read::Decoder::new(bytes).and_then(|mut decoder| {
                decoder.window_log_max(WINDOW_LOG_MAX)?;
                decoder.take(limit).read_to_end(&mut plain)
            }),
        };
        if plain.len() > most {
            return Err(SanitizeError::TooLarge);
        }
        *left -= plain.len();
        work::count(plain.len());
        let state = if read.is_ok() { State::Whole } else { State::Broken };
        // Two bytes may well be chance.
        let chance = self == Self::Zlib && state == State::Broken;
        Ok((!plain.is_empty() && !chance).then_some(Unpacked { plain, state }))
    }

    /// Other bytes, packed the same way.
    pub(crate) fn pack(self, plain: &[u8]) -> Result<Vec<u8>, SanitizeError> {
        let packed = match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(plain).and_then(|()| encoder.finish())
            }
            Self::Zlib => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(plain).and_then(|()| encoder.finish())
            }
            Self::Zstd => zstd::bulk::compress(plain, ZSTD_LEVEL),
        };
        packed.map_err(|_| SanitizeError::Broken)
    }
}

/// What came out.
#[derive(Debug)]
pub(crate) struct Unpacked {
    pub(crate) plain: Vec<u8>,
    pub(crate) state: State,
}

/// Whether all came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Whole,
    Broken,
}
