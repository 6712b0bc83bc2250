//! Numbers of somebody: groups of digits, with or without letters and separators, that a checksum or their place gives away.

use super::literals::Literals;
use super::{CONTEXT_BYTES, Search};
use crate::pseudonym;
use crate::rules::{Form, Rule};
use crate::simd::{DIGITS_MIN, NEAR};
use crate::template;
use crate::validate::{Check, is_calendar_date};
use crate::work;

/// Significant characters that a number has at the most.
const LENGTH_MAX: usize = 34;
/// Of a word that announces numbers, at the most.
const WORD_BYTES: usize = 24;
/// Words taken note of at once.
const WORDS_MAX: usize = 64;
/// Letters before the first digit of a number at the most.
const LEAD_MAX: usize = 6;
/// The same where a word announces a number: letters and digits may take turns in it.
const LEAD_ANNOUNCED_MAX: usize = 16;
/// Words of so few bytes must end where they end: they begin too many others.
pub(super) const WHOLE_WORD: usize = 4;
/// How far before a telephone's number its word may stand, in bytes.
pub(super) const PHONE_BYTES: usize = 24;
/// A document that is no longer than this may be one number and nothing else.
const DOCUMENT_MAX: usize = 64;

/// White space around a number that is alone in its line, at the most.
const LINE_MAX: usize = 64;

/// The rules of numbers.
#[derive(Debug)]
pub(super) struct Numbers {
    /// By the length of a number without separators, those of digits alone and those with letters: rule, and which of its
    /// formats.
    by_length: Vec<[Vec<(u16, usize)>; 2]>,
    /// By how many digits it begins with; those that begin otherwise at 0.
    written: Vec<Written>,
    /// Words that announce a number, with its rule.
    context: Literals,
}

/// Formats that begin with so many digits.
#[derive(Debug, Default)]
struct Written {
    /// Rule, which of its formats, and what may stand behind the digits in it.
    formats: Vec<(u16, usize, Next)>,
    /// What may stand behind the digits in any of them.
    next: Next,
}

/// Bytes, a bit each.
#[derive(Debug, Default, Clone, Copy)]
struct Next([u64; 4]);

impl Next {
    fn add(&mut self, byte: u8) {
        self.0[usize::from(byte / 64)] |= 1 << (byte % 64);
    }

    fn join(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(bits, more)| *bits |= more);
    }

    fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte / 64)] >> (byte % 64) & 1 == 1
    }
}

/// Where groups of digits are, from block to block.
#[derive(Debug, Default)]
pub(super) struct Walk {
    context: Context,
    /// Where the last group that was looked at ends.
    done: usize,
}

impl Walk {
    /// Looks at the group of digits that begins at `place`.
    pub(super) fn look(&mut self, numbers: &Numbers, search: &mut Search<'_>, place: usize) {
        let before = place.checked_sub(1).map_or(b' ', |at| search.text[at]);
        if !NEVER_BEFORE[usize::from(before)] && place >= self.done {
            self.done = numbers.look(search, &mut self.context, place);
        }
    }
}

/// Bytes that no number stands behind: it would be a part of something longer, a name, a fraction, a colour.
pub(super) static NEVER_BEFORE: [bool; 256] = {
    let mut never = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        never[byte] = b.is_ascii_lowercase()
            || b.is_ascii_digit()
            || matches!(b, b'.' | b'_' | b'#' | b'$' | b'%' | b'\\');
        byte += 1;
    }
    never
};

/// Which words stand before, told once for each stretch of text.
#[derive(Debug, Default)]
struct Context {
    /// How far the text was looked through.
    through: usize,
    /// The words found last: rule, and where the word ends.
    words: Vec<(u16, usize)>,
}

impl Context {
    /// Whether one of a rule's words stands within reach before `start`.
    fn announces(&mut self, numbers: &Numbers, search: &Search<'_>, start: usize, number: u16) -> bool {
        self.look(numbers, search, start);
        let phone = search.scanner.rules[usize::from(number)].check == Check::Phone;
        let reach = if phone { PHONE_BYTES } else { CONTEXT_BYTES };
        self.words.iter().any(|(rule, end)| *rule == number && *end <= start && start - end <= reach)
    }

    /// Whether any rule's word stands there.
    fn any(&mut self, numbers: &Numbers, search: &Search<'_>, start: usize) -> bool {
        self.look(numbers, search, start);
        self.words.iter().any(|(_, end)| *end <= start && start - end <= CONTEXT_BYTES)
    }

    fn look(&mut self, numbers: &Numbers, search: &Search<'_>, start: usize) {
        let text = search.text;
        if start <= self.through {
            return;
        }
        let from = self.through.max(start.saturating_sub(CONTEXT_BYTES + WORD_BYTES));
        work::count(start - from);
        self.words.retain(|(_, end)| end + 2 * CONTEXT_BYTES > start);
        search.starts.each(text, from, start, |at| {
            if numbers.context.may_stand(text, at) {
                self.note(numbers, text, at);
            }
        });
        if !text[from..start].is_ascii() {
            // Scripts without capitals, or without blanks between words: a word may begin at each character.
            let begins = |at: &usize| text[*at] >= 0xC2;
            (from..start).filter(begins).for_each(|at| self.note(numbers, text, at));
        }
        self.through = start;
    }

    /// Takes note of the words that stand at `at`.
    fn note(&mut self, numbers: &Numbers, text: &[u8], at: usize) {
        for (number, length) in numbers.context.at(text, at) {
            let next = text.get(at + length).copied().unwrap_or(b' ');
            let cut = length <= WHOLE_WORD && next.is_ascii_lowercase();
            if !cut && self.words.len() < WORDS_MAX && !pseudonym::within_token(text, at) {
                self.words.push((number, at + length));
            }
        }
    }
}

/// A number as it stands, what separates its characters left out.
pub(super) struct Compact {
    pub(super) bytes: [u8; LENGTH_MAX],
    /// Behind each character, where it ends in the text.
    pub(super) ends: [usize; LENGTH_MAX],
    pub(super) length: usize,
}

impl Numbers {
    pub(super) fn new(rules: &[Rule]) -> Self {
        let context =
            rules.iter().enumerate().filter(|(_, rule)| matches!(rule.form, Form::Number { .. })).flat_map(
                |(number, rule)| {
                    rule.context.iter().map(move |word| (word.clone().into_bytes(), false, number as u16))
                },
            );
        let mut by_length = vec![[Vec::new(), Vec::new()]; LENGTH_MAX + 1];
        let mut by_digits: Vec<Written> =
            std::iter::repeat_with(Written::default).take(LENGTH_MAX + 1).collect();
        for (number, rule) in rules.iter().enumerate() {
            let Form::Number { compact, written } = &rule.form else { continue };
            for (which, body) in compact.iter().enumerate() {
                let lengths = template::shortest(body)..=template::longest(body).min(LENGTH_MAX);
                for of_length in &mut by_length[lengths] {
                    let fitting = of_length.iter_mut().zip(sorts(body)).filter(|(_, may)| *may);
                    fitting.for_each(|(formats, _)| formats.push((number as u16, which)));
                }
            }
            for (which, body) in written.iter().enumerate() {
                for digits in first_digits(body) {
                    let written = &mut by_digits[digits];
                    let mut next = Next::default();
                    let follows = |byte: &u8| may_follow(body, digits, *byte);
                    (0..=u8::MAX).filter(follows).for_each(|byte| next.add(byte));
                    written.next.join(next);
                    written.formats.push((number as u16, which, next));
                }
            }
        }
        Self { by_length, written: by_digits, context: Literals::new(context) }
    }

    /// Tries the numbers that begin with the digit at `place`, the first of so many, or with letters before it; behind
    /// which place to go on.
    fn look(&self, search: &mut Search<'_>, context: &mut Context, place: usize) -> usize {
        let text = search.text;
        let near = &text[place..text.len().min(place + NEAR as usize)];
        let digits = near.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let before = place.checked_sub(1).map_or(b' ', |at| text[at]);
        let after = text.get(place + digits).copied().unwrap_or(b'\n');
        let simple =
            !matches!(after, b' ' | b'-' | b'/' | b'.' | b')' | b'(') && !after.is_ascii_alphanumeric();
        let lettered = before.is_ascii_uppercase()
            || matches!(before, b' ' | b'-') && place >= 2 && text[place - 2].is_ascii_uppercase();
        let lettered = lettered || country_code(text, place) > 0;
        let announced = context.any(self, search, place) || begins_line(text, place);
        if !announced
            && simple
            && !lettered
            && self.written.get(digits).is_none_or(|written| written.formats.is_empty())
        {
            return place + 1;
        }
        let from = place.saturating_sub(LEAD_MAX);
        let mut lead = text[from..place].iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
        if announced {
            let from = place.saturating_sub(LEAD_ANNOUNCED_MAX);
            lead = text[from..place].iter().rev().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        }
        let plus = country_code(text, place);
        let mut starts = [place - lead - plus, place];
        if lead == 0 && plus == 0 && lettered {
            let word =
                text[from..place - 1].iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
            starts[0] = place - 1 - word;
        }
        let mut done = place + 1;
        for (which, start) in starts.into_iter().enumerate() {
            let begins =
                start == 0 || !text[start - 1].is_ascii_alphanumeric() && text[start - 1] & 0x80 == 0;
            if which == 1 && starts[0] == place || !begins {
                continue;
            }
            let found = self.as_written(search, start);
            let found = found.or_else(|| announced.then(|| self.compact(search, context, start)).flatten());
            done = done.max(found.unwrap_or(0));
        }
        done
    }

    /// A document that is one number and nothing else, whatever separates its characters. Most numbers hold by some
    /// checksum of a single digit, so that those count which few numbers hold by, and those of the numbers that most
    /// persons have: of each length, about four in ten random numbers pass, of eleven digits and more fewer than one in four.
    pub(super) fn document(&self, search: &mut Search<'_>) {
        let text = search.text.trim_ascii();
        let significant = |byte: &&u8| byte.is_ascii_alphanumeric();
        if text.len() > DOCUMENT_MAX {
            return;
        }
        let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
        if digits < DIGITS_MIN as usize || is_dotted(text) {
            return;
        }
        let number: Vec<u8> = text.iter().filter(significant).map(u8::to_ascii_uppercase).collect();
        if is_counted(&number) {
            return;
        }
        for (owner, which) in self.of_length(&number) {
            let rule = &search.scanner.rules[usize::from(*owner)];
            let Form::Number { compact, .. } = &rule.form else { continue };
            let fits = template::match_at(&compact[*which], &number, 0) == Some(number.len());
            if rule.alone && fits && rule.check.holds(&number) {
                let start = search.text.len() - search.text.trim_ascii_start().len();
                search.offer(*owner, start, start + text.len());
                return;
            }
        }
    }

    /// What numbers of so many characters, and of such, may be: rule, and which of its formats.
    fn of_length(&self, number: &[u8]) -> &[(u16, usize)] {
        let lettered = usize::from(!number.iter().all(u8::is_ascii_digit));
        self.by_length.get(number.len()).map_or(&[], |by| &by[lettered])
    }

    fn as_written(&self, search: &mut Search<'_>, start: usize) -> Option<usize> {
        let text = search.text;
        let digits = text[start..].iter().take(LENGTH_MAX).take_while(|byte| byte.is_ascii_digit()).count();
        let written = &self.written[digits];
        let next = text.get(start + digits).copied().unwrap_or(b'\n');
        if !written.next.has(next) {
            return None;
        }
        for (number, which, follows) in &written.formats {
            if !follows.has(next) {
                continue;
            }
            let rule = &search.scanner.rules[usize::from(*number)];
            let Form::Number { written, .. } = &rule.form else { continue };
            work::count(1);
            let Some(end) = template::match_at(&written[*which], text, start) else { continue };
            work::count(end - start);
            if apart(text, start, end) && rule.check.holds(&text[start..end]) {
                search.offer(*number, start, end);
                return Some(end);
            }
        }
        None
    }

    fn compact(&self, search: &mut Search<'_>, context: &mut Context, start: usize) -> Option<usize> {
        let text = search.text;
        let compact = compact(text, start);
        work::count(compact.length);
        for length in (DIGITS_MIN as usize..=compact.length).rev() {
            let end = compact.ends[length - 1];
            let cut = text.get(end).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
            if cut {
                continue;
            }
            for (number, which) in self.of_length(&compact.bytes[..length]) {
                let rule = &search.scanner.rules[usize::from(*number)];
                let Form::Number { compact: formats, .. } = &rule.form else { continue };
                work::count(1);
                let fits = template::match_at(&formats[*which], &compact.bytes[..length], 0) == Some(length);
                let value = &text[start..end];
                let placed = |context: &mut Context| {
                    rule.alone
                        && search.scanner.thorough
                        && rule.check.is_strong()
                        && stands_alone(text, start, end)
                        || context.announces(self, search, start, *number)
                };
                work::count(if fits { length } else { 0 });
                if fits && rule.check.holds(value) && placed(context) {
                    search.offer(*number, start, end);
                    return Some(end);
                }
            }
        }
        None
    }
}

/// Bytes before a group of digits that are a plus and a country's code: `+1-`, `+44 (`.
fn country_code(text: &[u8], place: usize) -> usize {
    let near = text[place.saturating_sub(LEAD_MAX)..place].iter().rev();
    let between =
        near.clone().take_while(|b| b.is_ascii_digit() || matches!(b, b' ' | b'-' | b'(' | b'.')).count();
    if near.clone().nth(between) == Some(&b'+') { between + 1 } else { 0 }
}

/// Four numbers with dots between them, as addresses and versions have, or a date.
fn is_dotted(text: &[u8]) -> bool {
    let only = |separator: u8| text.iter().all(|b| b.is_ascii_digit() || *b == separator);
    let count = |separator: u8| text.iter().filter(|b| **b == separator).count();
    only(b'.') && count(b'.') == 3 || is_calendar_date(text)
}

/// Whether it counts up or down: a number for show.
fn is_counted(number: &[u8]) -> bool {
    let steps = |by: u8| number.windows(2).all(|pair| (pair[1] + 10 - pair[0]) % 10 == by);
    number.iter().all(u8::is_ascii_digit) && (steps(1) || steps(9))
}

/// Whether texts of a format may be digits and nothing else, and whether they may hold something else.
fn sorts(body: &[template::Piece]) -> [bool; 2] {
    let digits = |piece: &template::Piece| match piece {
        template::Piece::Literal(text) => text.bytes().all(|byte| byte.is_ascii_digit()),
        template::Piece::Run { alphabet, min, .. } => {
            *min == 0 || (b'0'..=b'9').any(|digit| alphabet.has(digit))
        }
        template::Piece::Made(_) => true,
    };
    let other = |piece: &template::Piece| match piece {
        template::Piece::Literal(text) => text.bytes().any(|byte| !byte.is_ascii_digit()),
        template::Piece::Run { alphabet, .. } => alphabet.name != "digit",
        template::Piece::Made(_) => true,
    };
    [body.iter().all(digits), body.iter().any(other)]
}

/// Whether a byte may stand behind the digits that a format begins with, or at its beginning if it has none there; what is
/// behind the whole is not its own.
fn may_follow(body: &[template::Piece], digits: usize, byte: u8) -> bool {
    let rest = if digits == 0 { body } else { body.get(1..).unwrap_or_default() };
    template::may_begin(rest, Some(&byte))
}

/// With how many digits a text of this format may begin.
fn first_digits(body: &[template::Piece]) -> std::ops::RangeInclusive<usize> {
    match body.first() {
        Some(template::Piece::Run { alphabet, min, max }) if alphabet.name == "digit" => {
            *min..=*max.min(&LENGTH_MAX)
        }
        _ => 0..=0,
    }
}

pub(super) fn compact(text: &[u8], start: usize) -> Compact {
    let mut compact = Compact { bytes: [0; LENGTH_MAX], ends: [0; LENGTH_MAX], length: 0 };
    let mut at = start;
    while compact.length < LENGTH_MAX {
        let Some(byte) = text.get(at) else { break };
        if byte.is_ascii_alphanumeric() || *byte == b'+' && at == start {
            compact.bytes[compact.length] = byte.to_ascii_uppercase();
            compact.ends[compact.length] = at + 1;
            compact.length += 1;
            at += 1;
            continue;
        }
        let next = text.get(at + 1).copied().unwrap_or(0);
        let one =
            matches!(byte, b' ' | b'-' | b'.' | b'/' | b'(' | b')' | b'+') && next.is_ascii_alphanumeric();
        let two = matches!(byte, b')' | b'-' | b' ' | b'.')
            && matches!(next, b' ' | b'-' | b'(')
            && text.get(at + 2).is_some_and(u8::is_ascii_digit);
        match (one, two) {
            (true, _) => at += 1,
            (_, true) => at += 2,
            _ => break,
        }
    }
    compact
}

/// Whether it is no part of a longer number, version or name.
fn apart(text: &[u8], start: usize, end: usize) -> bool {
    let joins = |byte: Option<&u8>| {
        byte.is_some_and(|b| {
            b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'/' | b'\\' | b'+' | b'#' | b'$')
        })
    };
    let before = start.checked_sub(1).and_then(|at| text.get(at));
    let after = text.get(end);
    // A full stop may end a sentence; tables of data write whole numbers with a fraction of zero.
    let rest = text.get(end..).unwrap_or_default();
    let rest = rest.strip_prefix(b".").map(|rest| rest.strip_prefix(b"0").unwrap_or(rest));
    let goes_on = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let stop = rest.is_some_and(|rest| !rest.first().is_some_and(goes_on));
    !joins(before) && (stop || !joins(after))
}

/// Whether a number there may stand alone in its line.
fn begins_line(text: &[u8], start: usize) -> bool {
    let lead = text[start.saturating_sub(LEAD_MAX)..start]
        .iter()
        .rev()
        .take_while(|b| !matches!(b, b'\n' | b' ' | b'\t'));
    let at = start - lead.count();
    at == 0
        || text[..at]
            .iter()
            .rev()
            .take(LINE_MAX)
            .find(|b| !matches!(b, b' ' | b'\t'))
            .is_none_or(|b| *b == b'\n')
}

/// Whether nothing else stands in its line, in its cell of a table, in its string.
pub(super) fn stands_alone(text: &[u8], start: usize, end: usize) -> bool {
    let line_before =
        text[..start].iter().rev().take(LINE_MAX).take_while(|b| **b != b'\n').all(u8::is_ascii_whitespace);
    let line_after =
        text[end..].iter().take(LINE_MAX).take_while(|b| **b != b'\n').all(u8::is_ascii_whitespace);
    line_before && line_after
}
