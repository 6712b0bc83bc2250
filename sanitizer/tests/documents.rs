//! Documents stay what they were: JSON stays JSON, SARIF stays SARIF, encodings stay, and a second pass finds nothing.

use bolero::check;
use certus_sanitizer::{Format, Learnt, Place, Policy, Profile, PseudonymKey, Sanitizer};
use proptest::prelude::*;

#[path = "made/token.rs"]
mod made;

use made::token;

fn sanitizer() -> Sanitizer {
    Sanitizer::new(&Profile::HighRecall.into(), PseudonymKey::from_bytes([9; 32]))
        .expect("the tables are right")
}

fn clean(sanitizer: &Sanitizer, bytes: &[u8], format: Format) -> Vec<u8> {
    sanitizer.document(bytes, format, &Learnt::default()).expect("settles").into_inner().bytes
}

#[test]
fn what_holds_nothing_comes_back_byte_for_byte() {
    let sanitizer = sanitizer();
    for bytes in [&b""[..], b"plain words\r\n", b"{ \"a\" :\t1.50e+3 }", b"\xff\xfea\0b\0", b"\x00\x01\xff"] {
        assert_eq!(clean(&sanitizer, bytes, Format::detect("x.json", bytes)), bytes);
    }
}

#[test]
fn json_keeps_order_spelling_and_validity() {
    let sanitizer = sanitizer();
    let secret = token(1);
    let inner = format!("hunter-2-{}", &secret[5..15]);
    let text = format!(
        "{{\"z\": 1.50e+03,\n \"a\": \"use {secret} now\", \"nested\": \"{{\\\"password\\\": \\\"{}\\\"}}\", \"u\": \"\\u0041{}\", \"n\": [4111111111111111, 7]}}",
        inner, secret
    );
    let out = clean(&sanitizer, text.as_bytes(), Format::Json);
    let out = String::from_utf8(out).expect("UTF-8");
    let value: serde_json::Value = serde_json::from_str(&out).expect("still JSON");
    assert!(!out.contains(&secret) && !out.contains(&secret[5..15]), "{out}");
    assert!(out.starts_with("{\"z\": 1.50e+03,\n \"a\": \"use REDACTED_GITHUB_TOKEN_"), "{out}");
    assert!(
        out.contains("\"u\": \"\\u0041REDACTED_")
            || value["u"].as_str().is_some_and(|u| u.contains("REDACTED_")),
        "{out}"
    );
    assert!(value["n"][0].is_string() && value["n"][1] == 7, "{out}");
}

#[test]
fn sarif_regions_stay_numbers() {
    let sanitizer = sanitizer();
    let secret = token(2);
    let text = serde_json::json!({"version": "2.1.0", "runs": [{"results": [{
        "message": {"text": format!("found {secret}")},
        "partialFingerprints": {"primaryLocationLineHash": "4111111111111111"},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": "file:///home/jdoe42/src/a.py"},
            "region": {"startLine": 12, "charOffset": 4111111111111111u64, "snippet": {"text": format!("key = \"{secret}\"\n")}}}}]}]}]});
    let bytes = serde_json::to_vec_pretty(&text).expect("serialises");
    assert_eq!(Format::detect("x", &bytes), Format::Sarif);
    let out = clean(&sanitizer, &bytes, Format::Sarif);
    let value: serde_json::Value = serde_json::from_slice(&out).expect("still JSON");
    let location = &value["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert!(location["region"]["charOffset"].is_u64());
    let out = String::from_utf8(out).expect("UTF-8");
    assert!(!out.contains(&secret) && !out.contains("jdoe42"), "{out}");
}

#[test]
fn numbers_of_somebody_go_from_property_bags_of_sarif() {
    let sanitizer = sanitizer();
    let text = serde_json::json!({"version": "2.1.0", "runs": [{
        "properties": {"card": 4111111111111111u64, "id": 4111111111111111u64, "lat": 48.208245, "lon": 16.373812},
        "results": [{"message": {"text": "x"}, "locations": [{"physicalLocation": {
            "region": {"startLine": 12, "byteOffset": 4111111111111111u64}}}]}]}]});
    let bytes = serde_json::to_vec(&text).expect("serialises");
    let value: serde_json::Value =
        serde_json::from_slice(&clean(&sanitizer, &bytes, Format::Sarif)).expect("still JSON");
    let run = &value["runs"][0];
    for name in ["card", "id", "lat", "lon"] {
        assert!(run["properties"][name].as_str().is_some_and(|text| text.starts_with("REDACTED_")), "{run}");
    }
    let region = &run["results"][0]["locations"][0]["physicalLocation"]["region"];
    assert!(region["byteOffset"] == 4111111111111111u64 && region["startLine"] == 12);
}

#[test]
fn passwords_that_are_numbers_go_from_documents() {
    let sanitizer = sanitizer();
    for (name, text) in [
        ("a.json", "{\"password\": 439711, \"port\": 439712}"),
        ("a.yaml", "password: 439711\nport: 439712\n"),
        ("Pipfile", "password = 439711\nport = 439712\n"),
    ] {
        let out = clean(&sanitizer, text.as_bytes(), Format::detect(name, text.as_bytes()));
        let out = String::from_utf8(out).expect("UTF-8");
        assert!(!out.contains("439711") && out.contains("439712"), "{out}");
        assert_eq!(name == "a.yaml", !out.contains("\"REDACTED_PASSWORD_"), "quoted where it must be: {out}");
    }
}

#[test]
fn utf16_stays_utf16() {
    let sanitizer = sanitizer();
    let secret = token(3);
    let text = format!("grüße 😀 token {secret} ende");
    for (mark, unit) in
        [(&b"\xff\xfe"[..], u16::to_le_bytes as fn(u16) -> [u8; 2]), (b"\xfe\xff", u16::to_be_bytes)]
    {
        let bytes: Vec<u8> = mark.iter().copied().chain(text.encode_utf16().flat_map(unit)).collect();
        let findings = sanitizer.scan(&bytes, Format::Text).expect("scans");
        assert_eq!(findings.len(), 1);
        let raw: Vec<u8> = secret.encode_utf16().flat_map(unit).collect();
        assert_eq!(bytes[findings[0].start..findings[0].end], raw, "offsets are of the raw file");
        let out = clean(&sanitizer, &bytes, Format::Text);
        assert!(out.starts_with(mark));
        let back = certus_sanitizer::decode::Encoding::detect(&out).decode(&out).expect("UTF-16");
        assert!(
            back.starts_with("grüße 😀 token REDACTED_GITHUB_TOKEN_") && back.ends_with(" ende"),
            "{back}"
        );
    }
}

#[test]
fn one_value_gets_one_token_everywhere_and_another_under_another_key() {
    let secret = token(4);
    let text = format!("{secret} and {{\"k\": \"{secret}\"}}");
    let ours = clean(&sanitizer(), text.as_bytes(), Format::Text);
    let ours = String::from_utf8(ours).expect("UTF-8");
    let tokens: Vec<&str> = ours
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|w| w.starts_with("REDACTED_"))
        .collect();
    assert_eq!(tokens.len(), 2);
    assert_eq!(tokens[0], tokens[1]);
    let other =
        Sanitizer::new(&Policy::default(), PseudonymKey::from_bytes([1; 32])).expect("the tables are right");
    assert_ne!(clean(&other, text.as_bytes(), Format::Text), ours.as_bytes());
}

#[test]
fn a_value_learnt_is_taken_out_where_nothing_gives_it_away() {
    let sanitizer = sanitizer();
    let value = format!("pw{}", &token(5)[10..18]);
    let mut learnt = Learnt::default();
    let first = format!("db_password = \"{value}\"");
    sanitizer.learn(first.as_bytes(), Format::Text, &mut learnt).expect("scans");
    let second = format!("we tried {value} by hand");
    let out = sanitizer.document(second.as_bytes(), Format::Text, &learnt).expect("settles").into_inner();
    assert!(!String::from_utf8_lossy(&out.bytes).contains(&value));
    let out = sanitizer
        .document(second.as_bytes(), Format::Text, &Learnt::default())
        .expect("settles")
        .into_inner();
    assert!(String::from_utf8_lossy(&out.bytes).contains(&value), "off learns nothing");
}

#[test]
fn paths_urls_messages_and_authors_are_sanitized() {
    let sanitizer = sanitizer();
    let secret = token(6);
    let text = |text: &str, place| sanitizer.string(text, place).expect("settles").into_inner().text;
    let path = text(&format!("dumps/{secret}/jane.doe@example.org.txt"), Place::Path);
    assert!(
        path.starts_with("dumps/REDACTED_GITHUB_TOKEN_")
            && !path.contains("jane")
            && path.matches('/').count() == 2,
        "{path}"
    );
    assert!(!text(&format!("https://x:{secret}@h/p"), Place::Url).contains(&secret));
    let author = text("Jane Doe <jane@example.org>", Place::Author);
    assert!(author.starts_with("REDACTED_NAME_") && author.contains("<REDACTED_EMAIL_"), "{author}");
    assert_eq!(text(&author, Place::Author), author, "a second time changes nothing");
    let message = text("Fix it\n\nSigned-off-by: Jane Doe <jane@example.org>", Place::Message);
    assert!(
        !message.contains("Jane") && message.starts_with("Fix it\n\nSigned-off-by: REDACTED_NAME_"),
        "{message}"
    );
}

#[test]
fn many_values_on_one_line_stay_fast_and_all_go() {
    let sanitizer = sanitizer();
    let line: String = (0..4_000).map(|i| format!("{},", token(i))).collect();
    let out = String::from_utf8(clean(&sanitizer, line.as_bytes(), Format::Text)).expect("ASCII");
    assert_eq!(out.matches("REDACTED_GITHUB_TOKEN_").count(), 4_000);
    assert!(!out.contains("ghp_"));
}

proptest! {
    // The same cases each time: chance belongs into long runs.
    #![proptest_config(ProptestConfig {
        cases: 200,
        rng_seed: proptest::test_runner::RngSeed::Fixed(41),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_second_pass_changes_nothing(
        pieces in prop::collection::vec(prop_oneof![
            "[ -~\n]{0,40}",
            (0..50u64).prop_map(token),
            (0..50u64).prop_map(|seed| format!("password = \"{}\"", &token(seed)[8..24])),
            (0..50u64).prop_map(|seed| format!("https://u:{}@h/x", &token(seed)[8..24])),
            "[a-z]{3,8}@[a-z]{3,8}\\.org",
            "\\+49 30 [0-9]{4} [0-9]{4}",
            "10\\.[1-9]\\.[1-9]\\.[1-9]",
        ], 0..12)
    ) {
        let sanitizer = sanitizer_once();
        let text = pieces.concat();
        let once = clean(sanitizer, text.as_bytes(), Format::Text);
        prop_assert_eq!(clean(sanitizer, &once, Format::Text), once);
    }

    #[test]
    fn json_stays_json(value in json(), seed in 0..50u64) {
        let sanitizer = sanitizer_once();
        let text = serde_json::to_string(&serde_json::json!({"v": value, "secret": token(seed)})).expect("serialises");
        let out = clean(sanitizer, text.as_bytes(), Format::Json);
        let parsed: Result<serde_json::Value, _> = serde_json::from_slice(&out);
        prop_assert!(parsed.is_ok(), "{}", String::from_utf8_lossy(&out));
        prop_assert!(!String::from_utf8_lossy(&out).contains(&token(seed)));
    }
}

fn sanitizer_once() -> &'static Sanitizer {
    static ONCE: std::sync::OnceLock<Sanitizer> = std::sync::OnceLock::new();
    ONCE.get_or_init(sanitizer)
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(serde_json::Value::from),
        "\\PC{0,60}".prop_map(serde_json::Value::from),
        "(password|token|key)[=: ]{1,2}[ -~]{8,30}".prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
            prop::collection::hash_map("(password|[a-z]{1,8})", inner, 0..6)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

#[test]
fn what_stands_in_one_string_of_json_is_not_joined_to_the_next() {
    let value = &token(3)[8..24];
    let text = serde_json::json!({"a": format!("password:\"{value}"), "password": "token :?\"#"}).to_string();
    let out = clean(sanitizer_once(), text.as_bytes(), Format::Json);
    let out: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
    assert!(out["a"].as_str().is_some_and(|a| a.starts_with("password:\"REDACTED_PASSWORD_")), "{out}");
}

#[test]
fn hostile_bytes_neither_panic_nor_leave_a_document_unsettled() {
    let sanitizer = sanitizer_once();
    check!().with_iterations(3_000).with_max_len(600).for_each(|bytes: &[u8]| {
        for format in [Format::Text, Format::Json, Format::detect("x", bytes)] {
            let once = clean(sanitizer, bytes, format);
            assert_eq!(clean(sanitizer, &once, format), once);
        }
    });
}
