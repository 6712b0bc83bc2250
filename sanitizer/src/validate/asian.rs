//! Numbers of persons and bodies in Asia, Africa and Oceania, each by its issuer's algorithm; the rule tables name the source.

use super::sums::{digits, exactly, is_date, luhn, monotone, pair, pure, rank, value, verhoeff, weighted};

/// China, resident: a place, a birthday, ISO 7064 mod 11-2.
pub(super) fn cn_resident(number: &[u8]) -> bool {
    let Some(d) = number.get(..17).and_then(exactly::<17>).filter(|_| number.len() == 18) else {
        return false;
    };
    (11..=91).contains(&pair(&d, 0))
        && matches!(pair(&d, 6), 18..=20)
        && is_date(pair(&d, 10), pair(&d, 12))
        && pure(number, 11, 2)
}

/// China, body: powers of 3 modulo 31, ranks without I, O, S, V, Z.
pub(super) fn cn_credit_code(number: &[u8]) -> bool {
    const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
    const WEIGHTS: [usize; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
    let ranks: Option<Vec<usize>> = number.iter().map(|b| ALPHABET.iter().position(|c| c == b)).collect();
    let Some(ranks) = ranks.filter(|ranks| ranks.len() == 18) else { return false };
    let sum: usize = ranks.iter().zip(WEIGHTS).map(|(rank, weight)| rank * weight).sum();
    exactly::<6>(&number[2..8]).is_some() && (31 - sum % 31) % 31 == ranks[17]
}

/// Hong Kong: one or two letters, six digits, weights 9 to 2 modulo 11; A is 10, a blank 36.
pub(super) fn hk_id(number: &[u8]) -> bool {
    let letters = number.len().saturating_sub(7);
    let Some(d) = number.get(letters..letters + 6).and_then(exactly::<6>) else { return false };
    if !(1..=2).contains(&letters) || !number[..letters].iter().all(u8::is_ascii_uppercase) {
        return false;
    }
    let rank = |b: u8| u32::from(b - b'A') + 10;
    let head =
        if letters == 2 { 9 * rank(number[0]) + 8 * rank(number[1]) } else { 9 * 36 + 8 * rank(number[0]) };
    let rest = (11 - (head + weighted(&d, &[7, 6, 5, 4, 3, 2])) % 11) % 11;
    number[letters + 6] == b"0123456789A"[rest as usize]
}

/// Taiwan, person: the letter counts as two digits; weights 1 9 8 7 … 1 1 modulo 10.
pub(super) fn tw_id(number: &[u8]) -> bool {
    let Some((letter, rest)) = number.split_first() else { return false };
    let Some(place) = b"ABCDEFGHJKLMNPQRSTUVXYWZIO".iter().position(|b| b == letter) else { return false };
    let place = place as u32 + 10;
    exactly::<9>(rest).is_some_and(|d| {
        matches!(d[0], 1 | 2 | 8 | 9)
            && (place / 10 + place % 10 * 9 + weighted(&d, &[8, 7, 6, 5, 4, 3, 2, 1, 1])).is_multiple_of(10)
    })
}

/// Japan, person: weights 6 5 4 3 2 7 6 5 4 3 2 modulo 11.
pub(super) fn jp_my_number(number: &[u8]) -> bool {
    exactly::<12>(number).is_some_and(|d| {
        let rest = weighted(&d, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
        !monotone(&d) && d[11] == if rest < 2 { 0 } else { 11 - rest }
    })
}

/// Japan, body: 9 minus the weighted sum modulo 9, in front.
pub(super) fn jp_corporate(number: &[u8]) -> bool {
    exactly::<13>(number).is_some_and(|d| {
        value(&d) > 0 && 9 - weighted(&d[1..], &[2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1]) % 9 == d[0]
    })
}

/// Korea, resident: a birthday, sex and century, weights 2 to 9 and 2 to 5 modulo 11.
pub(super) fn kr_rrn(number: &[u8]) -> bool {
    exactly::<13>(number).is_some_and(|d| {
        let check = (11 - weighted(&d, &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]) % 11) % 10;
        is_date(pair(&d, 2), pair(&d, 4)) && check == d[12]
    })
}

/// Korea, business: weights 1 3 7 1 3 7 1 3 5, the last one's tens too, modulo 10.
pub(super) fn kr_brn(number: &[u8]) -> bool {
    exactly::<10>(number).is_some_and(|d| {
        let sum = weighted(&d, &[1, 3, 7, 1, 3, 7, 1, 3, 5]) + d[8] * 5 / 10;
        value(&d[..3]) > 100 && (10 - sum % 10) % 10 == d[9]
    })
}

/// Singapore: weights 2 7 6 5 4 3 2 modulo 11, then a letter from the prefix's table.
pub(super) fn sg_nric(number: &[u8]) -> bool {
    let (Some(first), Some(d)) = (number.first(), number.get(1..8).and_then(exactly::<7>)) else {
        return false;
    };
    let sum = weighted(&d, &[2, 7, 6, 5, 4, 3, 2]);
    let (offset, letters) = match first {
        b'S' => (0, b"JZIHGFEDCBA"),
        b'T' => (4, b"JZIHGFEDCBA"),
        b'F' => (0, b"XWUTRQPNMLK"),
        b'G' => (4, b"XWUTRQPNMLK"),
        b'M' => (3, b"XWUTRQPNJLK"),
        _ => return false,
    };
    let place = (sum + offset) % 11;
    let place = if *first == b'M' { 10 - place } else { place };
    let letter = if *first == b'M' { b"KLJNPQRTUWX"[place as usize] } else { letters[place as usize] };
    number.len() == 9 && number[8] == letter
}

/// Malaysia: a birthday and a place; it has no check digit.
pub(super) fn my_nric(number: &[u8]) -> bool {
    exactly::<12>(number).is_some_and(|d| {
        is_date(pair(&d, 2), pair(&d, 4))
            && !matches!(pair(&d, 6), 0 | 17..=20 | 69..=70 | 73 | 80 | 81 | 94..=97)
    })
}

/// Thailand: weights 13 to 2 modulo 11.
pub(super) fn th_pin(number: &[u8]) -> bool {
    exactly::<13>(number).is_some_and(|d| {
        d[0] != 0
            && d[0] != 9
            && (11 - weighted(&d, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 10 == d[12]
    })
}

/// Indonesia: a place and a birthday, 40 more days for women; it has no check digit.
pub(super) fn id_nik(number: &[u8]) -> bool {
    exactly::<16>(number).is_some_and(|d| {
        matches!(pair(&d, 0), 11..=19 | 21 | 31..=36 | 51..=53 | 61..=65 | 71..=76 | 81 | 82 | 91..=97)
            && is_date(pair(&d, 8), pair(&d, 6) % 40)
            && value(&d[12..]) > 0
    })
}

/// India, person: Verhoeff; it begins with 2 to 9 and is no palindrome.
pub(super) fn in_aadhaar(number: &[u8]) -> bool {
    exactly::<12>(number).is_some_and(|d| d[0] >= 2 && verhoeff(&d) && !d.iter().eq(d.iter().rev()))
}

/// India, taxpayer: five letters, of which the fourth tells the holder's sort, four digits, a letter.
pub(super) fn in_pan(number: &[u8]) -> bool {
    number.len() == 10
        && number[..5].iter().all(u8::is_ascii_uppercase)
        && b"ABCEFGHJKLPT".contains(&number[3])
        && exactly::<4>(&number[5..9]).is_some_and(|d| value(&d) > 0)
        && number[9].is_ascii_uppercase()
}

/// India, goods and services: a state, a taxpayer's number, Luhn modulo 36.
pub(super) fn in_gstin(number: &[u8]) -> bool {
    let state = |d: [u32; 2]| matches!(pair(&d, 0), 1..=38 | 96 | 97 | 99);
    if number.len() != 15 || !in_pan(&number[2..12]) || !exactly::<2>(&number[..2]).is_some_and(state) {
        return false;
    }
    let product = |(i, b): (usize, &u8)| {
        let value = rank(*b)? * if i % 2 == 1 { 2 } else { 1 };
        Some(value / 36 + value % 36)
    };
    let sum: Option<u32> = number[..14].iter().enumerate().map(product).sum();
    sum.is_some_and(|sum| rank(number[14]) == Some((36 - sum % 36) % 36))
}

/// Pakistan: a province's digit; it has no check digit.
pub(super) fn pk_cnic(number: &[u8]) -> bool {
    exactly::<13>(number).is_some_and(|d| (1..=7).contains(&d[0]) && d[12] != 0)
}

/// Vietnam, taxpayer: weights 31 29 23 19 17 13 7 5 3 modulo 11; a branch has three more digits.
pub(super) fn vn_mst(number: &[u8]) -> bool {
    let branch = exactly::<13>(number).is_some_and(|d| value(&d[10..]) > 0);
    exactly::<10>(if branch { &number[..10] } else { number })
        .is_some_and(|d| value(&d) > 0 && 10 - weighted(&d, &[31, 29, 23, 19, 17, 13, 7, 5, 3]) % 11 == d[9])
}

/// Israel: Luhn over nine digits.
pub(super) fn il_id(number: &[u8]) -> bool {
    exactly::<9>(number).is_some_and(|d| luhn(&d) && !monotone(&d))
}

/// South Africa: a birthday, a citizenship, Luhn over thirteen digits.
pub(super) fn za_id(number: &[u8]) -> bool {
    exactly::<13>(number).is_some_and(|d| is_date(pair(&d, 2), pair(&d, 4)) && d[10] <= 2 && luhn(&d))
}

/// Egypt: a century, a birthday, a governorate; how its check digit is made is not published.
pub(super) fn eg_national(number: &[u8]) -> bool {
    exactly::<14>(number).is_some_and(|d| {
        matches!(d[0], 2 | 3) && is_date(pair(&d, 3), pair(&d, 5)) && matches!(pair(&d, 7), 1..=35 | 88)
    })
}

/// Saudi Arabia: begins with 1 or 2, Luhn over ten digits.
pub(super) fn sa_id(number: &[u8]) -> bool {
    exactly::<10>(number).is_some_and(|d| matches!(d[0], 1 | 2) && luhn(&d) && !monotone(&d[1..]))
}

/// United Arab Emirates: 784, a year of birth, Luhn over fifteen digits.
pub(super) fn ae_id(number: &[u8]) -> bool {
    exactly::<15>(number).is_some_and(|d| value(&d[..3]) == 784 && matches!(pair(&d, 3), 19 | 20) && luhn(&d))
}

/// Australia, tax: weights 1 4 3 7 5 8 6 9 10, or 10 7 8 4 6 3 5 1 for eight digits, modulo 11.
pub(super) fn au_tfn(number: &[u8]) -> bool {
    let Some(d) = digits(number) else { return false };
    let sum = match d.len() {
        9 => weighted(&d, &[1, 4, 3, 7, 5, 8, 6, 9, 10]),
        8 => weighted(&d, &[10, 7, 8, 4, 6, 3, 5, 1]),
        _ => return false,
    };
    sum > 0 && sum % 11 == 0
}

/// Australia, business: 1 less in front, weights 10 1 3 5 … 19 modulo 89.
pub(super) fn au_abn(number: &[u8]) -> bool {
    exactly::<11>(number).is_some_and(|d| {
        pair(&d, 0) > 10
            && (weighted(&d, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]) + 89 - 10).is_multiple_of(89)
    })
}

/// Australia, health: weights 1 3 7 9 modulo 10; it begins with 2 to 6.
pub(super) fn au_medicare(number: &[u8]) -> bool {
    let Some(d) = digits(number).filter(|d| (9..=11).contains(&d.len())) else { return false };
    (2..=6).contains(&d[0]) && weighted(&d, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10 == d[8]
}

/// New Zealand, tax: weights 3 2 7 6 5 4 3 2 modulo 11, then 7 4 3 2 5 2 7 6.
pub(super) fn nz_ird(number: &[u8]) -> bool {
    let Some(mut d) = digits(number).filter(|d| (8..=9).contains(&d.len())) else { return false };
    if d.len() == 8 {
        d.insert(0, 0);
    }
    let check = |weights: &[u32; 8]| (11 - weighted(&d, weights) % 11) % 11;
    let first = check(&[3, 2, 7, 6, 5, 4, 3, 2]);
    let check = if first == 10 { check(&[7, 4, 3, 2, 5, 2, 7, 6]) } else { first };
    (10_000_000..150_000_000).contains(&value(&d)) && check == d[8]
}
