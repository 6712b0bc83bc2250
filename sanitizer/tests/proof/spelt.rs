//! A value in another spelling is found as the plain one is, told by the bytes that spell it, and gone from what comes out.

use certus_sanitizer::{Finding, Format};
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use proptest::prelude::*;

use crate::{clean, holds, sanitizer, token};

/// Shorter values may stand in a text by chance.
const VALUE_MIN: usize = 8;

/// A spelling: its name, how bytes are spelt in it, and what a stretch of it says.
struct Spelling {
    name: &'static str,
    spell: fn(&str) -> String,
    read: fn(&str) -> Vec<u8>,
}

/// What escapes say; what is none stands for itself.
fn escaped(text: &str, lead: &str, end: &str, radix: u32) -> Vec<u8> {
    let mut said = Vec::new();
    for (number, piece) in text.split(lead).enumerate() {
        let digits = piece.find(|c: char| !c.is_digit(radix)).unwrap_or(piece.len());
        let digits = match (lead, end) {
            ("&#", _) => digits,
            ("\\u", _) => digits.min(4),
            _ => digits.min(2),
        };
        match u32::from_str_radix(&piece[..digits], radix).ok().and_then(char::from_u32) {
            Some(character) if number > 0 => {
                said.extend(u8::try_from(character).ok());
                said.extend(piece[digits..].strip_prefix(end).unwrap_or(&piece[digits..]).bytes());
            }
            _ => said.extend(piece.bytes()),
        }
    }
    said
}

const SPELLINGS: [Spelling; 9] = [
    Spelling { name: "plain", spell: |text| text.to_owned(), read: |text| text.as_bytes().to_vec() },
    Spelling {
        name: "base64",
        spell: |text| BASE64.encode(text.as_bytes()),
        read: |text| BASE64.decode(text.as_bytes()).unwrap_or_default(),
    },
    Spelling {
        name: "base64 of URLs",
        spell: |text| BASE64URL_NOPAD.encode(text.as_bytes()),
        read: |text| BASE64URL_NOPAD.decode(text.trim_end_matches('=').as_bytes()).unwrap_or_default(),
    },
    Spelling {
        name: "hexadecimal",
        spell: |text| HEXLOWER.encode(text.as_bytes()),
        read: |text| HEXLOWER.decode(text.as_bytes()).unwrap_or_default(),
    },
    Spelling {
        name: "capital hexadecimal",
        spell: |text| HEXUPPER.encode(text.as_bytes()),
        read: |text| HEXUPPER.decode(text.as_bytes()).unwrap_or_default(),
    },
    Spelling {
        name: "percent",
        spell: |text| text.bytes().map(|byte| format!("%{byte:02X}")).collect(),
        read: |text| escaped(text, "%", "", 16),
    },
    Spelling {
        name: "Unicode escapes",
        spell: |text| text.bytes().map(|byte| format!("\\u{byte:04x}")).collect(),
        read: |text| escaped(text, "\\u", "", 16),
    },
    Spelling {
        name: "bytes' escapes",
        spell: |text| text.bytes().map(|byte| format!("\\x{byte:02x}")).collect(),
        read: |text| escaped(text, "\\x", "", 16),
    },
    Spelling {
        name: "entities",
        spell: |text| text.bytes().map(|byte| format!("&#{byte};")).collect(),
        read: |text| escaped(text, "&#", ";", 10),
    },
];

/// The finding in a spelt text that has the replacement of the plain one: it is of the same value.
fn same<'a>(found: &'a [Finding], plain: &Finding) -> Option<&'a Finding> {
    found.iter().find(|finding| finding.replacement == plain.replacement)
}

proptest! {
    #![proptest_config(crate::cases(48))]

    #[test]
    fn offsets_map_back_to_the_bytes_that_spell_the_value(
        seed in 0..10_000u64, before in "[a-z]{3,9}( [a-z]{3,9}){0,6}", behind in "( [a-z]{3,9}){1,6}", lead in "[a-z]{1,6}",
    ) {
        let value = token::token(seed);
        let plain = format!("{before} {value}{behind}");
        let found = sanitizer().scan(plain.as_bytes(), Format::Text).expect("scans");
        let Some(known) = found.iter().find(|f| plain[f.start..f.end] == value) else {
            return Err(TestCaseError::fail(format!("{found:?} in {plain}")));
        };
        for Spelling { name, spell, read } in &SPELLINGS {
            let text = format!("{lead}: \"{}\"\n", spell(&plain));
            let found = sanitizer().scan(text.as_bytes(), Format::Text).expect("scans");
            let Some(there) = same(&found, known) else {
                return Err(TestCaseError::fail(format!("{name}: {found:?} in {text}")));
            };
            let said = read(&text[there.start..there.end]);
            prop_assert!(holds(&said, value.as_bytes()), "{name}: {:?}", &text[there.start..there.end]);
            // Groups of base64 are replaced as a whole: up to two bytes more at each side.
            prop_assert!(said.len() <= value.len() + if name.starts_with("base64") { 4 } else { 0 }, "{name}: {said:?}");
            let (out, _) = clean(text.as_bytes(), Format::Text);
            let out = String::from_utf8_lossy(&out);
            let inner = out.strip_prefix(&format!("{lead}: \"")).and_then(|rest| rest.strip_suffix("\"\n"));
            prop_assert!(inner.is_some(), "{name}: what stands around stays: {out}");
            prop_assert!(!out.contains(&spell(&value)), "{name}: {out}");
        }
    }

    #[test]
    fn strings_of_json_map_back_through_their_escapes(seed in 0..10_000u64, before in "[ -~\n\t\u{e9}\u{1f600}]{0,40}") {
        let value = token::token(seed);
        let said = format!("{before} {value} \" end");
        let text = serde_json::json!({"a": said, "b": 1}).to_string();
        let found = sanitizer().scan(text.as_bytes(), Format::Json).expect("scans");
        prop_assert!(found.iter().any(|f| text.get(f.start..f.end).is_some_and(|there| there.contains(&value))), "{found:?} {text}");
        let (out, _) = clean(text.as_bytes(), Format::Json);
        let out: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
        let out = out["a"].as_str().expect("a string");
        prop_assert!(!out.contains(&value) && out.ends_with(" \" end"), "{out}");
    }

    #[test]
    fn spellings_of_spellings_are_read(seed in 0..10_000u64, which in prop::collection::vec(1..SPELLINGS.len(), 2..=3)) {
        let value = token::token(seed);
        let mut text = format!("words before {value} and behind");
        for which in &which {
            text = (SPELLINGS[*which].spell)(&text);
        }
        let names: Vec<&str> = which.iter().map(|which| SPELLINGS[*which].name).collect();
        let found = sanitizer().scan(text.as_bytes(), Format::Text).expect("scans");
        prop_assert!(found.iter().any(|f| f.type_name == "GITHUB_TOKEN"), "{names:?}");
        let (out, _) = clean(text.as_bytes(), Format::Text);
        let left = sanitizer().scan(&out, Format::Text).expect("scans");
        prop_assert!(left.is_empty(), "{names:?}: {left:?}");
    }

    #[test]
    fn what_is_found_in_any_company_is_gone_from_every_spelling_of_it(text in crate::company::company()) {
        // Escapes spell characters here, not bytes.
        if !text.is_ascii() {
            return Ok(());
        }
        // What stands alone in its line does so there as well.
        let text = format!("\n{text}\n");
        let found = sanitizer().scan(text.as_bytes(), Format::Text).expect("scans");
        let values = found.iter().map(|f| &text.as_bytes()[f.start..f.end]).filter(|value| value.len() >= VALUE_MIN);
        let values: Vec<&[u8]> = values.collect();
        for Spelling { name, spell, read } in &SPELLINGS[1..] {
            let spelt = spell(&text);
            let (out, _) = clean(format!("data: \"{spelt}\"\n").as_bytes(), Format::Text);
            let out = String::from_utf8(out).expect("ASCII");
            let said = out.strip_prefix("data: \"").and_then(|rest| rest.strip_suffix("\"\n")).map(read);
            let said = said.unwrap_or_default();
            for value in &values {
                prop_assert!(!holds(&said, value), "{name}: {:?} of {text:?}", String::from_utf8_lossy(value));
                prop_assert!(!holds(out.as_bytes(), spell(&String::from_utf8_lossy(value)).as_bytes()), "{name}");
            }
        }
    }
}
