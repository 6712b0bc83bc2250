//! String literals that a language joins: side by side (C, Python), by an operator, over lines or not, or as a list that is
//! handed to a function which joins it.

use super::map::{Piece, Walk};
use crate::work;

/// White space, operators, comments and a line's end between two literals.
const GAP_BYTES_MAX: usize = 256;
/// Literals of a row that are looked at.
const LITERALS_MAX: usize = 1024;
/// A literal that is looked at.
const LITERAL_BYTES_MAX: usize = 4096;
/// How far before a literal the one before it ends, as far as it is looked for.
const BACK_BYTES: usize = 64;
/// Where a function that joins a list is named, before or behind it.
const NAMED_BYTES: usize = 32;

/// What stands between the literals of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// An operator, or nothing but white space.
    Operator,
    /// Commas, as in a list.
    Commas,
}

/// Literals in a row: from behind the opening quote of the first to the closing quote of the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) start: usize,
    pub(crate) end: usize,
    by: By,
    joined: bool,
}

impl Row {
    /// How what they say together is read; `None` where nothing joins them.
    pub(crate) fn walk(&self) -> Option<Walk> {
        match self.by {
            _ if !self.joined => None,
            By::Operator => Some(walk),
            By::Commas => Some(walk_list),
        }
    }
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`')
}

/// Whether the byte at `at` closes a literal that another one follows.
#[inline]
pub(crate) fn goes_on(text: &[u8], at: usize) -> bool {
    text.get(at).is_some_and(|byte| is_quote(*byte)) && between(text, at).is_some()
}

/// Where the literal ends that is joined to the one which begins at `start`.
#[inline]
pub(crate) fn follows(text: &[u8], start: usize) -> Option<usize> {
    let open = start.checked_sub(1).filter(|at| is_quote(text[*at]))?;
    let from = open.saturating_sub(BACK_BYTES);
    let close = from + text[from..open].iter().rposition(|byte| is_quote(*byte))?;
    between(text, close).filter(|(next, _)| *next == open).map(|_| close)
}

/// The row of literals of which the first one to look at ends with the quote at `at`.
pub(crate) fn row(text: &[u8], at: usize) -> Option<Row> {
    let quote = *text.get(at)?;
    let before = &text[at.saturating_sub(LITERAL_BYTES_MAX)..at];
    let length = before.iter().rev().take_while(|byte| **byte != quote && **byte != b'\n').count();
    work::count(length);
    (length < before.len() && before[before.len() - length - 1] == quote).then_some(())?;
    let (_, by) = between(text, at)?;
    let mut end = at;
    for _ in 0..LITERALS_MAX {
        let Some((open, _)) = between(text, end).filter(|(_, other)| *other == by) else { break };
        let Some(close) = closing(text, open) else { break };
        end = close;
    }
    let start = at - length;
    let joined = by == By::Operator || is_handed_over(text, start - 1, end + 1);
    (end > at).then_some(Row { start, end, by, joined })
}

/// Whether a function joins the list of literals `start..end`: `concat!(…)`, `"".join([…])`, `[…].join("")`.
fn is_handed_over(text: &[u8], start: usize, end: usize) -> bool {
    let before = text[start.saturating_sub(NAMED_BYTES)..start].to_ascii_lowercase();
    let opens = |byte: &u8| !byte.is_ascii_whitespace() && !matches!(byte, b'(' | b'[' | b'{' | b'@');
    let name = &before[..before.iter().rposition(opens).map_or(0, |at| at + 1)];
    let name = name.strip_suffix(b"]string").map_or(name, |rest| {
        &rest[..rest.iter().rposition(|byte| !matches!(byte, b'[' | b'(')).map_or(0, |at| at + 1)]
    });
    let called = [&b"concat!"[..], b"concat", b"join"].iter().any(|word| name.ends_with(word));
    let behind = text[end..text.len().min(end + NAMED_BYTES)].trim_ascii_start();
    let behind = behind.strip_prefix(b",").unwrap_or(behind).trim_ascii_start();
    let behind = behind.strip_prefix(b"]").map(<[u8]>::trim_ascii_start).unwrap_or_default();
    called && before.last().is_some_and(|byte| !opens(byte)) || behind.starts_with(b".join")
}

/// Hands over what a row of literals says, quotes as those of its first literal.
pub(crate) fn walk(raw: &[u8], each: &mut dyn FnMut(Piece<'_>)) {
    walk_by(By::Operator, raw, each);
}

/// The same for a list.
fn walk_list(raw: &[u8], each: &mut dyn FnMut(Piece<'_>)) {
    walk_by(By::Commas, raw, each);
}

fn walk_by(by: By, raw: &[u8], each: &mut dyn FnMut(Piece<'_>)) {
    let mut start = 0;
    let mut at = 0;
    // The quotes of the row's first literal and of the one that is read, if they are not the same.
    let mut other: Option<(u8, u8)> = None;
    while at < raw.len() {
        match raw[at] {
            b'\\' => at = (at + 2).min(raw.len()),
            quote if is_quote(quote) => match between(raw, at).filter(|(_, found)| *found == by) {
                Some((open, _)) => {
                    each(Piece { start, end: at, bytes: &raw[start..at] });
                    let first = other.map_or(quote, |(first, _)| first);
                    other = (raw[open] != first).then_some((first, raw[open]));
                    start = open + 1;
                    at = start;
                }
                None => {
                    if let Some((first, _)) = other.take_if(|(_, own)| *own == quote) {
                        each(Piece { start, end: at, bytes: &raw[start..at] });
                        each(Piece { start: at, end: at + 1, bytes: &[first] });
                        start = at + 1;
                    }
                    at += 1;
                }
            },
            _ => at += 1,
        }
    }
    if start < raw.len() {
        each(Piece { start, end: raw.len(), bytes: &raw[start..] });
    }
}

/// What is put in where a value stood in several literals: if the quotes of the last are others than those of the first, it
/// stays a literal of its own.
pub(crate) fn spelt(with: &[u8], near: &[u8]) -> Vec<u8> {
    let mut spelt = with.to_vec();
    let (mut first, mut last, mut at) = (None, None, 0);
    while at < near.len() {
        match is_quote(near[at]).then(|| between(near, at)).flatten() {
            Some((open, _)) => {
                first = first.or(Some(near[at]));
                last = Some((at, open));
                at = open + 1;
            }
            None => at += 1,
        }
    }
    if let (Some(quote), Some((close, open))) = (first, last)
        && near[open] != quote
    {
        spelt.push(quote);
        spelt.extend_from_slice(&near[close + 1..=open]);
    }
    spelt
}

/// The opening quote of the literal that stands next to the one closed at `at`, and what stands between.
fn between(text: &[u8], at: usize) -> Option<(usize, By)> {
    let quote = *text.get(at)?;
    let (mut operator, mut broken, mut doubled) = (None, false, false);
    let gap = &text[at + 1..text.len().min(at + 1 + GAP_BYTES_MAX)];
    let mut offset = 0;
    while let Some(byte) = gap.get(offset) {
        work::count(1);
        let next = gap.get(offset + 1);
        match byte {
            b' ' | b'\t' => {}
            b'\r' | b'\n' => broken = true,
            // A line goes on behind its end; Visual Basic writes a low line.
            b'\\' | b'_' => match next {
                Some(b'\r' | b'\n') => {}
                _ => return None,
            },
            b'/' if next == Some(&b'*') => {
                offset += 2 + memchr::memmem::find(&gap[offset + 2..], b"*/")? + 1;
            }
            b'/' | b'-' if next == Some(byte) => offset += memchr::memchr(b'\n', &gap[offset..])? - 1,
            b'#' => offset += memchr::memchr(b'\n', &gap[offset..])? - 1,
            b'+' | b'.' | b'&' | b'|' | b',' if operator.is_none() => operator = Some(*byte),
            // `..` of Lua, `++` of Haskell, `||` of SQL.
            b'.' | b'+' | b'|' if operator == Some(*byte) => doubled = true,
            other if is_quote(*other) => {
                let by = if operator == Some(b',') { By::Commas } else { By::Operator };
                // Side by side, quotes are of one sort. Those that touch, as in a shell, must stand inside a word: else they
                // would be an empty pair or quote each other. A single bar is no operator of literals.
                let inside = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
                let touching = offset == 0 && at > 0 && inside(text.get(at - 1)) && inside(next);
                let apart = (broken || offset > 0) && *other == quote;
                let signed = operator.is_some_and(|operator| operator != b'|' || doubled);
                let beside = operator.is_none() && (apart || touching) && quote != b'`' && *other != b'`';
                let joined = signed || beside;
                return joined.then_some((at + 1 + offset, by));
            }
            _ => return None,
        }
        offset += 1;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::map;

    fn said(text: &str) -> Option<String> {
        let quote = text.find(['"', '\'', '`']).expect("a literal");
        let close = quote + 1 + text[quote + 1..].find(&text[quote..=quote]).expect("its end");
        let walk = row(text.as_bytes(), close)?.walk()?;
        Some(String::from_utf8(map::decode(walk, text.as_bytes())).expect("ASCII"))
    }

    #[test]
    fn literals_are_joined_as_languages_do() {
        for text in [
            "t = 'ab' + 'cd'",
            "t = 'ab' + \"cd\"",
            "t = 'ab' .. 'cd'",
            "t = 'ab' . 'cd'",
            "t = 'ab' || 'cd'",
            "t = 'ab'\n  'cd'",
            "t = 'ab' \\\n  'cd'",
            "t = 'ab' & _\n  'cd'",
            "t = 'ab' + /* x */ `cd`",
            "t = 'ab' + // x\n  'cd'",
            "t = 'ab' # x\n  'cd'",
            "t = 'ab' ||\n  -- x\n  'cd'",
            "t = 'ab''cd'",
            "t = 'ab'\"cd\"",
        ] {
            assert_eq!(said(text).as_deref(), Some("t = 'abcd'"), "{text}");
        }
        assert_eq!(said("t = `ab` + 'c' + \"d\", e = 1").as_deref(), Some("t = `abcd`, e = 1"));
    }

    #[test]
    fn lists_are_joined_where_a_function_does() {
        for (text, wanted) in [
            ("['ab', 'cd'].join('')", "['abcd'].join('')"),
            ("x = concat!('ab', 'cd')", "x = concat!('abcd')"),
            ("strings.Join([]string{'ab', 'cd'}, s)", "strings.Join([]string{'abcd'}, s)"),
            ("s.join([\n  'ab',\n  'cd',\n])", "s.join([\n  'abcd',\n])"),
        ] {
            assert_eq!(said(text).as_deref(), Some(wanted), "{text}");
        }
        for text in ["f('ab', 'cd')", "['ab', 'cd']", "['ab', 'cd'].map(f)"] {
            assert_eq!(said(text), None, "{text}");
        }
    }

    #[test]
    fn what_no_language_joins_stays_apart() {
        for text in [
            "t = ''\"x\"",
            "t = 'a\"' + b",
            "t = 'a '' b'",
            "t = 'ab' | 'cd'",
            "t = 'ab' 'c",
            "`ab` `cd`",
            "t = 'ab', u = 'cd'",
        ] {
            assert_eq!(said(text), None, "{text}");
        }
    }
}
