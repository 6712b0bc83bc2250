//! Numbers that no single country gives: cards, accounts, devices, vehicles, travel documents; and health numbers of one.

use super::sums::{digits, exactly, icao, is_date, luhn, mod_97, monotone, pair, rank, value, weighted};

/// Luhn, and the first digits and the length of a card scheme (ISO/IEC 7812).
pub(super) fn card(number: &[u8]) -> bool {
    let Some(d) = digits(number).filter(|d| (12..=19).contains(&d.len())) else { return false };
    let length = d.len();
    let scheme = match (d[0], pair(&d, 0), value(&d[..4])) {
        (4, ..) => matches!(length, 13 | 16 | 19),
        (_, 34 | 37, _) => length == 15,
        (_, 51..=55, _) | (.., 2221..=2720) => length == 16,
        (.., 6011 | 3528..=3589) | (_, 65 | 62 | 81, _) => (16..=19).contains(&length),
        (_, 36 | 38 | 39, _) | (.., 3000..=3059) => (14..=19).contains(&length),
        (_, 50 | 56..=58 | 60..=69, _) => length >= 12,
        _ => false,
    };
    scheme && luhn(&d)
}

/// Lengths from the IBAN registry, as `CC` and two digits.
const IBAN_LENGTHS: &str = "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 \
    EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 \
    LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 \
    RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30";

/// The country's length and mod 97-10 with the first four characters at the end (ISO 13616).
pub(super) fn iban(number: &[u8]) -> bool {
    let Some((head, rest)) = number.split_at_checked(4) else { return false };
    let country = IBAN_LENGTHS.split(' ').find(|entry| entry.as_bytes()[..2] == head[..2]);
    let known = country.is_some_and(|entry| entry[2..].parse() == Ok(number.len()));
    known && exactly::<2>(&head[2..]).is_some() && mod_97(&[rest, head].concat()) == Some(1)
}

/// Bank code: four letters, a country's two, two and perhaps three more (ISO 9362).
pub(super) fn bic(number: &[u8]) -> bool {
    matches!(number.len(), 8 | 11)
        && number[..6].iter().all(u8::is_ascii_uppercase)
        && (IBAN_LENGTHS.split(' ').any(|entry| entry.as_bytes()[..2] == number[4..6])
            || MORE_BANKS.contains(&&number[4..6]))
}

/// Countries with banks but without IBANs.
const MORE_BANKS: [&[u8]; 24] = [
    b"US", b"CA", b"AU", b"NZ", b"JP", b"CN", b"HK", b"SG", b"IN", b"KR", b"TW", b"TH", b"MY", b"ID", b"PH",
    b"VN", b"ZA", b"NG", b"KE", b"MX", b"AR", b"CL", b"CO", b"PE",
];

/// Device: Luhn over fifteen digits; the first two name who gave it (3GPP TS 23.003).
pub(super) fn imei(number: &[u8]) -> bool {
    exactly::<15>(number)
        .is_some_and(|d| luhn(&d) && matches!(pair(&d, 0), 1 | 10..=99) && !monotone(&d[..14]))
}

/// Vehicle: seventeen characters without I, O, Q (ISO 3779); the check character of the ninth place must hold.
pub(super) fn vin(number: &[u8]) -> bool {
    vin_form(number) && vin_checked(number)
}

/// Vehicle, where a word announces it: only those of North America and China need the check character.
pub(super) fn vin_named(number: &[u8]) -> bool {
    vin_form(number) && (vin_checked(number) || !matches!(number[0], b'1'..=b'5'))
}

fn vin_form(number: &[u8]) -> bool {
    let digits = number.iter().filter(|b| b.is_ascii_digit()).count();
    number.len() == 17
        && (4..16).contains(&digits)
        && exactly::<3>(&number[14..]).is_some()
        && number.iter().all(|b| rank(*b).is_some() && !b"IOQ".contains(b))
}

fn vin_checked(number: &[u8]) -> bool {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    let worth = |b: u8| match b {
        b'0'..=b'9' => u32::from(b - b'0'),
        b'A'..=b'I' => u32::from(b - b'A') + 1,
        b'J'..=b'R' => u32::from(b - b'J') + 1,
        _ => u32::from(b - b'S') + 2,
    };
    let sum: u32 = number.iter().zip(WEIGHTS).map(|(b, weight)| worth(*b) * weight).sum();
    number[8] == b"0123456789X"[(sum % 11) as usize]
}

/// Britain, health: weights 10 to 2 modulo 11.
pub(super) fn gb_nhs(number: &[u8]) -> bool {
    exactly::<10>(number).is_some_and(|d| {
        let check = 11 - weighted(&d, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
        !monotone(&d) && d[9] == if check == 11 { 0 } else { check }
    })
}

/// The machine-readable zone of a travel document, two or three lines joined: its fields' check digits hold (ICAO 9303-4 to 6).
pub(super) fn mrz(lines: &[u8]) -> bool {
    let lines: Vec<u8> = lines.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    let field =
        |from: usize, to: usize| icao(&lines[from..to]).is_some_and(|sum| lines[to] == b'0' + sum as u8);
    let date =
        |at: usize| exactly::<6>(&lines[at..at + 6]).is_some_and(|d| is_date(pair(&d, 2), pair(&d, 4)));
    match lines.len() {
        88 => field(44, 53) && field(57, 63) && field(65, 71) && date(57),
        72 => field(36, 45) && field(49, 55) && field(57, 63) && date(49),
        90 => field(5, 14) && field(30, 36) && field(38, 44) && date(30),
        _ => false,
    }
}
