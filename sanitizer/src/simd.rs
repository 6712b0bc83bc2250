//! Which bytes of a text are of which sort, 64 at a time, as bits: the one place of this crate where `unsafe` stands.
//!
//! Every pass over a text begins here, so this decides how fast it can be. Two implementations give the same bits: one in
//! plain Rust, and one with AVX2 instructions, taken where the processor has them (a property test holds
//! them against each other). The sorts are told by two look-ups of 16 entries, one by the upper and one by the lower half
//! of a byte, whose results are joined by AND; beginnings of words by one such look-up for each
//! of four neighbouring bytes, where every bit stands for a bucket of words (Teddy, after Hyperscan's literal matcher).
#![expect(unsafe_code, reason = "vector instructions; see `avx2` for why each call is sound")]

/// Bytes that one [`Block`] tells of.
pub(crate) const BLOCK: usize = 64;
/// Bytes behind a block that are looked at to tell where words begin in it.
const AHEAD: usize = 3;
/// Buckets of words, in two bytes.
const BUCKETS: usize = 16;

/// Of 64 bytes, which are of a sort; the first byte is the lowest bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Block {
    /// `A-Z a-z 0-9`.
    pub(crate) alnum: u64,
    /// `A-Z`.
    pub(crate) upper: u64,
    /// `0-9`.
    pub(crate) digit: u64,
    /// `0-9 A-F a-f`.
    pub(crate) hex: u64,
    /// `:`.
    pub(crate) colon: u64,
    /// `@`.
    pub(crate) at: u64,
    /// `.`.
    pub(crate) dot: u64,
    /// `%` and `=`: with two hexadecimal digits behind, they spell a byte.
    pub(crate) percent: u64,
    /// `\\` and `&`: they begin escapes and entities.
    pub(crate) escape: u64,
    /// Where one of the words may begin: all places where one does, and some others.
    pub(crate) word: u64,
}

/// Beginnings of words, ready to be looked for.
#[derive(Debug, Clone)]
pub(crate) struct Beginnings {
    /// `[bucket / 8][place][row][lower half of the byte]`: which buckets hold a word with such a byte there. The row is
    /// bit 4 of the byte, so that letters are told apart exactly.
    rows: [[[[u8; 16]; 2]; 4]; 2],
}

impl Beginnings {
    /// Of words in lower case, of three characters at the least, of which the first four count.
    pub(crate) fn new<'a>(words: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut heads: Vec<&[u8]> = words.into_iter().map(|word| &word[..word.len().min(4)]).collect();
        heads.sort_unstable();
        heads.dedup();
        let mut rows = [[[[0u8; 16]; 2]; 4]; 2];
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
                    rows[number / 8][place][class / 16][class % 16] |= 1 << (number % 8);
                }
            }
        }
        Self { rows }
    }

    fn may_begin(&self, bytes: [u8; 4]) -> bool {
        self.rows.iter().any(|places| {
            let found = places.iter().zip(bytes).fold(0xFF, |found, (rows, byte)| {
                let byte = byte & 0x7F | 0x20;
                found & rows[usize::from(byte >> 4 & 1)][usize::from(byte & 15)]
            });
            found != 0
        })
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
        if std::arch::is_x86_feature_detected!("avx2") {
            return Self::Avx2;
        }
        Self::Scalar
    }

    /// Fills `blocks` from `text`, whose first block begins at `from`; how many were filled. The last one of a text may
    /// tell of fewer bytes; behind the end, all bits are zero.
    pub(crate) fn fill(
        self,
        beginnings: &Beginnings,
        text: &[u8],
        from: usize,
        blocks: &mut [Block],
    ) -> usize {
        let mut filled = 0;
        for (number, block) in blocks.iter_mut().enumerate() {
            let at = from + number * BLOCK;
            if at >= text.len() {
                break;
            }
            *block = match text.get(at..at + BLOCK + AHEAD).and_then(<[u8]>::first_chunk) {
                Some(bytes) => self.block(beginnings, bytes),
                None => {
                    let mut bytes = [0u8; BLOCK + AHEAD];
                    let rest = &text[at..];
                    bytes[..rest.len()].copy_from_slice(rest);
                    let inside = if rest.len() >= BLOCK { u64::MAX } else { (1 << rest.len()) - 1 };
                    let block = self.block(beginnings, &bytes);
                    Block { word: block.word & inside, ..block }
                }
            };
            filled += 1;
        }
        filled
    }

    fn block(self, beginnings: &Beginnings, bytes: &[u8; BLOCK + AHEAD]) -> Block {
        match self {
            Self::Scalar => scalar(beginnings, bytes),
            // SAFETY: `Avx2` is only made after the processor was found to have it.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { avx2::block(beginnings, bytes) },
        }
    }
}

fn scalar(beginnings: &Beginnings, bytes: &[u8; BLOCK + AHEAD]) -> Block {
    let mut block = Block::default();
    for at in 0..BLOCK {
        let (byte, bit) = (bytes[at], 1u64 << at);
        let mut set = |mask: fn(&mut Block) -> &mut u64, is: bool| {
            if is {
                *mask(&mut block) |= bit;
            }
        };
        set(|block| &mut block.alnum, byte.is_ascii_alphanumeric());
        set(|block| &mut block.upper, byte.is_ascii_uppercase());
        set(|block| &mut block.digit, byte.is_ascii_digit());
        set(|block| &mut block.hex, byte.is_ascii_hexdigit());
        set(|block| &mut block.colon, byte == b':');
        set(|block| &mut block.at, byte == b'@');
        set(|block| &mut block.dot, byte == b'.');
        set(|block| &mut block.percent, matches!(byte, b'%' | b'='));
        set(|block| &mut block.escape, matches!(byte, b'\\' | b'&'));
        set(
            |block| &mut block.word,
            beginnings.may_begin([byte, bytes[at + 1], bytes[at + 2], bytes[at + 3]]),
        );
    }
    block
}

/// Whether tokens are made of such bytes.
pub(crate) const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'_' | b'=' | b'.' | b'-')
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m128i, __m256i, _mm_loadu_si128, _mm256_and_si256, _mm256_blendv_epi8, _mm256_broadcastsi128_si256,
        _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8,
        _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_slli_epi16, _mm256_srli_epi16,
    };

    use super::{AHEAD, BLOCK, Beginnings, Block};

    /// Bits of the sorts; `bits_of` reads the last one as it is, and `DIGIT` after a shift by one.
    const UPPER_A_TO_O: u8 = 1;
    const UPPER_P_TO_Z: u8 = 2;
    const LOWER_A_TO_O: u8 = 4;
    const LOWER_P_TO_Z: u8 = 8;
    const HEX_LETTER: u8 = 32;
    const DIGIT: u8 = 64;
    const COLON: u8 = 128;
    const UPPER: u8 = UPPER_A_TO_O | UPPER_P_TO_Z;
    const ALNUM: u8 = DIGIT | UPPER | LOWER_A_TO_O | LOWER_P_TO_Z;

    /// By the lower half.
    const LOW: [u8; 16] = low();
    /// By the upper half; those of bytes that are no ASCII are zero.
    const HIGH: [u8; 16] = high();

    const fn low() -> [u8; 16] {
        let mut table = [0; 16];
        let mut half = 0;
        while half < 16 {
            let mut bits = 0;
            if half <= 9 {
                bits |= DIGIT;
            }
            if half >= 1 {
                bits |= UPPER_A_TO_O | LOWER_A_TO_O;
            }
            if half <= 0xA {
                bits |= UPPER_P_TO_Z | LOWER_P_TO_Z;
            }
            if half >= 1 && half <= 6 {
                bits |= HEX_LETTER;
            }
            if half == 0xA {
                bits |= COLON;
            }
            table[half] = bits;
            half += 1;
        }
        table
    }

    const fn high() -> [u8; 16] {
        let mut table = [0; 16];
        table[3] = DIGIT | COLON;
        table[4] = UPPER_A_TO_O | HEX_LETTER;
        table[5] = UPPER_P_TO_Z;
        table[6] = LOWER_A_TO_O | HEX_LETTER;
        table[7] = LOWER_P_TO_Z;
        table
    }

    /// Soundness: the caller has made sure of AVX2; every load is of 32 bytes that lie within `bytes`, or of a table's 16.
    #[target_feature(enable = "avx2")]
    pub(super) fn block(beginnings: &Beginnings, bytes: &[u8; BLOCK + AHEAD]) -> Block {
        let (low, high) = (half(beginnings, bytes, 0), half(beginnings, bytes, 32));
        let join = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        Block {
            alnum: join(low[0], high[0]),
            digit: join(low[1], high[1]),
            hex: join(low[2], high[2]),
            colon: join(low[3], high[3]),
            at: join(low[4], high[4]),
            dot: join(low[5], high[5]),
            word: join(low[6], high[6]),
            upper: join(low[7], high[7]),
            percent: join(low[8], high[8]),
            escape: join(low[9], high[9]),
        }
    }

    #[target_feature(enable = "avx2")]
    fn half(beginnings: &Beginnings, bytes: &[u8; BLOCK + AHEAD], from: usize) -> [u32; 10] {
        let low_half = _mm256_set1_epi8(0x0F);
        let zero = _mm256_setzero_si256();
        let text = load(bytes, from);
        let upper = _mm256_and_si256(_mm256_srli_epi16::<4>(text), low_half);
        let sorts = _mm256_and_si256(
            _mm256_shuffle_epi8(table(&LOW), _mm256_and_si256(text, low_half)),
            _mm256_shuffle_epi8(table(&HIGH), upper),
        );
        let none_of = |bits: u8| {
            let chosen = _mm256_and_si256(sorts, _mm256_set1_epi8(bits.cast_signed()));
            bits_of(_mm256_cmpeq_epi8(chosen, zero))
        };
        let equal = |byte: u8| bits_of(_mm256_cmpeq_epi8(text, _mm256_set1_epi8(byte.cast_signed())));
        let either = |a: u8, b: u8| {
            let [a, b] = [a, b].map(|byte| _mm256_cmpeq_epi8(text, _mm256_set1_epi8(byte.cast_signed())));
            bits_of(_mm256_or_si256(a, b))
        };
        [
            !none_of(ALNUM),
            bits_of(_mm256_slli_epi16::<1>(sorts)),
            !none_of(DIGIT | HEX_LETTER),
            bits_of(sorts),
            equal(b'@'),
            equal(b'.'),
            words(beginnings, bytes, from),
            !none_of(UPPER),
            either(b'%', b'='),
            either(b'\\', b'&'),
        ]
    }

    #[target_feature(enable = "avx2")]
    fn words(beginnings: &Beginnings, bytes: &[u8; BLOCK + AHEAD], from: usize) -> u32 {
        let (fold, ascii) = (_mm256_set1_epi8(0x20), _mm256_set1_epi8(0x7F));
        let mut found = [_mm256_set1_epi8(-1); 2];
        for place in 0..4 {
            let text = _mm256_and_si256(load(bytes, from + place), ascii);
            let text = _mm256_or_si256(text, fold);
            // Bit 4 becomes the sign, by which `blendv` chooses.
            let row = _mm256_slli_epi16::<3>(text);
            for (half, found) in found.iter_mut().enumerate() {
                let rows = &beginnings.rows[half][place];
                let entry = _mm256_blendv_epi8(
                    _mm256_shuffle_epi8(table(&rows[0]), text),
                    _mm256_shuffle_epi8(table(&rows[1]), text),
                    row,
                );
                *found = _mm256_and_si256(*found, entry);
            }
        }
        !bits_of(_mm256_cmpeq_epi8(_mm256_or_si256(found[0], found[1]), _mm256_setzero_si256()))
    }

    #[target_feature(enable = "avx2")]
    fn bits_of(lanes: __m256i) -> u32 {
        _mm256_movemask_epi8(lanes).cast_unsigned()
    }

    #[target_feature(enable = "avx2")]
    fn load(bytes: &[u8; BLOCK + AHEAD], from: usize) -> __m256i {
        let chunk: &[u8] = &bytes[from..from + 32];
        // SAFETY: the slice has 32 bytes; the load needs no alignment.
        unsafe { _mm256_loadu_si256(chunk.as_ptr().cast::<__m256i>()) }
    }

    #[target_feature(enable = "avx2")]
    fn table(entries: &[u8; 16]) -> __m256i {
        // SAFETY: the array has 16 bytes; the load needs no alignment.
        _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(entries.as_ptr().cast::<__m128i>()) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filled(lanes: Lanes, beginnings: &Beginnings, text: &[u8]) -> Vec<Block> {
        let mut blocks = vec![Block::default(); text.len() / BLOCK + 2];
        let filled = lanes.fill(beginnings, text, 0, &mut blocks);
        blocks.truncate(filled);
        blocks
    }

    proptest! {
        #[test]
        fn both_implementations_give_the_same_bits(
            text in prop::collection::vec(any::<u8>(), 0..400),
            words in prop::collection::vec("[a-z0-9]{3,6}", 1..40),
        ) {
            let beginnings = Beginnings::new(words.iter().map(|word| word.as_bytes()));
            prop_assert_eq!(
                filled(Lanes::Scalar, &beginnings, &text),
                filled(Lanes::best(), &beginnings, &text)
            );
        }

        #[test]
        fn no_beginning_is_missed(
            words in prop::collection::vec("[a-z]{3,6}", 1..40),
            picks in prop::collection::vec((any::<prop::sample::Index>(), "[ -~]{0,9}", any::<bool>()), 1..20),
        ) {
            let beginnings = Beginnings::new(words.iter().map(|word| word.as_bytes()));
            let (mut text, mut places) = (String::new(), Vec::new());
            for (pick, noise, upper) in picks {
                text.push_str(&noise);
                places.push(text.len());
                let word = pick.get(&words);
                text.push_str(&if upper { word.to_uppercase() } else { word.clone() });
            }
            let blocks = filled(Lanes::best(), &beginnings, text.as_bytes());
            for place in places {
                prop_assert!(blocks[place / BLOCK].word >> (place % BLOCK) & 1 == 1, "{text:?} at {place}");
            }
        }
    }
}
