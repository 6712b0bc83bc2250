//! Every rule by itself: it finds its own examples, and nothing in its counter-examples, whatever other rules do.

use super::naive::numbers::{Random, expand};
use super::*;
use crate::filter::Filter;
use crate::simd::Batch;

#[path = "../../tests/made/examples.rs"]
mod examples;

use examples::examples;

/// Texts made of each example.
const MADE: usize = 16;
const JUDGED: [Filter; 5] = [Filter::Random, Filter::Drawn, Filter::Value, Filter::Password, Filter::Uuid];

fn finds(scanner: &Scanner, text: &str) -> bool {
    let (found, _) = scanner.find(&mut Batch::boxed(), text.as_bytes()).expect("the rule compiles");
    !found.is_empty()
}

#[test]
fn a_rule_alone_finds_its_examples_and_none_of_its_counter_examples() {
    let mut wrong = Vec::new();
    let all = rules::raw().expect("the tables are right");
    let loaded = rules::load(Profile::HighRecall).expect("the tables are right");
    assert_eq!(all.len(), loaded.len());
    for ((_, raw), rule) in all.iter().zip(loaded) {
        assert_eq!(raw.id, rule.id);
        let scanner = Scanner::of(vec![rule], vec![Action::Token], Profile::HighRecall);
        // Seeded by its name, so that no other rule changes what this one is tried on.
        let mut random = Random(raw.id.bytes().fold(1, |seed, byte| seed * 31 % 1_000_003 + u64::from(byte)));
        // What is judged by its look may look like something else by chance.
        let judged = !raw.words.is_empty() || raw.finder.is_some() || JUDGED.contains(&raw.filter);
        let least = if judged { MADE * 3 / 4 } else { MADE };
        for example in examples(raw) {
            let texts: Vec<String> = (0..MADE).map(|_| expand(&example, &mut random)).collect();
            let missed: Vec<&String> = texts.iter().filter(|text| !finds(&scanner, text)).collect();
            if MADE - missed.len() < least {
                wrong.push(format!("{} misses {missed:?}", raw.id));
            }
        }
        let negatives = raw.negatives.iter().filter(|text| finds(&scanner, text));
        wrong.extend(negatives.map(|text| format!("{} finds {text:?}", raw.id)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
