//! Where values stand in a text: the leftmost first, of those that begin together the longest.
//!
//! The last bytes of a window tell how far the next one may be away that a value begins with (Wu and Manber, 1994). Where
//! one may begin, it is looked up among all values in order: the longest that the text begins with there is the last one
//! that is not greater, or one that this begins with.

use zeroize::Zeroize;

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
/// Begins with no other value.
const NONE: u32 = u32::MAX;

/// Finds values, which it holds; they are wiped when it is dropped.
pub(super) struct Searcher {
    /// The values, one behind the other, in the order of their bytes.
    bytes: Vec<u8>,
    values: Vec<Value>,
    /// What each begins with, so that few are compared.
    heads: Vec<u64>,
    windows: Windows,
}

/// A value among the others.
#[derive(Debug, Clone, Copy)]
struct Value {
    start: u32,
    length: u16,
    rule: u16,
    /// The longest other one that it begins with.
    within: u32,
}

impl Searcher {
    /// Of these values, each with its rule; of two rules for one value, the first.
    pub(super) fn new(mut values: Vec<(Vec<u8>, u16)>) -> Self {
        values.sort_unstable();
        values.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                next.0.zeroize();
            }
            same
        });
        let total = values.iter().map(|(value, _)| value.len()).sum();
        let mut searcher = Self {
            bytes: Vec::with_capacity(total),
            values: Vec::with_capacity(values.len()),
            heads: Vec::with_capacity(values.len()),
            windows: Windows::new(values.iter().map(|(value, _)| &value[..])),
        };
        for (mut value, rule) in values {
            let within = searcher.longest(searcher.values.len().checked_sub(1), &value);
            searcher.heads.push(head(&value));
            let (start, length) = (searcher.bytes.len() as u32, value.len() as u16);
            searcher.values.push(Value { start, length, rule, within: within.map_or(NONE, |at| at as u32) });
            searcher.bytes.extend_from_slice(&value);
            value.zeroize();
        }
        searcher
    }

    /// Where they stand, with their rules.
    pub(super) fn find(&self, text: &[u8]) -> Vec<(usize, usize, u16)> {
        work::count(text.len());
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(start) = self.windows.next(text, at) {
            at = start + 1;
            if let Some(value) = self.at(&text[start..]) {
                at = start + usize::from(value.length);
                found.push((start, at, value.rule));
            }
        }
        found
    }

    /// The longest value that a text begins with.
    fn at(&self, text: &[u8]) -> Option<Value> {
        let wanted = head(text);
        let from = self.heads.partition_point(|head| *head < wanted);
        let same = self.heads[from..].partition_point(|head| *head == wanted);
        let not_greater = self.values[from..from + same].partition_point(|value| {
            let value = self.bytes(value);
            work::count(value.len().min(text.len()));
            value <= text
        });
        self.longest((from + not_greater).checked_sub(1), text).map(|number| self.values[number])
    }

    /// The longest that a text begins with, among this value and those that it begins with.
    fn longest(&self, mut number: Option<usize>, text: &[u8]) -> Option<usize> {
        let common = number.map_or(0, |number| {
            let value = self.bytes(&self.values[number]);
            value.iter().zip(text).take_while(|(one, other)| one == other).count()
        });
        while let Some(value) = number.map(|number| &self.values[number])
            && usize::from(value.length) > common
        {
            number = (value.within != NONE).then_some(value.within as usize);
        }
        number
    }

    fn bytes(&self, value: &Value) -> &[u8] {
        let start = value.start as usize;
        &self.bytes[start..start + usize::from(value.length)]
    }
}

impl Drop for Searcher {
    fn drop(&mut self) {
        self.bytes.zeroize();
        self.heads.zeroize();
    }
}

/// The first bytes of a text as a number in their order.
fn head(text: &[u8]) -> u64 {
    text.first_chunk::<WINDOW_BYTES>().map_or(0, |first| u64::from_be_bytes(*first))
}

/// Of each block, how far a window must go on that ends with it, and whether a value begins with it.
struct Windows {
    table: Vec<u8>,
    bits: u32,
}

impl Windows {
    fn new<'a>(values: impl ExactSizeIterator<Item = &'a [u8]>) -> Self {
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
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// The same, place by place.
    fn plainly(values: &BTreeMap<Vec<u8>, u16>, text: &[u8]) -> Vec<(usize, usize, u16)> {
        let (mut found, mut at) = (Vec::new(), 0);
        while at < text.len() {
            let here = values.iter().filter(|(value, _)| text[at..].starts_with(value));
            match here.max_by_key(|(value, _)| value.len()) {
                Some((value, rule)) => {
                    found.push((at, at + value.len(), *rule));
                    at += value.len();
                }
                None => at += 1,
            }
        }
        found
    }

    proptest! {
        #[test]
        fn values_are_found_as_by_trying_each_everywhere(
            values in prop::collection::vec("[ab]{8,12}|[a-z]{8,20}|abababab[a-c]{0,9}", 1..40),
            pieces in prop::collection::vec((any::<prop::sample::Index>(), "[ab]{0,9}|[a-z ]{0,9}"), 0..40),
        ) {
            let mut text = String::new();
            for (pick, between) in pieces {
                text.push_str(&between);
                let value: &String = pick.get(&values);
                text.push_str(value);
            }
            let numbered: Vec<(Vec<u8>, u16)> =
                values.iter().enumerate().map(|(rule, value)| (value.clone().into_bytes(), rule as u16)).collect();
            let first = numbered.iter().rev().cloned().collect();
            prop_assert_eq!(Searcher::new(numbered).find(text.as_bytes()), plainly(&first, text.as_bytes()));
        }
    }
}
