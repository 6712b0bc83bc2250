//! The way back from a decoded text: a decoder tells piece by piece what stands for what, and spans are mapped by that.

use crate::work;

/// A stretch of the source and what it stands for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece<'a> {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// As long as the stretch where every byte stands for itself; otherwise it stands for it as a whole.
    pub(crate) bytes: &'a [u8],
}

/// Hands the pieces of a text over, in order.
pub(crate) type Walk = fn(&[u8], &mut dyn FnMut(Piece<'_>));

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

/// Where the pieces lie, there and here.
#[derive(Debug, Default)]
pub(crate) struct Map {
    /// First decoded byte, decoded length, first byte in the source, length there.
    pieces: Vec<(usize, usize, usize, usize)>,
}

impl Map {
    pub(crate) fn new(walk: Walk, raw: &[u8]) -> Self {
        let mut pieces: Vec<(usize, usize, usize, usize)> = Vec::new();
        let mut decoded = 0;
        work::count(raw.len());
        walk(raw, &mut |piece| {
            if !piece.bytes.is_empty() {
                pieces.push((decoded, piece.bytes.len(), piece.start, piece.end - piece.start));
            }
            decoded += piece.bytes.len();
        });
        Self { pieces }
    }

    /// The stretch of the source that spells the bytes `start..end` of the decoded text; whole characters.
    pub(crate) fn source(&self, start: usize, end: usize) -> (usize, usize) {
        let first = self.pieces.partition_point(|(at, length, ..)| at + length <= start);
        let from = match self.pieces.get(first) {
            Some((at, length, raw, raw_length)) if length == raw_length => raw + start.saturating_sub(*at),
            Some((.., raw, _)) => *raw,
            None => self.pieces.last().map_or(0, |(.., raw, length)| raw + length),
        };
        let last = self.pieces.partition_point(|(at, ..)| *at < end);
        let to = match last.checked_sub(1).and_then(|last| self.pieces.get(last)) {
            Some((at, length, raw, raw_length)) if length == raw_length => raw + (end - at).min(*length),
            Some((.., raw, raw_length)) => raw + raw_length,
            None => from,
        };
        (from, to.max(from))
    }
}
