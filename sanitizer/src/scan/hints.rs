//! Where a text may hold another one that is spelt otherwise; a by-product of the one pass, judged by [`crate::decode`].

use super::Search;
use crate::decode::{escapes, joined, spaced};

/// Shorter runs encode nothing that is worth a look.
const BLOB_BYTES_MIN: usize = 16;
/// Escapes that lie no farther apart belong to one place.
const GAP_BYTES: usize = 512;

/// Places that may be worth a look. Those of each sort are in order and apart.
#[derive(Debug, Default)]
pub(crate) struct Hints {
    /// Long runs of token characters.
    pub(crate) runs: Vec<(usize, usize)>,
    /// From the first to behind the last escape of a place.
    pub(crate) escapes: Vec<(usize, usize)>,
    /// The same for bytes as mail spells them.
    pub(crate) quoted: Vec<(usize, usize)>,
    /// Where a string literal ends that another one follows: its closing quote.
    pub(crate) joints: Vec<usize>,
    /// Pairs of hexadecimal digits with signs between.
    pub(crate) pairs: Vec<(usize, usize)>,
    /// How far pairs were looked for.
    paired: usize,
}

impl Hints {
    /// Takes note of a run.
    #[inline]
    pub(super) fn run(&mut self, text: &[u8], start: usize, end: usize) {
        if end - start >= BLOB_BYTES_MIN {
            self.runs.push((start, end));
        }
        // What the run is the end of may have begun in a literal before it.
        self.joints.extend(joined::follows(text, start));
        if joined::goes_on(text, end) {
            self.joints.push(end);
        }
    }
}

/// Takes note of pairs of hexadecimal digits that begin at `start`, four at the least.
#[inline]
pub(super) fn pairs(search: &mut Search<'_>, start: usize) {
    if start >= search.hints.paired {
        let (end, looked) = spaced::row(search.text, start);
        search.hints.paired = looked;
        search.hints.pairs.extend(end.map(|end| (start, end)));
    }
}

/// Takes note of what may be an escape at `place`.
pub(super) fn escape(search: &mut Search<'_>, place: usize) {
    let Some(length) = escapes::length(search.text, place) else { return };
    let places =
        if search.text[place] == b'=' { &mut search.hints.quoted } else { &mut search.hints.escapes };
    match places.last_mut() {
        Some(last) if place <= last.1 + GAP_BYTES => last.1 = place + length,
        _ => places.push((place, place + length)),
    }
}
