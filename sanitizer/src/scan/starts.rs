//! Where words begin, of the last few blocks: behind what is no letter or digit, and at capitals behind small letters.

use crate::simd::{BLOCK, BLOCKS};

/// Blocks of the batch before that are remembered.
const BEFORE: usize = 3;

/// A bit for each beginning in the present batch and in the last blocks before it.
#[derive(Debug)]
pub(super) struct Starts {
    blocks: [u64; BEFORE + BLOCKS],
    /// Where the present batch begins.
    at: usize,
}

impl Default for Starts {
    fn default() -> Self {
        Self { blocks: [0; BEFORE + BLOCKS], at: 0 }
    }
}

impl Starts {
    /// Takes note of the next batch.
    pub(super) fn batch(&mut self, at: usize, starts: &[u64; BLOCKS]) {
        self.blocks.copy_within(BLOCKS.., 0);
        self.blocks[BEFORE..].copy_from_slice(starts);
        self.at = at;
    }

    /// Hands every beginning in `from..to` to `each`, in order. What lies behind the present batch or too far before it is
    /// looked at byte by byte.
    #[inline]
    pub(super) fn each(&self, text: &[u8], from: usize, to: usize, mut each: impl FnMut(usize)) {
        let known = (self.at.saturating_sub(BEFORE * BLOCK), self.at + BLOCKS * BLOCK);
        let mut at = from;
        while at < to {
            if at < known.0 || at >= known.1 {
                let before = at.checked_sub(1).map_or(b' ', |at| text[at]);
                let capital = text[at].is_ascii_uppercase() && !before.is_ascii_uppercase();
                if text[at].is_ascii_alphanumeric() && !before.is_ascii_alphanumeric() || capital {
                    each(at);
                }
                at += 1;
                continue;
            }
            // Blocks begin at multiples of their size.
            let base = at - at % BLOCK;
            let number = (base + BEFORE * BLOCK - self.at) / BLOCK;
            let mut bits = self.blocks[number] & (u64::MAX << (at - base));
            if to - base < BLOCK {
                bits &= (1 << (to - base)) - 1;
            }
            while bits != 0 {
                each(base + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
            at = base + BLOCK;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::simd::{Batch, Beginnings, Lanes};

    proptest! {
        #[test]
        fn beginnings_are_the_same_from_blocks_and_byte_by_byte(text in "[ -~]{0,5000}", a in 0..5000usize, b in 0..5000usize) {
            let text = text.as_bytes();
            let (from, to) = (a.min(b).min(text.len()), a.max(b).min(text.len()));
            let bytewise = {
                let mut found = Vec::new();
                Starts { at: 1 << 20, ..Starts::default() }.each(text, from, to, |at| found.push(at));
                found
            };
            let (mut batch, mut starts) = (Batch::boxed(), Starts::default());
            for at in (0..text.len()).step_by(BLOCKS * BLOCK) {
                batch.go(Lanes::best(), &Beginnings::new([&b"word"[..]], []), text, at);
                starts.batch(at, &batch.events.starts);
                let mut found = Vec::new();
                starts.each(text, from, to, |at| found.push(at));
                prop_assert_eq!(&found, &bytewise);
            }
        }
    }
}
