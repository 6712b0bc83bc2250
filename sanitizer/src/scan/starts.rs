//! Where words begin, of the last few blocks: behind what is no letter or digit, and at capitals behind small letters.

use crate::simd::{BLOCK, Block};

/// Blocks remembered, the present one included.
const BLOCKS: usize = 4;

/// A bit for each beginning, the present block last.
#[derive(Debug, Default)]
pub(super) struct Starts {
    blocks: [u64; BLOCKS],
    /// Where the present block begins.
    at: usize,
    before: Block,
}

impl Starts {
    /// Takes note of the next block; where words begin in it.
    #[inline]
    pub(super) fn block(&mut self, at: usize, block: &Block) -> u64 {
        let behind = |now: u64, before: u64| now << 1 | before >> (BLOCK - 1);
        let after_word = behind(block.alnum, self.before.alnum);
        let after_upper = behind(block.upper, self.before.upper);
        let starts = block.alnum & !after_word | block.upper & !after_upper;
        self.blocks.rotate_left(1);
        self.blocks[BLOCKS - 1] = starts;
        self.before = *block;
        self.at = at;
        starts
    }

    /// Hands every beginning in `from..to` to `each`, in order. What lies behind the present block or too far before it is
    /// looked at byte by byte.
    #[inline]
    pub(super) fn each(&self, text: &[u8], from: usize, to: usize, mut each: impl FnMut(usize)) {
        let known = (self.at.saturating_sub((BLOCKS - 1) * BLOCK), self.at + BLOCK);
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
            let number = BLOCKS - 1 - (self.at - base) / BLOCK;
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
    use crate::simd::{Beginnings, Lanes};

    proptest! {
        #[test]
        fn beginnings_are_the_same_from_blocks_and_byte_by_byte(text in "[ -~]{0,500}", a in 0..500usize, b in 0..500usize) {
            let text = text.as_bytes();
            let (from, to) = (a.min(b).min(text.len()), a.max(b).min(text.len()));
            let mut blocks = [Block::default(); 9];
            let filled = Lanes::best().fill(&Beginnings::new([&b"word"[..]]), text, 0, &mut blocks);
            let bytewise = {
                let mut found = Vec::new();
                Starts { at: 1 << 20, ..Starts::default() }.each(text, from, to, |at| found.push(at));
                found
            };
            let mut starts = Starts::default();
            for (number, block) in blocks[..filled].iter().enumerate() {
                starts.block(number * BLOCK, block);
                let mut found = Vec::new();
                starts.each(text, from, to, |at| found.push(at));
                prop_assert_eq!(&found, &bytewise);
            }
        }
    }
}
