//! The sorts of bytes by AVX2 instructions: the one place of this crate where `unsafe` stands.
//!
//! Unsafe are the loads, each of 32 bytes that lie within `bytes` or of a table's 16, and the call of what needs the
//! instructions, which is only made where [`super::Lanes::best`] found that the processor has them.
#![expect(unsafe_code, reason = "vector instructions")]

use std::arch::x86_64::{
    __m128i, __m256i, _mm_loadu_si128, _mm256_and_si256, _mm256_blendv_epi8, _mm256_broadcastsi128_si256,
    _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8,
    _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_slli_epi16, _mm256_srli_epi16,
};
use std::ops::Range;

use super::{AHEAD, BLOCK, Batch, Beginnings, Rows};

/// Bits of the sorts; `bits_of` reads the last one as it is, and `DIGIT` after a shift by one.
const UPPER_A_TO_O: u8 = 1;
const UPPER_P_TO_Z: u8 = 2;
const LOWER_A_TO_O: u8 = 4;
const LOWER_P_TO_Z: u8 = 8;
/// Space and `( ) + - . /`.
const JOINS: u8 = 16;
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
        if matches!(half, 0x0 | 0x8 | 0x9 | 0xB | 0xD | 0xE | 0xF) {
            bits |= JOINS;
        }
        table[half] = bits;
        half += 1;
    }
    table
}

const fn high() -> [u8; 16] {
    let mut table = [0; 16];
    table[2] = JOINS;
    table[3] = DIGIT | COLON;
    table[4] = UPPER_A_TO_O | HEX_LETTER;
    table[5] = UPPER_P_TO_Z;
    table[6] = LOWER_A_TO_O | HEX_LETTER;
    table[7] = LOWER_P_TO_Z;
    table
}

/// Whether the processor has all that is used here.
pub(super) fn is_there() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("popcnt")
}

/// Tells the sorts of a batch's blocks `rows`, and what stands where in the batch. Asked for where [`is_there`] said so.
pub(super) fn fill(batch: &mut Batch, beginnings: &Beginnings, text: &[u8], rows: Range<usize>) {
    // SAFETY: `Lanes::Avx2` is only made after `is_there` said so.
    unsafe { told(batch, beginnings, text, rows) }
}

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn told(batch: &mut Batch, beginnings: &Beginnings, text: &[u8], rows: Range<usize>) {
    batch.fill(beginnings, text, rows, |rows, row, bytes| block(beginnings, rows, row, bytes));
    batch.tell();
}

/// Tells the sorts of a block.
#[target_feature(enable = "avx2")]
fn block(beginnings: &Beginnings, rows: &mut Rows, row: usize, bytes: &[u8; BLOCK + AHEAD]) {
    let (low, high) = (half(beginnings, bytes, 0), half(beginnings, bytes, 32));
    let join = |which: usize| u64::from(low[which]) | u64::from(high[which]) << 32;
    rows.alnum[row] = join(0);
    rows.digit[row] = join(1);
    rows.hex[row] = join(2);
    rows.colon[row] = join(3);
    rows.at[row] = join(4);
    rows.dot[row] = join(5);
    rows.word[row] = join(6);
    rows.upper[row] = join(7);
    rows.percent[row] = join(8);
    rows.escape[row] = join(9);
    rows.stop[row] = join(10);
}

#[target_feature(enable = "avx2")]
fn half(beginnings: &Beginnings, bytes: &[u8; BLOCK + AHEAD], from: usize) -> [u32; 11] {
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
        none_of(ALNUM | JOINS),
    ]
}

#[target_feature(enable = "avx2")]
fn words(beginnings: &Beginnings, bytes: &[u8; BLOCK + AHEAD], from: usize) -> u32 {
    let ascii = _mm256_set1_epi8(0x7F);
    let mut found = _mm256_set1_epi8(-1);
    for (place, rows) in beginnings.rows.iter().enumerate() {
        let text = _mm256_and_si256(load(bytes, from + place), ascii);
        // Bit 4 becomes the sign, by which `blendv` chooses.
        let row = _mm256_slli_epi16::<3>(text);
        let entry = _mm256_blendv_epi8(
            _mm256_shuffle_epi8(table(&rows[0]), text),
            _mm256_shuffle_epi8(table(&rows[1]), text),
            row,
        );
        found = _mm256_and_si256(found, entry);
    }
    !bits_of(_mm256_cmpeq_epi8(found, _mm256_setzero_si256()))
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
