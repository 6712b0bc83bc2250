//! Texts of the rules' formats, alone and in company.

use std::sync::OnceLock;

use certus_sanitizer::rules;
use certus_sanitizer::template;
use proptest::prelude::*;

use crate::numbers::{Random, expand};

/// A format of a rule.
pub(crate) struct Formatted {
    pub(crate) rule: String,
    pub(crate) format: String,
}

/// All formats of all rules: tokens, values behind each word, examples.
pub(crate) fn formats() -> &'static [Formatted] {
    static FORMATS: OnceLock<Vec<Formatted>> = OnceLock::new();
    FORMATS.get_or_init(|| {
        let all = rules::raw().expect("the tables are right");
        let formats = all.into_iter().flat_map(|(_, rule)| {
            let body = rule.body.clone().unwrap_or_default();
            let tokens = rule.prefix.iter().map(|prefix| format!("'{prefix}' {body}"));
            let keyed = rule.words.iter().map(|word| format!("'{word}: ' {body}"));
            let all: Vec<String> = tokens.chain(keyed).chain(rule.examples.iter().cloned()).collect();
            all.into_iter().map(move |format| Formatted { rule: rule.id.clone(), format })
        });
        formats.inspect(|f| assert!(template::parse(&f.format).is_ok(), "{}", f.rule)).collect()
    })
}

/// A text of one of the formats.
pub(crate) fn example(number: u64, seed: u64) -> String {
    let formats = formats();
    expand(&formats[number as usize % formats.len()].format, &mut Random(seed))
}

/// Several of them with noise between.
pub(crate) fn company() -> impl Strategy<Value = String> {
    let part = (any::<u64>(), any::<u64>(), "[ -~\n]{0,30}", "[ \n\"'=:,;(]");
    prop::collection::vec(part, 1..12).prop_map(|parts| {
        let put = |(number, seed, noise, apart)| format!("{noise}{apart}{}{apart}", example(number, seed));
        parts.into_iter().map(put).collect()
    })
}
