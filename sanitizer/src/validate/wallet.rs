//! Addresses and keys of wallets: Base58Check (Bitcoin), Bech32 and Bech32m (BIP 173, 350), mixed-case hexadecimal (EIP-55),
//! Monero's Base58 in blocks.

use sha2::{Digest, Sha256};

const BASE58: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const BECH32: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
/// Longest text in Base58 that is decoded, in characters: an extended key has 111.
const BASE58_MAX: usize = 128;
/// Remainders that end a valid text in Bech32 and in Bech32m.
const BECH32_ENDS: [u32; 2] = [1, 0x2bc8_30a3];

/// A Bitcoin address in Base58Check: version 0 or 5, 20 bytes, 4 of the checksum.
pub(super) fn bitcoin(value: &[u8]) -> bool {
    base58_checked(value).is_some_and(|bytes| bytes.len() == 21 && matches!(bytes[0], 0 | 5))
}

/// A private key in wallet import format: version 128 or 239, 32 bytes, perhaps 1.
pub(super) fn wif(value: &[u8]) -> bool {
    base58_checked(value).is_some_and(|bytes| match bytes[..] {
        [128 | 239, .., 1] if bytes.len() == 34 => true,
        [128 | 239, ..] => bytes.len() == 33,
        _ => false,
    })
}

/// Whether it has the form of an address of Bitcoin, right or wrong: what has it and does not hold is a slip, of nobody.
pub(crate) fn is_address_form(value: &[u8]) -> bool {
    let lower = |at: usize| value.get(at).map(u8::to_ascii_lowercase);
    let witness =
        matches!((lower(0), lower(1), lower(2)), (Some(b'b' | b't'), Some(b'c' | b'b'), Some(b'1')));
    match value.len() {
        // A character more or one of another alphabet makes no token of a miswritten address.
        33..=36 => matches!(value[0], b'1' | b'3') && value.iter().all(u8::is_ascii_alphanumeric),
        // Of Monero.
        94..=96 => matches!(value[0], b'4' | b'8') && value.iter().all(u8::is_ascii_alphanumeric),
        42 | 62 => {
            witness && matches!(lower(3), Some(b'q' | b'p')) && value.iter().all(u8::is_ascii_alphanumeric)
        }
        _ => false,
    }
}

/// Anything in Base58Check, such as an extended key (BIP 32).
pub(super) fn base58check(value: &[u8]) -> bool {
    base58_checked(value).is_some()
}

/// A segregated-witness address: one case, and the checksum of its version.
pub(super) fn bech32(value: &[u8]) -> bool {
    bech32_remainder(value)
        .is_some_and(|(version, remainder)| remainder == BECH32_ENDS[usize::from(version != 0)])
}

/// The first digit of a text in Bech32, and the remainder that its checksum leaves; `None` where it is no such text.
fn bech32_remainder(value: &[u8]) -> Option<(u8, u32)> {
    let mixed = value.iter().any(u8::is_ascii_uppercase) && value.iter().any(u8::is_ascii_lowercase);
    let lower = value.to_ascii_lowercase();
    let split = lower.iter().rposition(|byte| *byte == b'1')?;
    let (head, data) = (&lower[..split], &lower[split + 1..]);
    let digits: Option<Vec<u8>> = data.iter().map(|byte| place(BECH32, *byte)).collect();
    let digits = digits.filter(|digits| digits.len() >= 7 && !mixed)?;
    let high = head.iter().map(|byte| byte >> 5);
    let low = head.iter().map(|byte| byte & 31);
    let whole = high.chain([0]).chain(low).chain(digits.iter().copied());
    Some((digits[0], polymod(whole)))
}

/// A key in Bech32 of the first sort, such as one of age.
pub(super) fn bech32_key(value: &[u8]) -> bool {
    bech32_remainder(value).is_some_and(|(_, remainder)| remainder == BECH32_ENDS[0])
}

/// An Ethereum address whose letters' case is its checksum.
pub(super) fn ethereum(value: &[u8]) -> bool {
    let Some(digits) = value.strip_prefix(b"0x").filter(|digits| digits.len() == 40) else { return false };
    let hash = keccak256(&digits.to_ascii_lowercase());
    let fits = |(at, digit): (usize, &u8)| {
        let nibble = hash[at / 2] >> (if at % 2 == 0 { 4 } else { 0 }) & 15;
        digit.is_ascii_digit() || digit.is_ascii_hexdigit() && digit.is_ascii_uppercase() == (nibble >= 8)
    };
    digits.iter().enumerate().all(fits)
}

/// A Monero address: network byte, two keys, 4 bytes of Keccak.
pub(super) fn monero(value: &[u8]) -> bool {
    let blocks: Option<Vec<Vec<u8>>> = value
        .chunks(11)
        .map(|block| {
            let length = match block.len() {
                11 => 8,
                7 => 5,
                _ => return None,
            };
            let number = block
                .iter()
                .try_fold(0u128, |number, byte| Some(number * 58 + u128::from(place(BASE58, *byte)?)))?;
            (number >> (8 * length) == 0).then(|| number.to_be_bytes()[16 - length..].to_vec())
        })
        .collect();
    let Some(bytes) = blocks.map(|blocks| blocks.concat()).filter(|bytes| bytes.len() == 69) else {
        return false;
    };
    let (body, sum) = bytes.split_at(65);
    matches!(body[0], 18 | 42) && keccak256(body)[..4] == *sum
}

/// A secret seed of Stellar in base 32: its version, 32 bytes, and a CRC-16 (XMODEM), its low byte first.
pub(super) fn stellar(value: &[u8]) -> bool {
    let bytes = data_encoding::BASE32_NOPAD.decode(value).unwrap_or_default();
    let Some((body, sum)) = bytes.split_last_chunk::<2>() else { return false };
    let step = |crc: u16, _| crc << 1 ^ if crc >> 15 == 1 { 0x1021 } else { 0 };
    let crc = body.iter().fold(0u16, |crc, byte| (0..8).fold(crc ^ u16::from(*byte) << 8, step));
    body.len() == 33 && body[0] == 18 << 3 && crc.to_le_bytes() == *sum
}

/// Where a byte stands in an alphabet.
fn place(alphabet: &[u8], byte: u8) -> Option<u8> {
    alphabet.iter().position(|member| *member == byte).map(|at| at as u8)
}

/// The bytes of a text in Base58Check, without the checksum, if that is right.
fn base58_checked(value: &[u8]) -> Option<Vec<u8>> {
    if value.len() > BASE58_MAX {
        return None;
    }
    let mut bytes: Vec<u8> = Vec::new();
    for byte in value {
        let mut carry = u32::from(place(BASE58, *byte)?);
        for digit in &mut bytes {
            carry += u32::from(*digit) * 58;
            *digit = carry as u8;
            carry >>= 8;
        }
        if carry > 0 {
            bytes.push(carry as u8);
        }
    }
    bytes.extend(value.iter().take_while(|byte| **byte == b'1').map(|_| 0));
    bytes.reverse();
    let (body, sum) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
    (Sha256::digest(Sha256::digest(body))[..4] == *sum).then(|| body.to_vec())
}

fn polymod(digits: impl Iterator<Item = u8>) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    digits.fold(1, |sum, digit| {
        let top = sum >> 25;
        let next = (sum & 0x1ff_ffff) << 5 ^ u32::from(digit);
        (0..5).filter(|bit| top >> bit & 1 == 1).fold(next, |next, bit| next ^ GENERATOR[bit])
    })
}

/// Keccak-256 as it was before SHA-3 changed the padding; two blocks at the most are ever asked for.
fn keccak256(input: &[u8]) -> [u8; 32] {
    const RATE: usize = 136;
    let mut padded = input.to_vec();
    padded.push(1);
    padded.resize(padded.len().next_multiple_of(RATE), 0);
    if let Some(last) = padded.last_mut() {
        *last |= 0x80;
    }
    let mut state = [0u64; 25];
    for block in padded.chunks_exact(RATE) {
        for (lane, bytes) in state.iter_mut().zip(block.chunks_exact(8)) {
            *lane ^= bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        }
        permute(&mut state);
    }
    std::array::from_fn(|at| state[at / 8].to_le_bytes()[at % 8])
}

/// Keccak-f[1600] (FIPS 202, section 3.3).
fn permute(state: &mut [u64; 25]) {
    let mut register = 1u8;
    for _ in 0..24 {
        let columns: [u64; 5] = std::array::from_fn(|x| (0..5).fold(0, |sum, y| sum ^ state[x + 5 * y]));
        for (at, lane) in state.iter_mut().enumerate() {
            let x = at % 5;
            *lane ^= columns[(x + 4) % 5] ^ columns[(x + 1) % 5].rotate_left(1);
        }
        let (mut x, mut y, mut moved) = (1, 0, state[1]);
        for turn in 1..=24u32 {
            (x, y) = (y, (2 * x + 3 * y) % 5);
            let here = &mut state[x + 5 * y];
            moved = std::mem::replace(here, moved.rotate_left(turn * (turn + 1) / 2 % 64));
        }
        for row in state.chunks_exact_mut(5) {
            let before: [u64; 5] = std::array::from_fn(|x| row[x]);
            for (x, lane) in row.iter_mut().enumerate() {
                *lane = before[x] ^ !before[(x + 1) % 5] & before[(x + 2) % 5];
            }
        }
        for bit in 0..7 {
            state[0] ^= u64::from(register & 1) << ((1u32 << bit) - 1);
            register = (register << 1) ^ ((register >> 7) * 0x71);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base58(bytes: &[u8]) -> Vec<u8> {
        let mut digits: Vec<u8> = Vec::new();
        for byte in bytes {
            let mut carry = u32::from(*byte);
            for digit in &mut digits {
                carry += u32::from(*digit) << 8;
                *digit = (carry % 58) as u8;
                carry /= 58;
            }
            while carry > 0 {
                digits.push((carry % 58) as u8);
                carry /= 58;
            }
        }
        digits.extend(bytes.iter().take_while(|byte| **byte == 0).map(|_| 0));
        digits.iter().rev().map(|digit| BASE58[usize::from(*digit)]).collect()
    }

    fn checked(version: u8, number: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![version];
        bytes.extend(Sha256::digest(number.to_le_bytes()).iter().take(length));
        let sum = Sha256::digest(Sha256::digest(&bytes));
        bytes.extend_from_slice(&sum[..4]);
        base58(&bytes)
    }

    fn segwit(version: u8, number: u64, length: usize) -> Vec<u8> {
        let hash = Sha256::digest(number.to_le_bytes());
        let mut digits = vec![version];
        digits.extend(hash.iter().cycle().take(length).map(|byte| byte & 31));
        let head = b"bc".iter().map(|b| b >> 5).chain([0]).chain(b"bc".iter().map(|b| b & 31));
        let end = BECH32_ENDS[usize::from(version != 0)];
        let sum = polymod(head.chain(digits.iter().copied()).chain([0; 6])) ^ end;
        digits.extend((0..6).map(|at| (sum >> (5 * (5 - at)) & 31) as u8));
        let text = digits.iter().map(|digit| BECH32[usize::from(*digit)]);
        b"bc1".iter().copied().chain(text).collect()
    }

    fn eip55(number: u64) -> Vec<u8> {
        let hash = Sha256::digest(number.to_le_bytes());
        let digits: Vec<u8> = hash.iter().take(20).flat_map(|b| format!("{b:02x}").into_bytes()).collect();
        let sum = keccak256(&digits);
        let cased = digits.iter().enumerate().map(|(at, digit)| {
            let high = sum[at / 2] >> (if at % 2 == 0 { 7 } else { 3 }) & 1 == 1;
            if high { digit.to_ascii_uppercase() } else { *digit }
        });
        b"0x".iter().copied().chain(cased).collect()
    }

    fn monero_address(number: u64) -> Vec<u8> {
        let hash = Sha256::digest(number.to_le_bytes());
        let mut bytes = vec![18];
        bytes.extend(hash.iter().cycle().take(64));
        let sum = keccak256(&bytes);
        bytes.extend_from_slice(&sum[..4]);
        let padded = |block: &[u8]| {
            let length = if block.len() == 8 { 11 } else { 7 };
            let number = block.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
            let digit = |at: u32| BASE58[(number / 58u64.pow(at) % 58) as usize];
            (0..length).rev().map(digit).collect::<Vec<u8>>()
        };
        bytes.chunks(8).flat_map(padded).collect()
    }

    /// Share of single-character changes (within the alphabet) that a check notices, over a population that it accepts.
    fn noticed(check: fn(&[u8]) -> bool, alphabet: &[u8], from: usize, make: impl Fn(u64) -> Vec<u8>) -> f64 {
        let (mut changed, mut noticed) = (0u32, 0u32);
        for number in 0..60 {
            let value = make(number);
            assert!(check(&value), "{}", String::from_utf8_lossy(&value));
            for at in from..value.len() {
                let mut other = value.clone();
                other[at] = alphabet[(at * 7 + number as usize) % alphabet.len()];
                changed += u32::from(other[at] != value[at]);
                noticed += u32::from(other[at] != value[at] && !check(&other));
            }
        }
        f64::from(noticed) / f64::from(changed)
    }

    #[test]
    fn keccak_gives_the_published_hash_of_nothing() {
        let hash: String = keccak256(b"").iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(hash.starts_with("c5d2460186f7233c927e7db2dcc703c0"), "{hash}");
    }

    #[test]
    fn checks_accept_a_population_and_notice_a_wrong_character() {
        assert_eq!(noticed(bitcoin, BASE58, 0, |n| checked(0, n, 20)), 1.0);
        assert_eq!(noticed(bitcoin, BASE58, 0, |n| checked(5, n, 20)), 1.0);
        assert_eq!(noticed(wif, BASE58, 0, |n| checked(128, n, 32)), 1.0);
        assert_eq!(noticed(bech32, BECH32, 4, |n| segwit(0, n, 32)), 1.0);
        assert_eq!(noticed(bech32, BECH32, 4, |n| segwit(1, n, 52)), 1.0);
        assert_eq!(noticed(monero, BASE58, 0, monero_address), 1.0);
        // The case of letters only: some changes put in a letter that fits.
        assert!(noticed(ethereum, b"0123456789abcdefABCDEF", 2, eip55) > 0.99);
    }

    #[test]
    fn an_address_with_a_slip_keeps_its_form() {
        for value in [checked(0, 5, 20), segwit(0, 5, 32), segwit(1, 5, 52)] {
            let mut other = value.clone();
            other[20] = if other[20] == b'7' { b'8' } else { b'7' };
            assert!(
                is_address_form(&value) && is_address_form(&other),
                "{}",
                String::from_utf8_lossy(&value)
            );
            assert!(!bitcoin(&other) && !bech32(&other));
            assert!(!is_address_form(&value[1..]));
        }
    }

    #[test]
    fn other_texts_are_no_addresses() {
        for check in [bitcoin, wif, base58check, bech32, ethereum, monero] {
            for text in [&b""[..], b"1", b"bc1", b"0x", b"111111111111", &[0xff; 40], &[b'z'; 200]] {
                assert!(!check(text), "{text:?}");
            }
        }
    }
}
