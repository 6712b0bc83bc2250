//! Finds values in a text: one pass tells which bytes are of which sort, and where that gives a hint, rules are tried.
//!
//! No expression ever runs over a whole text. Hints are of four sorts: a *run* of token characters that is long and holds a
//! digit (tokens by their prefix, keyed values by a word before them, random ones); a *word* (anchors of
//! expressions, names that something is assigned to); a *group of digits* (numbers of somebody); an `@`. The
//! work at each is bounded, and windows of one expression are joined before it runs, so that the whole
//! stays linear however dense the hints are.

use crate::SanitizeError;
use crate::action::Action;
use crate::credential::{self, Confidence};
use crate::policy::{Policy, Profile};
use crate::pseudonym;
use crate::rules::{self, Finder, Form, Kind, Rule, RulesError};
use crate::simd::{BLOCK, BLOCKS, Batch, Lanes, each};
use crate::work;

mod address;
#[cfg(test)]
mod alone;
mod assignment;
mod cue;
mod custom;
mod date;
mod hints;
mod literals;
#[cfg(test)]
mod naive;
mod number;
mod person;
mod place;
mod position;
mod run;
mod starts;
mod table;
mod word;

use starts::Starts;

pub(crate) use assignment::{Assigned, Manner};
pub(crate) use hints::Hints;

/// A value to take out: where, and by which rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) rule: u16,
    pub(crate) how: How,
}

/// How a value was come by, where its rule alone does not say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum How {
    /// The rule says it.
    #[default]
    Rule,
    /// The rule, but it may be something else.
    Maybe,
    /// It was found elsewhere.
    Learnt,
}

/// The compiled rules.
#[derive(Debug)]
pub(crate) struct Scanner {
    rules: Vec<Rule>,
    /// What is done with the values of each rule.
    actions: Vec<Action>,
    lanes: Lanes,
    /// Whether what may be a value is taken for one.
    thorough: bool,
    words: word::Words,
    runs: run::Runs,
    numbers: number::Numbers,
    addresses: address::Addresses,
    custom: custom::Custom,
    persons: cue::Persons,
}

/// How far before a value its context may stand, in bytes.
const CONTEXT_BYTES: usize = 64;

impl Scanner {
    pub(crate) fn new(policy: &Policy) -> Result<Self, RulesError> {
        let mut rules = Vec::new();
        for custom in policy.terms.rules() {
            let wrong = |cause| RulesError::Rule { id: custom.id.clone(), cause };
            rules.push(custom.compiled().map_err(wrong)?);
        }
        rules.extend(rules::load(policy.profile)?);
        rules.retain(|rule| !policy.terms.is_off(&rule.type_name));
        let actions = rules.iter().map(|rule| policy.terms.action(&rule.id, &rule.type_name)).collect();
        Ok(Self::of(rules, actions, policy.profile))
    }

    /// Of these rules, each with what is done with its values.
    pub(crate) fn of(rules: Vec<Rule>, actions: Vec<Action>, profile: Profile) -> Self {
        Self {
            lanes: Lanes::best(),
            thorough: profile != Profile::Balanced,
            actions,
            words: word::Words::new(&rules),
            runs: run::Runs::new(&rules),
            numbers: number::Numbers::new(&rules),
            addresses: address::Addresses::new(&rules),
            custom: custom::Custom::new(&rules),
            persons: cue::Persons::new(&rules),
            rules,
        }
    }

    pub(crate) fn rule(&self, number: u16) -> &Rule {
        &self.rules[usize::from(number)]
    }

    pub(crate) fn action(&self, number: u16) -> &Action {
        &self.actions[usize::from(number)]
    }

    /// Whether the values of a rule stay. Where one overlaps a value that goes, it goes too.
    fn keeps(&self, rule: u16) -> bool {
        matches!(self.actions[usize::from(rule)], Action::Keep(_))
    }

    /// Whether a rule finds what nothing but its look gives away.
    pub(crate) fn is_random(&self, number: u16) -> bool {
        self.rules
            .get(usize::from(number))
            .is_some_and(|rule| matches!(rule.form, Form::Finder(Finder::Random)))
    }

    /// Whether a rule finds where somebody is, in numbers that may be short.
    pub(crate) fn is_position(&self, number: u16) -> bool {
        self.persons.position == Some(number)
    }

    pub(crate) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Overlapping values become one, by the rule that stands first in the tables.
    fn joined(&self, mut found: Vec<Span>) -> Vec<Span> {
        found.sort_unstable_by_key(|span| (span.start, std::cmp::Reverse(span.end), span.rule, span.how));
        let mut spans: Vec<Span> = Vec::with_capacity(found.len());
        for span in found {
            match spans.last_mut() {
                Some(last) if span.start < last.end => {
                    last.end = last.end.max(span.end);
                    let order = |span: &Span| (self.keeps(span.rule), span.rule, span.how);
                    if order(&span) < order(last) {
                        (last.rule, last.how) = (span.rule, span.how);
                    }
                }
                _ => spans.push(span),
            }
        }
        spans
    }

    /// Values in `text`, in order, none overlapping another, and where it may hold other texts.
    /// `batch` is room to work in.
    pub(crate) fn find(&self, batch: &mut Batch, text: &[u8]) -> Result<(Vec<Span>, Hints), SanitizeError> {
        let search = self.search(batch, text)?;
        Ok((self.joined(search.found), search.hints))
    }

    fn search<'a>(&'a self, batch: &mut Batch, text: &'a [u8]) -> Result<Search<'a>, SanitizeError> {
        work::count(text.len());
        let mut search = Search::new(self, text);
        let (mut runs, mut groups) = (run::Walk::default(), number::Walk::default());
        let mut addresses = address::Walk::default();
        for at in (0..text.len()).step_by(BLOCKS * BLOCK) {
            batch.go(self.lanes, &self.words.beginnings, text, at);
            let events = &batch.events;
            search.starts.batch(at, &events.starts);
            for block in (0..batch.blocks).filter(|block| events.any[*block] != 0) {
                let at = at + block * BLOCK;
                each(events.runs[block], at, |place| runs.look(&self.runs, &mut search, place));
                each(events.numbers[block], at, |place| groups.look(&self.numbers, &mut search, place));
                addresses.block(&self.addresses, &mut search, at, (events, block));
                each(events.escapes[block], at, |place| hints::escape(&mut search, place));
                if let Some(rule) = self.persons.address {
                    place::block(rule, &mut search, at, (events, block));
                }
                self.words.block(&mut search, at, (events.words[block], events.heads[block]))?;
            }
        }
        self.words.finish(&mut search)?;
        self.custom.find(&mut search);
        if self.thorough && search.found.is_empty() {
            self.numbers.document(&mut search);
        }
        Ok(search)
    }
}

/// One search under way.
struct Search<'a> {
    scanner: &'a Scanner,
    text: &'a [u8],
    found: Vec<Span>,
    /// Of each expression that has one, the window that is open: number among the expressions, start, end.
    windows: Vec<(u16, usize, usize)>,
    starts: Starts,
    hints: Hints,
    within: word::Within,
    /// Through where tables of persons were read.
    tabled: usize,
}

impl<'a> Search<'a> {
    fn new(scanner: &'a Scanner, text: &'a [u8]) -> Self {
        Self {
            scanner,
            text,
            found: Vec::new(),
            windows: Vec::new(),
            starts: Starts::default(),
            hints: Hints::default(),
            within: word::Within::default(),
            tabled: 0,
        }
    }

    /// Keeps a value if it passes its rule's tests.
    fn offer(&mut self, number: u16, start: usize, end: usize) {
        self.offer_as(number, start, end, How::Rule);
    }

    fn offer_as(&mut self, number: u16, start: usize, end: usize, how: How) {
        let rule = &self.scanner.rules[usize::from(number)];
        let (start, end) = whole(self.text, start, end, rule);
        if self.meant(rule, start, end) {
            self.found.push(Span { start, end, rule: number, how });
        }
    }

    /// Keeps what is assigned to a name of this sort, `Password` or `Secret`, if it is a credential.
    fn offer_credential(&mut self, sort: Finder, found: &Assigned) {
        let words = &self.scanner.words;
        let rule = if sort == Finder::Password { words.password } else { words.secret };
        let Some(number) = rule else { return };
        let needed = if self.scanner.thorough { Confidence::Maybe } else { Confidence::Sure };
        let confidence = credential::judge(sort, self.text, found);
        if confidence >= needed {
            let how = if confidence == Confidence::Sure { How::Rule } else { How::Maybe };
            self.offer_as(number, found.start, found.end, how);
        }
    }

    fn meant(&self, rule: &Rule, start: usize, end: usize) -> bool {
        let value = &self.text[start..end];
        !value.is_empty()
            && rule.check.holds(value)
            && rule.filter.passes(self.text, start, value, self.scanner.thorough)
            && self.in_context(rule, start, end)
            && !is_token(self.text, start, end)
    }

    fn in_context(&self, rule: &Rule, start: usize, end: usize) -> bool {
        if rule.context.is_empty() || matches!(rule.form, Form::Number { .. }) {
            return true;
        }
        let apart = || is_quoted(self.text, start, end) || number::stands_alone(self.text, start, end);
        if rule.alone && apart() && !credential::is_prefixed(&self.text[start..end]) {
            return true;
        }
        let near = pseudonym::words_before(self.text, start, CONTEXT_BYTES);
        rule.context.iter().any(|word| memchr::memmem::find(&near, word.as_bytes()).is_some())
    }
}

/// Whether a pair of quotes holds this and nothing else.
fn is_quoted(text: &[u8], start: usize, end: usize) -> bool {
    let before = start.checked_sub(1).map(|at| text[at]);
    before.is_some_and(|quote| matches!(quote, b'"' | b'\'' | b'`') && text.get(end) == Some(&quote))
}

/// The value with whole characters, and, where it gives access, to the end of the run of token characters that it is cut
/// from: a limit of an expression must not leave half of it behind.
fn whole(text: &[u8], mut start: usize, mut end: usize, rule: &Rule) -> (usize, usize) {
    let inside = |b: u8| b & 0xC0 == 0x80;
    while start > 0 && start < text.len() && inside(text[start]) {
        start -= 1;
    }
    let expression = matches!(rule.form, Form::Expression(_));
    if expression && rule.kind == Kind::Secret && end > start && text[end - 1].is_ascii_alphanumeric() {
        while end < text.len() && (text[end].is_ascii_alphanumeric() || matches!(text[end], b'_' | b'-')) {
            end += 1;
        }
    }
    while end < text.len() && inside(text[end]) {
        end += 1;
    }
    // What closes a section of characters in XML belongs to none.
    let value = &text[start..end.max(start)];
    if let Some(at) = memchr::memmem::find(value, b"]]>") {
        end = start + at;
    } else if value.ends_with(b"]]") && text.get(end) == Some(&b'>') {
        end -= 2;
    }
    (start, end)
}

/// Whether what stands there is a replacement of ours, or hardly more than that.
pub(crate) fn is_token(text: &[u8], start: usize, end: usize) -> bool {
    let from = start.saturating_sub(64);
    let to = (end + 64).min(text.len());
    let mut rest = end - start;
    for (a, b) in pseudonym::tokens(&text[from..to]) {
        let (a, b) = ((from + a).max(start), (from + b).min(end));
        rest -= b.saturating_sub(a);
    }
    rest < 4 && rest < end - start
}

/// The number of the first rule that a finder finds for.
fn finder(rules: &[Rule], wanted: Finder) -> Option<u16> {
    let is = |rule: &Rule| matches!(rule.form, Form::Finder(finder) if finder == wanted);
    rules.iter().position(is).map(|number| number as u16)
}
