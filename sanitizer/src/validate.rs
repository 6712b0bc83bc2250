//! Checksums: numbers that have the form of an account or an id, but not its check digits, are something else.

use serde::Deserialize;

mod national;
mod wallet;

/// Which checksum a value must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// None.
    #[default]
    None,
    /// Luhn, and the first digits of a card scheme (ISO/IEC 7812).
    Card,
    /// Mod 97-10 and the country's length (ISO 13616).
    Iban,
    /// 8 to 15 digits (ITU-T E.164).
    E164,
    /// 7 to 15 digits, not a date.
    Phone,
    /// United States: no area, group or serial that is never given.
    UsSsn,
    /// United Kingdom: no prefix that is never given.
    GbNino,
    /// France: 97 minus the number modulo 97.
    FrNir,
    /// Germany: ISO 7064 mod 11,10 and how often digits repeat.
    DeSteuerId,
    /// Spain: the letter is the number modulo 23.
    EsDni,
    /// Italy: odd and even values modulo 26.
    ItCf,
    /// Netherlands: the weighted sum modulo 11.
    NlBsn,
    /// Poland: weights 1 3 7 9, and a date.
    PlPesel,
    /// Base58Check of a Bitcoin address.
    Bitcoin,
    /// Base58Check of a private key in wallet import format.
    Wif,
    /// Base58Check of anything.
    Base58,
    /// Bech32 or Bech32m (BIP 173, 350).
    Bech32,
    /// The case of an Ethereum address's letters (EIP-55).
    Ethereum,
    /// Keccak over a Monero address.
    Monero,
}

impl Check {
    /// Whether the value holds.
    pub fn holds(self, value: &[u8]) -> bool {
        match self {
            Self::None => true,
            Self::Card => card(&digits(value)),
            Self::Iban => iban(value),
            Self::E164 => (8..=15).contains(&digits(value).len()),
            Self::Phone => (7..=15).contains(&digits(value).len()),
            Self::UsSsn => national::us_ssn(&digits(value)),
            Self::GbNino => national::gb_nino(&compact(value)),
            Self::FrNir => national::fr_nir(&compact(value)),
            Self::DeSteuerId => national::de_steuer_id(&digits(value)),
            Self::EsDni => national::es_dni(&compact(value)),
            Self::ItCf => national::it_codice_fiscale(&compact(value)),
            Self::NlBsn => national::nl_bsn(&digits(value)),
            Self::PlPesel => national::pl_pesel(&digits(value)),
            Self::Bitcoin => wallet::bitcoin(value),
            Self::Wif => wallet::wif(value),
            Self::Base58 => wallet::base58check(value),
            Self::Bech32 => wallet::bech32(value),
            Self::Ethereum => wallet::ethereum(value),
            Self::Monero => wallet::monero(value),
        }
    }
}

/// The digits of a value, 0 to 9.
fn digits(value: &[u8]) -> Vec<u8> {
    value.iter().filter(|b| b.is_ascii_digit()).map(|b| b - b'0').collect()
}

/// The letters and digits of a value, in upper case.
fn compact(value: &[u8]) -> Vec<u8> {
    value.iter().filter(|b| b.is_ascii_alphanumeric()).map(u8::to_ascii_uppercase).collect()
}

fn luhn(digits: &[u8]) -> bool {
    let doubled = |(i, digit): (usize, &u8)| {
        let value = u32::from(*digit) * if i % 2 == 1 { 2 } else { 1 };
        if value > 9 { value - 9 } else { value }
    };
    digits.iter().rev().enumerate().map(doubled).sum::<u32>() % 10 == 0
}

fn card(digits: &[u8]) -> bool {
    let number = |n: usize| digits.iter().take(n).fold(0u32, |sum, digit| sum * 10 + u32::from(*digit));
    let length = digits.len();
    let scheme = match (number(1), number(2), number(4)) {
        (4, ..) => matches!(length, 13 | 16 | 19),
        (_, 34 | 37, _) => length == 15,
        (_, 51..=55, _) | (.., 2221..=2720) => length == 16,
        (.., 6011 | 3528..=3589) | (_, 65 | 62 | 81, _) => (16..=19).contains(&length),
        (_, 36 | 38 | 39, _) | (.., 3000..=3059) => (14..=19).contains(&length),
        (_, 50 | 56..=58 | 60..=69, _) => (12..=19).contains(&length),
        _ => false,
    };
    scheme && luhn(digits)
}

/// Lengths from the IBAN registry.
const IBAN_LENGTHS: [(&[u8; 2], usize); 44] = [
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BR", 29),
    (b"CH", 21),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DK", 18),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GR", 27),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"MC", 27),
    (b"MT", 31),
    (b"NL", 18),
    (b"NO", 15),
    (b"PL", 28),
    (b"PT", 25),
    (b"RO", 24),
    (b"RS", 22),
    (b"SA", 24),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"TR", 26),
];

fn iban(value: &[u8]) -> bool {
    let compact = compact(value);
    let country = IBAN_LENGTHS.iter().find(|(code, _)| compact.starts_with(&code[..]));
    if country.is_none_or(|(_, length)| compact.len() != *length) {
        return false;
    }
    let (head, rest) = compact.split_at(4);
    let remainder = rest.iter().chain(head).fold(0u32, |remainder, byte| match byte {
        b'0'..=b'9' => (remainder * 10 + u32::from(byte - b'0')) % 97,
        _ => (remainder * 100 + u32::from(byte - b'A') + 10) % 97,
    });
    remainder == 1
}
