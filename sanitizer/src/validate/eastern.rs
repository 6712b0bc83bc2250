//! Numbers of persons and bodies in northern and eastern Europe, each by its issuer's algorithm; the rule tables name the source.

use super::sums::{digits, exactly, hybrid, is_date, luhn, monotone, pair, value, weighted};

/// Sweden, person: a date, whose day is 60 more for those not registered, and Luhn over ten digits.
pub(super) fn se_personal(number: &[u8]) -> bool {
    let Some(d) = digits(number).filter(|d| matches!(d.len(), 10 | 12)) else { return false };
    let d = &d[d.len() - 10..];
    let century = number.len() == 10 || matches!(&number[..2], b"18" | b"19" | b"20");
    let day = pair(d, 4);
    century && is_date(pair(d, 2), if day > 60 { day - 60 } else { day }) && luhn(d)
}

/// Sweden, company: a third digit of two or more, and Luhn.
pub(super) fn se_company(number: &[u8]) -> bool {
    exactly::<10>(number).is_some_and(|d| d[2] >= 2 && d[0] != 0 && luhn(&d))
}

/// Norway, person: a birthday (40 more days or months for some), a serial by the century, two check digits modulo 11.
pub(super) fn no_person(number: &[u8]) -> bool {
    let Some(d) = exactly::<11>(number) else { return false };
    let date = is_date(pair(&d, 2) % 40, pair(&d, 0) % 40);
    let century = matches!(
        (value(&d[6..9]), pair(&d, 4)),
        (0..=499 | 900..=999, _) | (500..=749, 54..) | (500..=999, ..40)
    );
    date && century
        && weighted(&d, &[3, 7, 6, 1, 8, 9, 4, 5, 2, 1]).is_multiple_of(11)
        && weighted(&d, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
}

/// Norway, company: weights 3 2 7 6 5 4 3 2 modulo 11.
pub(super) fn no_company(number: &[u8]) -> bool {
    exactly::<9>(number).is_some_and(|d| {
        matches!(d[0], 8 | 9) && weighted(&d, &[3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
    })
}

/// Denmark, person: a birthday; since 2007 the sum modulo 11 need not hold, so that it is not asked for.
pub(super) fn dk_cpr(number: &[u8]) -> bool {
    exactly::<10>(number).is_some_and(|d| is_date(pair(&d, 2), pair(&d, 0)) && !monotone(&d[6..]))
}

/// Denmark, company: weights 2 7 6 5 4 3 2 1 modulo 11.
pub(super) fn dk_cvr(number: &[u8]) -> bool {
    let number = number.strip_prefix(b"DK").unwrap_or(number);
    exactly::<8>(number)
        .is_some_and(|d| d[0] != 0 && weighted(&d, &[2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11))
}

/// Finland, person: a birthday, a sign for the century, a serial from 002; the whole modulo 31 is the last character.
pub(super) fn fi_hetu(number: &[u8]) -> bool {
    let sign = number.len() == 11 && b"ABCDEFYXWVU".contains(&number[6]);
    if !sign && number.len() != 10 {
        return false;
    }
    let after = number.len() - 4;
    let (Some(d), Some(serial)) = (exactly::<6>(&number[..6]), exactly::<3>(&number[after..after + 3]))
    else {
        return false;
    };
    let whole = value(&d) * 1000 + value(&serial);
    is_date(pair(&d, 2), pair(&d, 0))
        && value(&serial) >= 2
        && number[after + 3] == b"0123456789ABCDEFHJKLMNPRSTUVWXY"[(whole % 31) as usize]
}

/// Finland, company: weights 7 9 10 5 8 4 2 modulo 11.
pub(super) fn fi_company(number: &[u8]) -> bool {
    exactly::<8>(number)
        .is_some_and(|d| value(&d) > 0 && weighted(&d, &[7, 9, 10, 5, 8, 4, 2, 1]).is_multiple_of(11))
}

/// Iceland, person and company: a date (40 more days for companies), weights 3 2 7 6 5 4 3 2 modulo 11, the century's digit.
pub(super) fn is_kennitala(number: &[u8]) -> bool {
    exactly::<10>(number).is_some_and(|d| {
        is_date(pair(&d, 2), pair(&d, 0) % 40)
            && matches!(d[9], 0 | 9)
            && weighted(&d, &[3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
    })
}

/// Estonia and Lithuania, person: sex and century, a birthday, weights 1 to 9 and 1 modulo 11, then 3 to 9 and 1 to 3.
pub(super) fn baltic_person(number: &[u8]) -> bool {
    let Some(d) = exactly::<11>(number) else { return false };
    let first = weighted(&d, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11;
    let second = weighted(&d, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11 % 10;
    (1..=8).contains(&d[0])
        && is_date(pair(&d, 3), pair(&d, 5))
        && d[10] == if first < 10 { first } else { second }
}

/// Latvia, person: a birthday and a sum modulo 11; since 2017 numbers begin with 32 and tell nothing.
pub(super) fn lv_person(number: &[u8]) -> bool {
    let Some(d) = exactly::<11>(number) else { return false };
    let sum = weighted(&d, &[10, 5, 8, 4, 2, 1, 6, 3, 7, 9]);
    pair(&d, 0) == 32 || is_date(pair(&d, 2), pair(&d, 0)) && d[6] <= 2 && (1 + sum) % 11 % 10 == d[10]
}

/// Poland, person: weights 1 3 7 9, and a date whose month tells the century.
pub(super) fn pl_pesel(number: &[u8]) -> bool {
    exactly::<11>(number).is_some_and(|d| {
        is_date(pair(&d, 2) % 20, pair(&d, 4))
            && weighted(&d, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]).is_multiple_of(10)
    })
}

/// Poland, tax: weights 6 5 7 2 3 4 5 6 7 modulo 11.
pub(super) fn pl_nip(number: &[u8]) -> bool {
    let number = number.strip_prefix(b"PL").unwrap_or(number);
    exactly::<10>(number)
        .is_some_and(|d| value(&d[..3]) >= 100 && weighted(&d, &[6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11 == d[9])
}

/// Poland, company: weights 8 9 2 3 4 5 6 7 modulo 11; a branch has five more digits, the last with weights of its own.
pub(super) fn pl_regon(number: &[u8]) -> bool {
    let branch = exactly::<14>(number)
        .is_some_and(|d| weighted(&d, &[2, 4, 8, 5, 0, 9, 7, 3, 6, 1, 2, 4, 8]) % 11 % 10 == d[13]);
    let number = if branch { &number[..9] } else { number };
    exactly::<9>(number)
        .is_some_and(|d| value(&d) > 0 && weighted(&d, &[8, 9, 2, 3, 4, 5, 6, 7]) % 11 % 10 == d[8])
}

/// Czechia and Slovakia, person: a birthday (20, 50 or 70 more months), the whole a multiple of 11; nine digits before 1954.
pub(super) fn cz_person(number: &[u8]) -> bool {
    let number = number.strip_prefix(b"CZ").or_else(|| number.strip_prefix(b"SK")).unwrap_or(number);
    let Some(d) = digits(number).filter(|d| matches!(d.len(), 9 | 10)) else { return false };
    let month = pair(&d, 2) % 50;
    let month = if month > 20 && d.len() == 10 { month - 20 } else { month };
    let sum = d.len() == 9 && pair(&d, 0) < 54
        || d.len() == 10 && (value(&d).is_multiple_of(11) || value(&d[..9]) % 11 == 10 && d[9] == 0);
    is_date(month, pair(&d, 4)) && sum
}

/// Czechia and Slovakia, company: weights 8 to 2 modulo 11; behind a 6 another way, for persons who lack a birth number.
pub(super) fn cz_company(number: &[u8]) -> bool {
    let number = number.strip_prefix(b"CZ").unwrap_or(number);
    // Persons without a birth number have a 6 before theirs.
    let special = exactly::<9>(number).filter(|d| d[0] == 6);
    if let Some(d) = special {
        let rest = weighted(&d[1..], &[8, 7, 6, 5, 4, 3, 2]) % 11;
        return (18 - (21 - rest) % 11) % 10 == d[8];
    }
    exactly::<8>(number).is_some_and(|d| {
        let check = (11 - weighted(&d, &[8, 7, 6, 5, 4, 3, 2]) % 11) % 10;
        d[0] != 9 && value(&d[..7]) > 0 && check == d[7]
    })
}

/// Slovakia, value added tax: ten digits, a multiple of 11.
pub(super) fn sk_vat(number: &[u8]) -> bool {
    let Some(d) = number.strip_prefix(b"SK").and_then(exactly::<10>) else { return false };
    d[0] != 0 && matches!(d[2], 2..=4 | 7..=9) && value(&d).is_multiple_of(11)
}

/// Hungary, tax of persons: an 8, then places times digits modulo 11.
pub(super) fn hu_tin(number: &[u8]) -> bool {
    exactly::<10>(number)
        .is_some_and(|d| d[0] == 8 && weighted(&d, &[1, 2, 3, 4, 5, 6, 7, 8, 9]) % 11 == d[9])
}

/// Hungary, social insurance: weights 3 and 7 modulo 10.
pub(super) fn hu_taj(number: &[u8]) -> bool {
    exactly::<9>(number)
        .is_some_and(|d| value(&d) > 0 && weighted(&d, &[3, 7, 3, 7, 3, 7, 3, 7]) % 10 == d[8])
}

/// Hungary, value added tax: weights 9 7 3 1 modulo 10.
pub(super) fn hu_vat(number: &[u8]) -> bool {
    number
        .strip_prefix(b"HU")
        .and_then(exactly::<8>)
        .is_some_and(|d| weighted(&d, &[9, 7, 3, 1, 9, 7, 3, 1]).is_multiple_of(10))
}

/// Romania, person: sex and century, a birthday, a county, a sum modulo 11.
pub(super) fn ro_cnp(number: &[u8]) -> bool {
    let Some(d) = exactly::<13>(number) else { return false };
    let sum = weighted(&d, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
    let county = matches!(pair(&d, 7), 1..=48 | 51 | 52 | 70 | 80..=83 | 90..=99);
    d[0] != 0 && county && is_date(pair(&d, 3), pair(&d, 5)) && d[12] == if sum == 10 { 1 } else { sum }
}

/// Romania, company: weights 7 5 3 2 1 7 5 3 2 from the right, times 10, modulo 11.
pub(super) fn ro_cui(number: &[u8]) -> bool {
    let number = number.strip_prefix(b"RO").unwrap_or(number);
    let Some(d) = digits(number).filter(|d| (6..=10).contains(&d.len()) && d[0] != 0) else { return false };
    let body = &d[..d.len() - 1];
    weighted(body, &[7, 5, 3, 2, 1, 7, 5, 3, 2][9 - body.len()..]) * 10 % 11 % 10 == d[d.len() - 1]
}

/// Bulgaria, person: a birthday (20 or 40 more months), powers of two modulo 11.
pub(super) fn bg_egn(number: &[u8]) -> bool {
    exactly::<10>(number).is_some_and(|d| {
        is_date(pair(&d, 2) % 20, pair(&d, 4))
            && pair(&d, 2) <= 52
            && weighted(&d, &[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11 % 10 == d[9]
    })
}

/// Croatia: ISO 7064 mod 11,10.
pub(super) fn hr_oib(number: &[u8]) -> bool {
    exactly::<11>(number).is_some_and(|d| !monotone(&d) && hybrid(d.into_iter(), 10))
}

/// Slovenia, Serbia, Bosnia, Montenegro, North Macedonia, person: a birthday, a region, a sum modulo 11.
pub(super) fn jmbg(number: &[u8]) -> bool {
    let Some(d) = exactly::<13>(number) else { return false };
    let check = 11 - weighted(&d, &[7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    let year = matches!(value(&d[4..7]), 0..=40 | 850..=999);
    year && is_date(pair(&d, 2), pair(&d, 0)) && d[12] == if check > 9 { 0 } else { check }
}

/// Slovenia, tax: weights 8 to 2 modulo 11.
pub(super) fn si_tin(number: &[u8]) -> bool {
    let number = number.strip_prefix(b"SI").unwrap_or(number);
    exactly::<8>(number).is_some_and(|d| {
        let check = 11 - weighted(&d, &[8, 7, 6, 5, 4, 3, 2]) % 11;
        d[0] != 0 && d[7] == if check == 10 { 0 } else { check }
    })
}

/// Serbia, tax: ISO 7064 mod 11,10.
pub(super) fn rs_pib(number: &[u8]) -> bool {
    exactly::<9>(number).is_some_and(|d| d[0] != 0 && hybrid(d.into_iter(), 10))
}

/// Ukraine, person: weights -1 5 7 9 4 6 10 5 7 modulo 11.
pub(super) fn ua_rntrc(number: &[u8]) -> bool {
    exactly::<10>(number)
        .is_some_and(|d| value(&d) > 0 && weighted(&d, &[10, 5, 7, 9, 4, 6, 10, 5, 7]) % 11 % 10 == d[9])
}

/// Russia, tax: one check digit in ten, two in twelve.
pub(super) fn ru_inn(number: &[u8]) -> bool {
    const WEIGHTS: [u32; 11] = [3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8];
    let Some(d) = digits(number).filter(|d| !d.is_empty() && value(&d[..2.min(d.len())]) > 0) else {
        return false;
    };
    let check = |n: usize| weighted(&d[..n], &WEIGHTS[11 - n..]) % 11 % 10 == d[n];
    match d.len() {
        10 => check(9),
        12 => check(10) && check(11),
        _ => false,
    }
}

/// Russia, pension insurance: weights 9 to 1 modulo 101.
pub(super) fn ru_snils(number: &[u8]) -> bool {
    exactly::<11>(number).is_some_and(|d| {
        value(&d[..9]) > 1_001_998 && weighted(&d, &[9, 8, 7, 6, 5, 4, 3, 2, 1]) % 101 % 100 == pair(&d, 9)
    })
}

/// Moldova: weights 7 3 1 modulo 10.
pub(super) fn md_idn(number: &[u8]) -> bool {
    exactly::<13>(number).is_some_and(|d| {
        matches!(d[0], 1 | 2) && weighted(&d, &[7, 3, 1, 7, 3, 1, 7, 3, 1, 7, 3, 1]) % 10 == d[12]
    })
}

/// Turkey, person: two check digits modulo 10.
pub(super) fn tr_tckn(number: &[u8]) -> bool {
    exactly::<11>(number).is_some_and(|d| {
        let odd = d[0] + d[2] + d[4] + d[6] + d[8];
        let even = d[1] + d[3] + d[5] + d[7];
        d[0] != 0 && (odd * 7 + 100 - even) % 10 == d[9] && (odd + even + d[9]) % 10 == d[10]
    })
}

/// Kazakhstan: a date, weights 1 to 11 modulo 11, then 3 to 11 and 1, 2.
pub(super) fn kz_iin(number: &[u8]) -> bool {
    exactly::<12>(number).is_some_and(|d| {
        let first = weighted(&d, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]) % 11;
        let second = weighted(&d, &[3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2]) % 11;
        is_date(pair(&d, 2), pair(&d, 4)) && d[6] <= 6 && d[11] == if first < 10 { first } else { second }
    })
}
