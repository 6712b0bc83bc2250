//! JSON as it lies: where its strings and numbers stand, what they say, and how to change them so that it stays JSON.
//!
//! Nothing is parsed into a tree and written again: key order, white space and the spelling of numbers stay because
//! they are not touched.

use crate::decode::map::{self, Piece, Said};
use crate::work;

/// Nesting at the most; deeper documents are taken as plain text.
const DEPTH_MAX: usize = 512;
/// Bytes of a document for each of its tokens, as room for them is made.
const TOKEN_BYTES: usize = 32;
/// Where the end of a string is looked for before it counts as long.
const NEAR_BYTES: usize = 32;

/// A string or number in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    /// First byte; of a string, behind the opening quote.
    pub(crate) start: usize,
    /// Byte behind the last; of a string, the closing quote.
    pub(crate) end: usize,
    /// What it is.
    pub(crate) kind: TokenKind,
    /// Whether it is the value of a key: of the token before it.
    pub(crate) keyed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// A string without escapes.
    Plain,
    /// A string with escapes.
    Escaped,
    /// A number.
    Number,
}

/// The document's strings and numbers in order, and its comments, which count as strings without escapes; `None` where it is
/// no JSON. Several values in a row, one a line, are taken as well.
pub(crate) fn tokens(text: &[u8]) -> Option<Vec<Token>> {
    work::count(text.len());
    let mut tokens = Vec::with_capacity(text.len() / TOKEN_BYTES);
    let mut open: Vec<u8> = Vec::new();
    let mut keyed = false;
    let mut at = if text.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    while let Some(byte) = text.get(at) {
        match byte {
            b' ' | b'\n' => at = behind_spaces(text, at + 1),
            b'\t' | b'\r' => at += 1,
            b'"' => {
                let (end, kind) = string(text, at + 1)?;
                tokens.push(Token { start: at + 1, end, kind, keyed: std::mem::take(&mut keyed) });
                at = end + 1;
            }
            b',' => {
                keyed = false;
                at += 1;
            }
            b':' => {
                keyed = !tokens.is_empty();
                at += 1;
            }
            b'{' | b'[' => {
                open.push(*byte);
                keyed = false;
                at += 1;
                if open.len() > DEPTH_MAX {
                    return None;
                }
            }
            b'}' | b']' => {
                let fits = matches!((open.pop()?, byte), (b'{', b'}') | (b'[', b']'));
                if !fits {
                    return None;
                }
                keyed = false;
                at += 1;
            }
            b'/' => {
                let end = comment(text, at)?;
                tokens.push(Token { start: at + 2, end, kind: TokenKind::Plain, keyed: false });
                keyed = false;
                at = end;
                at += if text[at..].starts_with(b"*/") { 2 } else { 0 };
            }
            b'-' | b'0'..=b'9' => {
                let more = |b: &u8| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E');
                let end = at + text[at..].iter().take_while(|b| more(b)).count();
                let kind = TokenKind::Number;
                tokens.push(Token { start: at, end, kind, keyed: std::mem::take(&mut keyed) });
                at = end;
            }
            _ => {
                let word = [&b"true"[..], b"false", b"null"]
                    .into_iter()
                    .find(|word| text[at..].starts_with(word))?;
                keyed = false;
                at += word.len();
            }
        }
    }
    (open.is_empty() && !tokens.is_empty()).then_some(tokens)
}

/// Where the comment that begins at `at` ends: before what closes it, or its line's end.
fn comment(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at + 2..)?;
    match text.get(at + 1)? {
        b'/' => Some(at + 2 + memchr::memchr(b'\n', rest).unwrap_or(rest.len())),
        b'*' => memchr::memmem::find(rest, b"*/").map(|length| at + 2 + length),
        _ => None,
    }
}

/// The first byte from `at` on that is no space: what is written to be read has long rows of them.
#[inline]
pub(crate) fn behind_spaces(text: &[u8], mut at: usize) -> usize {
    while let Some(eight) = text[at..].first_chunk() {
        let others = u64::from_le_bytes(*eight) ^ every(b' ');
        if others != 0 {
            return at + others.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at + text[at..].iter().take_while(|byte| **byte == b' ').count()
}

#[inline]
fn string(text: &[u8], start: usize) -> Option<(usize, TokenKind)> {
    let mut kind = TokenKind::Plain;
    let mut at = start;
    loop {
        let next = quote_or_backslash(text, at)?;
        if text[next] == b'"' {
            return Some((next, kind));
        }
        kind = TokenKind::Escaped;
        at = next + 2;
        if at > text.len() {
            return None;
        }
    }
}

/// The first quote or backslash from `at` on. Most are near: a search that is made for long texts takes longer to begin.
#[inline]
fn quote_or_backslash(text: &[u8], mut at: usize) -> Option<usize> {
    for _ in 0..NEAR_BYTES / 8 {
        let Some(eight) = text[at..].first_chunk() else { break };
        let eight = u64::from_le_bytes(*eight);
        let found = zeros(eight ^ every(b'"')) | zeros(eight ^ every(b'\\'));
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    memchr::memchr2(b'"', b'\\', &text[at..]).map(|length| at + length)
}

/// Eight times the same byte.
const fn every(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The highest bit of bytes that are zero, and of some others behind the first of them.
const fn zeros(eight: u64) -> u64 {
    eight.wrapping_sub(every(1)) & !eight & every(0x80)
}

/// What an escaped string says. Escapes that are none stay as they are.
pub(crate) fn decode(raw: &[u8]) -> Vec<u8> {
    map::decode(walk, raw)
}

/// Bytes as they are spelt in a string.
pub(crate) fn spelt(bytes: &[u8]) -> Vec<u8> {
    let mut spelt = Vec::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'"' | b'\\' => spelt.extend_from_slice(&[b'\\', *byte]),
            b'\n' => spelt.extend_from_slice(b"\\n"),
            0..0x20 => spelt.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => spelt.push(*byte),
        }
    }
    spelt
}

/// Hands over what an escaped string says.
pub(crate) fn walk(raw: &[u8], each: &mut dyn FnMut(Piece<'_>)) {
    let read = |rest: &[u8]| {
        let byte = match rest.get(1)? {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'b' => 8,
            b'f' => 12,
            other @ (b'"' | b'\\' | b'/') => *other,
            _ => return unicode(rest).map(|(c, length)| (Said::character(c), length)),
        };
        Some((Said::byte(byte), 2))
    };
    map::walk_escapes(raw, |rest| memchr::memchr(b'\\', rest), read, each);
}

/// The character that `\uXXXX`, or a pair of them, stands for, and the length of the escape.
pub(crate) fn unicode(raw: &[u8]) -> Option<(char, usize)> {
    let unit = |raw: &[u8]| {
        let digits = raw.strip_prefix(b"\\u")?.get(..4)?;
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let high = unit(raw)?;
    if (0xD800..0xDC00).contains(&high) {
        let low = raw.get(6..).and_then(unit).filter(|low| (0xDC00..0xE000).contains(low));
        return match low {
            Some(low) => char::from_u32(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)).map(|c| (c, 12)),
            None => Some((char::REPLACEMENT_CHARACTER, 6)),
        };
    }
    Some((char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER), 6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_know_their_keys_and_escapes_their_way_back() {
        let text = br#"{"a": "x\ny\u0041\ud83d\ude00z", "b": [1, -2.5e3, "p"]}"#;
        let tokens = tokens(text).expect("JSON");
        assert_eq!(tokens.len(), 6);
        let keyed: Vec<bool> = tokens.iter().map(|token| token.keyed).collect();
        assert_eq!(keyed, [false, true, false, false, false, false]);
        let raw = &text[tokens[1].start..tokens[1].end];
        assert_eq!(decode(raw), "x\nyA😀z".as_bytes());
        let map = map::Map::new(walk, raw);
        for (decoded, source) in
            [((0, 1), (0, 1)), ((1, 2), (1, 3)), ((2, 4), (3, 10)), ((4, 9), (10, 23)), ((5, 6), (10, 22))]
        {
            assert_eq!(map.source(decoded.0, decoded.1), source);
        }
    }

    #[test]
    fn strings_and_gaps_of_all_lengths_end_where_they_do() {
        for length in 0..80 {
            let (gap, body) = (" ".repeat(length), "é".repeat(length));
            for (said, kind) in
                [(body.clone(), TokenKind::Plain), (format!("{body}\\\""), TokenKind::Escaped)]
            {
                let text = format!("{{{gap}\"\":\n{gap}\"{said}\"{gap}}}");
                let tokens = tokens(text.as_bytes()).expect("JSON");
                let start = text.find(&format!("\"{said}\"{gap}}}")).expect("it stands there") + 1;
                assert_eq!(tokens[1], Token { start, end: start + said.len(), kind, keyed: true }, "{text}");
            }
        }
    }

    #[test]
    fn comments_are_passed_over_and_looked_at() {
        let text = "// a\n{/* b */ \"k\" /**/: // c\r\n 12 /* d\n */, } // e";
        let tokens = tokens(text.as_bytes()).expect("JSON with comments");
        let said: Vec<&str> = tokens.iter().map(|token| &text[token.start..token.end]).collect();
        assert_eq!(said, [" a", " b ", "k", "", " c\r", "12", " d\n ", " e"]);
    }

    #[test]
    fn what_is_no_json_is_told() {
        for text in ["{", "[1,}", "\"abc", "plain text", "", "{]", "[\"\\", &"[".repeat(600)] {
            assert!(tokens(text.as_bytes()).is_none(), "{text}");
        }
        for text in ["/", "[1] /", "[1] /* x", "[1] / 2"] {
            assert!(tokens(text.as_bytes()).is_none(), "{text}");
        }
        assert!(tokens(b"{\"a\": 1}\n{\"a\": 2}\n").is_some(), "one value a line");
    }
}
