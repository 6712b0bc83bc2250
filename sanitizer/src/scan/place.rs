//! Postal addresses: told by a postal code beside a place's name, by what streets are called, and by fields for them.
//!
//! Where a number stands beside a capital, the bits of [`crate::simd`] say so; street types and fields are words of
//! [`super::cue`]. The parts of an address are read in [`parts`].

use super::Search;
use super::person::{self, field, is_no_name};
use crate::simd::{Events, each};
use crate::work;

mod parts;

use parts::{
    capital_words, city_before, digits_at, house_number, house_number_before, postal_at, postal_before,
    street_before, suffixed,
};

/// Bytes of a postal code or a house number at the most.
const CODE_BYTES: usize = 12;
/// Bytes in which a postal code may follow a street.
const TAIL_BYTES: usize = 80;
/// Bytes of an address in a field at the most.
const FIELD_BYTES: usize = 160;

/// A digit, a sign and a capital; a capital, a sign and a digit; a digit and two capitals.
#[inline]
pub(super) fn block(rule: u16, search: &mut Search<'_>, at: usize, (events, block): (&Events, usize)) {
    let looks = [
        (events.numbered[block], numbered as fn(&mut Search<'_>, u16, usize)),
        (events.coded[block], coded),
        (events.inward[block], british),
    ];
    for (bits, look) in looks {
        each(bits, at, |place| {
            work::count(CODE_BYTES);
            look(search, rule, place);
        });
    }
}

/// At the last digit of a number before a capital: a house number before a street, or a postal code before a city.
pub(super) fn numbered(search: &mut Search<'_>, rule: u16, last: usize) {
    let text = search.text;
    if text.get(last + 1) != Some(&b' ') {
        return;
    }
    if let Some((start, postal)) = postal_before(text, last + 1)
        && let Some((_, city)) = capital_words(text, postal).filter(|(words, _)| *words <= 5)
        && is_place(&text[postal..city])
        && let Some(street) = street_before(text, start)
    {
        search.offer(rule, street, city);
        above(search, street);
    } else if let Some(start) = house_number_before(text, last + 1)
        && let Some(end) = suffixed(text, last + 2)
    {
        search.offer(rule, start, tail(text, end));
        above(search, start);
    }
}

/// Whether words name a place: they begin with one that has small letters and is none of a program.
fn is_place(words: &[u8]) -> bool {
    let first = words.split(|b| *b == b' ').next().unwrap_or_default();
    first.len() >= 3 && !first[1].is_ascii_uppercase() && !is_no_name(first)
}

/// Who lives at an address that begins a line.
fn above(search: &mut Search<'_>, start: usize) {
    if let Some(rule) = search.scanner.persons.name
        && start > 1
        && search.text[start - 1] == b'\n'
    {
        let end = start - 1 - usize::from(search.text[start - 2] == b'\r');
        person::above(search, rule, end);
    }
}

/// At the last letter of a state before its code, or of a Canadian code's first half.
pub(super) fn coded(search: &mut Search<'_>, rule: u16, last: usize) {
    let text = search.text;
    for back in [1, 2] {
        let Some(start) = last.checked_sub(back) else { continue };
        let Some(end) = postal_at(text, start) else { continue };
        let city = city_before(text, start);
        if city.is_some() || search.scanner.thorough && back == 2 {
            search.offer(rule, city.unwrap_or(start), end);
        }
    }
}

/// At the digit of a British code's second half.
pub(super) fn british(search: &mut Search<'_>, rule: u16, digit: usize) {
    let text = search.text;
    for back in 3..=5 {
        let Some(start) = digit.checked_sub(back) else { continue };
        if let Some(end) = postal_at(text, start) {
            let city = city_before(text, start);
            if city.is_some() || search.scanner.thorough {
                search.offer(rule, city.unwrap_or(start), end);
            }
            return;
        }
    }
}

/// To the end of the postal code that follows a street, with the place's name between.
fn tail(text: &[u8], end: usize) -> usize {
    let near = &text[end..text.len().min(end + TAIL_BYTES)];
    let mut lines = 0;
    for (offset, byte) in near.iter().enumerate() {
        lines += usize::from(*byte == b'\n');
        let plain = byte.is_ascii_alphanumeric()
            || *byte >= 0x80
            || matches!(byte, b' ' | b',' | b'.' | b'\'' | b'-' | b'#' | b'/' | b'\n' | b'\r');
        if !plain || lines > 3 {
            break;
        }
        let begins = byte.is_ascii_uppercase() && offset > 0 && !near[offset - 1].is_ascii_alphanumeric();
        if begins && let Some(end) = postal_at(text, end + offset) {
            return end;
        }
    }
    end
}

/// Behind `straße`, `gatan` and their like, at their end: a house number.
pub(super) fn ending(search: &mut Search<'_>, rule: u16, cue: usize, at: usize) {
    let text = search.text;
    let Some(end) = house_number(text, at) else { return };
    let letter = |b: &&u8| b.is_ascii_alphabetic() || **b == b'-' || **b >= 0x80;
    let word = text[cue.saturating_sub(40)..cue].iter().rev().take_while(letter).count();
    let start = cue - word;
    if text[start].is_ascii_uppercase() || text[start] >= 0xC3 {
        search.offer(rule, start, end);
    }
}

/// Behind `rue`, `Calle`, `ul.` and their like, which stand at `cue`: names, and a house number behind or before.
pub(super) fn street(search: &mut Search<'_>, rule: u16, cue: usize, at: usize) {
    let text = search.text;
    if cue > 0 && (text[cue - 1].is_ascii_alphanumeric() || text[cue - 1] >= 0x80) {
        return;
    }
    let third = digits_at(text, at);
    let from =
        if third > 0 && third < 3 && text.get(at + third) == Some(&b' ') { at + third + 1 } else { at };
    let Some((_, end)) = capital_words(text, from) else { return };
    let before = text[..cue].last().filter(|b| **b == b' ').and_then(|_| house_number_before(text, cue - 1));
    match (before, house_number(text, end)) {
        (Some(start), _) => search.offer(rule, start, end),
        (None, Some(end)) => search.offer(rule, cue, end),
        (None, None) => {}
    }
}

/// Behind `P.O. Box`: its number.
pub(super) fn boxed(search: &mut Search<'_>, rule: u16, cue: usize, at: usize) {
    let text = search.text;
    let lead = text[at..].iter().take(4).take_while(|b| matches!(b, b' ' | b'.' | b':' | b'#')).count();
    let digits = digits_at(text, at + lead);
    let apart = cue == 0 || !text[cue - 1].is_ascii_alphanumeric();
    if lead > 0 && (1..=6).contains(&digits) && apart {
        search.offer(rule, cue, tail(text, at + lead + digits));
    }
}

/// A field that is called an address or a street, whose name goes on at `at`.
pub(super) fn in_field(search: &mut Search<'_>, rule: u16, at: usize) {
    let text = search.text;
    let named = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-') || **b >= 0x80;
    let rest = text[at..].iter().take(12).take_while(named).count();
    let Some((start, quote)) = field(text, at + rest) else { return };
    let near = &text[start..text.len().min(start + FIELD_BYTES)];
    let close = |b: &u8| match quote {
        Some(quote) => *b == quote || *b == b'\\',
        None => matches!(b, b'\n' | b'\r' | b'<' | b'|' | b'\t' | b'"'),
    };
    let length = near.iter().position(close).unwrap_or(near.len());
    let value = near[..length].trim_ascii_end();
    if written_like_one(value, search.scanner.thorough) {
        search.offer(rule, start, start + value.len());
    }
}

/// Behind `ADR` of a vCard.
pub(super) fn in_card(search: &mut Search<'_>, rule: u16, cue: usize, at: usize) {
    let text = search.text;
    let line = &text[at..text.len().min(at + FIELD_BYTES)];
    let line = &line[..line.iter().position(|b| matches!(b, b'\n' | b'\r')).unwrap_or(line.len())];
    let Some(colon) = line.iter().position(|b| *b == b':') else { return };
    let lead = line[colon + 1..].iter().take_while(|b| matches!(b, b';' | b' ')).count();
    let start = at + colon + 1 + lead;
    let value = line[colon + 1 + lead..].trim_ascii_end();
    let value = &value[..value.iter().rposition(|b| *b != b';').map_or(0, |last| last + 1)];
    if cue == 0 || text[cue - 1] == b'\n' {
        search.offer(rule, start, start + value.len());
    }
}

/// Whether a field's value is written like an address: words with capitals and a number.
fn written_like_one(value: &[u8], thorough: bool) -> bool {
    let odd = |b: &u8| {
        matches!(
            b,
            b'@' | b'=' | b'{' | b'}' | b'<' | b'>' | b'_' | b'$' | b'[' | b'*' | b'?' | b'(' | b';' | b'\\'
        )
    };
    if value.len() < 6
        || !value.contains(&b' ')
        || value.iter().any(odd)
        || memchr::memmem::find(value, b"://").is_some()
    {
        return false;
    }
    let words = || value.split(|b| matches!(b, b' ' | b',')).filter(|word| !word.is_empty());
    let number =
        |word: &[u8]| word[0].is_ascii_digit() && word.iter().filter(|b| b.is_ascii_digit()).count() <= 5;
    let numbers = words().filter(|word| number(word)).count();
    let capitals =
        words().filter(|word| word.len() >= 3 && (word[0].is_ascii_uppercase() || word[0] >= 0xC3)).count();
    let placed = words().take(1).any(number) || words().skip(1).take(5).any(number);
    (2..=16).contains(&words().count()) && numbers > 0 && capitals > 0 && (thorough || placed)
}
