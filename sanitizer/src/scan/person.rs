//! Persons' names, told by their place: fields, salutations, closings, titles, what stands before an e-mail address.
//!
//! No list says what a name is. In a place that holds names, words count that are written like names: capitalised, of
//! letters, with hyphens, apostrophes and particles, none of them a word of programs or organisations. How much that must
//! be depends on the place and on the profile.

use super::Search;
use crate::work;

mod words;

use words::{GIVEN, NO_NAMES, PARTICLES, PERSONS, TITLES};

/// Words of a name at the most, particles included.
const WORDS_MAX: usize = 6;
/// Bytes of a word of it at the most.
const WORD_BYTES_MAX: usize = 32;
/// Bytes of a name before an address at the most.
const BEFORE_BYTES: usize = 80;
/// Bytes between a cue and what it announces.
const GAP_BYTES: usize = 24;

/// Words that are written like a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// Behind the last.
    pub(super) end: usize,
    /// Those that are no particles.
    pub(super) words: usize,
    /// Whether one of them is a common given name.
    pub(super) known: bool,
    /// Whether none is of capitals only, and the first no initial.
    pub(super) plain: bool,
}

/// How much a place says of what stands in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// A name or anything else.
    Any,
    /// A person or an organisation.
    Somebody,
    /// A person.
    Person,
}

impl Place {
    /// Whether what is written there is a person's name.
    fn holds(self, shape: &Shape, thorough: bool) -> bool {
        match (self, thorough) {
            (Self::Person, true) => shape.plain || shape.words >= 2 && shape.words <= 3,
            (Self::Person, false) => shape.words >= 2 || shape.known,
            (Self::Somebody, true) => shape.plain && shape.words >= 2 || shape.known,
            (Self::Somebody, false) => shape.words >= 2 && shape.plain,
            (Self::Any, true) => shape.words >= 2 && shape.plain,
            (Self::Any, false) => shape.words >= 2 && shape.known,
        }
    }
}

/// The character at `at` and its length; `None` where no character begins.
pub(super) fn char_at(text: &[u8], at: usize) -> Option<(char, usize)> {
    let first = *text.get(at)?;
    if first < 0x80 {
        return Some((char::from(first), 1));
    }
    let length = match first {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return None,
    };
    let character = std::str::from_utf8(text.get(at..at + length)?).ok()?.chars().next()?;
    Some((character, length))
}

/// A word of letters, hyphens and apostrophes from `at` on: where it ends, how it begins, whether it is of capitals only.
fn word_at(text: &[u8], at: usize) -> Option<(usize, char, usize)> {
    let (first, length) = char_at(text, at)?;
    let apostrophe = |c: char| matches!(c, '\'' | '\u{2019}');
    let lead = apostrophe(first) && text.get(at + length).is_some_and(u8::is_ascii_lowercase);
    if !first.is_alphabetic() && !lead {
        return None;
    }
    let (mut end, mut capitals) = (at + length, usize::from(first.is_uppercase()));
    while let Some((c, length)) = char_at(text, end) {
        let joined = matches!(c, '-') || apostrophe(c);
        let goes_on = char_at(text, end + length).is_some_and(|(next, _)| next.is_alphabetic());
        if !(c.is_alphabetic() || joined && goes_on) || end - at > WORD_BYTES_MAX {
            break;
        }
        capitals += usize::from(c.is_uppercase());
        end += length;
    }
    (end - at <= WORD_BYTES_MAX).then_some((end, first, capitals))
}

fn lower(word: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(word).to_lowercase().into_bytes()
}

/// Capitals within a word that names have: `McAllister`, `O'Brien`, `Jean-Luc`, `DeLuca`.
fn cased(word: &[u8], capitals: usize) -> bool {
    let letters = String::from_utf8_lossy(word).chars().filter(|c| c.is_alphabetic()).count();
    let parts = 1 + word.iter().filter(|b| matches!(b, b'-' | b'\'')).count();
    let prefixed = [&b"Mc"[..], b"Mac", b"De", b"Di", b"Du", b"La", b"Le", b"Van", b"Fitz"];
    let prefixed = prefixed.iter().any(|prefix| word.starts_with(prefix));
    capitals <= parts + usize::from(prefixed) || capitals == letters
}

/// The words at `at` that are written like a name.
pub(super) fn shape(text: &[u8], at: usize) -> Option<Shape> {
    let mut shape = Shape { end: at, words: 0, known: false, plain: true };
    let mut here = at;
    for number in 0..WORDS_MAX {
        let Some((mut end, first, capitals)) = word_at(text, here) else { break };
        let word = &text[here..end];
        let small = lower(word);
        if !first.is_uppercase() {
            let particle = PARTICLES.has(&small);
            if !particle || text.get(end) != Some(&b' ') {
                break;
            }
            here = end + 1;
            continue;
        }
        if NO_NAMES.has(&small) || !cased(word, capitals) {
            return None;
        }
        if word.len() <= 2 && text.get(end) == Some(&b'.') {
            end += 1;
        }
        // Words of capitals only are as often abbreviations.
        shape.plain &= capitals < 2 || capitals * 2 <= word.len();
        shape.plain &= word.len() > 1 || number > 0;
        shape.words += 1;
        shape.known |= GIVEN.has(&small)
            || word.contains(&b'-') && small.split(|b| *b == b'-').any(|part| GIVEN.has(part));
        shape.end = end;
        let joins = |b: &u8| *b == b' ';
        if !text.get(end).is_some_and(joins) {
            break;
        }
        here = end + 1;
    }
    work::count(shape.end - at);
    let joined = text
        .get(shape.end)
        .is_some_and(|b| b.is_ascii_digit() || matches!(b, b'_' | b'@' | b'.' | b'/' | b':'));
    let stop = text.get(shape.end) == Some(&b'.')
        && text.get(shape.end + 1).is_none_or(|b| b.is_ascii_whitespace() || *b == b'"');
    (shape.words > 0 && (!joined || stop)).then_some(shape)
}

/// A name at `at` with what may stand before it (titles) and behind it (`Family, Given`); where it begins and its shape.
fn titled(text: &[u8], mut at: usize) -> Option<(usize, Shape, bool)> {
    let mut titles = false;
    for _ in 0..3 {
        let Some((end, ..)) = word_at(text, at) else { break };
        let dot = usize::from(text.get(end) == Some(&b'.'));
        if !TITLES.has(&lower(&text[at..end])) || text.get(end + dot) != Some(&b' ') {
            break;
        }
        at = end + dot + 1;
        titles = true;
    }
    shape(text, at).map(|shape| (at, shape, titles))
}

/// The family's name first, as in lists: `Berg, Anna`.
fn turned(text: &[u8], shape: Shape) -> Shape {
    let second = text[shape.end..].strip_prefix(b", ").and_then(|_| self::shape(text, shape.end + 2));
    match second {
        Some(second) if shape.words + second.words <= 4 => Shape {
            words: shape.words + second.words,
            known: shape.known || second.known,
            plain: shape.plain && second.plain,
            ..second
        },
        _ => shape,
    }
}

/// Whether a value may end there.
fn ends(text: &[u8], at: usize) -> bool {
    let rest = &text[at..text.len().min(at + 3)];
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    rest.first().is_none_or(|b| {
        matches!(
            b,
            b'"' | b'\''
                | b'`'
                | b'\n'
                | b'\r'
                | b'<'
                | b','
                | b';'
                | b'|'
                | b'&'
                | b')'
                | b'('
                | b'\t'
                | b'\\'
                | b'}'
                | b']'
                | b'#'
                | b'*'
                | b'!'
                | b'.'
        )
    })
}

/// What stands in a field whose name ends at `at`: after `: `, `="`, `": "`, `>`. Where the value begins, and its quote.
pub(super) fn field(text: &[u8], at: usize) -> Option<(usize, Option<u8>)> {
    let byte = |at: usize| text.get(at).copied().unwrap_or(b'\n');
    let skip = |from: usize, is: &dyn Fn(u8) -> bool, max: usize| {
        from + text[from.min(text.len())..].iter().take(max).take_while(|b| is(**b)).count()
    };
    let closed = skip(at, &|b| matches!(b, b'"' | b'\'' | b'`' | b']' | b'\\' | b'*'), 4);
    let sign = skip(closed, &|b| matches!(b, b' ' | b'\t'), GAP_BYTES);
    let mut here = match (byte(sign), byte(sign + 1)) {
        (b':', b':') => return None,
        (b':', b'=') | (b'=', b'>') => sign + 2,
        (b':' | b'=', _) => sign + 1,
        (b'>', _) if sign == at => sign + 1,
        (b',', _) if closed > at => sign + 1,
        _ => return None,
    };
    here = skip(here, &|b| matches!(b, b' ' | b'\t' | b'*' | b'['), GAP_BYTES);
    here += usize::from(byte(here) == b'\\');
    let quote = Some(byte(here)).filter(|b| matches!(b, b'"' | b'\'' | b'`'));
    Some((here + usize::from(quote.is_some()), quote))
}

/// A field of a person.
pub(super) fn in_field(search: &mut Search<'_>, rule: u16, at: usize, place: Place) {
    let text = search.text;
    let Some((start, quote)) = field(text, at) else { return };
    offer(search, rule, start, place, quote);
}

/// What follows `by`, `@author` or a year.
pub(super) fn following(search: &mut Search<'_>, rule: u16, at: usize, place: Place) {
    let text = search.text;
    let near = &text[at..text.len().min(at + GAP_BYTES)];
    let lead = near
        .iter()
        .take_while(|b| {
            matches!(b, b' ' | b'\t' | b':' | b'(' | b')' | b'c' | b'C' | b',' | b'-' | 0xC2 | 0xA9)
                || b.is_ascii_digit()
        })
        .count();
    // A name may begin with the letter of `(c)`.
    let back = usize::from(lead > 0 && matches!(near[lead - 1], b'C'));
    let start = at + lead - back;
    let by = usize::from(text[start..].starts_with(b"by ")) * 3;
    if lead > 0 {
        offer(search, rule, start + by, place, None);
    }
}

fn offer(search: &mut Search<'_>, rule: u16, start: usize, place: Place, quote: Option<u8>) {
    let text = search.text;
    let Some((start, shape, titles)) = titled(text, start) else { return };
    let turned = turned(text, shape);
    let shape = if place == Place::Any && (quote.is_none() || !turned.known) { shape } else { turned };
    let closed = match quote {
        Some(quote) => {
            text.get(shape.end).is_none_or(|b| *b == quote || matches!(b, b'\\' | b'\''))
                || text[shape.end..].starts_with(b" <")
                || text[shape.end..].starts_with(b" (")
        }
        None => ends(text, shape.end),
    };
    let place = if titles { Place::Person } else { place };
    if closed && place.holds(&shape, search.scanner.thorough) {
        search.offer(rule, start, shape.end);
    }
}

/// Behind `Dear`, `Sehr geehrte` and their like, at a line's beginning.
pub(super) fn greeted(search: &mut Search<'_>, rule: u16, cue: usize, at: usize) {
    let text = search.text;
    let begins = cue == 0 || matches!(text[cue - 1], b'\n' | b'"' | b'\'' | b'>' | b'\t' | b'`');
    if !begins {
        return;
    }
    let Some((start, shape, titles)) = titled(text, at) else { return };
    let closed = text
        .get(shape.end)
        .is_none_or(|b| matches!(b, b',' | b'!' | b':' | b'\n' | b'\r' | b'<' | b'"' | b'\\' | b'.'));
    if closed && (search.scanner.thorough || titles || shape.known) && shape.words <= 4 {
        search.offer(rule, start, shape.end);
    }
}

/// The parts of a vCard's `N`: `Berg;Anna;;;`.
pub(super) fn in_card(search: &mut Search<'_>, rule: u16, at: usize) {
    let text = search.text;
    let line = &text[at..text.len().min(at + BEFORE_BYTES)];
    let line = &line[..line.iter().position(|b| matches!(b, b'\n' | b'\r')).unwrap_or(line.len())];
    let length = line.iter().rposition(|b| !matches!(b, b';' | b' ')).map_or(0, |last| last + 1);
    if line[..length].contains(&b';') && shape(text, at).is_some() {
        search.offer(rule, at, at + length);
    }
}

/// A name that is all of the line that ends at `end`: above an address.
pub(super) fn above(search: &mut Search<'_>, rule: u16, end: usize) {
    let text = search.text;
    let line = text[end.saturating_sub(BEFORE_BYTES)..end].iter().rev().take_while(|b| **b != b'\n').count();
    let Some((start, shape, _)) = titled(text, end - line) else { return };
    if shape.end == end && shape.words >= 2 && shape.words <= 4 && line < BEFORE_BYTES {
        search.offer(rule, start, shape.end);
    }
}

/// Whether a word is none of a name.
pub(super) fn is_no_name(word: &[u8]) -> bool {
    NO_NAMES.has(&lower(word))
}

/// Behind a title: `Dr. Berg`, `Frau Berg`.
pub(super) fn entitled(search: &mut Search<'_>, rule: u16, cue: usize, at: usize) {
    let text = search.text;
    if !text[cue].is_ascii_uppercase() {
        return;
    }
    if let Some((start, shape, _)) = titled(text, at)
        && shape.words <= 4
        && shape.plain
    {
        search.offer(rule, start, shape.end);
    }
}

/// On the line behind a closing: `Best regards,`.
pub(super) fn signed(search: &mut Search<'_>, rule: u16, at: usize) {
    let text = search.text;
    let near = &text[at..text.len().min(at + GAP_BYTES)];
    let lead = near
        .iter()
        .take_while(|b| matches!(b, b',' | b'!' | b'.' | b' ' | b'\r' | b'\n' | b'\t' | b'>' | b'-'))
        .count();
    if !near[..lead].contains(&b'\n') {
        return;
    }
    let Some((start, shape, _)) = titled(text, at + lead) else { return };
    let closed = text.get(shape.end).is_none_or(|b| matches!(b, b'\n' | b'\r' | b',' | b'<' | b'"' | b'|'));
    if closed && Place::Person.holds(&shape, search.scanner.thorough) {
        search.offer(rule, start, shape.end);
    }
}

/// Before an e-mail address at `at`, in angle brackets: `Anna Berg <…`, `"Berg, Anna" <…`, and encoded words.
pub(super) fn before_address(search: &mut Search<'_>, rule: u16, at: usize) {
    let text = search.text;
    let Some(bracket) = at.checked_sub(1).filter(|at| text[*at] == b'<') else { return };
    let before = text[bracket.saturating_sub(BEFORE_BYTES)..bracket].trim_ascii_end();
    let end = bracket - (bracket - bracket.saturating_sub(BEFORE_BYTES) - before.len());
    if before.ends_with(b"?=") {
        if let Some(start) = memchr::memmem::rfind(before, b"=?utf")
            .or_else(|| before.windows(2).position(|pair| pair == b"=?"))
        {
            search.offer(rule, end - before.len() + start, end);
        }
        return;
    }
    let quoted = before.last().filter(|b| matches!(b, b'"' | b'\'')).copied();
    let inside = if quoted.is_some() { &before[..before.len() - 1] } else { before };
    let length = inside
        .iter()
        .rev()
        .take_while(|b| {
            quoted.map_or(
                !matches!(
                    b,
                    b'\n' | b',' | b';' | b':' | b'"' | b'[' | b'(' | b'*' | b'=' | b'>' | b'@' | b'\t'
                ),
                |quote| **b != quote && **b != b'\n',
            )
        })
        .count();
    let name = inside[inside.len() - length..].trim_ascii_start();
    let start = end - usize::from(quoted.is_some()) - name.len();
    let Some(shape) = titled(text, start).map(|(_, shape, _)| turned(text, shape)) else { return };
    let whole = shape.end + usize::from(quoted.is_some()) >= end && length < BEFORE_BYTES - 2;
    if whole && Place::Person.holds(&shape, search.scanner.thorough) {
        search.offer(rule, start, shape.end);
    }
}

/// What is said of a person by the word before `name` at `at`: `first_name`, `Customer name`, `fullName`.
pub(super) fn named(text: &[u8], at: usize) -> Option<Place> {
    let before = &text[at.saturating_sub(WORD_BYTES_MAX)..at];
    let joined = before.iter().rev().take_while(|b| matches!(b, b'_' | b'-' | b' ' | b'.')).count();
    let head = &before[..before.len() - joined];
    let letters = head.iter().rev().take_while(|b| b.is_ascii_alphabetic()).count();
    let word = &head[head.len() - letters..];
    // In `customerFirst` the last part counts.
    let hump = word.iter().rposition(u8::is_ascii_uppercase).filter(|at| *at > 0).unwrap_or(0);
    let word = word[hump..].to_ascii_lowercase();
    let own = joined == before.len() || letters == 0 || joined > 1 && head.len() == letters + 1;
    if PERSONS.has(&word) {
        return Some(Place::Person);
    }
    let stands_alone = own || joined > 0 && before[before.len() - joined..].iter().all(|b| *b == b' ');
    stands_alone.then_some(Place::Any)
}
