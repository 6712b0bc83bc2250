//! Where values stand in a text: the leftmost first, of those that begin together the longest.
//!
//! An automaton reads every byte. It is asked only where a window tells that a value may begin: the last bytes of the window
//! tell how far the next one may be away that a value begins with (Wu and Manber, 1994).

use aho_corasick::{AhoCorasick, Anchored, Input, MatchKind, StartKind};

use crate::work;

/// No value is shorter.
pub(super) const WINDOW_BYTES: usize = 8;
/// What is told by at once.
const BLOCK_BYTES: usize = 4;
/// How far values may be away at the most that begin with a window.
const SHIFT_MAX: u8 = (WINDOW_BYTES - BLOCK_BYTES + 1) as u8;
const SHIFT: u8 = 7;
/// Of a block that a value begins with.
const FIRST: u8 = 8;
/// Places of the table for each value: of five that it takes, few shall be those of other blocks.
const PLACES: usize = 32;
/// Places of the table, as powers of two.
const TABLE_BITS: std::ops::RangeInclusive<u32> = 12..=22;
/// What is looked at where a value may begin, in bytes for each of the text, before the automaton reads all of the rest.
const TRIED_FACTOR: usize = 8;
const TRIED_SLACK: usize = 64 << 10;

/// Finds values.
pub(super) struct Searcher {
    automaton: AhoCorasick,
    windows: Windows,
    rules: Vec<u16>,
    longest: usize,
}

impl Searcher {
    /// Of these values, each with its rule; `None` where there are too many.
    pub(super) fn new(values: &[Vec<u8>], rules: Vec<u16>) -> Option<Self> {
        let builder = &mut AhoCorasick::builder();
        let builder = builder.match_kind(MatchKind::LeftmostLongest).start_kind(StartKind::Both);
        let automaton = builder.build(values).ok()?;
        let longest = values.iter().map(Vec::len).max().unwrap_or(0);
        Some(Self { automaton, windows: Windows::new(values), rules, longest })
    }

    /// Where they stand, with their rules.
    pub(super) fn find(&self, text: &[u8]) -> Vec<(usize, usize, u16)> {
        work::count(text.len());
        let mut found = Vec::new();
        let mut left = text.len() * TRIED_FACTOR + TRIED_SLACK;
        let mut at = 0;
        while let Some(start) = self.windows.next(text, at) {
            let input = Input::new(text).span(start..text.len());
            if left < self.longest {
                work::count(text.len() - start);
                let hits = self.automaton.find_iter(input);
                found.extend(hits.map(|hit| (hit.start(), hit.end(), hit.pattern())));
                break;
            }
            left -= self.longest;
            at = start + 1;
            if let Some(hit) = self.automaton.find(input.anchored(Anchored::Yes)) {
                found.push((start, hit.end(), hit.pattern()));
                at = hit.end();
            }
        }
        found.into_iter().map(|(start, end, pattern)| (start, end, self.rules[pattern.as_usize()])).collect()
    }
}

/// Of each block, how far a window must go on that ends with it, and whether a value begins with it.
struct Windows {
    table: Vec<u8>,
    bits: u32,
}

impl Windows {
    fn new(values: &[Vec<u8>]) -> Self {
        let bits = (values.len() * PLACES).next_power_of_two().ilog2();
        let bits = bits.clamp(*TABLE_BITS.start(), *TABLE_BITS.end());
        let mut windows = Self { table: vec![SHIFT_MAX; 1 << bits], bits };
        for value in values {
            assert!(value.len() >= WINDOW_BYTES, "shorter values are not remembered");
            for (at, block) in value[..WINDOW_BYTES].windows(BLOCK_BYTES).enumerate() {
                let slot = windows.slot(block.first_chunk().expect("a block"));
                let known = &mut windows.table[slot];
                let first = if at == 0 { FIRST } else { *known & FIRST };
                *known = (*known & SHIFT).min(SHIFT_MAX - 1 - at as u8) | first;
            }
        }
        windows
    }

    /// The first place from `at` on where a value may begin.
    #[inline]
    fn next(&self, text: &[u8], mut at: usize) -> Option<usize> {
        while let Some([first @ .., a, b, c, d]) =
            text.get(at..).and_then(<[u8]>::first_chunk::<WINDOW_BYTES>)
        {
            let known = self.table[self.slot(&[*a, *b, *c, *d])];
            // Foretold, as it is nearly always so: the next window need not wait for the table.
            if known == SHIFT_MAX {
                at += usize::from(SHIFT_MAX);
                continue;
            }
            let shift = known & SHIFT;
            if shift == 0 && self.table[self.slot(first)] & FIRST != 0 {
                return Some(at);
            }
            at += usize::from(shift.max(1));
        }
        None
    }

    #[inline]
    fn slot(&self, block: &[u8; BLOCK_BYTES]) -> usize {
        (u32::from_le_bytes(*block).wrapping_mul(0x9E37_79B1) >> (32 - self.bits)) as usize
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn windows_pass_over_no_value(
            values in prop::collection::vec("[ab]{8,12}|[a-z]{8,20}", 1..30),
            pieces in prop::collection::vec((any::<prop::sample::Index>(), "[ab]{0,9}|[a-z ]{0,9}"), 0..40),
            dense in any::<bool>(),
        ) {
            let mut text = String::new();
            for (pick, between) in pieces {
                text.push_str(&between);
                let value: &String = pick.get(&values);
                text.push_str(value);
            }
            let values: Vec<Vec<u8>> = values.into_iter().map(String::into_bytes).collect();
            let mut searcher = Searcher::new(&values, (0..values.len() as u16).collect()).expect("few values");
            // As if a try took so long that the automaton had to read the rest.
            searcher.longest = if dense { TRIED_SLACK } else { searcher.longest };
            let hits = searcher.automaton.find_iter(&text);
            let wanted: Vec<_> =
                hits.map(|hit| (hit.start(), hit.end(), hit.pattern().as_usize() as u16)).collect();
            prop_assert_eq!(searcher.find(text.as_bytes()), wanted);
        }
    }
}
