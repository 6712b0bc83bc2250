//! Finders and numbers at every place of a text: where each begins to read is told byte by byte.

use super::*;
use crate::rules::Finder;
use crate::scan::number::{Compact, stands_alone};
use crate::scan::{address, cue, number, place, run, word};
use crate::simd;

/// Digits of a number and the bytes in which they stand.
const DIGITS: (usize, usize) = (6, 24);

/// What each finder finds at any place that may be one of its.
pub(super) fn all(search: &mut Search<'_>) {
    addresses(search);
    persons(search);
    places(search);
    assigned(search);
    runs(search);
}

fn byte(text: &[u8], at: usize) -> u8 {
    text.get(at).copied().unwrap_or(b'\n')
}

fn addresses(search: &mut Search<'_>) {
    let (text, addresses) = (search.text, &search.scanner.addresses);
    for at in 0..text.len() {
        let (before, after) = (byte(text, at.wrapping_sub(1)), byte(text, at + 1));
        match text[at] {
            b'@' => address::email(addresses, search, at),
            b'.' if before.is_ascii_digit() && after.is_ascii_digit() => {
                address::ipv4(addresses, search, at);
            }
            b':' => {
                let part = |b: u8| b.is_ascii_hexdigit() || b == b':';
                let near = &text[at.saturating_sub(3)..text.len().min(at + 4)];
                if part(before) && part(after) && near.iter().any(u8::is_ascii_digit) {
                    address::colons_at(addresses, search, at);
                }
            }
            _ => {}
        }
        if let Some(rule) = addresses.mac {
            for length in [14, 17] {
                let pairs = |value: &[u8]| {
                    value
                        .iter()
                        .enumerate()
                        .all(|(i, b)| if i % 3 == 2 { *b == b'-' } else { b.is_ascii_hexdigit() })
                };
                if length == 14 || text.get(at..at + length).is_some_and(pairs) {
                    address::hardware_at(rule, search, at, length);
                }
            }
        }
    }
}

fn persons(search: &mut Search<'_>) {
    let text = search.text;
    for (cue, words) in cue::CUES {
        for word in *words {
            for at in occurrences(text, word.as_bytes(), false) {
                if cue.is_inside() || begins(text, at) || !word.as_bytes()[0].is_ascii_alphanumeric() {
                    cue.look(search, &search.scanner.persons, at, at + word.len());
                }
            }
        }
    }
}

fn places(search: &mut Search<'_>) {
    let Some(rule) = search.scanner.persons.address else { return };
    let text = search.text;
    for at in 0..text.len().saturating_sub(2) {
        let (first, sign, third) = (text[at], text[at + 1], text[at + 2]);
        let apart = !sign.is_ascii_alphanumeric();
        if first.is_ascii_digit() && apart && third.is_ascii_uppercase() {
            place::numbered(search, rule, at);
        }
        if first.is_ascii_uppercase() && apart && third.is_ascii_digit() {
            place::coded(search, rule, at);
        }
        let two = sign.is_ascii_uppercase() && third.is_ascii_uppercase();
        if first.is_ascii_digit() && two && !byte(text, at + 3).is_ascii_alphanumeric() {
            place::british(search, rule, at);
        }
    }
}

fn assigned(search: &mut Search<'_>) {
    let stems = [
        (&credential::PASSWORD_STEMS[..], Finder::Password),
        (&credential::SECRET_STEMS[..], Finder::Secret),
    ];
    for (stems, sort) in stems {
        for stem in stems {
            for at in occurrences(search.text, stem.as_bytes(), false) {
                search.within = word::Within::default();
                search.tabled = 0;
                word::assigned(search, at, sort);
            }
        }
    }
}

fn runs(search: &mut Search<'_>) {
    let text = search.text;
    let mut at = 0;
    while at < text.len() {
        let length = text[at..].iter().take_while(|b| simd::is_token(**b)).count();
        if length >= 8 && may_hold(text, at) {
            run::Runs::unknown(&search.scanner.runs, search, at, at + length);
        }
        at += length.max(1);
    }
}

/// Numbers that begin with digits, behind one of their words, in each length that their format has.
pub(super) fn numbers(search: &mut Search<'_>, rule: u16, formats: &[Vec<Piece>]) {
    let text = search.text;
    for at in 0..text.len() {
        let before = byte(text, at.wrapping_sub(1));
        let inside =
            before.is_ascii_alphanumeric() || before >= 0x80 || number::NEVER_BEFORE[usize::from(before)];
        let near = &text[at..text.len().min(at + DIGITS.1)];
        let digits = near.iter().filter(|b| b.is_ascii_digit()).count();
        let group = text[at].is_ascii_digit() && byte(text, at + 1).is_ascii_digit();
        if at == 0 || inside || !group || digits < DIGITS.0 {
            continue;
        }
        let Compact { bytes, ends, length } = number::compact(text, at);
        for length in DIGITS.0..=length {
            let (number, end) = (&bytes[..length], ends[length - 1]);
            let cut = byte(text, end).is_ascii_alphanumeric() || byte(text, end) == b'_';
            let fits = formats.iter().any(|body| template::match_at(body, number, 0) == Some(length));
            let known = &search.scanner.rules[usize::from(rule)];
            if !cut && fits && known.check.holds(&text[at..end]) {
                let alone = known.alone && known.check.is_strong() && stands_alone(text, at, end);
                if alone && search.scanner.thorough || announced(search, known, at) {
                    search.offer(rule, at, end);
                }
            }
        }
    }
}

/// Whether one of a rule's words stands shortly before, as a word.
fn announced(search: &Search<'_>, rule: &Rule, start: usize) -> bool {
    let reach = if rule.check == crate::validate::Check::Phone { number::PHONE_BYTES } else { CONTEXT_BYTES };
    let text = search.text;
    rule.context.iter().any(|word| {
        let ends =
            |at: usize| word.len() > number::WHOLE_WORD || !byte(text, at + word.len()).is_ascii_lowercase();
        occurrences(text, word.as_bytes(), false).any(|at| {
            at + word.len() <= start
                && start - at - word.len() <= reach
                && begins(text, at)
                && ends(at)
                && !pseudonym::within_token(text, at)
        })
    })
}
