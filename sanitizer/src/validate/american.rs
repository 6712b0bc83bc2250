//! Numbers of persons and bodies in the Americas, each by its issuer's algorithm; the rule tables name the source.

use super::sums::{digits, exactly, is_date, luhn, monotone, pair, rank, value, weighted};

/// United States: not 000, 666 or 9xx, not 00, not 0000.
pub(super) fn us_ssn(number: &[u8]) -> bool {
    let Some(d) = exactly::<9>(number) else { return false };
    let area = value(&d[..3]);
    area != 0 && area != 666 && area < 900 && pair(&d, 3) != 0 && value(&d[5..]) != 0
}

/// United States, taxpayers without a social security number: 9xx, groups 50-65, 70-88, 90-92, 94-99.
pub(super) fn us_itin(number: &[u8]) -> bool {
    exactly::<9>(number)
        .is_some_and(|d| d[0] == 9 && matches!(pair(&d, 3), 50..=65 | 70..=88 | 90..=92 | 94..=99))
}

/// United States, employer: a prefix that is given out.
pub(super) fn us_ein(number: &[u8]) -> bool {
    exactly::<9>(number).is_some_and(|d| {
        !matches!(pair(&d, 0), 0 | 7..=9 | 17..=19 | 28 | 29 | 49 | 69 | 70 | 78 | 79 | 89 | 96 | 97)
            && value(&d[2..]) > 0
    })
}

/// United States, provider of health care: Luhn with 80840 before it.
pub(super) fn us_npi(number: &[u8]) -> bool {
    exactly::<10>(number).is_some_and(|d| luhn(&[&[8, 0, 8, 4, 0][..], &d].concat()))
}

/// United States, prescriber: two letters (or a letter and a 9), then odd places plus twice the even ones, modulo 10.
pub(super) fn us_dea(number: &[u8]) -> bool {
    let Some(d) = number.get(2..).and_then(exactly::<7>) else { return false };
    let letters =
        b"ABCDEFGHJKLMPRSTUX".contains(&number[0]) && (number[1].is_ascii_uppercase() || number[1] == b'9');
    letters && (d[0] + d[2] + d[4] + 2 * (d[1] + d[3] + d[5])) % 10 == d[6]
}

/// United States, Medicare: eleven characters, each of the sort of its place; no S, L, O, I, B, Z.
pub(super) fn us_mbi(number: &[u8]) -> bool {
    let letter = |b: u8| b.is_ascii_uppercase() && !b"SLOIBZ".contains(&b);
    let fits = |(b, sort): (&u8, &u8)| match sort {
        b'C' => (b'1'..=b'9').contains(b),
        b'A' => letter(*b),
        b'N' => b.is_ascii_digit(),
        _ => letter(*b) || b.is_ascii_digit(),
    };
    number.len() == 11 && number.iter().zip(b"CAXNAXNAANN").all(fits)
}

/// United States, bank: weights 3 7 1 modulo 10; the first two digits are those of a Federal Reserve district.
pub(super) fn us_routing(number: &[u8]) -> bool {
    exactly::<9>(number).is_some_and(|d| {
        matches!(pair(&d, 0), 0..=12 | 21..=32 | 61..=72 | 80)
            && weighted(&d, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10)
    })
}

/// Canada, person: Luhn; the first digit is neither 0 nor 8.
pub(super) fn ca_sin(number: &[u8]) -> bool {
    exactly::<9>(number).is_some_and(|d| !matches!(d[0], 0 | 8) && luhn(&d) && !monotone(&d))
}

/// Canada, business: Luhn over nine digits, then a program's two letters and four digits.
pub(super) fn ca_bn(number: &[u8]) -> bool {
    let program = number
        .get(9..)
        .is_some_and(|rest| matches!(rest.get(..2), Some(b"RC" | b"RM" | b"RP" | b"RT" | b"RR" | b"RZ")));
    number.len() == 15
        && program
        && exactly::<4>(&number[11..]).is_some()
        && exactly::<9>(&number[..9]).is_some_and(|d| luhn(&d))
}

/// Ontario, health: Luhn over ten digits.
pub(super) fn ca_health_on(number: &[u8]) -> bool {
    let digits = number.get(..10).and_then(exactly::<10>);
    number.len() <= 12
        && number[10.min(number.len())..].iter().all(u8::is_ascii_uppercase)
        && digits.is_some_and(|d| d[0] != 0 && luhn(&d))
}

/// British Columbia, health: a 9, weights 2 4 8 5 10 9 7 3 modulo 11.
pub(super) fn ca_health_bc(number: &[u8]) -> bool {
    exactly::<10>(number)
        .is_some_and(|d| d[0] == 9 && (11 - weighted(&d[1..], &[2, 4, 8, 5, 10, 9, 7, 3]) % 11) % 11 == d[9])
}

/// Quebec, health: four letters of the name, a birthday (50 more months for women), two digits.
pub(super) fn ca_health_qc(number: &[u8]) -> bool {
    let Some(d) = number.get(4..).and_then(exactly::<8>) else { return false };
    number[..4].iter().all(u8::is_ascii_uppercase) && is_date(pair(&d, 2) % 50, pair(&d, 4))
}

/// Mexico, person: a form with a birthday, a sex and a state; ranks times 18 to 2 modulo 10.
pub(super) fn mx_curp(number: &[u8]) -> bool {
    // NE is abroad.
    const STATES: &[u8] = b"ASBCBSCCCLCMCSCHDFDGGTGRHGJCMCMNMSNTNLOCPLQTQRSPSLSRTCTSTLVZYNZSNE";
    if number.len() != 18 || !number[..4].iter().all(u8::is_ascii_uppercase) || !b"HMX".contains(&number[10])
    {
        return false;
    }
    let Some(d) = exactly::<6>(&number[4..10]) else { return false };
    // Between N and O stands a letter that ASCII lacks.
    let rank = |b: &u8| rank(*b).map(|rank| if *b >= b'O' { rank + 1 } else { rank });
    let sum: Option<u32> = number[..17].iter().zip((2..=18).rev()).map(|(b, w)| Some(rank(b)? * w)).sum();
    STATES.chunks(2).any(|state| state == &number[11..13])
        && is_date(pair(&d, 2), pair(&d, 4))
        && sum.is_some_and(|sum| (10 - sum % 10) % 10 == u32::from(number[17].wrapping_sub(b'0')))
}

/// Mexico, taxpayer: three or four letters, a date, three characters; ranks times 13 to 2 modulo 11.
pub(super) fn mx_rfc(number: &[u8]) -> bool {
    let letters = match number.len() {
        12 => 3,
        13 => 4,
        _ => return false,
    };
    let Some(d) = exactly::<6>(&number[letters..letters + 6]) else { return false };
    let rank = |b: &u8| rank(*b).map(|rank| if *b >= b'O' { rank + 1 } else { rank });
    let (body, check) = number.split_at(number.len() - 1);
    let sum: Option<u32> = body.iter().rev().zip(2..).map(|(b, weight)| Some(rank(b)? * weight)).sum();
    // The shorter one counts with a blank before it, which is 37.
    let sum = sum.map(|sum| (sum + if letters == 3 { 37 * 13 } else { 0 }) % 11);
    is_date(pair(&d, 2), pair(&d, 4))
        && number[..letters].iter().all(u8::is_ascii_uppercase)
        && sum.is_some_and(|sum| check[0] == b"0A987654321"[sum as usize])
}

/// Mexico, social insurance: Luhn over eleven digits.
pub(super) fn mx_nss(number: &[u8]) -> bool {
    exactly::<11>(number).is_some_and(|d| luhn(&d) && !monotone(&d))
}

/// Mexico, account: weights 3 7 1, each product modulo 10.
pub(super) fn mx_clabe(number: &[u8]) -> bool {
    const WEIGHTS: [u32; 18] = [3, 7, 1, 3, 7, 1, 3, 7, 1, 3, 7, 1, 3, 7, 1, 3, 7, 1];
    exactly::<18>(number)
        .is_some_and(|d| value(&d) > 0 && weighted(&d[..17], &WEIGHTS) % 10 == (10 - d[17]) % 10)
}

/// Two check digits, 11 minus the sum modulo 11, where the second counts the first.
fn br_pair(d: &[u32], weights: &[u32]) -> bool {
    let check = |n: usize| {
        let rest = weighted(&d[..n], &weights[weights.len() - n..]) % 11;
        d[n] == if rest < 2 { 0 } else { 11 - rest }
    };
    check(d.len() - 2) && check(d.len() - 1)
}

/// Brazil, person: two check digits modulo 11.
pub(super) fn br_cpf(number: &[u8]) -> bool {
    exactly::<11>(number).is_some_and(|d| !monotone(&d) && br_pair(&d, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]))
}

/// Brazil, company: the same with weights 2 to 9; since 2026 twelve of its characters may be letters, counted by their code.
pub(super) fn br_cnpj(number: &[u8]) -> bool {
    let form = number.len() == 14 && number.iter().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
    let d: Vec<u32> = number.iter().map(|b| u32::from(b.wrapping_sub(b'0'))).collect();
    form && exactly::<2>(&number[12..]).is_some()
        && !monotone(&d)
        && br_pair(&d, &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])
}

/// Brazil, worker: weights 3 2 9 8 7 6 5 4 3 2 modulo 11.
pub(super) fn br_pis(number: &[u8]) -> bool {
    exactly::<11>(number).is_some_and(|d| {
        let rest = weighted(&d, &[3, 2, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
        !monotone(&d) && d[10] == if rest < 2 { 0 } else { 11 - rest }
    })
}

/// Brazil, health: weights 15 to 1 give a multiple of 11.
pub(super) fn br_cns(number: &[u8]) -> bool {
    exactly::<15>(number).is_some_and(|d| {
        matches!(d[0], 1 | 2 | 7 | 8 | 9)
            && weighted(&d, &[15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
    })
}

/// Argentina: weights 5 4 3 2 7 6 5 4 3 2 modulo 11, and a sort that is given out.
pub(super) fn ar_cuit(number: &[u8]) -> bool {
    exactly::<11>(number).is_some_and(|d| {
        matches!(pair(&d, 0), 20 | 23..=27 | 30 | 33 | 34 | 50 | 51 | 55)
            && [0, 9, 9, 8, 7, 6, 5, 4, 3, 2, 1]
                [(weighted(&d, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) as usize]
                == d[10]
    })
}

/// Chile: weights 2 to 7 from the right modulo 11; 10 is K.
pub(super) fn cl_rut(number: &[u8]) -> bool {
    let Some((check, body)) = number.split_last().filter(|(_, body)| matches!(body.len(), 7 | 8)) else {
        return false;
    };
    let Some(mut d) = digits(body) else { return false };
    d.reverse();
    let rest = (11 - weighted(&d, &[2, 3, 4, 5, 6, 7, 2, 3]) % 11) % 11;
    !monotone(&d) && *check == b"0123456789K"[rest as usize]
}

/// Colombia: weights 3 7 13 17 19 23 29 37 41 from the right modulo 11.
pub(super) fn co_nit(number: &[u8]) -> bool {
    let Some(mut d) = digits(number).filter(|d| (9..=10).contains(&d.len())) else { return false };
    d.reverse();
    let rest = weighted(&d[1..], &[3, 7, 13, 17, 19, 23, 29, 37, 41]) % 11;
    value(&d) > 0 && d[0] == if rest < 2 { rest } else { 11 - rest }
}

/// Ecuador: a province, a sort, Luhn.
pub(super) fn ec_cedula(number: &[u8]) -> bool {
    exactly::<10>(number).is_some_and(|d| matches!(pair(&d, 0), 1..=24 | 30) && d[2] <= 6 && luhn(&d))
}

/// Peru, taxpayer: weights 5 4 3 2 7 6 5 4 3 2 modulo 11.
pub(super) fn pe_ruc(number: &[u8]) -> bool {
    exactly::<11>(number).is_some_and(|d| {
        matches!(pair(&d, 0), 10 | 15 | 16 | 17 | 20)
            && (11 - weighted(&d, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 10 == d[10]
    })
}

/// Uruguay, person: weights 2 9 8 7 6 3 4 modulo 10.
pub(super) fn uy_ci(number: &[u8]) -> bool {
    exactly::<8>(number)
        .is_some_and(|d| value(&d) > 0 && (10 - weighted(&d, &[2, 9, 8, 7, 6, 3, 4]) % 10) % 10 == d[7])
}

/// Venezuela: the letter counts 4, 8, 12, 16 or 20; weights 3 2 7 6 5 4 3 2 modulo 11.
pub(super) fn ve_rif(number: &[u8]) -> bool {
    let Some((letter, rest)) = number.split_first() else { return false };
    let Some(first) = b"VEJPG".iter().position(|b| b == letter) else { return false };
    exactly::<9>(rest).is_some_and(|d| {
        let sum = 4 * (first as u32 + 1) + weighted(&d, &[3, 2, 7, 6, 5, 4, 3, 2]);
        u32::from(b"00987654321"[(sum % 11) as usize] - b'0') == d[8]
    })
}

/// Dominican Republic, person: Luhn over eleven digits.
pub(super) fn do_cedula(number: &[u8]) -> bool {
    exactly::<11>(number).is_some_and(|d| luhn(&d) && !monotone(&d))
}
