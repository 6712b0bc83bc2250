//! The passes over a text, in order: anchors, digits, random runs; then what overlaps is joined.
//!
//! No expression ever runs over a whole text. Each pass finds places where a rule can apply, the places of one rule are
//! joined into windows, and its expression runs once over each window, so that the work stays linear
//! however dense the places are.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use crate::SanitizeError;
use crate::policy::Profile;
use crate::pseudonym;
use crate::rules::{self, Kind, Rule, RulesError, Trigger};

mod runs;

/// A value to take out: where, and by which rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) rule: u16,
}

/// The compiled rules.
#[derive(Debug)]
pub(crate) struct Scanner {
    rules: Vec<Rule>,
    exact: Anchors,
    nocase: Anchors,
    digits: Vec<u16>,
    random: Vec<u16>,
}

#[derive(Debug)]
struct Anchors {
    automaton: AhoCorasick,
    /// For each pattern, the rules that it makes tried.
    owners: Vec<Vec<u16>>,
}

/// How far before a value its context may stand, in bytes.
const CONTEXT_BYTES: usize = 64;

impl Scanner {
    pub(crate) fn new(profile: Profile) -> Result<Self, RulesError> {
        let rules = rules::load(profile)?;
        let of = |trigger| {
            let numbered = rules.iter().enumerate().filter(|(_, rule)| rule.trigger == Some(trigger));
            numbered.map(|(i, _)| i as u16).collect()
        };
        let (digits, random) = (of(Trigger::Digits), of(Trigger::Random));
        let exact = Anchors::new(&rules, Case::Exact)?;
        let nocase = Anchors::new(&rules, Case::Folded)?;
        Ok(Self { rules, exact, nocase, digits, random })
    }

    pub(crate) fn rule(&self, span: &Span) -> &Rule {
        &self.rules[usize::from(span.rule)]
    }

    pub(crate) fn len(&self) -> usize {
        self.rules.len()
    }

    /// Values in `text`, in order, none overlapping another.
    pub(crate) fn find(&self, text: &[u8]) -> Result<Vec<Span>, SanitizeError> {
        let mut found = Vec::new();
        for anchors in [&self.exact, &self.nocase] {
            self.anchored(anchors, text, &mut found)?;
        }
        if !self.digits.is_empty() {
            for (start, end) in runs::digits(text) {
                for rule in &self.digits {
                    self.confirm(*rule, text, (start, end), &mut found)?;
                }
            }
        }
        if !self.random.is_empty() {
            for window in runs::random(text) {
                for rule in &self.random {
                    self.confirm(*rule, text, window, &mut found)?;
                }
            }
        }
        Ok(joined(found))
    }

    fn anchored(&self, anchors: &Anchors, text: &[u8], found: &mut Vec<Span>) -> Result<(), SanitizeError> {
        let mut windows: Vec<Option<(usize, usize)>> = vec![None; self.rules.len()];
        for hit in anchors.automaton.find_overlapping_iter(text) {
            for owner in &anchors.owners[hit.pattern().as_usize()] {
                let rule = &self.rules[usize::from(*owner)];
                let start = hit.start().saturating_sub(rule.before);
                let end = (hit.start() + rule.after).min(text.len());
                match &mut windows[usize::from(*owner)] {
                    Some((_, open_end)) if start <= *open_end => *open_end = end.max(*open_end),
                    window => {
                        if let Some(closed) = window.replace((start, end)) {
                            self.confirm(*owner, text, closed, found)?;
                        }
                    }
                }
            }
        }
        for (rule, window) in windows.into_iter().enumerate() {
            if let Some(window) = window {
                self.confirm(rule as u16, text, window, found)?;
            }
        }
        Ok(())
    }

    /// Runs a rule's expression over a window and keeps what passes its tests.
    fn confirm(
        &self,
        number: u16,
        text: &[u8],
        (from, to): (usize, usize),
        found: &mut Vec<Span>,
    ) -> Result<(), SanitizeError> {
        let rule = &self.rules[usize::from(number)];
        let regex = rule.regex().ok_or_else(|| SanitizeError::Rule(rule.id.clone()))?;
        let mut groups = regex.capture_locations();
        let mut at = from;
        while at <= to && regex.captures_read_at(&mut groups, &text[..to], at).is_some() {
            let Some((start, end)) = groups.get(1) else { break };
            at = if end > at { end } else { at + 1 };
            let (start, end) = whole(text, start, end, rule.kind);
            if self.meant(rule, text, start, end) {
                found.push(Span { start, end, rule: number });
            }
        }
        Ok(())
    }

    fn meant(&self, rule: &Rule, text: &[u8], start: usize, end: usize) -> bool {
        let value = &text[start..end];
        if value.is_empty() || !rule.check.holds(value) || !rule.filter.passes(text, start, value) {
            return false;
        }
        let near = text[start.saturating_sub(CONTEXT_BYTES)..start].to_ascii_lowercase();
        let placed = |word: &String| memchr::memmem::find(&near, word.as_bytes()).is_some();
        (rule.context.is_empty() || rule.context.iter().any(placed)) && !is_token(text, start, end)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Exact,
    Folded,
}

impl Anchors {
    fn new(rules: &[Rule], case: Case) -> Result<Self, RulesError> {
        let mut patterns: Vec<String> = Vec::new();
        let mut owners: Vec<Vec<u16>> = Vec::new();
        for (number, rule) in
            rules.iter().enumerate().filter(|(_, rule)| rule.nocase == (case == Case::Folded))
        {
            for anchor in &rule.anchors {
                match patterns.iter().position(|known| known == anchor) {
                    Some(known) => owners[known].push(number as u16),
                    None => {
                        patterns.push(anchor.clone());
                        owners.push(vec![number as u16]);
                    }
                }
            }
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .ascii_case_insensitive(case == Case::Folded)
            .build(&patterns)
            .map_err(|error| RulesError::Rule { id: "anchors".to_owned(), cause: error.to_string() })?;
        Ok(Self { automaton, owners })
    }
}

/// The value with whole characters, and, where it gives access, to the end of the run of token characters that it is cut
/// from: a limit of an expression must not leave half of it behind.
fn whole(text: &[u8], mut start: usize, mut end: usize, kind: Kind) -> (usize, usize) {
    let inside = |b: u8| b & 0xC0 == 0x80;
    while start > 0 && inside(text[start]) {
        start -= 1;
    }
    if kind == Kind::Secret && end > start && text[end - 1].is_ascii_alphanumeric() {
        while end < text.len() && (text[end].is_ascii_alphanumeric() || matches!(text[end], b'_' | b'-')) {
            end += 1;
        }
    }
    while end < text.len() && inside(text[end]) {
        end += 1;
    }
    (start, end)
}

/// Whether what stands there is a replacement of ours, or hardly more than that.
fn is_token(text: &[u8], start: usize, end: usize) -> bool {
    let from = start.saturating_sub(64);
    let to = (end + 64).min(text.len());
    let mut rest = end - start;
    for (a, b) in pseudonym::tokens(&text[from..to]) {
        let (a, b) = ((from + a).max(start), (from + b).min(end));
        rest -= b.saturating_sub(a);
    }
    rest < 4 && rest < end - start
}

/// Overlapping values become one, by the rule that stands first in the tables.
fn joined(mut found: Vec<Span>) -> Vec<Span> {
    found.sort_unstable_by_key(|span| (span.start, std::cmp::Reverse(span.end), span.rule));
    let mut spans: Vec<Span> = Vec::with_capacity(found.len());
    for span in found {
        match spans.last_mut() {
            Some(last) if span.start < last.end => {
                last.end = last.end.max(span.end);
                last.rule = last.rule.min(span.rule);
            }
            _ => spans.push(span),
        }
    }
    spans
}
