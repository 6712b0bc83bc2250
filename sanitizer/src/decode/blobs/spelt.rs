//! What characters of base64 and hexadecimal digits spell, and whether that is a text.

use std::ops::ControlFlow;

/// Printable bytes in a row that random ones hardly ever have.
const STRETCH_BYTES: usize = 16;
/// Bytes of which random ones hold a shorter stretch and few zeros.
const RANDOM_BYTES: usize = 192;
/// The same of what is shorter as a whole.
const SHORT_BYTES: usize = 9;
/// Groups that tell whether a text begins.
const HEAD_GROUPS: usize = 3;
/// Groups of characters that are passed over at its beginning.
const GLUED_GROUPS: usize = 64;

/// Whether base64 of either alphabet is made of such bytes.
pub(super) fn is_base64(byte: u8) -> bool {
    has(byte, BASE64)
}

const fn hex_digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        _ => (byte | 0x20) - b'a' + 10,
    }
}

/// The six bits of a character of either alphabet.
pub(super) fn sextet(byte: u8) -> u8 {
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
pub(super) enum Spelt<'a> {
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
    pub(super) fn bytes(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.pieces(|piece| {
            bytes.extend_from_slice(piece);
            ControlFlow::<()>::Continue(())
        });
        bytes
    }

    /// Whether it is a text somewhere.
    pub(super) fn is_readable(self) -> bool {
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
const BASE64: u8 = 4;
/// Of each byte, whether it is printable, whether it may be part of a text, and whether base64 is made of such.
static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' | b'-' | b'_' => PRINTABLE | PLAIN | BASE64,
            byte if is_printable(byte) => PRINTABLE | PLAIN,
            0x80.. => PLAIN,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

/// What four characters spell.
fn triple(group: &[u8]) -> [u8; 3] {
    let [_, a, b, c] =
        group.iter().fold(0u32, |bits, byte| bits << 6 | u32::from(sextet(*byte))).to_be_bytes();
    [a, b, c]
}

/// Whether what is spelt may be readable, told by a few groups of it: of a stretch of printable bytes, one of every four
/// groups is the first or has its like beside it, four in all; a text as a whole begins as one; and of what has many zeros,
/// as many characters are `A` to `D` as there are zeros.
pub(super) fn may_be_readable(characters: &[u8]) -> bool {
    let (groups, _) = characters.as_chunks::<4>();
    let printable = |group: &&[u8; 4]| triple(*group).into_iter().all(|byte| has(byte, PRINTABLE));
    let stretch = |at: usize| {
        let behind = groups[at..].iter().take(4).take_while(printable).count();
        behind > 0 && behind + groups[..at].iter().rev().take(3).take_while(printable).count() >= 4
    };
    // Of what is longer, its beginning is enough to decide.
    if characters.len() > RANDOM_BYTES / 3 * 4 {
        return true;
    }
    if begins_text(groups) || (0..groups.len()).step_by(4).any(stretch) {
        return true;
    }
    // Counted in bytes, so that many are counted at once.
    let low = |some: &[u8]| some.iter().map(|byte| u8::from(matches!(byte, b'A'..=b'D'))).sum::<u8>();
    let low: usize = characters.chunks(128).map(|some| usize::from(low(some))).sum();
    low * 5 >= characters.len() * 3 / 4 * 2
}

/// Whether the first groups spell the beginning of a text in UTF-8.
fn begins_text(groups: &[[u8; 4]]) -> bool {
    let mut head = [0; 3 * HEAD_GROUPS];
    let mut length = 0;
    for group in groups.iter().take(HEAD_GROUPS) {
        let bytes = triple(group);
        if !bytes.into_iter().all(|byte| has(byte, PLAIN)) {
            return false;
        }
        head[length..length + 3].copy_from_slice(&bytes);
        length += 3;
    }
    // A character may be cut.
    std::str::from_utf8(&head[..length]).map_or_else(|error| error.error_len().is_none(), |_| true)
}

fn has(byte: u8, class: u8) -> bool {
    CLASSES[usize::from(byte)] & class != 0
}

/// Whether a text may be encoded: sixteen printable bytes in a row hold one of every four groups as a whole.
pub(super) fn may_be_text(characters: &[u8]) -> bool {
    let spells_text =
        |group: &[u8]| triple(group).into_iter().all(|byte| is_printable(byte) || byte >= 0x80 || byte == 0);
    characters.len() < 64 || characters.chunks_exact(4).step_by(4).any(spells_text)
}

/// Characters before a text that do not belong to it: groups that spell no text.
pub(super) fn glued(characters: &[u8]) -> usize {
    if is_packed(characters) {
        return 0;
    }
    let text =
        |group: &[u8]| Spelt::Base64(group).bytes().iter().all(|byte| is_printable(*byte) || *byte == 0);
    4 * characters.chunks_exact(4).take(GLUED_GROUPS).take_while(|group| !text(group)).count()
}

pub(super) fn is_packed(characters: &[u8]) -> bool {
    let (groups, _) = characters.as_chunks::<4>();
    let head = groups.first_chunk().map(|[first, second]| [triple(first), triple(second)]);
    head.is_some_and(|head| super::super::packed::is_magic(head.as_flattened()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_readable_may_be(
            before in prop::collection::vec(any::<u8>(), 0..7),
            text in "[ -~]{0,40}|[ -~\u{e9}\u{4e16}]{0,24}",
            wide in any::<bool>(),
            behind in prop::collection::vec(any::<u8>(), 0..7),
            cut in 0usize..4,
        ) {
            let text = text.bytes().flat_map(|byte| [Some(byte), wide.then_some(0)]).flatten();
            let bytes: Vec<u8> = before.into_iter().chain(text).chain(behind).collect();
            let characters = data_encoding::BASE64_NOPAD.encode(&bytes).into_bytes();
            let characters = &characters[cut.min(characters.len())..];
            prop_assert!(!Spelt::Base64(characters).is_readable() || may_be_readable(characters));
        }

        #[test]
        fn zeros_among_what_is_none_are_readable_still(bytes in prop::collection::vec(0u8..32, 9..60)) {
            let bytes: Vec<u8> = bytes.into_iter().flat_map(|byte| [byte, 0]).collect();
            let characters = data_encoding::BASE64_NOPAD.encode(&bytes).into_bytes();
            prop_assert!(!Spelt::Base64(&characters).is_readable() || may_be_readable(&characters));
        }
    }
}
