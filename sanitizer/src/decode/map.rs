//! The way back from a decoded text: a decoder tells piece by piece what stands for what, and spans are mapped by that.

use crate::work;

/// A stretch of the source and what it stands for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece<'a> {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// The bytes of the stretch where every one stands for itself; otherwise they stand for it as a whole.
    pub(crate) bytes: &'a [u8],
}

/// Hands the pieces of a text over, in order.
pub(crate) type Walk = fn(&[u8], &mut dyn FnMut(Piece<'_>));

/// What an escape stands for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Said {
    bytes: [u8; 4],
    length: usize,
}

impl Said {
    pub(crate) fn byte(byte: u8) -> Self {
        Self { bytes: [byte, 0, 0, 0], length: 1 }
    }

    pub(crate) fn character(character: char) -> Self {
        let mut bytes = [0; 4];
        let length = character.encode_utf8(&mut bytes).len();
        Self { bytes, length }
    }
}

/// Hands over the pieces of a text in which some signs may begin escapes: `next` tells where one of them stands, `read`
/// what the escape there stands for and its length. What is none stands for itself.
pub(crate) fn walk_escapes(
    raw: &[u8],
    next: impl Fn(&[u8]) -> Option<usize>,
    read: impl Fn(&[u8]) -> Option<(Said, usize)>,
    each: &mut dyn FnMut(Piece<'_>),
) {
    let (mut at, mut plain) = (0, 0);
    while let Some(sign) = next(&raw[at..]) {
        let start = at + sign;
        let Some((said, length)) = read(&raw[start..]) else {
            at = start + 1;
            continue;
        };
        if plain < start {
            each(Piece { start: plain, end: start, bytes: &raw[plain..start] });
        }
        each(Piece { start, end: start + length, bytes: &said.bytes[..said.length] });
        at = start + length;
        plain = at;
    }
    if plain < raw.len() {
        each(Piece { start: plain, end: raw.len(), bytes: &raw[plain..] });
    }
}

/// What a text says.
pub(crate) fn decode(walk: Walk, raw: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(raw.len());
    decode_into(walk, raw, &mut decoded);
    decoded
}

/// The same, behind what is there already.
pub(crate) fn decode_into(walk: Walk, raw: &[u8], decoded: &mut Vec<u8>) {
    work::count(raw.len());
    walk(raw, &mut |piece| decoded.extend_from_slice(piece.bytes));
}

/// Where a piece lies, there and here.
#[derive(Debug, Clone, Copy)]
struct Placed {
    /// First decoded byte, and how many there are.
    at: usize,
    length: usize,
    /// First byte in the source, and how many there are.
    raw: usize,
    raw_length: usize,
    /// Whether every byte stands for itself.
    plain: bool,
}

/// Where the pieces lie, there and here.
#[derive(Debug, Default)]
pub(crate) struct Map {
    pieces: Vec<Placed>,
}

impl Map {
    pub(crate) fn new(walk: Walk, raw: &[u8]) -> Self {
        let mut pieces: Vec<Placed> = Vec::new();
        let mut at = 0;
        work::count(raw.len());
        walk(raw, &mut |piece| {
            let (length, raw_length) = (piece.bytes.len(), piece.end - piece.start);
            // A character may be as long in another encoding.
            let plain = raw.get(piece.start..piece.end) == Some(piece.bytes);
            if length > 0 {
                pieces.push(Placed { at, length, raw: piece.start, raw_length, plain });
            }
            at += length;
        });
        Self { pieces }
    }

    /// The stretch of the source that spells the bytes `start..end` of the decoded text; whole characters.
    pub(crate) fn source(&self, start: usize, end: usize) -> (usize, usize) {
        let first = self.pieces.partition_point(|piece| piece.at + piece.length <= start);
        let from = match self.pieces.get(first) {
            Some(piece) if piece.plain => piece.raw + start.saturating_sub(piece.at),
            Some(piece) => piece.raw,
            None => self.pieces.last().map_or(0, |piece| piece.raw + piece.raw_length),
        };
        let last = self.pieces.partition_point(|piece| piece.at < end);
        let to = match last.checked_sub(1).and_then(|last| self.pieces.get(last)) {
            Some(piece) if piece.plain => piece.raw + (end - piece.at).min(piece.length),
            Some(piece) => piece.raw + piece.raw_length,
            None => from,
        };
        (from, to.max(from))
    }
}
