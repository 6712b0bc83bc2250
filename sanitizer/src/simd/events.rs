//! What rows of bits say of the places where values may stand: plain arithmetic on 64 places at once.

use super::{BLOCK, BLOCKS, Row, Rows};

/// Bytes behind the first digits of a number in which the others must begin to stand.
pub(crate) const NEAR: u32 = 24;
/// Digits in that stretch at the least.
pub(crate) const DIGITS_MIN: u32 = 6;

/// Of each byte of a batch, whether something may stand there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Events {
    /// Words begin: behind what is no letter or digit, and at capitals behind small letters.
    pub(crate) starts: [u64; BLOCKS],
    /// One of the words that count where a word begins may begin.
    pub(crate) heads: [u64; BLOCKS],
    /// One of the words that are looked for anywhere may begin.
    pub(crate) words: [u64; BLOCKS],
    /// Eight letters and digits with a digit among them, or twenty, end for the first time in a row of them.
    pub(crate) runs: [u64; BLOCKS],
    /// Groups of digits begin, of two and more, with enough of them near, before anything that ends numbers; four in a row
    /// are enough behind a capital: with letters before them, numbers may end in few digits.
    pub(crate) numbers: [u64; BLOCKS],
    /// `@`.
    pub(crate) ats: [u64; BLOCKS],
    /// A dot between digits that another dot follows.
    pub(crate) dots: [u64; BLOCKS],
    /// A colon between hexadecimal digits or colons.
    pub(crate) colons: [u64; BLOCKS],
    /// Four pairs of hexadecimal digits begin, or three groups of four.
    pub(crate) pairs: [u64; BLOCKS],
    /// A digit, a sign and a capital.
    pub(crate) numbered: [u64; BLOCKS],
    /// A capital, a sign and a digit.
    pub(crate) coded: [u64; BLOCKS],
    /// A digit and two capitals.
    pub(crate) inward: [u64; BLOCKS],
    /// Escapes and entities may begin, and `%` or `=` before two hexadecimal digits.
    pub(crate) escapes: [u64; BLOCKS],
    /// Any of those above but the beginnings of words.
    pub(crate) any: [u64; BLOCKS],
}

/// The bits so many places before, as those of this place.
#[inline(always)]
fn prev(row: &Row, at: usize, places: u32) -> u64 {
    row[at] << places | row[at - 1] >> (BLOCK as u32 - places)
}

/// The bits so many places behind, as those of this place.
#[inline(always)]
fn next(row: &Row, at: usize, places: u32) -> u64 {
    row[at] >> places | row[at + 1] << (BLOCK as u32 - places)
}

/// A row of what `of` says of each block; of the blocks at both ends, where one neighbour is unknown, nothing.
#[inline(always)]
fn row(blocks: usize, of: impl Fn(usize) -> u64) -> Row {
    let mut row = [0; BLOCKS + 2];
    for (bits, at) in row[1..=blocks.min(BLOCKS)].iter_mut().zip(1..BLOCKS + 1) {
        *bits = of(at);
    }
    row
}

#[inline(always)]
fn events(blocks: usize, of: impl Fn(usize) -> u64) -> [u64; BLOCKS] {
    let mut events = [0; BLOCKS];
    for (bits, at) in events[..blocks.min(BLOCKS)].iter_mut().zip(1..BLOCKS + 1) {
        *bits = of(at);
    }
    events
}

/// `row` joined with itself so many places before; in the first block, with what is known of it.
#[inline(always)]
fn joined(blocks: usize, row: &Row, places: u32, join: impl Fn(u64, u64) -> u64) -> Row {
    let mut joined = *row;
    joined[0] = join(row[0], row[0] << places);
    for at in 1..blocks.min(BLOCKS) + 1 {
        joined[at] = join(row[at], prev(row, at, places));
    }
    joined
}

impl Events {
    pub(super) const EMPTY: Self = {
        let none = [0; BLOCKS];
        Self {
            starts: none,
            heads: none,
            words: none,
            runs: none,
            numbers: none,
            ats: none,
            dots: none,
            colons: none,
            pairs: none,
            numbered: none,
            coded: none,
            inward: none,
            escapes: none,
            any: none,
        }
    };

    #[inline(always)]
    pub(super) fn tell(&mut self, rows: &Rows, blocks: usize) {
        let Rows { alnum, upper, digit, hex, colon, dot, .. } = rows;
        self.starts = events(blocks, |at| rows.start[at]);
        self.heads = events(blocks, |at| rows.head[at]);
        self.words = events(blocks, |at| rows.word[at]);
        self.ats = events(blocks, |at| rows.at[at]);
        self.escapes =
            events(blocks, |at| rows.escape[at] | rows.percent[at] & next(hex, at, 1) & next(hex, at, 2));
        self.runs = runs(blocks, alnum, digit);
        self.numbers = numbers(blocks, rows);
        self.dots = events(blocks, |at| {
            let again = next(dot, at, 2) | next(dot, at, 3) | next(dot, at, 4);
            dot[at] & prev(digit, at, 1) & next(digit, at, 1) & again
        });
        self.colons = events(blocks, |at| {
            let left = prev(hex, at, 1) | prev(colon, at, 1);
            let right = next(hex, at, 1) | next(colon, at, 1);
            // Hexadecimal groups hold digits somewhere; names that are joined by colons hardly ever do.
            let before = prev(digit, at, 1) | prev(digit, at, 2) | prev(digit, at, 3);
            let behind = next(digit, at, 1) | next(digit, at, 2) | next(digit, at, 3);
            colon[at] & left & right & (before | behind)
        });
        self.pairs = pairs(blocks, rows);
        self.numbered = events(blocks, |at| digit[at] & !next(alnum, at, 1) & next(upper, at, 2));
        self.coded = events(blocks, |at| upper[at] & !next(alnum, at, 1) & next(digit, at, 2));
        self.inward =
            events(blocks, |at| digit[at] & next(upper, at, 1) & next(upper, at, 2) & !next(alnum, at, 3));
        let Self { heads, words, runs, numbers, ats, dots, colons, .. } = &*self;
        let Self { pairs, numbered, coded, inward, escapes, .. } = &*self;
        self.any = events(blocks, |at| {
            let at = at - 1;
            let values = heads[at] | words[at] | runs[at] | numbers[at] | ats[at] | dots[at];
            let places = numbered[at] | coded[at] | inward[at];
            values | places | colons[at] | pairs[at] | escapes[at]
        });
    }
}

#[inline(always)]
fn runs(blocks: usize, alnum: &Row, digit: &Row) -> [u64; BLOCKS] {
    let and = |a, b| a & b;
    let or = |a, b| a | b;
    let four = joined(blocks, &joined(blocks, alnum, 1, and), 2, and);
    let eight = joined(blocks, &four, 4, and);
    let sixteen = joined(blocks, &eight, 8, and);
    let digits = joined(blocks, &joined(blocks, &joined(blocks, digit, 1, or), 2, or), 4, or);
    let mut values = *alnum;
    for at in 1..blocks.min(BLOCKS) + 1 {
        values[at] = eight[at] & digits[at] | sixteen[at] & prev(&four, at, 16);
    }
    values[0] = eight[0] & digits[0] | sixteen[0] & four[0] << 16;
    events(blocks, |at| values[at] & !prev(&values, at, 1))
}

#[inline(always)]
fn numbers(blocks: usize, Rows { digit, upper, stop, .. }: &Rows) -> [u64; BLOCKS] {
    events(blocks, |at| {
        let digits = |places| next(digit, at, places);
        let stops = |places| next(stop, at, places);
        let mut begin = digit[at] & !prev(digit, at, 1) & digits(1);
        if begin == 0 {
            return 0;
        }
        // Short ones that nothing follows: `12,` and `1024]`.
        let short = stops(2) | digits(2) & (stops(3) | digits(3) & (stops(4) | digits(4) & stops(5)));
        let mut found = begin & prev(upper, at, 1) & digits(2) & digits(3);
        begin &= !(found | short);
        while begin != 0 {
            let bit = begin.trailing_zeros();
            begin &= begin - 1;
            let near = |row: &Row| row[at] >> bit | row[at + 1] << 1 << (BLOCK as u32 - 1 - bit);
            let reach = (near(stop) | 1 << NEAR).trailing_zeros();
            let enough = (near(digit) & ((1 << reach) - 1)).count_ones() >= DIGITS_MIN;
            found |= u64::from(enough) << bit;
        }
        found
    })
}

#[inline(always)]
fn pairs(blocks: usize, Rows { alnum, hex, dot, .. }: &Rows) -> [u64; BLOCKS] {
    let mut pair = row(blocks, |at| hex[at] & next(hex, at, 1) & !next(alnum, at, 2));
    let mut four = row(blocks, |at| hex[at] & next(hex, at, 1) & next(hex, at, 2) & next(hex, at, 3));
    // Of the block behind, only the first places are asked for.
    let last = blocks.min(BLOCKS) + 1;
    pair[last] = hex[last] & hex[last] >> 1 & !(alnum[last] >> 2);
    four[last] = hex[last] & hex[last] >> 1 & hex[last] >> 2 & hex[last] >> 3;
    events(blocks, |at| {
        let pairs = pair[at] & next(&pair, at, 3) & next(&pair, at, 6) & next(&pair, at, 9);
        let fours = four[at] & next(&four, at, 5) & next(dot, at, 4) & next(dot, at, 9);
        pairs | fours
    })
}
