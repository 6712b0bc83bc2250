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

/// How a document's text is spelt. The number is the length of its byte order mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8 or any other superset of ASCII, taken as bytes.
    Ascii,
    /// UTF-16, little-endian.
    Utf16Le(usize),
    /// UTF-16, big-endian.
    Utf16Be(usize),
    /// UTF-32, little-endian.
    Utf32Le(usize),
    /// UTF-32, big-endian.
    Utf32Be(usize),
}

impl Encoding {
    /// Tells by the byte order mark, or by zeros at every other place, or at three of four.
    pub fn detect(bytes: &[u8]) -> Self {
        match bytes {
            [0xFF, 0xFE, 0, 0, ..] => return Self::Utf32Le(4),
            [0, 0, 0xFE, 0xFF, ..] => return Self::Utf32Be(4),
            [0xFF, 0xFE, ..] => return Self::Utf16Le(2),
            [0xFE, 0xFF, ..] => return Self::Utf16Be(2),
            _ => {}
        }
        let head = &bytes[..bytes.len().min(4096) & !3];
        if head.len() < 8 || memchr::memchr(0, head).is_none() {
            return Self::Ascii;
        }
        let mut zeros = [0; 4];
        for four in head.chunks_exact(4) {
            zeros.iter_mut().zip(four).for_each(|(zeros, byte)| *zeros += usize::from(*byte == 0));
        }
        let characters = head.len() / 4;
        let many = |zeros: usize| zeros * 10 >= characters * 7;
        let few = |zeros: usize| zeros * 10 < characters;
        match zeros.map(|zeros| (many(zeros), few(zeros))) {
            [(_, true), (true, _), (true, _), (true, _)] => Self::Utf32Le(0),
            [(true, _), (true, _), (true, _), (_, true)] => Self::Utf32Be(0),
            [(_, true), (true, _), (_, true), (true, _)] => Self::Utf16Le(0),
            [(true, _), (_, true), (true, _), (_, true)] => Self::Utf16Be(0),
            _ => Self::Ascii,
        }
    }

    /// The text in UTF-8; `None` where it is that already. What is no character becomes U+FFFD.
    pub fn decode(self, bytes: &[u8]) -> Option<String> {
        let walk = self.walk()?;
        Some(String::from_utf8_lossy(&map::decode(walk, bytes)).into_owned())
    }

    /// How [`Encoding::decode`] goes; `None` where there is nothing to decode.
    pub(crate) fn walk(self) -> Option<map::Walk> {
        match self {
            Self::Ascii => None,
            Self::Utf16Le(0) => Some(|raw, each| walk_utf16(raw, 0, u16::from_le_bytes, each)),
            Self::Utf16Le(_) => Some(|raw, each| walk_utf16(raw, 2, u16::from_le_bytes, each)),
            Self::Utf16Be(0) => Some(|raw, each| walk_utf16(raw, 0, u16::from_be_bytes, each)),
            Self::Utf16Be(_) => Some(|raw, each| walk_utf16(raw, 2, u16::from_be_bytes, each)),
            Self::Utf32Le(0) => Some(|raw, each| walk_utf32(raw, 0, u32::from_le_bytes, each)),
            Self::Utf32Le(_) => Some(|raw, each| walk_utf32(raw, 4, u32::from_le_bytes, each)),
            Self::Utf32Be(0) => Some(|raw, each| walk_utf32(raw, 0, u32::from_be_bytes, each)),
            Self::Utf32Be(_) => Some(|raw, each| walk_utf32(raw, 4, u32::from_be_bytes, each)),
        }
    }

    /// ASCII text as it stands in this encoding.
    pub(crate) fn encode(self, ascii: &[u8]) -> Vec<u8> {
        match self {
            Self::Ascii => ascii.to_vec(),
            Self::Utf16Le(_) => ascii.iter().flat_map(|byte| u16::from(*byte).to_le_bytes()).collect(),
            Self::Utf16Be(_) => ascii.iter().flat_map(|byte| u16::from(*byte).to_be_bytes()).collect(),
            Self::Utf32Le(_) => ascii.iter().flat_map(|byte| u32::from(*byte).to_le_bytes()).collect(),
            Self::Utf32Be(_) => ascii.iter().flat_map(|byte| u32::from(*byte).to_be_bytes()).collect(),
        }
    }
}

fn walk_utf16(raw: &[u8], mark: usize, unit: fn([u8; 2]) -> u16, each: &mut dyn FnMut(Piece<'_>)) {
    let mut start = mark.min(raw.len());
    let units = raw[start..].chunks_exact(2).map(|two| unit([two[0], two[1]]));
    for character in char::decode_utf16(units) {
        let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
        let end = start + 2 * character.len_utf16();
        each(Piece { start, end, bytes: character.encode_utf8(&mut [0; 4]).as_bytes() });
        start = end;
    }
}

fn walk_utf32(raw: &[u8], mark: usize, unit: fn([u8; 4]) -> u32, each: &mut dyn FnMut(Piece<'_>)) {
    let mut start = mark.min(raw.len());
    for four in raw[start..].chunks_exact(4) {
        let character = char::from_u32(unit([four[0], four[1], four[2], four[3]]));
        let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
        each(Piece { start, end: start + 4, bytes: character.encode_utf8(&mut [0; 4]).as_bytes() });
        start += 4;
    }
}
