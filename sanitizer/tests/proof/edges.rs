//! Blocks in which a text is read are invisible: a value is found the same wherever it lies against their edges.

use certus_sanitizer::Format;

use crate::company::formats;
use crate::numbers::{Random, expand};
use crate::sanitizer;

/// Bytes of a block, and of blocks that are read in one go.
const BLOCK: usize = 64;
const BLOCKS: usize = 64 * BLOCK;
/// Places around the edge of many blocks that each format is tried at, by a seed.
const SAMPLE: usize = 3;

type Found = Vec<(usize, usize, String)>;

/// What is found in a text behind so many blank lines and before some.
fn found(text: &str, before: usize, behind: usize) -> Found {
    let padded = ["\n".repeat(before).as_bytes(), text.as_bytes(), "\n".repeat(behind).as_bytes()].concat();
    let found = sanitizer().scan(&padded, Format::Text).expect("scans");
    found.into_iter().map(|f| (f.start - before, f.end - before, f.rule)).collect()
}

#[test]
fn every_rule_finds_the_same_at_every_offset_of_a_block() {
    let mut wrong = Vec::new();
    for (number, formatted) in formats().iter().enumerate() {
        let text = expand(&formatted.format, &mut Random(number as u64 + 1));
        let first = found(&text, 2, 2);
        let differs = (3..=BLOCK + 2).find(|before| found(&text, *before, 2) != first);
        if let Some(before) = differs {
            let there = found(&text, before, 2);
            wrong.push(format!("{} behind {before}: {text:?} {first:?} {there:?}", formatted.rule));
        }
    }
    assert!(wrong.is_empty(), "{} {}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_rule_finds_the_same_around_the_edge_of_many_blocks() {
    // Every place instead of a few where a long run is asked for.
    let long = std::env::var("PROPTEST_CASES").is_ok();
    let mut random = Random(5);
    let mut wrong = Vec::new();
    for (number, formatted) in formats().iter().enumerate() {
        let text = expand(&formatted.format, &mut Random(number as u64 + 1));
        let first = found(&text, 2, 2);
        let reach = text.len().min(2 * BLOCK) + 2;
        let places: Vec<usize> = match long {
            true => (0..=reach).map(|back| BLOCKS - back).collect(),
            false => (0..SAMPLE).map(|_| BLOCKS - random.below(reach as u64) as usize).collect(),
        };
        if let Some(before) = places.into_iter().find(|before| found(&text, *before, 2) != first) {
            let there = found(&text, before, 2);
            wrong.push(format!("{} behind {before}: {text:?} {first:?} {there:?}", formatted.rule));
        }
    }
    assert!(wrong.is_empty(), "{} {}", wrong.len(), wrong.join("\n"));
}
