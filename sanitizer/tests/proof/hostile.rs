//! Hostile bytes into the whole: in every format nothing panics, nothing that is found comes out, a second pass is still.
//!
//! Bytes choose among pieces of which each makes some finder or decoder begin, so that few of them reach far.

use std::sync::OnceLock;

use bolero::check;
use certus_sanitizer::rules;
use certus_sanitizer::{Format, Learnt, Place, Policy, Profile, PseudonymKey, SanitizeError, Sanitizer};
use data_encoding::{BASE64, HEXLOWER};

use crate::company::{example, formats};
use crate::output::put_in;
use crate::{holds, sanitizer};

const ITERATIONS: usize = 800;
const BYTES_MAX: usize = 400;

/// Pieces that begin, join or break off what finders and decoders read.
const PIECES: &[&str] = &[
    "\n",
    "\r\n",
    " ",
    "\t",
    "\"",
    "'",
    "`",
    "\\",
    "\\\"",
    "\\n",
    ",",
    ";",
    ":",
    "::",
    "=",
    "==",
    "=>",
    "|",
    "/",
    "//",
    "-",
    "--",
    "_",
    ".",
    "..",
    "+",
    "@",
    "#",
    "$",
    "${",
    "%",
    "%4",
    "%41",
    "&",
    "&#",
    "&#6",
    "&#65;",
    "&quot;",
    "\\u",
    "\\u00",
    "\\u0041",
    "\\ud83d",
    "\\x",
    "\\x4",
    "\\u{",
    "=3D",
    "=\n",
    "=C3=A9",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "<",
    ">",
    "</",
    "<![CDATA[",
    "]]>",
    "\" + \"",
    "\" \"",
    "' . '",
    "\"\n\"",
    "0x",
    "0",
    "12",
    "1970-01-02",
    "12345678",
    "4111 1111",
    "1.2.3.",
    "::1",
    "fe80::",
    "00:11:22:",
    "+49 ",
    "eyJ",
    "AKIA",
    "ghp_",
    "sk-",
    "-----BEGIN ",
    "PRIVATE KEY-----",
    "-----END ",
    "password",
    "passwd=",
    "secret: ",
    "api_key",
    "token",
    "Authorization: Bearer ",
    "https://u:p@",
    "name: ",
    "first name,email\n",
    "INSERT INTO t (name,dob) ",
    "VALUES ('",
    "Dear ",
    "Mr. ",
    "Jane ",
    "Doe",
    "regards,\n",
    "born ",
    "latitude",
    "12.3456",
    "°1",
    "'N",
    "street",
    "Main St",
    "12 ",
    "IL 62701",
    "rue ",
    "weg",
    "str.",
    "P.O. Box ",
    "SW1A 1AA",
    "\u{e9}",
    "\u{20ac}",
    "\u{1f600}",
    "\u{feff}",
    "\0",
    "REDACTED_",
    "MASKED_X_xxxx",
    "REDACTED_NAME_0123456789abcdef",
    "\u{1f}\u{8b}\u{8}",
    "|\n  ",
    "<<EOT\n",
    "EOT\n",
    "\"runs\":",
    "\"version\":",
    "\"hashes\":{",
    "\"fingerprints\":{",
    "null",
    "true",
    "-1.5e3",
];

fn words() -> &'static [String] {
    static WORDS: OnceLock<Vec<String>> = OnceLock::new();
    WORDS.get_or_init(|| {
        let all = rules::raw().expect("the tables are right");
        all.into_iter()
            .flat_map(|(_, rule)| [rule.anchors, rule.prefix, rule.words, rule.context].concat())
            .collect()
    })
}

/// Bytes as a text of pieces: two choose one, mostly of those above.
fn pieced(bytes: &[u8]) -> Vec<u8> {
    let mut made = Vec::new();
    for pair in bytes.chunks(2) {
        let (sort, which) = (pair[0], usize::from(pair.get(1).copied().unwrap_or(0)));
        match sort {
            0..160 => {
                made.extend_from_slice(PIECES[(usize::from(sort) * 256 + which) % PIECES.len()].as_bytes())
            }
            160..200 => {
                made.extend_from_slice(words()[(usize::from(sort) * 256 + which) % words().len()].as_bytes())
            }
            200..210 => made.extend_from_slice(example(which as u64 * 37, u64::from(sort)).as_bytes()),
            210..230 => made.extend(std::iter::repeat_n(b'a' + sort % 26, which)),
            230..240 => {
                let from = made.len().saturating_sub(which);
                let tail = made.split_off(from);
                made.extend_from_slice(BASE64.encode(&tail).as_bytes());
            }
            240..245 => {
                let from = made.len().saturating_sub(which);
                let tail = made.split_off(from);
                made.extend_from_slice(HEXLOWER.encode(&tail).as_bytes());
            }
            _ => made.push(which as u8),
        }
    }
    made
}

/// Other profiles, and a policy under which each action is taken.
fn others() -> &'static [Sanitizer] {
    static OTHERS: OnceLock<Vec<Sanitizer>> = OnceLock::new();
    OTHERS.get_or_init(|| {
        let actions = "[action]\nEMAIL = \"domain\"\nIP_ADDRESS = \"network\"\nNAME = \"drop\"\nPASSWORD = \"mask\"\nSECRET = \"drop\"\n";
        let profiles = [Profile::Balanced, Profile::SecretsOnly, Profile::PiiOnly].map(Policy::from);
        let policies = profiles.into_iter().chain(Policy::parse(actions));
        let made = policies.map(|policy| Sanitizer::new(&policy, PseudonymKey::from_bytes([3; 32])));
        made.map(|made| made.expect("the tables are right")).collect()
    })
}

/// What must hold for bytes in a format, if they can be made clean at all.
fn assert_clean(sanitizer: &Sanitizer, bytes: &[u8], format: Format) {
    let found = sanitizer.scan(bytes, format);
    let made = sanitizer.document(bytes, format, &Learnt::default());
    let (Ok(found), Ok(made)) = (&found, made) else {
        return;
    };
    let mut end = 0;
    for finding in found {
        assert!(finding.start <= finding.end && finding.end <= bytes.len(), "{finding:?}");
        assert!(finding.end >= end, "in order: {finding:?}");
        end = finding.end;
    }
    let once = made.into_inner().bytes;
    assert!(
        std::str::from_utf8(bytes).is_err() || std::str::from_utf8(&once).is_ok(),
        "characters stay whole"
    );
    assert_eq!(found.is_empty(), once == bytes, "{found:?}");
    let again = sanitizer.document(&once, format, &Learnt::default()).map(|made| made.into_inner().bytes);
    assert_eq!(again, Ok(once));
}

#[test]
fn no_bytes_break_the_whole_in_any_format() {
    assert!(formats().len() > 1_000 && others().len() == 4);
    check!().with_iterations(ITERATIONS).with_max_len(BYTES_MAX).for_each(|bytes: &[u8]| {
        let text = pieced(bytes);
        for format in [Format::Text, Format::Toml, Format::Json, Format::Csv] {
            assert_clean(sanitizer(), &text, format);
        }
        others().iter().for_each(|other| assert_clean(other, &text, Format::Text));
        let said = String::from_utf8_lossy(&text);
        let json =
            serde_json::json!({"version": "2.1.0", "runs": [{"password": said, "n": [said, said.len()],
            "fingerprints": {"a": said}}]})
            .to_string();
        for format in [Format::Json, Format::Sarif] {
            assert_clean(sanitizer(), json.as_bytes(), format);
            let made = sanitizer().document(json.as_bytes(), format, &Learnt::default());
            let parsed = made
                .map(|made| serde_json::from_slice::<serde_json::Value>(&made.into_inner().bytes).is_ok());
            assert!(parsed.unwrap_or(true), "still JSON");
        }
        let wide: Vec<u8> = said.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_clean(sanitizer(), &[&b"\xff\xfe"[..], &wide].concat(), Format::Text);
    });
}

#[test]
fn no_text_breaks_what_short_texts_go_through() {
    check!().with_iterations(ITERATIONS).with_max_len(BYTES_MAX / 4).for_each(|bytes: &[u8]| {
        let text = String::from_utf8_lossy(&pieced(bytes)).into_owned();
        for place in [Place::Path, Place::Url, Place::Message, Place::Author] {
            match sanitizer().string(&text, place) {
                Ok(once) => {
                    let once = once.into_inner().text;
                    let twice = sanitizer().string(&once, place).map(|twice| twice.into_inner().text);
                    assert_eq!(twice, Ok(once));
                }
                Err(error) => assert!(!matches!(error, SanitizeError::Rule(_)), "{error}"),
            }
        }
    });
}

#[test]
fn what_is_learnt_from_any_text_is_gone_from_any_other() {
    check!().with_iterations(ITERATIONS / 4).with_max_len(BYTES_MAX / 2).for_each(|bytes: &[u8]| {
        let (one, other) = bytes.split_at(bytes.len() / 2);
        let (one, other) = (pieced(one), pieced(other));
        let mut learnt = Learnt::default();
        if sanitizer().learn(&one, Format::Text, &mut learnt).is_err() {
            return;
        }
        let (Ok(found), Ok(made)) = (
            sanitizer().scan(&one, Format::Text),
            sanitizer().document(&one, Format::Text, &Learnt::default()),
        ) else {
            return;
        };
        // What is found in another spelling is learnt as what it says.
        let apart = made.redactions.windows(2).all(|pair| pair[0].end <= pair[1].start);
        if !apart || made.bytes != put_in(&one, &made.redactions) {
            return;
        }
        let long =
            found.iter().map(|f| &one[f.start..f.end]).filter(|value| value.len() >= 20 && value.is_ascii());
        let plain = |value: &&[u8]| value.iter().all(u8::is_ascii_alphanumeric);
        let various = |value: &&[u8]| value.iter().any(|byte| *byte != value[0]);
        for value in long.filter(plain).filter(various) {
            let text = [&other[..], b" ", value, b" ", &other].concat();
            if let Ok(made) = sanitizer().document(&text, Format::Text, &learnt) {
                assert!(!holds(&made.into_inner().bytes, value), "{:?}", String::from_utf8_lossy(value));
            }
        }
    });
}
