//! The slow and obvious twin of the search, for tests: every rule at every place of a text.
//!
//! It shares with the search what a rule's form and tests mean, and nothing of how places are chosen: no masks of bytes,
//! no table of literals, no windows. What it finds, the search must find.

use proptest::prelude::*;

use super::*;
use crate::credential::Need;
use crate::filter::Filter;
use crate::rules::{self, RawRule};
use crate::template::{self, Piece};

mod drawn;
mod finders;
#[path = "../../tests/made/numbers.rs"]
pub(super) mod numbers;

use numbers::{Random, expand};

/// How far behind a word's beginning its value may begin.
const REACH: usize = 80;

fn scanner() -> &'static Scanner {
    static SCANNER: std::sync::OnceLock<Scanner> = std::sync::OnceLock::new();
    SCANNER.get_or_init(|| Scanner::new(&Policy::default()).expect("the tables are right"))
}

/// Where a value of this format ends that is not cut off.
fn ended(body: &[Piece], text: &[u8], at: usize) -> Option<usize> {
    let end = template::match_at(body, text, at)?;
    text.get(end).is_none_or(|next| !template::goes_on(body, *next)).then_some(end)
}

/// Whether the run of token characters around `at` may hold a value at all: eight letters and digits in a row with a digit
/// among them, or twenty, and no number of a program.
fn may_hold(text: &[u8], at: usize) -> bool {
    let start = at - text[..at].iter().rev().take_while(|b| crate::simd::is_token(**b)).count();
    let end = at + text[at..].iter().take_while(|b| crate::simd::is_token(**b)).count();
    let run = &text[start..end];
    let alnum = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_alphanumeric);
    let digit = |bytes: &[u8]| bytes.iter().any(u8::is_ascii_digit);
    let hinted = run.windows(8).any(|w| alnum(w) && digit(w)) || run.windows(20).any(alnum);
    let program = run.len() <= 22
        && (run.starts_with(b"0x")
            || run.starts_with(b"0X")
            || run[0].is_ascii_digit()
                && run.iter().filter(|b| b.is_ascii_alphabetic()).count() <= 3
                && !(run.len() > 10 && run.contains(&b'/')));
    hinted && !program
}

fn tokens(search: &mut Search<'_>, number: u16, prefixes: &[String], body: &[Piece]) {
    let text = search.text;
    for at in 0..text.len() {
        if at > 0 && text[at - 1].is_ascii_alphanumeric() {
            continue;
        }
        for prefix in prefixes.iter().filter(|prefix| text[at..].starts_with(prefix.as_bytes())) {
            if let Some(end) = ended(body, text, at + prefix.len())
                && (may_hold(text, at)
                    || !template::shows(prefix, body) && word::head(prefix.as_bytes()).is_some())
                && (search.scanner.rules[usize::from(number)].filter == Filter::Prefix
                    || !credential::is_filled_in(&text[at + prefix.len()..end]))
                && !credential::is_file_name(text, end)
            {
                search.offer(number, at, end);
            }
        }
    }
}

fn keyed(search: &mut Search<'_>, number: u16, words: &[String], body: &[Piece]) {
    let text = search.text;
    for at in 0..text.len() {
        for word in words {
            let Some(there) = text.get(at..at + word.len()) else { continue };
            if !begins(text, at)
                || !there.eq_ignore_ascii_case(word.as_bytes())
                || pseudonym::within_token(text, at)
            {
                continue;
            }
            let from = at + word.len();
            for at in from..text.len().min(at + REACH) {
                let whole = at == 0 || !template::goes_on(body, text[at - 1]);
                let need = if search.scanner.thorough { Need::Any } else { Need::Likely };
                if let Some(end) = whole.then(|| ended(body, text, at)).flatten()
                    && credential::is_plausible(text, (at, end), template::sort(body), need)
                    && (may_hold(text, at)
                        || template::is_broken(body) && (at..end).any(|at| may_hold(text, at)))
                {
                    search.offer(number, at, end);
                }
            }
        }
    }
}

/// Where a literal stands, exactly or whatever the case of its letters.
fn occurrences(text: &[u8], literal: &[u8], exact: bool) -> impl Iterator<Item = usize> {
    let is = move |there: &[u8]| if exact { there == literal } else { there.eq_ignore_ascii_case(literal) };
    text.windows(literal.len()).enumerate().filter(move |(_, there)| is(there)).map(|(at, _)| at)
}

/// Whether a word begins at `at`: behind no letter or digit, or with a capital behind none.
fn begins(text: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).map_or(b' ', |at| text[at]);
    !before.is_ascii_alphanumeric() || text[at].is_ascii_uppercase() && !before.is_ascii_uppercase()
}

/// Matches that lie within reach of an anchor: where the whole and where the value stand.
fn matches(expression: &rules::Expression, text: &[u8]) -> Vec<(bool, (usize, usize))> {
    let regex = expression.regex().expect("every rule compiles");
    let mut found = Vec::new();
    for groups in regex.captures_iter(text) {
        let (Some(whole), Some(value)) = (groups.get(0), groups.get(1)) else { continue };
        let near = expression.anchors.iter().any(|anchor| {
            let word = anchor.as_bytes()[0].is_ascii_alphanumeric() && !expression.inside;
            occurrences(text, anchor.as_bytes(), !expression.nocase).any(|at| {
                let reached = at.saturating_sub(expression.before) <= whole.start();
                reached && whole.end() <= at + expression.after && (!word || begins(text, at))
            })
        });
        found.push((near, (value.start(), value.end())));
    }
    found
}

/// What all rules give at any place, each rule by itself.
fn naive(scanner: &Scanner, text: &[u8]) -> Vec<Span> {
    let mut search = Search::new(scanner, text);
    for (number, rule) in scanner.rules.iter().enumerate() {
        let number = number as u16;
        match &rule.form {
            Form::Token { prefix, body } => tokens(&mut search, number, prefix, body),
            Form::Keyed { words, body } => keyed(&mut search, number, words, body),
            Form::Expression(expression) => {
                for (near, (start, end)) in matches(expression, text) {
                    if near {
                        search.offer(number, start, end);
                    }
                }
            }
            Form::Number { compact, .. } => finders::numbers(&mut search, number, compact),
            Form::Finder(_) | Form::Everywhere(_) | Form::List(_) => {}
        }
    }
    finders::all(&mut search);
    search.found
}

/// What the naive search finds and the fast one does not.
fn missed(scanner: &Scanner, text: &[u8]) -> Vec<String> {
    let (found, _) = scanner.find(&mut crate::simd::Batch::boxed(), text).expect("every rule compiles");
    // Of numbers that overlap, the first one that is found counts.
    let covered = |span: &Span| match scanner.rule(span.rule).form {
        Form::Number { .. } => found.iter().any(|f| f.start < span.end && span.start < f.end),
        _ => found.iter().any(|f| f.start <= span.start && span.end <= f.end),
    };
    let missed = naive(scanner, text).into_iter().filter(|span| !covered(span));
    missed
        .map(|span| {
            let value = String::from_utf8_lossy(&text[span.start..span.end]);
            format!("{}: {value:?}", scanner.rule(span.rule).id)
        })
        .collect()
}

/// Numbers from a seed (splitmix64).
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (*seed ^ (*seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn formats(rule: &RawRule) -> Vec<String> {
    let body = rule.body.as_deref().unwrap_or_default();
    let tokens = rule.prefix.iter().map(|prefix| format!("'{prefix}' {body}"));
    let keyed = rule.words.iter().map(|word| format!("'{word}: ' {body}"));
    tokens.chain(keyed).chain(rule.examples.iter().cloned()).collect()
}

/// Addresses in which few digits stand beside signs.
const ADDRESSES: [&str; 4] = [
    "'2001:db8:' hex:4 ':' hex:4 ':' hex:4 ':' hex:4 ':' hex:4 ':' hex:4",
    "'fe80::' hex:4 ':' hex:4",
    "xdigit:2 '-' xdigit:2 '-' xdigit:2 '-' xdigit:2 '-' xdigit:2 '-' xdigit:2",
    "xdigit:4 '.' xdigit:4 '.' xdigit:4",
];

fn all_formats() -> &'static [String] {
    static FORMATS: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
    FORMATS.get_or_init(|| {
        let all = rules::raw().expect("the tables are right");
        let found = ADDRESSES.iter().map(|format| (*format).to_owned());
        all.iter().flat_map(|(_, rule)| formats(rule)).chain(found).collect()
    })
}

/// Rules whose anchors stand apart from what they match: words of which one must be near.
const APART: [&str; 10] = [
    "cookie-session",
    "discord-bot-token",
    "jwk-private",
    "jwk-symmetric",
    "kubernetes-secret",
    "kubernetes-secret-json",
    "pgpass-password",
    "seed-phrase",
    "seed-phrase-any",
    "travel-document-zone",
];
/// Texts drawn from each expression, and how many of them are searched as well.
const DRAWN: (usize, usize) = (24, 2);

#[test]
fn what_an_expression_matches_lies_within_reach_of_an_anchor_and_is_found() {
    let mut seed = 13;
    let (mut wrong, mut silent) = (Vec::new(), Vec::new());
    for (_, raw) in rules::raw().expect("the tables are right") {
        let rule = scanner().rules.iter().find(|rule| rule.id == raw.id).expect("it is used");
        let (Form::Expression(expression), Some(text)) = (&rule.form, &raw.regex) else { continue };
        let mut matched = 0;
        for (number, around) in ["", " ", "\"", "\n"].iter().cycle().take(DRAWN.0).enumerate() {
            let text = [around.as_bytes(), &drawn::drawn(text, &mut seed), around.as_bytes()].concat();
            let all = matches(expression, &text);
            matched += all.len();
            let far = !APART.contains(&&*raw.id) && all.iter().any(|(near, _)| !near);
            let missed = if number < DRAWN.1 { missed(scanner(), &text) } else { Vec::new() };
            if far || !missed.is_empty() {
                wrong.push(format!("{}: {:?} {missed:?}", raw.id, String::from_utf8_lossy(&text)));
                break;
            }
        }
        if matched == 0 {
            silent.push(raw.id);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(silent.is_empty(), "nothing was drawn for {silent:?}");
}

#[test]
fn a_match_lies_within_reach_of_an_anchor() {
    let mut random = Random(11);
    let mut wrong = Vec::new();
    for (_, raw) in rules::raw().expect("the tables are right") {
        let rule = scanner().rules.iter().find(|rule| rule.id == raw.id).expect("it is used");
        let Form::Expression(expression) = &rule.form else { continue };
        for format in &raw.examples {
            for _ in 0..4 {
                let text = expand(format, &mut random);
                if matches(expression, text.as_bytes()).iter().any(|(near, _)| !near) {
                    wrong.push(format!("{}: {text:?}", raw.id));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_search_finds_every_example_that_the_naive_one_does() {
    let mut random = Random(12);
    let mut wrong = Vec::new();
    for format in all_formats() {
        let text = expand(format, &mut random);
        wrong.extend(missed(scanner(), format!("x {text} y").as_bytes()));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

proptest! {
    // The same cases each time: chance belongs into long runs.
    #![proptest_config(ProptestConfig {
        cases: 48,
        rng_seed: proptest::test_runner::RngSeed::Fixed(41),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_search_finds_what_the_naive_one_does_in_any_company(
        parts in prop::collection::vec(
            (any::<prop::sample::Index>(), any::<u64>(), "[ -~\n]{0,40}", "[ \n\"'=:,;(]"), 1..10),
    ) {
        let mut text = String::new();
        for (format, seed, noise, apart) in parts {
            text.push_str(&noise);
            text.push_str(&apart);
            text.push_str(&expand(format.get::<String>(all_formats()), &mut Random(seed)));
            text.push_str(&apart);
        }
        let missed = missed(scanner(), text.as_bytes());
        prop_assert!(missed.is_empty(), "{text:?}: {missed:?}");
    }
}
