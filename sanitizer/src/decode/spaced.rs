//! Bytes as pairs of hexadecimal digits with one sign between, over lines or not: `de:ad:be:ef`, `DE AD BE EF`.

use super::map::Piece;
use crate::work;

/// Pairs with what separates them: fewer hold no value.
const BYTES_MIN: usize = 12 * 3 - 1;
/// White space at a line's end and the next one's beginning.
const GAP_BYTES_MAX: usize = 34;

/// Where the pairs that begin at `start` end: far enough to be worth a look, and how far they were looked at.
pub(crate) fn row(text: &[u8], start: usize) -> (Option<usize>, usize) {
    let sign = match text.get(start + 2) {
        Some(sign @ (b':' | b' ' | b'-')) => *sign,
        _ => return (None, start + 2),
    };
    let pair = |at: usize| {
        let digits = text.get(at..at + 2).is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit));
        digits && !text.get(at + 2).is_some_and(u8::is_ascii_alphanumeric)
    };
    let mut end = start;
    let mut at = start;
    while pair(at) {
        end = at + 2;
        at = end + usize::from(text.get(end) == Some(&sign));
        let gap = text[at..].iter().take(GAP_BYTES_MAX).take_while(|byte| byte.is_ascii_whitespace()).count();
        match text[at..at + gap].iter().filter(|byte| **byte == b'\n').count() {
            0 if at == end || gap > 0 => break,
            0 | 1 => at += gap,
            _ => break,
        }
    }
    work::count(end - start);
    ((end - start >= BYTES_MIN).then_some(end), end.max(start + 2))
}

/// Hands over the bytes.
pub(crate) fn walk(raw: &[u8], each: &mut dyn FnMut(Piece<'_>)) {
    let digit = |at: usize| raw.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut at = 0;
    while at < raw.len() {
        match (digit(at), digit(at + 1)) {
            (Some(high), Some(low)) => {
                each(Piece { start: at, end: at + 2, bytes: &[(high << 4 | low) as u8] });
                at += 2;
            }
            _ => at += 1,
        }
    }
}

/// Bytes as they are spelt among what is `near`.
pub(crate) fn spelt(bytes: &[u8], near: &[u8]) -> Vec<u8> {
    let upper = near.iter().any(u8::is_ascii_uppercase);
    let sign = near.iter().find(|byte| matches!(byte, b':' | b' ' | b'-')).copied().unwrap_or(b' ');
    let pairs = bytes.iter().map(|byte| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") });
    pairs.map(String::into_bytes).collect::<Vec<_>>().join(&sign)
}
