//! Of what is found nothing comes out, whole or in pieces; what is no value does, byte for byte.

use certus_sanitizer::{Format, Redaction};
use proptest::prelude::*;

use crate::company::company;
use crate::{clean, holds, sanitizer, token};

/// A piece of a value that tells of it.
const PIECE_BYTES: usize = 8;

/// The text with what is said to stand there put in place of what was taken out.
pub(crate) fn put_in(text: &[u8], redactions: &[Redaction]) -> Vec<u8> {
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

/// The text without what was taken out, a byte that stands nowhere in its place.
fn without(text: &[u8], redactions: &[Redaction]) -> Vec<u8> {
    let gap = |redaction: &Redaction| Redaction { replacement: "\u{1}".to_owned(), ..redaction.clone() };
    put_in(text, &redactions.iter().map(gap).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(crate::cases(64))]

    #[test]
    fn what_comes_out_holds_nothing_that_is_found_and_stays_as_it_is(text in company()) {
        let (once, redactions) = clean(text.as_bytes(), Format::Text);
        let left = sanitizer().scan(&once, Format::Text).expect("scans");
        prop_assert!(left.is_empty(), "{text:?}: {left:?} in {:?}", String::from_utf8_lossy(&once));
        let (twice, more) = clean(&once, Format::Text);
        prop_assert!(twice == once && more.is_empty());
        // What stands elsewhere as well, where nothing takes it for a value, may come out there.
        let rest = without(text.as_bytes(), &redactions);
        // A value may spell what tokens do, as `_SECRET_`.
        let spelt = |piece: &[u8]| redactions.iter().any(|redaction| holds(redaction.replacement.as_bytes(), piece));
        for redaction in &redactions {
            let value = &text.as_bytes()[redaction.start..redaction.end];
            for piece in value.windows(PIECE_BYTES).filter(|piece| !holds(&rest, piece) && !spelt(piece)) {
                prop_assert!(!holds(&once, piece), "{:?} of {:?}", String::from_utf8_lossy(piece), String::from_utf8_lossy(value));
            }
        }
    }

    #[test]
    fn findings_and_redactions_say_the_same_of_the_same_bytes(text in company()) {
        let found = sanitizer().scan(text.as_bytes(), Format::Text).expect("scans");
        let (_, redactions) = clean(text.as_bytes(), Format::Text);
        let found: Vec<_> = found.iter().map(|f| (f.start, f.end, &f.rule, &f.replacement)).collect();
        let taken: Vec<_> = redactions.iter().map(|r| (r.start, r.end, &r.rule, &r.replacement)).collect();
        prop_assert_eq!(found, taken);
    }

    #[test]
    fn bytes_outside_of_what_is_found_come_out_as_they_are(text in "[ -~\n]{0,60}", seed in 0..1000u64, words in "[a-z ,.]{0,40}") {
        let text = format!("{text}\n{words} {}\n{words}", token::token(seed));
        let (bytes, redactions) = clean(text.as_bytes(), Format::Text);
        let expected = put_in(text.as_bytes(), &redactions);
        prop_assert_eq!(String::from_utf8_lossy(&bytes), String::from_utf8_lossy(&expected));
    }
}
