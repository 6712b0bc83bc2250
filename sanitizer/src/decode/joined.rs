//! String literals that a language joins: side by side (C, Python), by an operator, over lines or not.

use super::map::Piece;
use crate::work;

/// White space, operators and a line's end between two literals.
const GAP_BYTES_MAX: usize = 256;
/// Literals of a row that are looked at.
const LITERALS_MAX: usize = 1024;
/// A literal that is looked at.
const LITERAL_BYTES_MAX: usize = 4096;

/// Whether the byte at `at` closes a literal that another one follows.
#[inline]
pub(crate) fn goes_on(text: &[u8], at: usize) -> bool {
    matches!(text.get(at), Some(b'"' | b'\'')) && next(text, at).is_some()
}

/// The row of literals of which the first one to look at ends with the quote at `at`: from behind its opening quote to the
/// last one's closing quote.
pub(crate) fn row(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let quote = *text.get(at)?;
    let before = &text[at.saturating_sub(LITERAL_BYTES_MAX)..at];
    let length = before.iter().rev().take_while(|byte| **byte != quote && **byte != b'\n').count();
    work::count(length);
    (length < before.len() && before[before.len() - length - 1] == quote).then_some(())?;
    let mut end = at;
    for _ in 0..LITERALS_MAX {
        let Some(open) = next(text, end) else { break };
        let Some(close) = closing(text, open) else { break };
        end = close;
    }
    (end > at).then_some((at - length, end))
}

/// Hands over what a row of literals says, quotes as those of its first literal.
pub(crate) fn walk(raw: &[u8], each: &mut dyn FnMut(Piece<'_>)) {
    let mut start = 0;
    let mut at = 0;
    while at < raw.len() {
        match raw[at] {
            b'\\' => at = (at + 2).min(raw.len()),
            b'"' | b'\'' => match next(raw, at) {
                Some(open) => {
                    each(Piece { start, end: at, bytes: &raw[start..at] });
                    start = open + 1;
                    at = start;
                }
                None => at += 1,
            },
            _ => at += 1,
        }
    }
    if start < raw.len() {
        each(Piece { start, end: raw.len(), bytes: &raw[start..] });
    }
}

/// The opening quote of the literal that is joined to the one closed at `at`.
fn next(text: &[u8], at: usize) -> Option<usize> {
    let quote = *text.get(at)?;
    let mut operator = None;
    let mut broken = false;
    let gap = &text[at + 1..text.len().min(at + 1 + GAP_BYTES_MAX)];
    for (offset, byte) in gap.iter().enumerate() {
        work::count(1);
        match byte {
            b' ' | b'\t' => {}
            b'\r' | b'\n' => broken = true,
            b'\\' => match gap.get(offset + 1) {
                Some(b'\r' | b'\n') => {}
                _ => return None,
            },
            b'+' | b'.' | b'&' if operator.is_none() => operator = Some(*byte),
            // `..` of Lua, `<>` of Elixir, `++` of Haskell.
            b'.' | b'+' if operator == Some(*byte) => {}
            other if *other == quote => {
                // Side by side only over lines: on one line it would be an empty pair of quotes or an escape of SQL.
                return (operator.is_some() || broken || offset > 0).then_some(at + 1 + offset);
            }
            _ => return None,
        }
    }
    None
}

fn closing(text: &[u8], open: usize) -> Option<usize> {
    let quote = text[open];
    let end = text.len().min(open + 1 + LITERAL_BYTES_MAX);
    let mut at = open + 1;
    while at < end {
        match text[at] {
            b'\\' => at += 2,
            b'\n' => return None,
            byte if byte == quote => return Some(at),
            _ => at += 1,
        }
    }
    None
}
