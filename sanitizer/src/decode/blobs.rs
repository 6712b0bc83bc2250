//! Base64 and hexadecimal digits that spell a text: found in long runs, folded or not, and spelt again as they were.

use std::ops::ControlFlow;

use crate::work;

/// Shorter ones hold no value.
const BASE64_BYTES_MIN: usize = 16;
const HEX_BYTES_MIN: usize = 24;
/// A run that is so long may begin with something else than what it encodes.
const GLUED_BYTES_MIN: usize = 32;
/// Groups of characters that are passed over at its beginning.
const GLUED_GROUPS: usize = 64;
/// What runs on over lines has lines that are so long.
const LINE_BYTES_MIN: usize = 40;
/// Printable bytes in a row that random ones hardly ever have.
const STRETCH_BYTES: usize = 16;
/// Bytes of which random ones hold a shorter stretch and few zeros.
const RANDOM_BYTES: usize = 192;
/// The same of what is shorter as a whole.
const SHORT_BYTES: usize = 9;
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

const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
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
        let gap = text[end..].iter().take(34).take_while(|byte| byte.is_ascii_whitespace()).count();
        let gap = &text[end..end + gap];
        let broken = gap.iter().filter(|byte| **byte == b'\n').count() == 1 && gap.len() < 34;
        if line < LINE_BYTES_MIN || !broken {
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
            may_be_text(bytes) && Spelt::Base64(bytes).is_readable() || *shift == 0 && is_packed(bytes)
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

const fn hex_digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        _ => (byte | 0x20) - b'a' + 10,
    }
}

/// The six bits of a character of either alphabet.
fn sextet(byte: u8) -> u8 {
    SEXTETS[usize::from(byte)]
}

static SEXTETS: [u8; 256] = {
    let mut sextets = [63; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        sextets[byte] = match b {
            b'A'..=b'Z' => b - b'A',
            b'a'..=b'z' => b - b'a' + 26,
            b'0'..=b'9' => b - b'0' + 52,
            b'+' | b'-' => 62,
            _ => 63,
        };
        byte += 1;
    }
    sextets
};

/// Whether bytes are a text somewhere: in UTF-8, or in UTF-16 of such characters.
pub(crate) fn is_readable(bytes: &[u8]) -> bool {
    Spelt::Plain(bytes).is_readable()
}

/// What characters spell, of base64 without padding or of hexadecimal digits, piece by piece; what is left over at the end
/// spells nothing.
#[derive(Debug, Clone, Copy)]
enum Spelt<'a> {
    Plain(&'a [u8]),
    Base64(&'a [u8]),
    Hex(&'a [u8]),
}

/// Bytes that are spelt at once.
const PIECE_BYTES: usize = 96;

impl Spelt<'_> {
    /// Hands over what is spelt until `each` breaks off.
    fn pieces<B>(self, mut each: impl FnMut(&[u8]) -> ControlFlow<B>) -> Option<B> {
        let mut piece = [0; PIECE_BYTES];
        let (characters, per_piece) = match self {
            Self::Plain(bytes) => (bytes, PIECE_BYTES),
            Self::Base64(characters) => (characters, PIECE_BYTES / 3 * 4),
            Self::Hex(digits) => (digits, PIECE_BYTES * 2),
        };
        characters.chunks(per_piece).find_map(|chunk| {
            let mut length = 0;
            match self {
                Self::Plain(_) => {
                    length = chunk.len();
                    piece[..length].copy_from_slice(chunk);
                }
                Self::Base64(_) => {
                    for group in chunk.chunks(4) {
                        let bits = group.iter().fold(0, |bits, byte| bits << 6 | u32::from(sextet(*byte)));
                        let bits = bits << (6 * (4 - group.len()));
                        piece[length..length + 3].copy_from_slice(&bits.to_be_bytes()[1..]);
                        length += group.len() - 1;
                    }
                }
                Self::Hex(_) => {
                    for pair in chunk.chunks_exact(2) {
                        piece[length] = hex_digit(pair[0]) << 4 | hex_digit(pair[1]);
                        length += 1;
                    }
                }
            }
            each(&piece[..length]).break_value()
        })
    }

    /// All of it.
    fn bytes(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.pieces(|piece| {
            bytes.extend_from_slice(piece);
            ControlFlow::<()>::Continue(())
        });
        bytes
    }

    /// Whether it is a text somewhere.
    fn is_readable(self) -> bool {
        let (mut row, mut longest, mut plain, mut count, mut zeros) = (0, 0, 0, 0, 0);
        let decided = self.pieces(|piece| {
            for byte in piece {
                let class = CLASSES[usize::from(*byte)];
                row = (row + 1) * usize::from(class & PRINTABLE);
                longest = row.max(longest);
                plain += usize::from(class & PLAIN != 0);
                zeros += usize::from(*byte == 0);
            }
            count += piece.len();
            if longest >= STRETCH_BYTES {
                return ControlFlow::Break(true);
            }
            // What is random has given itself away by now.
            let random = count >= RANDOM_BYTES && longest < 6 && zeros < count / 4;
            if random { ControlFlow::Break(false) } else { ControlFlow::Continue(()) }
        });
        if let Some(readable) = decided {
            return readable;
        }
        let short = count >= SHORT_BYTES && longest == count;
        let wide = zeros * 5 >= count * 2 && zeros * 5 <= count * 3 && count >= SHORT_BYTES;
        short || wide || plain == count && count >= SHORT_BYTES && String::from_utf8(self.bytes()).is_ok()
    }
}

const fn is_printable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r')
}

const PRINTABLE: u8 = 1;
const PLAIN: u8 = 2;
/// Of each byte, whether it is printable, and whether it may be part of a text.
static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            byte if is_printable(byte) => PRINTABLE | PLAIN,
            0x80.. => PLAIN,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

/// Whether a text may be encoded: sixteen printable bytes in a row hold one of every four groups as a whole.
fn may_be_text(characters: &[u8]) -> bool {
    let spells_text = |group: &[u8]| {
        let bits = group.iter().fold(0u32, |bits, byte| bits << 6 | u32::from(sextet(*byte)));
        let [_, a, b, c] = bits.to_be_bytes();
        [a, b, c].into_iter().all(|byte| is_printable(byte) || byte >= 0x80 || byte == 0)
    };
    characters.len() < 64 || characters.chunks_exact(4).step_by(4).any(spells_text)
}

/// Characters before a text that do not belong to it: groups that spell no text.
fn glued(characters: &[u8]) -> usize {
    if is_packed(characters) {
        return 0;
    }
    let text =
        |group: &[u8]| Spelt::Base64(group).bytes().iter().all(|byte| is_printable(*byte) || *byte == 0);
    4 * characters.chunks_exact(4).take(GLUED_GROUPS).take_while(|group| !text(group)).count()
}

fn is_packed(characters: &[u8]) -> bool {
    super::packed::is_magic(&Spelt::Base64(&characters[..characters.len().min(8)]).bytes())
}
