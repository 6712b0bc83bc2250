//! What check digits are made of: weighted sums, Luhn, Verhoeff, the systems of ISO 7064. No issuer's rule stands here.

use smallvec::SmallVec;

/// The digits of a number that is `N` digits and nothing else.
pub(super) fn exactly<const N: usize>(number: &[u8]) -> Option<[u32; N]> {
    let number: &[u8; N] = number.try_into().ok()?;
    number.iter().all(u8::is_ascii_digit).then(|| number.map(|b| u32::from(b - b'0')))
}

/// Digits, in place as far as numbers of persons have so many.
pub(super) type Digits = SmallVec<[u32; 20]>;

/// The digits of a number that has nothing else.
pub(super) fn digits(number: &[u8]) -> Option<Digits> {
    number.iter().all(u8::is_ascii_digit).then(|| number.iter().map(|b| u32::from(b - b'0')).collect())
}

/// The sum of digits times their weights, as far as there are weights.
pub(super) fn weighted(digits: &[u32], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum()
}

/// The digits read as a number; there are 18 at the most.
pub(super) fn value(digits: &[u32]) -> u64 {
    digits.iter().fold(0, |value, digit| value * 10 + u64::from(*digit))
}

/// Whether there is such a month, and such a day in it in some year.
pub(super) fn is_date(month: u32, day: u32) -> bool {
    let last = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=last).contains(&day)
}

/// Two digits as a number.
pub(super) fn pair(digits: &[u32], at: usize) -> u32 {
    digits[at] * 10 + digits[at + 1]
}

/// Whether all are the same digit.
pub(super) fn monotone(digits: &[u32]) -> bool {
    digits.iter().all(|digit| *digit == digits[0])
}

/// Luhn: every second digit from the right counts twice (ISO/IEC 7812-1, annex B).
pub(super) fn luhn(digits: &[u32]) -> bool {
    let doubled = |(i, digit): (usize, &u32)| {
        let value = digit * if i % 2 == 1 { 2 } else { 1 };
        if value > 9 { value - 9 } else { value }
    };
    digits.iter().rev().enumerate().map(doubled).sum::<u32>() % 10 == 0
}

/// Verhoeff: the digits permuted by place, multiplied in the dihedral group of ten.
pub(super) fn verhoeff(digits: &[u32]) -> bool {
    const PERMUTATION: [[u32; 10]; 8] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
        [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
        [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
        [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
        [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
        [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
        [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
    ];
    let product = |a: u32, b: u32| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => (a + b - 5) % 5 + 5,
        (false, true) => (a + 5 - b) % 5 + 5,
        (false, false) => (a + 5 - b) % 5,
    };
    let permuted = digits.iter().rev().enumerate().map(|(i, d)| PERMUTATION[i % 8][*d as usize]);
    permuted.fold(0, product) == 0
}

/// The rank of a digit or capital letter: 0 to 35.
pub(super) fn rank(byte: u8) -> Option<u32> {
    match byte {
        b'0'..=b'9' => Some(u32::from(byte - b'0')),
        b'A'..=b'Z' => Some(u32::from(byte - b'A') + 10),
        _ => None,
    }
}

/// ISO 7064, pure system with one check character: the sum of values times powers of `radix` is 1 modulo `modulus`; `X`, or
/// `*`, is the highest value at the end where the alphabet does not reach it.
pub(super) fn pure(number: &[u8], modulus: u32, radix: u32) -> bool {
    let Some((last, body)) = number.split_last() else { return false };
    let body = body.iter().try_fold(0u32, |sum, byte| Some((sum + rank(*byte)?) * radix % modulus));
    let last = match last {
        b'X' if modulus == 11 => Some(10),
        b'*' if modulus == 37 => Some(36),
        byte => rank(*byte).filter(|rank| modulus > 36 || *rank < modulus - 1),
    };
    body.zip(last).is_some_and(|(body, last)| last < modulus && (body + last) % modulus == 1)
}

/// ISO 7064, pure system with two check digits (97-10): the whole as a number is 1 modulo 97; letters count as 10 to 35.
pub(super) fn mod_97(number: &[u8]) -> Option<u32> {
    number.iter().try_fold(0u32, |rest, byte| {
        let rank = rank(*byte)?;
        Some((rest * if rank < 10 { 10 } else { 100 } + rank) % 97)
    })
}

/// ISO 7064, hybrid system (11,10 and 37,36 with digits and letters; 27,26 with letters alone).
pub(super) fn hybrid(values: impl DoubleEndedIterator<Item = u32>, modulus: u32) -> bool {
    let mut values = values;
    let Some(last) = values.next_back() else { return false };
    let product = values.fold(modulus, |product, value| {
        let sum = (value + product) % modulus;
        (if sum == 0 { modulus } else { sum }) * 2 % (modulus + 1)
    });
    (product + last) % modulus == 1
}

/// The check digit of machine-readable documents: weights 7, 3, 1; letters count as 10 to 35, fillers nothing (ICAO 9303-3).
pub(super) fn icao(field: &[u8]) -> Option<u32> {
    let values = field.iter().map(|byte| if *byte == b'<' { Some(0) } else { rank(*byte) });
    values.zip([7, 3, 1].into_iter().cycle()).try_fold(0, |sum, (v, weight)| Some((sum + v? * weight) % 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits_of(text: &str) -> Digits {
        digits(text.as_bytes()).expect("digits")
    }

    #[test]
    fn the_systems_agree_with_the_examples_of_their_standards() {
        // ISO/IEC 7812-1, Verhoeff's thesis, ISO 7064 and ICAO 9303 give these.
        assert!(luhn(&digits_of("79927398713")) && !luhn(&digits_of("79927398710")));
        assert!(verhoeff(&digits_of("2363")) && !verhoeff(&digits_of("2364")));
        assert!(pure(b"07940", 11, 2) && !pure(b"07941", 11, 2));
        assert!(hybrid(digits_of("07945").into_iter(), 10) && !hybrid(digits_of("07946").into_iter(), 10));
        assert_eq!(mod_97(b"79444"), Some(1));
        assert_eq!(icao(b"L898902C3"), Some(6));
        assert_eq!(icao(b"D23145890734"), Some(9));
    }
}
