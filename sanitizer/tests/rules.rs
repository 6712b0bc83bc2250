//! Every rule against its own examples, made from its format and a seed, and against its counter-examples.

use certus_sanitizer::rules::{self, RawRule};
use certus_sanitizer::template::{self, Piece};
use certus_sanitizer::{Format, Policy, Profile, PseudonymKey, Sanitizer, check_name};

#[path = "made/examples.rs"]
mod examples;
#[path = "made/numbers.rs"]
mod numbers;

use examples::examples;
use numbers::{Random, expand};

fn sanitizer(profile: Profile) -> Sanitizer {
    Sanitizer::new(&Policy::from(profile), PseudonymKey::from_bytes([7; 32])).expect("the tables are right")
}

#[test]
fn there_are_enough_rules_and_each_has_examples() {
    let all = rules::raw().expect("the tables are right");
    assert!(all.len() >= 900, "{}", all.len());
    for (_, rule) in &all {
        assert!(!examples(rule).is_empty(), "{}: no example", rule.id);
        let made = rule.body.is_some();
        assert!(!rule.negatives.is_empty() || made, "{}: no counter-example", rule.id);
    }
}

#[test]
fn every_rule_finds_its_examples() {
    let sanitizer = sanitizer(Profile::HighRecall);
    let mut missed = Vec::new();
    for (kind, rule) in rules::raw().expect("the tables are right") {
        // Seeded by its name, so that no other rule changes what this one is tried on.
        let mut random =
            Random(rule.id.bytes().fold(1, |seed, byte| seed * 31 % 1_000_003 + u64::from(byte)));
        // A sum may be that of several rules.
        let sum = check_name(rule.sum).map(|sum| format!("'key ' @{sum} ' end'"));
        for format in examples(&rule).into_iter().chain(sum) {
            for _ in 0..20 {
                let text = expand(&format, &mut random);
                let found = sanitizer.scan(text.as_bytes(), Format::Text).expect("scans");
                // Where forms overlap, another rule may name the value; what counts is that it goes.
                if !found.iter().any(|f| f.kind == kind) {
                    missed.push(format!(
                        "{}: {text:?} gave {:?}",
                        rule.id,
                        found.iter().map(|f| &f.rule).collect::<Vec<_>>()
                    ));
                    break;
                }
            }
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

/// Counter-examples that follow from a rule's form: nothing behind its prefix, a first run that is one character too short, a
/// value without its word.
fn made_negatives(rule: &RawRule, random: &mut Random) -> Vec<String> {
    let Some(body) = &rule.body else { return Vec::new() };
    let mut pieces = template::parse(body).expect("a format").into_iter();
    let Some(Piece::Run { alphabet, min, .. }) = pieces.next() else { return Vec::new() };
    let short = format!("{}:{}", alphabet.name, min.saturating_sub(1).max(1));
    match (rule.prefix.first(), rule.words.first()) {
        (Some(prefix), _) => {
            let cut = expand(&format!("'key {prefix}' {short} ' end'"), random);
            vec![format!("key {prefix} end"), cut]
        }
        (None, Some(word)) => {
            let cut = (pieces.len() == 0).then(|| expand(&format!("'{word}_key = \"' {short} '\"'"), random));
            cut.into_iter().chain([expand(&format!("'unnamed = \"' {body} '\"'"), random)]).collect()
        }
        (None, None) => Vec::new(),
    }
}

#[test]
fn no_rule_finds_its_counter_examples() {
    let sanitizer = sanitizer(Profile::HighRecall);
    let mut random = Random(2);
    let mut wrong = Vec::new();
    for (_, rule) in rules::raw().expect("the tables are right") {
        let mut texts = rule.negatives.clone();
        texts.extend(made_negatives(&rule, &mut random));
        for text in texts {
            let found = sanitizer.scan(text.as_bytes(), Format::Text).expect("scans");
            if found.iter().any(|finding| finding.rule == rule.id) {
                wrong.push(format!("{}: {text:?}", rule.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A sum that does not hold drops no finding.
#[test]
fn a_sum_tells_how_sure_a_token_is_and_drops_none() {
    let sanitizer = sanitizer(Profile::Balanced);
    let mut random = Random(6);
    let mut told = Vec::new();
    for name in numbers::tokens::TOKENS.into_iter().filter(|name| !matches!(*name, "seed-phrase" | "stellar"))
    {
        let token = numbers::made(name, &mut random);
        let swapped = if token.ends_with('2') { '3' } else { '2' };
        // The last of a token's characters belongs to its sum, but a web token tells in its header.
        let wrong = match name {
            "jwt" => format!("{}H{}", &token[..5], &token[6..]),
            _ => format!("{}{swapped}", &token[..token.len() - 1]),
        };
        for (text, holds) in [(token, true), (wrong, false)] {
            let found = sanitizer.scan(format!("key {text} end").as_bytes(), Format::Text).expect("scans");
            let [finding] = &found[..] else { panic!("{name} {text}: {found:?}") };
            assert_eq!((finding.start, finding.end), (4, 4 + text.len()), "{name} {text}");
            assert_eq!(
                check_name(finding.check).as_deref() == Some(name),
                holds,
                "{name} {text}: {finding:?}"
            );
            assert_eq!(finding.score.value() > 0.95, holds, "{name} {text}: {finding:?}");
        }
        told.push(name);
    }
    let rules = rules::raw().expect("the tables are right");
    let sums: Vec<String> = rules.iter().filter_map(|(_, rule)| check_name(rule.sum)).collect();
    assert!(sums.iter().all(|sum| told.contains(&sum.as_str())), "{sums:?} but {told:?}");
}

#[test]
fn the_profiles_differ_as_they_say() {
    let mut random = Random(4);
    let secret = expand("'token ghp_' alnum:36", &mut random);
    let personal = expand("'mail ' lower:8 '@' lower:8 '.org'", &mut random);
    let count =
        |profile, text: &str| sanitizer(profile).scan(text.as_bytes(), Format::Text).expect("scans").len();
    assert_eq!(count(Profile::SecretsOnly, &secret), 1);
    assert_eq!(count(Profile::SecretsOnly, &personal), 0);
    assert_eq!(count(Profile::PiiOnly, &secret), 0);
    assert_eq!(count(Profile::PiiOnly, &personal), 1);
    let bare = expand("'the access code ' alnum:44", &mut random);
    assert_eq!((count(Profile::Balanced, &bare), count(Profile::HighRecall, &bare)), (0, 1));
}
