//! Words that announce values: anchors of expressions, and names that something is assigned to.
//!
//! Most words count where a word begins in the text as well: there they are looked up in a table. Of those
//! that count anywhere (stems of names, signs), a window of four bytes, the rarest of each, is looked for at every place.

use super::cue::{CUES, Cue, Persons};
use super::literals::Literals;
use super::{Search, assignment, finder, run, table};
use crate::SanitizeError;
use crate::credential;
use crate::rules::{Finder, Form, Rule};
use crate::simd::Beginnings;
use crate::surprise::Makeup;
use crate::template;
use crate::work;

/// What is looked for at words.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) beginnings: Beginnings,
    /// Windows of words that count anywhere.
    windows: Literals,
    /// Words that begin where words begin.
    heads: Literals,
    hooks: Vec<Hook>,
    /// For each expression, its rule.
    expressions: Vec<u16>,
    pub(super) password: Option<u16>,
    pub(super) secret: Option<u16>,
}

/// What a word stands for, and how many bytes before the place that was looked up it begins.
#[derive(Debug)]
struct Hook {
    word: Box<[u8]>,
    exact: bool,
    offset: usize,
    meaning: Meaning,
}

#[derive(Debug, Clone, Copy)]
enum Meaning {
    /// An anchor of an expression: its number among them.
    Anchor(u16),
    /// A part of names for passwords.
    Password,
    /// A part of names for other secrets.
    Secret,
    /// Something of a person follows.
    Person(Cue),
    /// A token's prefix: its rule.
    Token(u16),
}

/// Values of a list that are looked at.
const LIST_MAX: usize = 256;
/// A value that is longer is hardly ever one.
const LONG_BYTES: usize = 512;
/// Names inside such a value that are looked at.
const NAMES_MAX: usize = 8;
/// Bytes of a word that are looked for anywhere.
const WINDOW: usize = 4;
/// Bytes that words have at the least where they begin.
const HEAD: usize = 4;

impl Words {
    pub(super) fn new(rules: &[Rule]) -> Self {
        let mut found = Vec::new();
        let mut expressions = Vec::new();
        for (number, rule) in rules.iter().enumerate() {
            let Form::Expression(expression) = &rule.form else { continue };
            let meaning = Meaning::Anchor(expressions.len() as u16);
            let anchors = expression.anchors.iter();
            found.extend(anchors.map(|a| (a.as_bytes(), !expression.nocase, expression.inside, meaning)));
            expressions.push(number as u16);
        }
        let (password, secret) = (finder(rules, Finder::Password), finder(rules, Finder::Secret));
        let mut stems = |stems: &'static [&'static str], meaning| {
            found.extend(stems.iter().map(|stem| (stem.as_bytes(), false, true, meaning)));
        };
        if password.is_some() {
            stems(&credential::PASSWORD_STEMS, Meaning::Password);
        }
        if secret.is_some() {
            stems(&credential::SECRET_STEMS, Meaning::Secret);
        }
        if Persons::new(rules).any() {
            for (cue, words) in CUES {
                let meaning = Meaning::Person(*cue);
                found.extend(words.iter().map(|word| (word.as_bytes(), false, cue.is_inside(), meaning)));
            }
        }
        for (number, rule) in rules.iter().enumerate() {
            let Form::Token { prefix, body } = &rule.form else { continue };
            // What no run shows is told by its prefix, as far as that is a word.
            let told = |prefix: &&String| !template::shows(prefix, body) && head(prefix.as_bytes()).is_some();
            let prefixes = prefix.iter().filter(told).map(|prefix| prefix.as_bytes());
            found.extend(prefixes.map(|prefix| (prefix, true, false, Meaning::Token(number as u16))));
        }
        let (mut windows, mut heads, mut hooks) = (Vec::new(), Vec::new(), Vec::new());
        for (word, exact, inside, meaning) in found {
            let number = hooks.len() as u16;
            let head = if inside { None } else { head(word) };
            let offset = head.unwrap_or_else(|| rarest(&word.to_ascii_lowercase()));
            match head {
                Some(_) => heads.push((word[offset..].to_vec(), exact, number)),
                None => windows.push((word[offset..word.len().min(offset + WINDOW)].to_vec(), exact, number)),
            }
            hooks.push(Hook { word: word.into(), exact, offset, meaning });
        }
        let lower: Vec<Vec<u8>> = windows.iter().map(|(window, ..)| window.to_ascii_lowercase()).collect();
        let begin: Vec<&[u8]> = heads.iter().map(|(word, ..)| &word[..]).collect();
        Self {
            beginnings: Beginnings::new(lower.iter().map(Vec::as_slice), begin),
            windows: Literals::new(windows),
            heads: Literals::new(heads),
            hooks,
            expressions,
            password,
            secret,
        }
    }

    /// Looks at the places of a block where words may stand, and at those where words may begin.
    #[inline]
    pub(super) fn block(
        &self,
        search: &mut Search<'_>,
        at: usize,
        (words, heads): (u64, u64),
    ) -> Result<(), SanitizeError> {
        for (literals, mut places) in [(&self.windows, words), (&self.heads, heads)] {
            while places != 0 {
                let place = at + places.trailing_zeros() as usize;
                places &= places - 1;
                for (number, _) in literals.at(search.text, place) {
                    self.hit(search, place, &self.hooks[usize::from(number)])?;
                }
            }
        }
        Ok(())
    }

    #[cold]
    fn hit(&self, search: &mut Search<'_>, place: usize, hook: &Hook) -> Result<(), SanitizeError> {
        let Some(start) = place.checked_sub(hook.offset) else { return Ok(()) };
        let end = start + hook.word.len();
        let is = |there: &[u8]| {
            if hook.exact { there == &*hook.word } else { there.eq_ignore_ascii_case(&hook.word) }
        };
        if !search.text.get(start..end).is_some_and(is) {
            return Ok(());
        }
        match hook.meaning {
            Meaning::Anchor(expression) => self.open(search, expression, start)?,
            Meaning::Password => assigned(search, start, Finder::Password),
            Meaning::Secret => assigned(search, start, Finder::Secret),
            Meaning::Person(cue) => cue.look(search, &search.scanner.persons, start, end),
            Meaning::Token(rule) => {
                if start == 0 || !search.text[start - 1].is_ascii_alphanumeric() {
                    run::token(search, rule, start, end - start);
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
            Some((_, open_start, open_end)) if start <= *open_end => {
                // What begins a word comes after what counts anywhere in the same block.
                (*open_start, *open_end) = (start.min(*open_start), end.max(*open_end));
            }
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

/// Offers what is assigned to the name around `place`, or stands in the column of that name.
pub(super) fn assigned(search: &mut Search<'_>, place: usize, sort: Finder) {
    if !search.within.may_read(place) {
        return;
    }
    let mut next =
        assignment::read(search.text, place).or_else(|| assignment::read_before(search.text, place));
    let mut values = 0;
    while let Some(found) = next {
        work::count(found.end - found.start);
        search.within.read(place, found.start, found.end);
        search.offer_credential(sort, &found);
        values += 1;
        next = (values < LIST_MAX).then(|| assignment::next_in_list(search.text, &found)).flatten();
    }
    if table::may_end(search.text, assignment::name_around(search.text, place).1) {
        table::columns(search, place);
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

/// Where a word can be looked up if it begins where a word does: the rarest of the places where a letter, with two letters
/// or digits behind it, stands behind what is neither.
pub(super) fn head(word: &[u8]) -> Option<usize> {
    let begins = |at: &usize| {
        word[*at].is_ascii_alphabetic()
            && word[at + 1..at + 3].iter().all(u8::is_ascii_alphanumeric)
            && (*at == 0 || !word[*at - 1].is_ascii_alphanumeric())
    };
    let places = (0..=word.len().checked_sub(HEAD)?).filter(begins);
    let rarity = |at: usize| rarity(&word[at..word.len().min(at + WINDOW)].to_ascii_lowercase());
    places.max_by(|a, b| rarity(*a).total_cmp(&rarity(*b)))
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
