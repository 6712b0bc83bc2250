//! Rules of the customer's own. They run over the whole text, each by itself: a policy without any costs nothing.

use super::Search;
use crate::rules::{Form, Rule};

/// Which rules are the customer's.
#[derive(Debug)]
pub(super) struct Custom {
    rules: Vec<u16>,
}

impl Custom {
    pub(super) fn new(rules: &[Rule]) -> Self {
        let is = |rule: &Rule| matches!(rule.form, Form::Everywhere(_) | Form::List(_));
        let rules = rules.iter().enumerate().filter(|(_, rule)| is(rule)).map(|(number, _)| number as u16);
        Self { rules: rules.collect() }
    }

    pub(super) fn find(&self, search: &mut Search<'_>) {
        let text = search.text;
        for number in &self.rules {
            match &search.scanner.rules[usize::from(*number)].form {
                Form::Everywhere(regex) => {
                    for groups in regex.captures_iter(text) {
                        if let Some(value) = groups.get(1).or_else(|| groups.get(0)) {
                            search.offer(*number, value.start(), value.end());
                        }
                    }
                }
                Form::List(words) => {
                    for word in words.find_iter(text) {
                        if stands_apart(text, word.start(), word.end()) {
                            search.offer(*number, word.start(), word.end());
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

/// Whether neither letters nor digits go on at the ends.
fn stands_apart(text: &[u8], start: usize, end: usize) -> bool {
    let letter = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b >= 0x80);
    let joined = |a: Option<&u8>, b: Option<&u8>| letter(a) && letter(b);
    let before = start.checked_sub(1).and_then(|at| text.get(at));
    !joined(before, text.get(start)) && !joined(end.checked_sub(1).and_then(|at| text.get(at)), text.get(end))
}
