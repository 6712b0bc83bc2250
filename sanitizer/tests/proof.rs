//! What holds for whatever is put in: values that are found go, nothing else does, and going over it again changes nothing.

use std::sync::OnceLock;

use certus_sanitizer::rules;
use certus_sanitizer::template::{self, Piece};
use certus_sanitizer::{Format, Learnt, Policy, PseudonymKey, Redaction, Sanitizer};
use proptest::prelude::*;

fn sanitizer() -> &'static Sanitizer {
    static SANITIZER: OnceLock<Sanitizer> = OnceLock::new();
    SANITIZER.get_or_init(|| {
        Sanitizer::new(&Policy::default(), PseudonymKey::from_bytes([9; 32])).expect("the tables are right")
    })
}

/// Numbers from a seed (splitmix64).
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (*seed ^ (*seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A text of one of the rules' formats.
fn example(number: u64, mut seed: u64) -> String {
    static FORMATS: OnceLock<Vec<Vec<Piece>>> = OnceLock::new();
    let formats = FORMATS.get_or_init(|| {
        let all = rules::raw().expect("the tables are right");
        let formats = all.iter().flat_map(|(_, rule)| {
            let body = rule.body.as_deref().unwrap_or_default();
            let tokens = rule.prefix.iter().map(move |prefix| format!("'{prefix}' {body}"));
            let keyed = rule.words.iter().map(move |word| format!("'{word}: ' {body}"));
            tokens.chain(keyed).chain(rule.examples.iter().cloned())
        });
        formats.map(|format| template::parse(&format).expect("a format")).collect()
    });
    let piece = |piece: &Piece| match piece {
        Piece::Literal(text) => text.clone(),
        Piece::Run { alphabet, min, max } => {
            let characters = alphabet.characters();
            let length = min + next(&mut seed) as usize % (max - min + 1);
            (0..length).map(|_| characters[next(&mut seed) as usize % characters.len()]).collect()
        }
        Piece::Made(_) => "4111 1111".to_owned(),
    };
    formats[number as usize % formats.len()].iter().map(piece).collect()
}

fn company() -> impl Strategy<Value = String> {
    let part = (any::<u64>(), any::<u64>(), "[ -~\n]{0,30}", "[ \n\"'=:,;(]");
    prop::collection::vec(part, 1..12).prop_map(|parts| {
        let put = |(number, seed, noise, apart)| format!("{noise}{apart}{}{apart}", example(number, seed));
        parts.into_iter().map(put).collect()
    })
}

/// The text with what is said to stand there put in place of what was taken out.
fn put_in(text: &[u8], redactions: &[Redaction]) -> Vec<u8> {
    let mut made = Vec::new();
    let mut at = 0;
    for redaction in redactions {
        assert!(at <= redaction.start && redaction.start < redaction.end, "in order and apart");
        made.extend_from_slice(&text[at..redaction.start]);
        made.extend_from_slice(redaction.replacement.as_bytes());
        at = redaction.end;
    }
    made.extend_from_slice(&text[at..]);
    made
}

fn clean(text: &[u8], format: Format) -> (Vec<u8>, Vec<Redaction>) {
    let document = sanitizer().document(text, format, &Learnt::default()).expect("it settles").into_inner();
    (document.bytes, document.redactions)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_comes_out_holds_nothing_that_is_found_and_stays_as_it_is(text in company()) {
        let (once, redactions) = clean(text.as_bytes(), Format::Text);
        let left = sanitizer().scan(&once, Format::Text).expect("scans");
        prop_assert!(left.is_empty(), "{text:?}: {left:?} in {:?}", String::from_utf8_lossy(&once));
        let (twice, more) = clean(&once, Format::Text);
        prop_assert!(twice == once && more.is_empty());
        for redaction in &redactions {
            let value = &text.as_bytes()[redaction.start..redaction.end];
            // Short values may stand elsewhere by chance.
            if value.len() >= 16 && text.matches(&*String::from_utf8_lossy(value)).count() == 1 {
                prop_assert!(memchr_free(&once, value), "{:?}", String::from_utf8_lossy(value));
            }
        }
    }

    #[test]
    fn findings_and_redactions_say_the_same_of_the_same_bytes(text in company()) {
        let found = sanitizer().scan(text.as_bytes(), Format::Text).expect("scans");
        let (_, redactions) = clean(text.as_bytes(), Format::Text);
        let places = |places: Vec<(usize, usize, String)>| places;
        prop_assert_eq!(
            places(found.iter().map(|f| (f.start, f.end, f.rule.clone())).collect()),
            places(redactions.iter().map(|r| (r.start, r.end, r.rule.clone())).collect())
        );
    }

    #[test]
    fn what_is_no_value_is_kept_byte_for_byte(words in prop::collection::vec("[a-z]{2,7}", 1..9), a in any::<u64>()) {
        // Letters and digits drawn at random, behind a prefix that the rules know.
        let mut seed = a;
        let body: String = (0..36).map(|_| char::from(b"abcdefghijkmnpqrstuvwxyzABCDEFGH23456789"[next(&mut seed) as usize % 40])).collect();
        let line = words.join(" ");
        let text = format!("{line}\nghp_{body}\n{line}\n");
        let (bytes, redactions) = clean(text.as_bytes(), Format::Text);
        prop_assert_eq!(redactions.len(), 1);
        prop_assert_eq!(put_in(text.as_bytes(), &redactions), bytes);
    }
}

fn memchr_free(text: &[u8], value: &[u8]) -> bool {
    !text.windows(value.len()).any(|there| there == value)
}
