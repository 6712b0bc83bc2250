//! Texts that are spelt otherwise than in UTF-8, with the way back: offsets in what was decoded become offsets in what was given.

pub(crate) mod blobs;
pub(crate) mod escapes;
#[cfg(test)]
mod hostile;
pub(crate) mod joined;
pub(crate) mod map;
pub(crate) mod packed;
pub(crate) mod spaced;

use map::Piece;

/// Whether bytes that begin so are packed in a way that is looked into: gzip, zlib or Zstandard.
pub fn is_packed(head: &[u8]) -> bool {
    packed::is_magic(head)
}

/// How a document's text is spelt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8 or any other superset of ASCII, taken as bytes.
    Ascii,
    /// UTF-16, little-endian; the number is the length of its byte order mark.
    Utf16Le(usize),
    /// UTF-16, big-endian; the number is the length of its byte order mark.
    Utf16Be(usize),
}

impl Encoding {
    /// Tells by the byte order mark, or by zeros at every other place.
    pub fn detect(bytes: &[u8]) -> Self {
        match bytes {
            [0xFF, 0xFE, ..] => return Self::Utf16Le(2),
            [0xFE, 0xFF, ..] => return Self::Utf16Be(2),
            _ => {}
        }
        let head = &bytes[..bytes.len().min(4096) & !1];
        if memchr::memchr(0, head).is_none() {
            return Self::Ascii;
        }
        let zeros = |from: usize| head.iter().skip(from).step_by(2).filter(|b| **b == 0).count() * 2;
        let (even, odd) = (zeros(0), zeros(1));
        if head.len() >= 8 && odd * 10 >= head.len() * 7 && even * 10 < head.len() {
            Self::Utf16Le(0)
        } else if head.len() >= 8 && even * 10 >= head.len() * 7 && odd * 10 < head.len() {
            Self::Utf16Be(0)
        } else {
            Self::Ascii
        }
    }

    /// The text in UTF-8; `None` where it is that already. What is no character becomes U+FFFD.
    pub fn decode(self, bytes: &[u8]) -> Option<String> {
        let units = self.units(bytes)?;
        Some(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
    }

    /// How [`Encoding::decode`] goes; `None` where there is nothing to decode.
    pub(crate) fn walk(self) -> Option<map::Walk> {
        match self {
            Self::Ascii => None,
            Self::Utf16Le(0) => Some(|raw, each| walk_utf16(raw, Self::Utf16Le(0), each)),
            Self::Utf16Le(_) => Some(|raw, each| walk_utf16(raw, Self::Utf16Le(2), each)),
            Self::Utf16Be(0) => Some(|raw, each| walk_utf16(raw, Self::Utf16Be(0), each)),
            Self::Utf16Be(_) => Some(|raw, each| walk_utf16(raw, Self::Utf16Be(2), each)),
        }
    }

    /// ASCII text as it stands in this encoding.
    pub(crate) fn encode(self, ascii: &[u8]) -> Vec<u8> {
        match self {
            Self::Ascii => ascii.to_vec(),
            Self::Utf16Le(_) => ascii.iter().flat_map(|byte| u16::from(*byte).to_le_bytes()).collect(),
            Self::Utf16Be(_) => ascii.iter().flat_map(|byte| u16::from(*byte).to_be_bytes()).collect(),
        }
    }

    fn units(self, bytes: &[u8]) -> Option<impl Iterator<Item = u16>> {
        let (mark, unit): (usize, fn([u8; 2]) -> u16) = match self {
            Self::Ascii => return None,
            Self::Utf16Le(mark) => (mark, u16::from_le_bytes),
            Self::Utf16Be(mark) => (mark, u16::from_be_bytes),
        };
        Some(bytes[mark..].chunks_exact(2).map(move |pair| unit([pair[0], pair[1]])))
    }
}

fn walk_utf16(raw: &[u8], encoding: Encoding, each: &mut dyn FnMut(Piece<'_>)) {
    let (Some(units), Encoding::Utf16Le(mark) | Encoding::Utf16Be(mark)) = (encoding.units(raw), encoding)
    else {
        return;
    };
    let mut start = mark;
    for unit in char::decode_utf16(units) {
        let c = unit.unwrap_or(char::REPLACEMENT_CHARACTER);
        let end = start + 2 * c.len_utf16();
        each(Piece { start, end, bytes: c.encode_utf8(&mut [0; 4]).as_bytes() });
        start = end;
    }
}
