//! National ids, each by its issuer's algorithm; the rule tables name the source.

/// Not 000, 666 or 9xx, not 00, not 0000.
pub(super) fn us_ssn(digits: &[u8]) -> bool {
    let [a, b, c, d, e, f, g, h, i] = digits else { return false };
    let area = u32::from(*a) * 100 + u32::from(*b) * 10 + u32::from(*c);
    area != 0 && area != 666 && area < 900 && (*d, *e) != (0, 0) && (*f, *g, *h, *i) != (0, 0, 0, 0)
}

/// Two letters, six digits, a letter A to D; prefixes that are never given are refused.
pub(super) fn gb_nino(value: &[u8]) -> bool {
    const NEVER: [&[u8; 2]; 7] = [b"BG", b"GB", b"KN", b"NK", b"NT", b"TN", b"ZZ"];
    value.len() == 9
        && !NEVER.iter().any(|prefix| value.starts_with(&prefix[..]))
        && !value[..2].iter().any(|b| b"DFIQUV".contains(b))
        && value[1] != b'O'
        && value[2..8].iter().all(u8::is_ascii_digit)
        && (b'A'..=b'D').contains(&value[8])
}

/// The key is 97 minus the number modulo 97; departments 2A and 2B count as 19 and 18.
pub(super) fn fr_nir(value: &[u8]) -> bool {
    if value.len() != 15 {
        return false;
    }
    let mut number = 0u64;
    for (i, byte) in value[..13].iter().enumerate() {
        let digit = match byte {
            b'0'..=b'9' => u64::from(byte - b'0'),
            b'A' | b'B' if i == 6 => 0,
            _ => return false,
        };
        number = number * 10 + digit;
    }
    // 2A becomes 19 and 2B becomes 18 (Insee): 20 stands in `number` for either.
    number -= match value[6] {
        b'A' => 1_000_000,
        b'B' => 2_000_000,
        _ => 0,
    };
    let key = value[13..]
        .iter()
        .try_fold(0u64, |key, b| b.is_ascii_digit().then(|| key * 10 + u64::from(b - b'0')));
    key == Some(97 - number % 97)
}

/// ISO 7064 mod 11,10; among the first ten digits one stands twice or three times, the others once at most.
pub(super) fn de_steuer_id(digits: &[u8]) -> bool {
    if digits.len() != 11 || digits[0] == 0 {
        return false;
    }
    let mut counts = [0; 10];
    digits[..10].iter().for_each(|digit| counts[usize::from(*digit)] += 1);
    let repeated: Vec<i32> = counts.into_iter().filter(|count| *count > 1).collect();
    if repeated.len() != 1 || repeated[0] > 3 {
        return false;
    }
    let mut product = 10;
    for digit in &digits[..10] {
        let sum = (u32::from(*digit) + product) % 10;
        product = (if sum == 0 { 10 } else { sum }) * 2 % 11;
    }
    u32::from(digits[10]) == (11 - product) % 10
}

/// The letter is the number modulo 23; X, Y and Z of a NIE count as 0, 1 and 2.
pub(super) fn es_dni(value: &[u8]) -> bool {
    const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    let (number, foreign) = match value.first() {
        Some(first @ b'X'..=b'Z') => (&value[1..], u64::from(first - b'X')),
        Some(_) => (value, 0),
        None => return false,
    };
    let Some((letter, body)) = number.split_last() else { return false };
    let length = if number.len() == value.len() { 8 } else { 7 };
    if body.len() != length || !body.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let value = body.iter().fold(foreign, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    LETTERS[(value % 23) as usize] == *letter
}

/// Characters at odd places count by a table, those at even places by their rank; the sum modulo 26 is the letter.
pub(super) fn it_codice_fiscale(value: &[u8]) -> bool {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    if value.len() != 16 || !value.iter().all(u8::is_ascii_alphanumeric) {
        return false;
    }
    let rank = |b: u8| usize::from(if b.is_ascii_digit() { b - b'0' } else { b - b'A' });
    let sum: u32 = value[..15]
        .iter()
        .enumerate()
        .map(|(i, b)| if i % 2 == 0 { ODD[rank(*b)] } else { rank(*b) as u32 })
        .sum();
    value[15] == b'A' + (sum % 26) as u8
}

/// 9·a + 8·b + … + 2·h − i is a multiple of 11.
pub(super) fn nl_bsn(digits: &[u8]) -> bool {
    if digits.len() != 9 || digits.iter().all(|digit| *digit == 0) {
        return false;
    }
    let sum: i32 =
        digits[..8].iter().zip((2..=9).rev()).map(|(digit, weight)| i32::from(*digit) * weight).sum();
    (sum - i32::from(digits[8])) % 11 == 0
}

/// Weights 1 3 7 9, and the first six digits are a date whose month tells the century.
pub(super) fn pl_pesel(digits: &[u8]) -> bool {
    const WEIGHTS: [u32; 10] = [1, 3, 7, 9, 1, 3, 7, 9, 1, 3];
    if digits.len() != 11 {
        return false;
    }
    let (month, day) = (digits[2] % 2 * 10 + digits[3], digits[4] * 10 + digits[5]);
    let sum: u32 = digits[..10].iter().zip(WEIGHTS).map(|(digit, weight)| u32::from(*digit) * weight).sum();
    (1..=12).contains(&month) && (1..=31).contains(&day) && (10 - sum % 10) % 10 == u32::from(digits[10])
}
