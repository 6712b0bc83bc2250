//! Words that announce values: anchors of expressions, and names that something is assigned to.
//!
//! Of each word only a window of four bytes, the rarest of it, is looked for in the whole text.

use super::cue::{CUES, Cue, Persons};
use super::literals::Literals;
use super::{Search, assignment, finder};
use crate::SanitizeError;
use crate::credential;
use crate::rules::{Finder, Form, Rule};
use crate::simd::Beginnings;
use crate::surprise::Makeup;
use crate::work;

/// What is looked for at words.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) beginnings: Beginnings,
    windows: Literals,
    hooks: Vec<Hook>,
    /// For each expression, its rule.
    expressions: Vec<u16>,
    password: Option<u16>,
    secret: Option<u16>,
}

/// What a window stands for.
#[derive(Debug)]
enum Hook {
    /// An anchor of an expression (its number among them), which begins so many bytes before.
    Anchor { expression: u16, anchor: Vec<u8>, exact: bool, offset: usize },
    /// A part of names for passwords.
    Password,
    /// A part of names for other secrets.
    Secret,
    /// A word that something of a person follows, which begins so many bytes before.
    Person { word: &'static [u8], cue: Cue, offset: usize },
}

/// Values of a list that are looked at.
const LIST_MAX: usize = 256;
/// A value that is longer is hardly ever one.
const LONG_BYTES: usize = 512;
/// Names inside such a value that are looked at.
const NAMES_MAX: usize = 8;
/// Bytes of a word that are looked for.
const WINDOW: usize = 4;

impl Words {
    pub(super) fn new(rules: &[Rule]) -> Self {
        let mut hooks: Vec<(Vec<u8>, Hook)> = Vec::new();
        let mut expressions = Vec::new();
        for (number, rule) in rules.iter().enumerate() {
            let Form::Expression(expression) = &rule.form else { continue };
            for anchor in &expression.anchors {
                let text = anchor.to_ascii_lowercase().into_bytes();
                let offset = rarest(&text);
                let window = text[offset..text.len().min(offset + WINDOW)].to_vec();
                let anchor = if expression.nocase { text } else { anchor.clone().into_bytes() };
                let number = expressions.len() as u16;
                hooks.push((
                    window,
                    Hook::Anchor { expression: number, anchor, exact: !expression.nocase, offset },
                ));
            }
            expressions.push(number as u16);
        }
        let (password, secret) = (finder(rules, Finder::Password), finder(rules, Finder::Secret));
        if password.is_some() {
            hooks.extend(
                credential::PASSWORD_STEMS.iter().map(|stem| (stem.as_bytes().to_vec(), Hook::Password)),
            );
        }
        if secret.is_some() {
            hooks
                .extend(credential::SECRET_STEMS.iter().map(|stem| (stem.as_bytes().to_vec(), Hook::Secret)));
        }
        if Persons::new(rules).any() {
            for (cue, words) in CUES {
                hooks.extend(words.iter().map(|word| person(*cue, word.as_bytes())));
            }
        }
        let beginnings = Beginnings::new(hooks.iter().map(|(window, _)| &window[..]));
        let windows = Literals::new(
            hooks.iter().enumerate().map(|(number, (window, _))| (window.clone(), false, number as u16)),
        );
        let hooks = hooks.into_iter().map(|(_, hook)| hook).collect();
        Self { beginnings, windows, hooks, expressions, password, secret }
    }

    /// Looks at the places of a block where words may begin.
    #[inline]
    pub(super) fn block(
        &self,
        search: &mut Search<'_>,
        at: usize,
        mut places: u64,
    ) -> Result<(), SanitizeError> {
        while places != 0 {
            let place = at + places.trailing_zeros() as usize;
            places &= places - 1;
            for (number, _) in self.windows.at(search.text, place) {
                self.hit(search, place, &self.hooks[usize::from(number)])?;
            }
        }
        Ok(())
    }

    fn hit(&self, search: &mut Search<'_>, place: usize, hook: &Hook) -> Result<(), SanitizeError> {
        match hook {
            Hook::Anchor { expression, anchor, exact, offset } => {
                let Some(start) = place.checked_sub(*offset) else { return Ok(()) };
                let there = search.text.get(start..start + anchor.len());
                let is = |there: &[u8]| {
                    if *exact { there == &anchor[..] } else { there.eq_ignore_ascii_case(anchor) }
                };
                if there.is_some_and(is) {
                    self.open(search, *expression, start)?;
                }
            }
            Hook::Password => assigned(search, place, self.password, Finder::Password),
            Hook::Secret => assigned(search, place, self.secret, Finder::Secret),
            Hook::Person { word, cue, offset } => {
                let Some(start) = place.checked_sub(*offset) else { return Ok(()) };
                let end = start + word.len();
                if search.text.get(start..end).is_some_and(|there| same(there, word)) {
                    cue.look(search, &search.scanner.persons, start, end);
                }
            }
        }
        Ok(())
    }

    /// Opens an expression's window around an anchor, or widens the one that is open.
    fn open(&self, search: &mut Search<'_>, expression: u16, anchor: usize) -> Result<(), SanitizeError> {
        let rule = &search.scanner.rules[usize::from(self.expressions[usize::from(expression)])];
        let Form::Expression(found) = &rule.form else { return Ok(()) };
        let (start, end) =
            (anchor.saturating_sub(found.before), (anchor + found.after).min(search.text.len()));
        let open = search.windows.iter_mut().find(|(number, ..)| *number == expression);
        match open {
            Some((_, _, open_end)) if start <= *open_end => *open_end = end.max(*open_end),
            Some(window) => {
                let (_, from, to) = std::mem::replace(window, (expression, start, end));
                self.confirm(search, expression, from, to)?;
            }
            None => search.windows.push((expression, start, end)),
        }
        Ok(())
    }

    /// Looks through the windows that are still open.
    pub(super) fn finish(&self, search: &mut Search<'_>) -> Result<(), SanitizeError> {
        for (expression, from, to) in std::mem::take(&mut search.windows) {
            self.confirm(search, expression, from, to)?;
        }
        Ok(())
    }

    /// Runs an expression over a window and keeps what passes its rule's tests.
    fn confirm(
        &self,
        search: &mut Search<'_>,
        expression: u16,
        from: usize,
        to: usize,
    ) -> Result<(), SanitizeError> {
        let number = self.expressions[usize::from(expression)];
        let rule = &search.scanner.rules[usize::from(number)];
        let Form::Expression(found) = &rule.form else { return Ok(()) };
        let regex = found.regex().ok_or_else(|| SanitizeError::Rule(rule.id.clone()))?;
        work::count(to - from);
        let mut groups = regex.capture_locations();
        let text = search.text;
        let mut at = from;
        while at <= to && regex.captures_read_at(&mut groups, &text[..to], at).is_some() {
            let Some((start, end)) = groups.get(1) else { break };
            at = if end > at { end } else { at + 1 };
            search.offer(number, start, end);
        }
        Ok(())
    }
}

fn assigned(search: &mut Search<'_>, place: usize, rule: Option<u16>, sort: Finder) {
    let Some(number) = rule else { return };
    if !search.within.may_read(place) {
        return;
    }
    let mut next =
        assignment::read(search.text, place).or_else(|| assignment::read_before(search.text, place));
    let mut values = 0;
    while let Some(found) = next {
        work::count(found.end - found.start);
        search.within.read(place, found.start, found.end);
        search.offer_assigned(number, sort, &found);
        values += 1;
        next = (values < LIST_MAX).then(|| assignment::next_in_list(search.text, &found)).flatten();
    }
}

/// The long value that was read last: of the names that stand in it, only the first few are read with what follows them,
/// so that a text of nothing but names is not read again from each.
#[derive(Debug, Default)]
pub(super) struct Within {
    end: usize,
    names: usize,
}

impl Within {
    fn may_read(&mut self, place: usize) -> bool {
        if place >= self.end {
            return true;
        }
        self.names += 1;
        self.names <= NAMES_MAX
    }

    fn read(&mut self, place: usize, start: usize, end: usize) {
        if end - start >= LONG_BYTES && place >= self.end {
            *self = Self { end, names: 0 };
        }
    }
}

/// The window of a word that announces persons.
fn person(cue: Cue, word: &'static [u8]) -> (Vec<u8>, Hook) {
    let offset = rarest(word);
    (word[offset..word.len().min(offset + WINDOW)].to_vec(), Hook::Person { word, cue, offset })
}

/// Whether two texts are the same but for the case of their letters.
fn same(there: &[u8], word: &[u8]) -> bool {
    there.eq_ignore_ascii_case(word)
}

/// Where the rarest window of a word begins.
fn rarest(word: &[u8]) -> usize {
    let windows = word.windows(WINDOW.min(word.len())).enumerate();
    windows.max_by(|a, b| rarity(a.1).total_cmp(&rarity(b.1))).map_or(0, |(offset, _)| offset)
}

/// Bits of surprise at a window, roughly: letters by those before them, signs and digits by themselves.
fn rarity(window: &[u8]) -> f32 {
    let signs = window.iter().map(|byte| match byte {
        b' ' => 2.5,
        b'a'..=b'z' => 0.0,
        _ => 6.0,
    });
    let makeup = Makeup::of(window);
    signs.sum::<f32>() + makeup.surprise() * makeup.letters() as f32
}
