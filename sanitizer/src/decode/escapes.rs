//! Characters that are spelt by escapes: percent, `\u` and `\x`, HTML entities; and bytes as mail spells them.
//!
//! What is no escape stands for itself. All sorts are read side by side: which of them a text means can't be told, and
//! a value is found in it whichever it is.

use super::map::{self, Piece, Said};

/// Entities by name, those that stand for what values and their names are made of.
const NAMED: &[(&[u8], &str)] = &[
    (b"amp", "&"),
    (b"lt", "<"),
    (b"gt", ">"),
    (b"quot", "\""),
    (b"apos", "'"),
    (b"nbsp", " "),
    (b"equals", "="),
    (b"colon", ":"),
    (b"sol", "/"),
    (b"commat", "@"),
    (b"num", "#"),
    (b"percnt", "%"),
    (b"plus", "+"),
    (b"lowbar", "_"),
    (b"period", "."),
    (b"dollar", "$"),
    (b"excl", "!"),
    (b"NewLine", "\n"),
    (b"Tab", "\t"),
];
/// Characters of an entity between `&` and `;`.
const ENTITY_BYTES_MAX: usize = 10;

/// The length of the escape that begins at `at`, if it is one that hides what a text says.
pub(crate) fn length(text: &[u8], at: usize) -> Option<usize> {
    let rest = &text[at..];
    match rest {
        [b'%', ..] => percent(rest).filter(|(byte, _)| !matches!(byte, 0..=8 | 14..=31 | 127)).map(|_| 3),
        [b'&', ..] => entity(rest).map(|(_, length)| length),
        [b'\\', b'u' | b'U' | b'x', ..] => backslash(rest).map(|(_, length)| length),
        [b'=', b'3', b'D' | b'd', ..] => Some(3),
        _ => None,
    }
}

/// Hands over what a text with escapes says.
pub(crate) fn walk(raw: &[u8], each: &mut dyn FnMut(Piece<'_>)) {
    let read = |rest: &[u8]| match rest[0] {
        b'%' => percent(rest).map(|(byte, length)| (Said::byte(byte), length)),
        b'&' => entity(rest).map(|(c, length)| (Said::character(c), length)),
        _ => backslash(rest),
    };
    map::walk_escapes(raw, |rest| memchr::memchr3(b'%', b'&', b'\\', rest), read, each);
}

/// Hands over what a text in quoted-printable says (RFC 2045, section 6.7).
pub(crate) fn walk_quoted(raw: &[u8], each: &mut dyn FnMut(Piece<'_>)) {
    let read = |rest: &[u8]| match rest {
        [b'=', b'\r', b'\n', ..] => Some((Said::default(), 3)),
        [b'=', b'\n', ..] => Some((Said::default(), 2)),
        _ => percent(rest).map(|(byte, length)| (Said::byte(byte), length)),
    };
    map::walk_escapes(raw, |rest| memchr::memchr(b'=', rest), read, each);
}

/// Bytes as they are spelt among what is `near`.
pub(crate) fn spelt(bytes: &[u8], near: &[u8]) -> Vec<u8> {
    let sign = near.iter().find(|byte| matches!(byte, b'%' | b'&' | b'\\' | b'='));
    let mut spelt = Vec::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') {
            spelt.push(*byte);
            continue;
        }
        let escape = match sign {
            Some(b'%') => format!("%{byte:02X}"),
            Some(b'&') => format!("&#{byte};"),
            Some(b'\\') => format!("\\u{byte:04x}"),
            Some(_) => format!("={byte:02X}"),
            None => {
                spelt.push(*byte);
                continue;
            }
        };
        spelt.extend_from_slice(escape.as_bytes());
    }
    spelt
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

fn number(digits: &[u8]) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn percent(rest: &[u8]) -> Option<(u8, usize)> {
    Some((digit(*rest.get(1)?)? << 4 | digit(*rest.get(2)?)?, 3))
}

fn entity(rest: &[u8]) -> Option<(char, usize)> {
    let inside = &rest[1..rest.len().min(2 + ENTITY_BYTES_MAX)];
    let first = inside.first()?;
    if *first != b'#' && !first.is_ascii_alphabetic() {
        return None;
    }
    let end = inside.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'#')?;
    let name = &inside[..end];
    if inside[end] != b';' {
        return None;
    }
    let c = match name {
        [b'#', b'x' | b'X', digits @ ..] => char::from_u32(number(digits)?)?,
        [b'#', digits @ ..] => char::from_u32(std::str::from_utf8(digits).ok()?.parse().ok()?)?,
        name => NAMED.iter().find(|(known, _)| known == &name)?.1.chars().next()?,
    };
    Some((c, end + 2))
}

/// What an escape with a backslash stands for, and its length.
fn backslash(rest: &[u8]) -> Option<(Said, usize)> {
    let hex = |from: usize, length: usize| {
        let digits = rest.get(from..from + length)?;
        if digits.iter().all(u8::is_ascii_hexdigit) { number(digits) } else { None }
    };
    let simple = |c: u8| Some((Said::byte(c), 2));
    match rest.get(1)? {
        b'n' => simple(b'\n'),
        b't' => simple(b'\t'),
        b'r' => simple(b'\r'),
        other @ (b'"' | b'\'' | b'\\' | b'/') => simple(*other),
        b'x' => Some((Said::byte(hex(2, 2)? as u8), 4)),
        b'U' => Some((Said::character(char::from_u32(hex(2, 8)?)?), 10)),
        b'u' if rest.get(2) == Some(&b'{') => {
            let digits = rest[3..].iter().take(7).take_while(|byte| byte.is_ascii_hexdigit()).count();
            let c = char::from_u32(number(&rest[3..3 + digits])?)?;
            (rest.get(3 + digits) == Some(&b'}')).then_some((Said::character(c), digits + 4))
        }
        b'u' => {
            let (c, length) = crate::json::unicode(rest)?;
            Some((Said::character(c), length))
        }
        _ => None,
    }
}
