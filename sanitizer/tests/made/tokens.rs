//! Tokens whose checksums hold, made from a seed by code of its own, that shares nothing with what checks them.

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};

use super::Random;

const BASE62: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE58: &str = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const BECH32: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// The sums, by the name of their check.
pub(crate) const TOKENS: [&str; 9] = [
    "stellar",
    "base62-tail",
    "gitlab",
    "grafana",
    "atlassian",
    "jwt",
    "seed-phrase",
    "bech32-key",
    "base58",
];

/// A token with a sum of this name.
pub(crate) fn made(name: &str, random: &mut Random) -> String {
    let drawn = |length: usize, random: &mut Random| characters(BASE62, length, random);
    match name {
        "base62-tail" => {
            let body = drawn(30, random);
            let prefix = random.pick(&["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "npm_"]);
            format!("{prefix}{body}{}", in_base(crc32(&body), BASE62, 6))
        }
        "gitlab" => {
            let base36 = &BASE62.to_lowercase()[..36];
            // Random bytes, where to route it, and the length of that.
            let payload = format!("{}o:{}\u{3}", drawn(16, random), random.below(9));
            let payload = BASE64URL_NOPAD.encode(payload.as_bytes());
            let length = in_base(payload.len() as u32, base36, 2);
            let version = random.pick(&["", "01."]);
            let token = format!("{}{payload}.{version}{length}", random.pick(&["glpat-", "glrt-"]));
            format!("{token}{}", in_base(crc32(&token), base36, 7))
        }
        "grafana" => {
            let key = format!("glsa_{}", drawn(32, random));
            let sum: String = crc32(&key).to_le_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{key}_{sum}")
        }
        "atlassian" => {
            let key = format!("ATATT3{}{}=", "xFfGF0", drawn(172, random));
            format!("{key}{:08X}", crc32(&key))
        }
        "jwt" => {
            let header = BASE64URL_NOPAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
            let claims = BASE64URL_NOPAD.encode(format!("{{\"sub\":\"{}\"}}", drawn(12, random)).as_bytes());
            format!("{header}.{claims}.{}", drawn(43, random))
        }
        "seed-phrase" => phrase(random),
        "bech32-key" => bech32("age-secret-key-", random),
        "base58" => base58(random),
        "stellar" => {
            let mut bytes = vec![0x90];
            bytes.extend((0..32).map(|_| random.below(256) as u8));
            let sum = remainder(&bytes);
            bytes.extend([sum as u8, (sum >> 8) as u8]);
            data_encoding::BASE32_NOPAD.encode(&bytes)
        }
        other => panic!("no token @{other}"),
    }
}

fn characters(from: &str, length: usize, random: &mut Random) -> String {
    let from = from.as_bytes();
    (0..length).map(|_| char::from(from[random.below(from.len() as u64) as usize])).collect()
}

fn in_base(value: u32, alphabet: &str, length: usize) -> String {
    let (base, mut value) = (alphabet.len() as u32, value);
    let mut digits = String::new();
    while value > 0 {
        digits.insert(0, char::from(alphabet.as_bytes()[(value % base) as usize]));
        value /= base;
    }
    format!("{digits:0>length$}")
}

/// CRC-32 bit by bit.
fn crc32(text: &str) -> u32 {
    !text.bytes().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 })
    })
}

/// The remainder of a long division by x^16 + x^12 + x^5 + 1, sixteen zeros behind the bytes.
fn remainder(bytes: &[u8]) -> u32 {
    let bits =
        bytes.iter().chain(&[0, 0]).flat_map(|byte| (0..8).rev().map(move |at| u32::from(byte >> at & 1)));
    bits.fold(0, |rest, bit| {
        let rest = rest << 1 | bit;
        if rest >> 16 == 1 { rest ^ 0x1_1021 } else { rest }
    })
}

/// Twelve to twenty-four words of BIP 39: the entropy and the head of its digest, eleven bits a word.
fn phrase(random: &mut Random) -> String {
    let list: Vec<&str> = include_str!("../../rules/bip39-english.txt").split_whitespace().collect();
    let words = 12 + 3 * random.below(5) as usize;
    let entropy: Vec<u8> = (0..words / 3 * 4).map(|_| random.below(256) as u8).collect();
    let digest = Sha256::digest(&entropy)[0];
    let bits: String = entropy.iter().chain([&digest]).map(|byte| format!("{byte:08b}")).collect();
    let word = |at: usize| list[usize::from_str_radix(&bits[at * 11..at * 11 + 11], 2).expect("bits")];
    (0..words).map(word).collect::<Vec<_>>().join(" ")
}

/// 32 bytes in Bech32 (BIP 173), in capitals.
fn bech32(head: &str, random: &mut Random) -> String {
    let mut values: Vec<u32> = (0..51).map(|_| random.below(32) as u32).collect();
    values.push(16 * random.below(2) as u32);
    let mut all: Vec<u32> = head.bytes().map(|byte| u32::from(byte >> 5)).collect();
    all.push(0);
    all.extend(head.bytes().map(|byte| u32::from(byte & 31)));
    all.extend(values.iter().copied().chain([0; 6]));
    let sum = all.iter().fold(1u32, |sum, value| {
        let next = (sum & 0x1FF_FFFF) << 5 ^ value;
        [0x3B6A_57B2, 0x2650_8E6D, 0x1EA1_19FA, 0x3D42_33DD, 0x2A14_62B3]
            .iter()
            .enumerate()
            .fold(next, |next, (bit, generator)| {
                next ^ if sum >> (25 + bit) & 1 == 1 { *generator } else { 0 }
            })
    }) ^ 1;
    values.extend((0..6).map(|at| sum >> (5 * (5 - at)) & 31));
    let data: String = values.iter().map(|value| char::from(BECH32.as_bytes()[*value as usize])).collect();
    format!("{head}1{data}").to_uppercase()
}

/// An extended private key (BIP 32): version, 74 bytes, and four of a double SHA-256.
fn base58(random: &mut Random) -> String {
    let mut bytes = vec![0x04, 0x88, 0xAD, 0xE4];
    bytes.extend((0..74).map(|_| random.below(256) as u8));
    let sum = Sha256::digest(Sha256::digest(&bytes));
    bytes.extend_from_slice(&sum[..4]);
    let mut text = String::new();
    while bytes.iter().any(|byte| *byte != 0) {
        let rest = bytes.iter_mut().fold(0u32, |rest, byte| {
            let value = rest * 256 + u32::from(*byte);
            *byte = (value / 58) as u8;
            value % 58
        });
        text.insert(0, char::from(BASE58.as_bytes()[rest as usize]));
    }
    text
}
