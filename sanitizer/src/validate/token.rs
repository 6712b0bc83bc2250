//! Checksums that providers put into their tokens: whether one was given out, or only has the form of it. A token is masked
//! either way; its sum tells how sure that is.
//!
//! | token | sum |
//! | --- | --- |
//! | GitHub, npm | the last 6 of 36 characters are the CRC-32 of the others in base 62 |
//! | GitLab, routable | the last 7 characters are the CRC-32 of all before them in base 36 |
//! | Grafana, service account | 8 hexadecimal digits are the CRC-32 of all before them, its lowest byte first |
//! | Atlassian | 8 hexadecimal digits behind `=` are the CRC-32 of all before them, the `=` too |
//! | JSON Web Token | its header is an object that names an algorithm |
//! | words of a wallet | the last bits are the first of the SHA-256 of the others (BIP 39) |

use std::sync::OnceLock;

use data_encoding::BASE64URL_NOPAD;
use flate2::Crc;
use sha2::{Digest, Sha256};

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE36: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
/// The English words of BIP 39 (MIT), in order.
const WORDS: &str = include_str!("../../rules/bip39-english.txt");
/// Bits that a word stands for.
const WORD_BITS: usize = 11;
/// Words that a phrase has at the most.
const WORDS_MAX: usize = 24;

/// GitHub and npm: thirty characters, and six of their sum.
pub(super) fn base62_tail(token: &[u8]) -> bool {
    let body = token.iter().rposition(|byte| *byte == b'_').map_or(token, |at| &token[at + 1..]);
    body.len() == 36 && body[30..] == digits::<6>(crc32(&body[..30]), BASE62)
}

/// GitLab: all but the last seven characters, with the prefix.
pub(super) fn gitlab(token: &[u8]) -> bool {
    let Some((body, sum)) = token.split_last_chunk::<7>() else { return false };
    body.contains(&b'.') && *sum == digits::<7>(crc32(body), BASE36)
}

/// Grafana: the prefix and the secret, without the line between it and the sum.
pub(super) fn grafana(token: &[u8]) -> bool {
    let Some((body, sum)) = token.split_last_chunk::<8>() else { return false };
    let value = u32::from_str_radix(std::str::from_utf8(sum).unwrap_or_default(), 16);
    body.strip_suffix(b"_").is_some_and(|body| value == Ok(crc32(body).swap_bytes()))
}

/// Atlassian: all before the sum.
pub(super) fn atlassian(token: &[u8]) -> bool {
    let Some((body, sum)) = token.split_last_chunk::<8>() else { return false };
    let value = u32::from_str_radix(std::str::from_utf8(sum).unwrap_or_default(), 16);
    body.ends_with(b"=") && value == Ok(crc32(body))
}

/// JSON Web Token: a header with an algorithm.
pub(super) fn jwt(token: &[u8]) -> bool {
    let header = token.split(|byte| *byte == b'.').next().unwrap_or_default();
    let header = BASE64URL_NOPAD.decode(header).unwrap_or_default();
    let header = header.trim_ascii();
    let object = header.first() == Some(&b'{') && header.last() == Some(&b'}');
    object && header.windows(5).any(|name| name == br#""alg""#)
}

/// Words of a wallet, with single blanks between them: 12 to 24 words of the list, of which the last bits are a sum.
pub(super) fn seed_phrase(phrase: &[u8]) -> bool {
    let words: Vec<&[u8]> = phrase.split(|byte| *byte == b' ').take(WORDS_MAX + 1).collect();
    if !matches!(words.len(), 12 | 15 | 18 | 21 | 24) {
        return false;
    }
    let Some(numbers) = words.iter().map(|word| number_of(word)).collect::<Option<Vec<usize>>>() else {
        return false;
    };
    let bit = |at: usize| numbers[at / WORD_BITS] >> (WORD_BITS - 1 - at % WORD_BITS) & 1;
    let byte = |at: usize| (0..8).fold(0u8, |byte, offset| byte << 1 | bit(at * 8 + offset) as u8);
    let sum_bits = numbers.len() / 3;
    let drawn = (numbers.len() * WORD_BITS - sum_bits) / 8;
    let entropy: Vec<u8> = (0..drawn).map(byte).collect();
    let sum = (0..sum_bits).fold(0u8, |sum, at| sum << 1 | bit(drawn * 8 + at) as u8);
    Sha256::digest(&entropy)[0] >> (8 - sum_bits) == sum
}

/// Which word of the list it is.
fn number_of(word: &[u8]) -> Option<usize> {
    static LIST: OnceLock<Vec<&'static str>> = OnceLock::new();
    let list = LIST.get_or_init(|| WORDS.split_ascii_whitespace().collect());
    let word = word.to_ascii_lowercase();
    list.binary_search_by(|known| known.as_bytes().cmp(word.as_slice())).ok()
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// A number in the base of its alphabet, with zeros in front; what does not fit is left out.
fn digits<const N: usize>(mut value: u32, alphabet: &[u8]) -> [u8; N] {
    let mut digits = [alphabet[0]; N];
    for digit in digits.iter_mut().rev() {
        *digit = alphabet[value as usize % alphabet.len()];
        value /= alphabet.len() as u32;
    }
    digits
}
