//! Beginnings of words: of those that count anywhere, and of those that count where a word begins in the text.
//!
//! The first are told for each place of a text at once, by two look-ups for each of four neighbouring bytes, where every
//! bit stands for a bucket of words (Teddy, after Hyperscan's literal matcher), and sifted by a table of bits, one for each
//! hash of three bytes. The others are told by such a table alone, of four bytes: there are too many for buckets, but few
//! places to ask at.

use super::{AHEAD, BLOCK};

/// Buckets of words, a bit each.
const BUCKETS: usize = 8;

/// Beginnings of words, ready to be looked for.
#[derive(Debug, Clone)]
pub(crate) struct Beginnings {
    /// `[place][row][lower half of the byte]`: which buckets hold a word with such a byte there. The row is bit 4 of the
    /// byte, so that letters are told apart exactly.
    pub(super) rows: [[[u8; 16]; 2]; 4],
    /// Of those that count anywhere, what they begin with, more exactly.
    windows: Box<Heads>,
    /// Of those that count where a word begins.
    heads: Box<Heads>,
}

/// Slots for literals by their first bytes.
pub(crate) const SLOTS: usize = 1 << 14;

/// Which slots are taken, a bit each: small enough to stay in the first-level cache.
pub(crate) type Heads = [u64; SLOTS / 64];

/// Whether a slot is taken.
#[inline(always)]
pub(crate) fn is_taken(heads: &Heads, slot: usize) -> bool {
    heads[slot / 64] >> (slot % 64) & 1 == 1
}

/// Takes a slot.
pub(crate) fn take(heads: &mut Heads, slot: usize) {
    heads[slot / 64] |= 1 << (slot % 64);
}

/// First bytes, letters in lower case and signs as something else.
#[inline(always)]
pub(crate) fn folded(head: [u8; 4]) -> u32 {
    u32::from_le_bytes(head) | 0x2020_2020
}

/// By all four of folded bytes.
#[inline(always)]
pub(crate) fn slot_of_four(head: u32) -> usize {
    (head.wrapping_mul(0x9E37_79B1) >> (32 - SLOTS.trailing_zeros())) as usize
}

/// By the first three of folded bytes.
#[inline(always)]
pub(crate) fn slot_of_three(head: u32) -> usize {
    ((head << 8).wrapping_mul(0x9E37_79B1) >> (32 - SLOTS.trailing_zeros())) as usize
}

impl Beginnings {
    /// Of words in lower case that count anywhere, of three characters at the least, of which the first four count; and of
    /// those that count where a word begins, of four at the least.
    pub(crate) fn new<'a>(
        words: impl IntoIterator<Item = &'a [u8]>,
        begin: impl IntoIterator<Item = &'a [u8]>,
    ) -> Self {
        let mut heads: Vec<&[u8]> = words.into_iter().map(|word| &word[..word.len().min(4)]).collect();
        heads.sort_unstable();
        heads.dedup();
        let (mut windows, mut taken) = (Box::new([0; SLOTS / 64]), Box::new([0; SLOTS / 64]));
        for head in &heads {
            take(&mut windows, slot_of_three(folded([head[0], head[1], head[2], 0])));
        }
        for word in begin {
            take(&mut taken, slot_of_four(folded([word[0], word[1], word[2], word[3]])));
        }
        let mut rows = [[[0u8; 16]; 2]; 4];
        // Short ones first: they leave the least room for company.
        heads.sort_by_key(|head| head.len());
        let mut buckets = [[0u32; 4]; BUCKETS];
        for head in heads {
            let classes = classes(head);
            let widened = |bucket: &[u32; 4]| std::array::from_fn(|place| bucket[place] | classes[place]);
            let costs = buckets.iter().map(|bucket| chance(&widened(bucket)) - chance(bucket));
            let cheapest =
                costs.enumerate().min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(number, _)| number);
            buckets[cheapest] = widened(&buckets[cheapest]);
        }
        for (number, places) in buckets.iter().enumerate() {
            for (place, classes) in places.iter().enumerate() {
                for class in (0..32).filter(|class| classes >> class & 1 == 1) {
                    rows[place][class / 16][class % 16] |= 1 << number;
                }
            }
        }
        Self { rows, windows, heads: taken }
    }

    /// Of the places where a word begins in the text, those where one of ours may that counts there.
    #[inline(always)]
    pub(super) fn among_starts(&self, bytes: &[u8; BLOCK + AHEAD], starts: u64) -> u64 {
        among(bytes, starts, |head| is_taken(&self.heads, slot_of_four(head)))
    }

    /// Of the places where one of ours may begin that counts anywhere, the likely ones.
    #[inline(always)]
    pub(super) fn among_words(&self, bytes: &[u8; BLOCK + AHEAD], words: u64) -> u64 {
        among(bytes, words, |head| is_taken(&self.windows, slot_of_three(head)))
    }

    pub(super) fn may_begin(&self, bytes: [u8; 4]) -> bool {
        let found = self.rows.iter().zip(bytes).fold(0xFF, |found, (rows, byte)| {
            found & rows[usize::from(byte >> 4 & 1)][usize::from(byte & 15)]
        });
        found != 0
    }
}

/// How often bytes of each class (bit 4 and the lower half) stand in source, in thousandths.
const SHARES: [u16; 32] = [
    197, 37, 22, 29, 24, 66, 18, 12, 22, 50, 31, 5, 40, 21, 44, 48, 30, 10, 46, 45, 55, 27, 11, 9, 12, 10,
    21, 13, 4, 14, 3, 22,
];

/// For each of four places, the classes of bytes that a word may have there, a bit each.
fn classes(head: &[u8]) -> [u32; 4] {
    std::array::from_fn(|place| match head.get(place) {
        Some(byte) => 1 << ((byte | 0x20) & 0x1F),
        None => u32::MAX,
    })
}

/// How likely a bucket of such classes answers at any place of a text.
fn chance(bucket: &[u32; 4]) -> f64 {
    let share = |classes: &u32| {
        let shares = (0..32).filter(|class| classes >> class & 1 == 1).map(|class| f64::from(SHARES[class]));
        shares.sum::<f64>() / 1000.0
    };
    bucket.iter().map(share).product()
}

/// Places that are looked at in one go, whether there are so many or not.
const PLACES: usize = 4;

/// Those of the places whose first bytes are of a sort. Little is decided on the way, so that little is guessed wrong.
#[inline(always)]
fn among(bytes: &[u8; BLOCK + AHEAD], places: u64, is: impl Fn(u32) -> bool) -> u64 {
    let (mut among, mut left) = (0, places);
    while left != 0 {
        for _ in 0..PLACES {
            // Where none is left, the first byte is asked for, which counts only if it is one of the places.
            let bit = left.trailing_zeros() as usize % BLOCK;
            left &= left.wrapping_sub(1);
            let head = folded([bytes[bit], bytes[bit + 1], bytes[bit + 2], bytes[bit + 3]]);
            among |= u64::from(is(head)) << bit;
        }
    }
    among & places
}
