//! Which bytes of a text are of which sort, 64 at a time, as bits, and what they say of the places where values may stand.
//!
//! Every pass over a text begins here, so this decides how fast it can be. The text is told in batches of blocks of 64
//! bytes that stay in the first-level cache. Two implementations give the same bits: one in plain Rust, and one with AVX2
//! instructions in [`avx2`], taken where the processor has them (a property test holds them against each other). The
//! sorts are told by two look-ups of 16 entries, one by the upper and one by the lower half of a byte, whose results are
//! joined by AND. What is derived from them ([`Events`]) is plain arithmetic on rows of bits, compiled for either.

use std::ops::Range;

#[cfg(target_arch = "x86_64")]
mod avx2;
mod beginnings;
mod events;

pub(crate) use beginnings::{Beginnings, Heads, SLOTS, folded, is_taken, slot_of_four, slot_of_three, take};
pub(crate) use events::{DIGITS_MIN, Events, NEAR};

/// Bytes of a block: one word of bits tells of them.
pub(crate) const BLOCK: usize = 64;
/// Blocks of a batch.
pub(crate) const BLOCKS: usize = 32;
/// Bytes behind a block that are looked at to tell where words begin in it.
const AHEAD: usize = 3;

/// Bits of one sort: of the block before a batch, of its blocks, and of the block behind it.
type Row = [u64; BLOCKS + 2];

/// Which bytes are of a sort: of each block a word of bits, the first byte the lowest.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rows {
    /// `A-Z a-z 0-9`.
    alnum: Row,
    /// `A-Z`.
    upper: Row,
    /// `0-9`.
    digit: Row,
    /// `0-9 A-F a-f`.
    hex: Row,
    /// `:`.
    colon: Row,
    /// `@`.
    at: Row,
    /// `.`.
    dot: Row,
    /// `%` and `=`: with two hexadecimal digits behind, they spell a byte.
    percent: Row,
    /// `\\` and `&`: they begin escapes and entities.
    escape: Row,
    /// What no number of several groups holds: all but letters, digits, space and `( ) + - . /`.
    stop: Row,
    /// Where one of the words that count anywhere may begin: all places where one does, and some others.
    word: Row,
    /// Where words begin.
    start: Row,
    /// Where one of ours may begin that counts there.
    head: Row,
}

impl Rows {
    const EMPTY: Self = {
        let row = [0; BLOCKS + 2];
        Self {
            alnum: row,
            upper: row,
            digit: row,
            hex: row,
            colon: row,
            at: row,
            dot: row,
            percent: row,
            escape: row,
            stop: row,
            word: row,
            start: row,
            head: row,
        }
    };

    fn all(&mut self) -> [&mut Row; 13] {
        [
            &mut self.alnum,
            &mut self.upper,
            &mut self.digit,
            &mut self.hex,
            &mut self.colon,
            &mut self.at,
            &mut self.dot,
            &mut self.percent,
            &mut self.escape,
            &mut self.stop,
            &mut self.word,
            &mut self.start,
            &mut self.head,
        ]
    }

    /// What is known of the block `from` counts for `to`.
    fn carry(&mut self, from: usize, to: usize) {
        self.all().into_iter().for_each(|row| row[to] = row[from]);
    }

    /// Nothing stands in a block.
    fn clear(&mut self, at: usize) {
        self.all().into_iter().for_each(|row| row[at] = 0);
    }

    /// Tells where words begin, of a block whose sorts and those of the block before are known.
    #[inline(always)]
    fn begin(&mut self, at: usize, beginnings: &Beginnings, bytes: &[u8; BLOCK + AHEAD]) {
        let after = |row: &Row| row[at] << 1 | row[at - 1] >> (BLOCK - 1);
        let starts = self.alnum[at] & !after(&self.alnum) | self.upper[at] & !after(&self.upper);
        self.start[at] = starts;
        // Of three letters and digits at the least, as far as the block tells.
        let long = (self.alnum[at] >> 1 | 1 << 63) & (self.alnum[at] >> 2 | 3 << 62);
        self.head[at] = beginnings.among_starts(bytes, starts & long & !self.digit[at]);
        self.word[at] = beginnings.among_words(bytes, self.word[at]);
    }
}

/// Blocks in a row, and what they say.
#[derive(Debug)]
pub(crate) struct Batch {
    rows: Rows,
    /// What stands where in the blocks.
    pub(crate) events: Events,
    /// Where the first block begins.
    at: usize,
    /// How many there are before the text ends.
    pub(crate) blocks: usize,
}

impl Batch {
    /// Before any text.
    const EMPTY: Self = Self { rows: Rows::EMPTY, events: Events::EMPTY, at: 0, blocks: 0 };

    /// Room for a batch.
    pub(crate) fn boxed() -> Box<Self> {
        Box::new(Self::EMPTY)
    }

    /// Goes to the blocks of `text` from `from` on: zero, or where the batch before ended. Behind the end of the text, all
    /// bits are zero.
    pub(crate) fn go(&mut self, lanes: Lanes, beginnings: &Beginnings, text: &[u8], from: usize) {
        let known = if from == 0 {
            self.rows.clear(0);
            0
        } else {
            self.rows.carry(BLOCKS, 0);
            self.rows.carry(BLOCKS + 1, 1);
            1
        };
        self.at = from;
        self.blocks = text.len().saturating_sub(from).div_ceil(BLOCK).min(BLOCKS);
        lanes.fill(self, beginnings, text, known + 1..self.blocks + 2);
    }

    #[inline(always)]
    fn fill(
        &mut self,
        beginnings: &Beginnings,
        text: &[u8],
        rows: Range<usize>,
        block: impl Fn(&mut Rows, usize, &[u8; BLOCK + AHEAD]),
    ) {
        for row in rows {
            let at = self.at + (row - 1) * BLOCK;
            if let Some(bytes) = text.get(at..at + BLOCK + AHEAD).and_then(<[u8]>::first_chunk) {
                block(&mut self.rows, row, bytes);
                self.rows.begin(row, beginnings, bytes);
                continue;
            }
            let rest = text.get(at..).unwrap_or_default();
            if rest.is_empty() {
                self.rows.clear(row);
                continue;
            }
            let mut bytes = [0u8; BLOCK + AHEAD];
            bytes[..rest.len()].copy_from_slice(rest);
            let inside = if rest.len() >= BLOCK { u64::MAX } else { (1 << rest.len()) - 1 };
            block(&mut self.rows, row, &bytes);
            self.rows.word[row] &= inside;
            self.rows.begin(row, beginnings, &bytes);
        }
    }

    #[inline(always)]
    fn tell(&mut self) {
        self.events.tell(&self.rows, self.blocks);
    }
}

/// Which implementation this processor can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lanes {
    /// Plain Rust.
    Scalar,
    /// 32 bytes at a time.
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl Lanes {
    /// The fastest that this processor has.
    pub(crate) fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        if avx2::is_there() {
            return Self::Avx2;
        }
        Self::Scalar
    }

    fn fill(self, batch: &mut Batch, beginnings: &Beginnings, text: &[u8], rows: Range<usize>) {
        match self {
            Self::Scalar => {
                batch.fill(beginnings, text, rows, |rows, row, bytes| scalar(beginnings, rows, row, bytes));
                batch.tell();
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => avx2::fill(batch, beginnings, text, rows),
        }
    }
}

/// Hands the place of every bit of a block to `each`, in order; the block begins at `at`.
#[inline(always)]
pub(crate) fn each(mut bits: u64, at: usize, mut each: impl FnMut(usize)) {
    while bits != 0 {
        each(at + bits.trailing_zeros() as usize);
        bits &= bits - 1;
    }
}

fn scalar(beginnings: &Beginnings, rows: &mut Rows, row: usize, bytes: &[u8; BLOCK + AHEAD]) {
    let bits =
        |is: &dyn Fn(usize) -> bool| (0..BLOCK).filter(|at| is(*at)).fold(0, |bits, at| bits | 1u64 << at);
    rows.alnum[row] = bits(&|at| bytes[at].is_ascii_alphanumeric());
    rows.upper[row] = bits(&|at| bytes[at].is_ascii_uppercase());
    rows.digit[row] = bits(&|at| bytes[at].is_ascii_digit());
    rows.hex[row] = bits(&|at| bytes[at].is_ascii_hexdigit());
    rows.colon[row] = bits(&|at| bytes[at] == b':');
    rows.at[row] = bits(&|at| bytes[at] == b'@');
    rows.dot[row] = bits(&|at| bytes[at] == b'.');
    rows.percent[row] = bits(&|at| matches!(bytes[at], b'%' | b'='));
    rows.escape[row] = bits(&|at| matches!(bytes[at], b'\\' | b'&'));
    let joins = |byte: u8| matches!(byte, b' ' | b'(' | b')' | b'+' | b'-' | b'.' | b'/');
    rows.stop[row] = bits(&|at| !bytes[at].is_ascii_alphanumeric() && !joins(bytes[at]));
    rows.word[row] =
        bits(&|at| beginnings.may_begin([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]));
}

/// Whether tokens are made of such bytes.
pub(crate) const fn is_token(byte: u8) -> bool {
    TOKEN[byte as usize]
}

static TOKEN: [bool; 256] = {
    let mut token = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        token[byte] = b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'_' | b'=' | b'.' | b'-');
        byte += 1;
    }
    token
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Everything that is told of a text, batch by batch.
    fn told(lanes: Lanes, beginnings: &Beginnings, text: &[u8]) -> Vec<(Rows, Events)> {
        let (mut batch, mut told) = (Batch::boxed(), Vec::new());
        for from in (0..text.len()).step_by(BLOCKS * BLOCK) {
            batch.go(lanes, beginnings, text, from);
            told.push((batch.rows.clone(), batch.events.clone()));
        }
        told
    }

    proptest! {
        #[test]
        fn both_implementations_give_the_same_bits(
            text in prop::collection::vec(any::<u8>(), 0..2500),
            words in prop::collection::vec("[a-z0-9]{3,6}", 1..40),
            heads in prop::collection::vec("[a-z0-9]{4,6}", 1..40),
        ) {
            let beginnings = Beginnings::new(
                words.iter().map(|word| word.as_bytes()),
                heads.iter().map(|word| word.as_bytes()),
            );
            prop_assert_eq!(
                told(Lanes::Scalar, &beginnings, &text),
                told(Lanes::best(), &beginnings, &text)
            );
        }

        #[test]
        fn no_word_that_begins_is_missed(
            heads in prop::collection::vec("[a-z]{4,6}", 1..40),
            picks in prop::collection::vec((any::<prop::sample::Index>(), "[ -~]{0,90}[ -/]", any::<bool>()), 1..60),
        ) {
            let beginnings = Beginnings::new([], heads.iter().map(|word| word.as_bytes()));
            let (mut text, mut places) = (String::new(), Vec::new());
            for (pick, noise, upper) in picks {
                text.push_str(&noise);
                places.push(text.len());
                let word = pick.get(&heads);
                text.push_str(&if upper { word.to_uppercase() } else { word.clone() });
            }
            let told = told(Lanes::best(), &beginnings, text.as_bytes());
            for place in places {
                let (_, events) = &told[place / (BLOCK * BLOCKS)];
                let bits = events.heads[place / BLOCK % BLOCKS];
                prop_assert!(bits >> (place % BLOCK) & 1 == 1, "{text:?} at {place}");
            }
        }

        #[test]
        fn no_beginning_is_missed(
            words in prop::collection::vec("[a-z]{3,6}", 1..40),
            picks in prop::collection::vec((any::<prop::sample::Index>(), "[ -~]{0,9}", any::<bool>()), 1..20),
        ) {
            let beginnings = Beginnings::new(words.iter().map(|word| word.as_bytes()), []);
            let (mut text, mut places) = (String::new(), Vec::new());
            for (pick, noise, upper) in picks {
                text.push_str(&noise);
                places.push(text.len());
                let word = pick.get(&words);
                text.push_str(&if upper { word.to_uppercase() } else { word.clone() });
            }
            let told = told(Lanes::best(), &beginnings, text.as_bytes());
            for place in places {
                let (rows, _) = &told[place / (BLOCK * BLOCKS)];
                let row = 1 + place / BLOCK % BLOCKS;
                prop_assert!(rows.word[row] >> (place % BLOCK) & 1 == 1, "{text:?} at {place}");
            }
        }
    }
}
