//! The work grows as the input does, whatever it is made of: counted in bytes that are looked at, so that no clock decides.

use super::*;
use crate::json;
use crate::work;

/// Bytes looked at for each that goes in, at the most.
const FACTOR_MAX: f64 = 16.0;
/// The same where letters and digits take turns behind a word for numbers, each group tried in many lengths, and where
/// lines are read together and each by itself.
const MORE_FACTOR_MAX: f64 = 32.0;
/// What the first of two documents has at the least.
const BYTES: usize = 1 << 15;

/// Makes a document of about so many bytes.
type Make<'a> = &'a dyn Fn(usize) -> Vec<u8>;

fn sanitizer() -> &'static Sanitizer {
    static ONCE: std::sync::OnceLock<Sanitizer> = std::sync::OnceLock::new();
    ONCE.get_or_init(|| {
        Sanitizer::new(&Policy::default(), PseudonymKey::from_bytes([7; 32])).expect("the tables are right")
    })
}

/// Letters and digits from a number.
fn drawn(seed: usize, length: usize) -> String {
    let mut state = seed as u64;
    let characters = (0..length).map(|_| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 40;
        char::from(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[(z % 62) as usize])
    });
    characters.collect()
}

/// A document of at least so many bytes, made of the units of a number each.
fn repeated(bytes: usize, unit: impl Fn(usize) -> String) -> Vec<u8> {
    let mut text = String::with_capacity(bytes);
    let mut number = 0;
    while text.len() < bytes {
        text.push_str(&unit(number));
        number += 1;
    }
    text.into_bytes()
}

/// Bytes looked at in one round over a document.
fn worked(bytes: &[u8], format: Format) -> usize {
    work::of(|| sanitizer().scan(bytes, format)).1
}

/// Twice as long documents take twice the work, and a bounded one.
fn assert_grows(name: &str, format: Format, make: impl Fn(usize) -> Vec<u8>) -> Result<(), String> {
    let (once, twice) = (make(BYTES), make(2 * BYTES));
    let (first, second) = (worked(&once, format), worked(&twice, format));
    let per_byte = |work: usize, bytes: usize| work as f64 / bytes as f64;
    let (first, second) = (per_byte(first, once.len()), per_byte(second, twice.len()));
    let most =
        if name.starts_with("IBAN") || name.starts_with("lists") { MORE_FACTOR_MAX } else { FACTOR_MAX };
    if second > 1.1 * first || second > most {
        return Err(format!("{name}: {first:.1} and {second:.1} bytes a byte"));
    }
    Ok(())
}

/// What begins finders and decoders, and leads nowhere or to a value each time.
const UNITS: &[&str] = &[
    "pass=",
    "AKIA1",
    "ghp_1",
    "eyJ",
    "0a1B",
    "password=\"",
    "secret_key: ",
    "authorization: x ",
    "a1:",
    "12-34-56-",
    "de:ad:be:ef:",
    "DE AD ",
    "12 34\n",
    "lat: 1.5, ",
    "]]>",
    "\"a\",",
    "4111 1111 1111 1111 ",
    "4111111111111111,",
    "+49 30 1234567, ",
    "IBAN DE8937",
    "00:11:22:",
    "1.2.3.4.",
    "::1 ",
    "a@b.de ",
    "name: Jane Doe\n",
    "Name,",
    "name, email,\n",
    "Dear Jane, ",
    "12 Main St ",
    "A1 1AA ",
    "12345 Berlin ",
    "born 1.2.1970 ",
    "geo:1.2345,",
    "%41",
    "%25",
    "\\u0041",
    "\\x41",
    "\\\\",
    "&#65;",
    "&amp;",
    "=3D",
    "=\n",
    "\" + \"",
    "\" \"",
    "' + '",
    "\"a\" \"b\" ",
    "{\"a\":",
    "[",
    "[\"\\\"\",",
    "eyJhIjoi",
    "H4sIAAAA",
    "-----BEGIN RSA PRIVATE ",
    "https://u:p@h/",
    "x-api-key ",
    "sk-",
    "a.b.c.",
    "A-",
    "//",
    "\u{e9}",
    "\0",
    "\n",
    " ",
];

#[test]
fn work_grows_as_the_text_does_whatever_is_repeated_in_it() {
    let wrong: Vec<String> = UNITS
        .iter()
        .filter_map(|unit| {
            assert_grows(unit, Format::Text, |bytes| repeated(bytes, |_| (*unit).to_owned())).err()
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn work_grows_as_the_text_does_where_no_two_lines_are_the_same() {
    let base64 = |bytes: &[u8]| data_encoding::BASE64.encode(bytes);
    let text = |number: usize| format!("a line of words, the {number}th of its sort\n");
    let cases: [(&str, &dyn Fn(usize) -> String); 16] = [
        ("random lines", &|n| format!("{}\n", drawn(n, 76))),
        ("random lines, indented", &|n| format!("    {}\n", drawn(n, 64))),
        ("random", &|n| drawn(n, 64)),
        ("lists of base64", &|n| format!("{}\n", base64(format!("k:{}", drawn(n, 40)).as_bytes()))),
        ("pairs", &|n| {
            text(n).bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":") + ":\n"
        }),
        ("values", &|n| format!("password{n} = \"{}\"\n", drawn(n, 14))),
        ("tokens", &|n| format!("ghp_{} ", drawn(n, 36))),
        ("base64 of lines", &|n| format!("{}\n", base64(text(n).as_bytes()))),
        ("base64 of base64", &|n| format!("{}\n", base64(base64(text(n).as_bytes()).as_bytes()))),
        ("percent", &|n| text(n).bytes().map(|byte| format!("%{byte:02x}")).collect()),
        ("entities", &|n| text(n).bytes().map(|byte| format!("&#{byte};")).collect()),
        ("literals", &|n| format!("\"{}\" +\n  ", drawn(n, 30))),
        ("rows", &|n| match n {
            0 => "first name,last name,email,birthdate\n".to_owned(),
            n => format!("Jane{n:05},Doe,jane{n:05}@example.org,1970-01-02\n"),
        }),
        ("mails", &|n| format!("From: Jane Doe <jane{n:05}@example.org>\nDear John,\n")),
        ("numbers", &|n| format!("{}-{} ", 10_000 + n * 7 % 9_973, n * 31 % 997)),
        ("addresses", &|n| format!("{} Main Street, Springfield, IL {}\n", n % 97, 10_000 + n % 80_000)),
    ];
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(name, unit)| assert_grows(name, Format::Text, |bytes| repeated(bytes, unit)).err())
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn work_grows_as_documents_do_that_hold_others() {
    let list =
        |bytes: usize, unit: &dyn Fn(usize) -> String| [&b"["[..], &repeated(bytes, unit), b"\"\"]"].concat();
    let nested = |bytes: usize, depth: usize| {
        let mut text = String::from_utf8(repeated(bytes >> depth, |n| format!("{{\"key{n}\": \"{n}\"}}, ")))
            .expect("UTF-8");
        text = format!("[{text}0]");
        for _ in 0..depth {
            text = format!("{{\"log\": {}}}", String::from_utf8_lossy(&quoted(text.as_bytes())));
        }
        text.into_bytes()
    };
    let packed = |bytes: usize| {
        let plain = repeated(bytes, |n| format!("password{n} = \"{}\"\n", drawn(n, 14)));
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        std::io::Write::write_all(&mut encoder, &plain).expect("packs");
        encoder.finish().expect("packs")
    };
    let sarif = |bytes: usize| {
        let result = |n: usize| {
            format!(
                "{{\"ruleId\": \"R\", \"message\": {{\"text\": \"password = '{}'\"}}, \"fingerprints\": {{\"a\": \"{}\"}}}},\n",
                drawn(n, 14),
                drawn(n + 7, 32)
            )
        };
        let results = String::from_utf8(repeated(bytes, result)).expect("UTF-8");
        format!("{{\"version\": \"2.1.0\", \"runs\": [{{\"results\": [{results}{{}}]}}]}}").into_bytes()
    };
    let files = |bytes: usize| {
        let one = |n: usize| {
            format!(
                "{{\"location\": {{\"uri\": \"{n}.rs\"}}, \"hashes\": {{\"a\": \"{}\"}}}},\n",
                drawn(n, 32)
            )
        };
        let about = |n: usize| {
            format!(
                "{{\"message\": {{\"text\": \"ghp_{}\"}}, \"artifactLocation\": {{\"uri\": \"{n}.rs\"}}}},\n",
                drawn(n, 36)
            )
        };
        let text =
            |unit: &dyn Fn(usize) -> String| String::from_utf8(repeated(bytes / 2, unit)).expect("UTF-8");
        let (files, results) = (text(&one), text(&about));
        format!("{{\"version\": \"2.1.0\", \"runs\": [{{\"artifacts\": [{files}{{}}], \"results\": [{results}{{}}]}}]}}")
            .into_bytes()
    };
    let cases: [(&str, Format, Make<'_>); 9] = [
        ("strings", Format::Json, &|bytes| list(bytes, &|n| format!("\"say \\\"{}\\\"\", ", drawn(n, 20)))),
        ("numbers", Format::Json, &|bytes| list(bytes, &|n| format!("{}, ", 4_000_000_000 + n))),
        ("JSON in JSON", Format::Json, &|bytes| nested(bytes, 1)),
        ("JSON in JSON in JSON", Format::Json, &|bytes| nested(bytes, 3)),
        ("packed", Format::Text, &packed),
        ("SARIF", Format::Sarif, &sarif),
        ("SARIF about files", Format::Sarif, &files),
        ("cells", Format::Csv, &|bytes| {
            repeated(bytes, |n| format!("{n:05},password={},\"a, b\"\n", drawn(n, 14)))
        }),
        ("UTF-16", Format::Text, &|bytes| {
            Encoding::Utf16Le(0)
                .encode(&repeated(bytes / 2, |n| format!("password{n} = \"{}\"\n", drawn(n, 14))))
        }),
    ];
    let wrong: Vec<String> =
        cases.iter().filter_map(|(name, format, make)| assert_grows(name, *format, make).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A text as a string of JSON.
fn quoted(text: &[u8]) -> Vec<u8> {
    [&b"\""[..], &json::spelt(text), b"\""].concat()
}
