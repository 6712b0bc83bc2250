//! Base64 and hexadecimal digits that spell a text: found in long runs, folded or not, and spelt again as they were.

use crate::work;

mod spelt;

pub(crate) use spelt::is_readable;
use spelt::{Spelt, glued, is_base64, is_packed, may_be_readable, may_be_text, sextet};

/// Shorter ones hold no value.
const BASE64_BYTES_MIN: usize = 16;
const HEX_BYTES_MIN: usize = 24;
/// A run that is so long may begin with something else than what it encodes.
const GLUED_BYTES_MIN: usize = 32;
/// What runs on over lines has lines that are so long.
const LINE_BYTES_MIN: usize = 40;
/// A folded text at the most.
const BLOB_BYTES_MAX: usize = 16 << 20;

/// A stretch of a text that encodes bytes worth a look.
#[derive(Debug)]
pub(crate) struct Blob {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) decoded: Vec<u8>,
    spelling: Spelling,
    /// Between its lines, if it is folded, and the characters of a line.
    fold: Option<(Vec<u8>, usize)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spelling {
    Base64 { alphabet: Alphabet, padding: Padding },
    Hex { letters: Case },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alphabet {
    Standard,
    Url,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Padding {
    Always,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Lower,
    Upper,
}

impl Blob {
    /// Other bytes in the same spelling.
    pub(crate) fn encode(&self, bytes: &[u8]) -> Vec<u8> {
        let spelt = match self.spelling {
            Spelling::Hex { letters: Case::Lower } => data_encoding::HEXLOWER.encode(bytes),
            Spelling::Hex { letters: Case::Upper } => data_encoding::HEXUPPER.encode(bytes),
            Spelling::Base64 { alphabet, padding } => match (alphabet, padding) {
                (Alphabet::Standard, Padding::Always) => data_encoding::BASE64.encode(bytes),
                (Alphabet::Standard, Padding::Never) => data_encoding::BASE64_NOPAD.encode(bytes),
                (Alphabet::Url, Padding::Always) => data_encoding::BASE64URL.encode(bytes),
                (Alphabet::Url, Padding::Never) => data_encoding::BASE64URL_NOPAD.encode(bytes),
            },
        };
        match &self.fold {
            None => spelt.into_bytes(),
            Some((gap, line)) => spelt.as_bytes().chunks(*line).collect::<Vec<_>>().join(&gap[..]),
        }
    }

    /// Whether all of it is a text with words in it, which is no random value.
    pub(crate) fn is_prose(&self) -> bool {
        let is_control = |c: char| c.is_control() && !c.is_whitespace();
        let words = |text: &str| text.contains(char::is_whitespace) && !text.contains(is_control);
        std::str::from_utf8(&self.decoded).is_ok_and(words)
    }

    /// The bytes that a line spells, where each may be a text of its own.
    pub(crate) fn line_bytes(&self) -> Option<usize> {
        let (_, line) = self.fold.as_ref()?;
        match self.spelling {
            Spelling::Hex { .. } => line.is_multiple_of(2).then_some(line / 2),
            Spelling::Base64 { .. } => line.is_multiple_of(4).then_some(line / 4 * 3),
        }
    }

    /// The stretch of the text that spells the bytes `start..end` of what was decoded.
    pub(crate) fn source(&self, start: usize, end: usize) -> (usize, usize) {
        let (first, last) = match self.spelling {
            Spelling::Hex { .. } => (start * 2, end * 2),
            Spelling::Base64 { .. } => (start / 3 * 4, end.div_ceil(3) * 4),
        };
        let at = |character: usize| match &self.fold {
            None => character,
            Some((gap, line)) => character + character / line * gap.len(),
        };
        let from = (self.start + at(first)).min(self.end);
        (from, (self.start + at(last.max(1) - 1) + 1).clamp(from, self.end))
    }
}

/// The blobs in runs of token characters, in order and apart.
pub(crate) fn find<'a>(text: &[u8], runs: impl Iterator<Item = &'a (usize, usize)>) -> Vec<Blob> {
    let mut found: Vec<Blob> = Vec::new();
    let mut done = 0;
    for (start, end) in runs {
        let mut at = done.max(*start);
        while at < *end {
            if !is_base64(text[at]) {
                at += 1;
                continue;
            }
            let length = text[at..*end].iter().take_while(|byte| is_base64(**byte)).count();
            let Some(stretch) = Stretch::new(text, at, at + length) else {
                at += length;
                done = at;
                continue;
            };
            // Lines that make no text together make none each: none of them is begun at again.
            at = stretch.end;
            if let Some(blob) = stretch.blob(text) {
                at = blob.end;
                found.push(blob);
            }
            done = at;
        }
    }
    found
}

/// Characters of base64 in a row, over lines or not.
struct Stretch<'a> {
    start: usize,
    end: usize,
    characters: std::borrow::Cow<'a, [u8]>,
    fold: Option<(Vec<u8>, usize)>,
}

impl<'a> Stretch<'a> {
    fn new(text: &'a [u8], start: usize, end: usize) -> Option<Self> {
        if end - start < BASE64_BYTES_MIN {
            return None;
        }
        let single = Self { start, end, characters: text[start..end].into(), fold: None };
        let line = end - start;
        if line < LINE_BYTES_MIN {
            return Some(single);
        }
        let gap = text[end..].iter().take(34).take_while(|byte| byte.is_ascii_whitespace()).count();
        let gap = &text[end..end + gap];
        let broken = gap.iter().filter(|byte| **byte == b'\n').count() == 1 && gap.len() < 34;
        if !broken {
            return Some(single);
        }
        let next = &text[end + gap.len()..];
        let length = next.iter().take(line).take_while(|byte| is_base64(**byte)).count();
        // Lines that are cut between groups and spell a text each belong to no other.
        if !line.is_multiple_of(4) && Spelt::Base64(&next[..length]).is_readable() {
            return Some(single);
        }
        let mut characters = text[start..end].to_vec();
        work::count(line);
        let mut at = end;
        while characters.len() < BLOB_BYTES_MAX && text[at..].starts_with(gap) {
            let from = at + gap.len();
            let length = text[from..].iter().take(line + 1).take_while(|byte| is_base64(**byte)).count();
            let behind = text[from + length..].iter().take_while(|byte| **byte == b'=').count();
            let ends = text.get(from + length + behind).is_none_or(|byte| !byte.is_ascii_graphic());
            // A word that ends the row, such as `EOF`, is hardly ever the end of what is encoded.
            let last = length < line && behind == 0;
            let rest = (characters.len() + length) % 4;
            let left = text.get(from + length.max(1) - 1).map_or(0, |byte| sextet(*byte));
            let cut = last && !matches!((rest, left & 3, left & 15), (0, ..) | (2, _, 0) | (3, 0, _));
            if length == 0 || length > line || !ends || cut {
                break;
            }
            characters.extend_from_slice(&text[from..from + length]);
            work::count(gap.len() + length);
            at = from + length;
            if length < line || behind > 0 {
                break;
            }
        }
        if at == end {
            return Some(single);
        }
        Some(Self { start, end: at, characters: characters.into(), fold: Some((gap.to_vec(), line)) })
    }

    /// What the stretch encodes, if that is a text or something packed.
    fn blob(self, text: &[u8]) -> Option<Blob> {
        if let Some(blob) = self.hex() {
            return Some(blob);
        }
        work::count(self.characters.len());
        let shifts = if self.characters.len() < GLUED_BYTES_MIN || self.fold.is_some() { 1 } else { 4 };
        let shift = (0..shifts).find(|shift| {
            let bytes = &self.characters[*shift..];
            may_be_text(bytes) && may_be_readable(bytes) && Spelt::Base64(bytes).is_readable()
                || *shift == 0 && is_packed(bytes)
        })?;
        let shift = if shifts == 1 { shift } else { shift + glued(&self.characters[shift..]) };
        let characters = &self.characters[shift..];
        // One character alone spells no byte.
        let odd = usize::from(characters.len() % 4 == 1);
        let mut end = self.end - odd;
        let equals = text[end..].iter().take(2).take_while(|byte| **byte == b'=').count();
        let wanted = (4 - characters.len() % 4) % 4;
        let padded = odd == 0 && equals > 0 && equals >= wanted;
        if padded {
            end += wanted;
        }
        let url = characters.iter().any(|byte| matches!(byte, b'-' | b'_'));
        let whole = characters.len().is_multiple_of(4) && !url;
        let spelling = Spelling::Base64 {
            alphabet: if url { Alphabet::Url } else { Alphabet::Standard },
            padding: if padded || whole { Padding::Always } else { Padding::Never },
        };
        let decoded = Spelt::Base64(characters).bytes();
        Some(Blob { start: self.start + shift, end, decoded, spelling, fold: self.fold })
    }

    fn hex(&self) -> Option<Blob> {
        let digits = &self.characters;
        // What stands before `x` says how the digits are meant.
        let lead = match &digits[..] {
            [b'0', b'x' | b'X', ..] if self.fold.is_none() => 2,
            _ => 0,
        };
        let digits = &digits[lead..];
        let even = digits.len() >= HEX_BYTES_MIN && digits.len().is_multiple_of(2);
        if !even || !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let spelt = Spelt::Hex(digits);
        if !spelt.is_readable() && !super::packed::is_magic(&Spelt::Hex(&digits[..8]).bytes()) {
            return None;
        }
        let upper = digits.iter().any(u8::is_ascii_uppercase);
        let letters = if upper { Case::Upper } else { Case::Lower };
        let (start, end) = (self.start + lead, self.end);
        let spelling = Spelling::Hex { letters };
        Some(Blob { start, end, decoded: spelt.bytes(), spelling, fold: self.fold.clone() })
    }
}
