//! Documents of many formats still parse after redaction, by parsers that others wrote, and only values differ.

use certus_sanitizer::{Format, Learnt, Policy, Profile, PseudonymKey, Sanitizer};
use serde_json::{Value, json};

#[path = "made/token.rs"]
mod made;

use made::{letters, token};

fn sanitizer() -> &'static Sanitizer {
    static ONCE: std::sync::OnceLock<Sanitizer> = std::sync::OnceLock::new();
    ONCE.get_or_init(|| {
        let policy = Policy { profile: Profile::HighRecall, ..Policy::default() };
        Sanitizer::new(&policy, PseudonymKey::from_bytes([5; 32])).expect("the tables are right")
    })
}

/// A document with values in place of `{token}`, `{password}`, `{card}`, `{mail}` and `{pem}`, and the values.
fn filled(template: &str, seed: u64) -> (String, Vec<String>) {
    let pem = format!(
        "-----BEGIN RSA PRIVATE {0}-----\n{1}\n-----END RSA PRIVATE {0}-----",
        "KEY",
        letters(seed + 9, 64)
    );
    let values = [
        ("{token}", token(seed)),
        ("{password}", format!("{}!{}", letters(seed + 1, 9), letters(seed + 2, 5))),
        ("{card}", "4111111111111111".to_owned()),
        ("{mail}", "jane.doe@example.org".to_owned()),
    ];
    let mut text = template.to_owned();
    for (name, value) in &values {
        text = text.replace(name, value);
    }
    // Lines of a key are indented as the line that it stands in.
    while let Some(at) = text.find("{pem}") {
        let line = text[..at].rfind('\n').map_or(0, |line| line + 1);
        let lead = format!("\n{}", &text[line..at]);
        let lead = if lead.trim().is_empty() { lead } else { "\\n".to_owned() };
        text.replace_range(at..at + 5, &pem.replace('\n', &lead));
    }
    (text, values.into_iter().filter(|(name, _)| template.contains(name)).map(|(_, value)| value).collect())
}

fn clean(name: &str, text: &str) -> String {
    let format = Format::detect(name, text.as_bytes());
    let made = sanitizer().document(text.as_bytes(), format, &Learnt::default()).expect("can be made clean");
    String::from_utf8(made.into_inner().bytes).expect("UTF-8")
}

/// Redacts a template and hands over what it was and what it is.
fn redacted(name: &str, template: &str, mut each: impl FnMut(&str, &str)) {
    for seed in 0..8 {
        let (before, values) = filled(template, seed * 16);
        let after = clean(name, &before);
        for value in values {
            assert!(!after.contains(&value), "{value} in {after}");
        }
        assert!(after.contains("REDACTED_"), "{after}");
        each(&before, &after);
    }
}

/// The same tree with the same names: only strings differ, and a number may have become one.
fn assert_alike(before: &Value, after: &Value) {
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => {
            assert!(a.keys().eq(b.keys()), "{a:?} {b:?}");
            a.values().zip(b.values()).for_each(|(a, b)| assert_alike(a, b));
        }
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len(), "{a:?} {b:?}");
            a.iter().zip(b).for_each(|(a, b)| assert_alike(a, b));
        }
        (Value::String(_) | Value::Number(_), Value::String(b)) if b.contains("REDACTED_") => {}
        (a, b) => assert_eq!(a, b),
    }
}

#[test]
fn json_and_notebooks() {
    let json = r#"{"a": {"password": "{password}", "n": [1.50, {card}, true, null]}, "l": "say \"{token}\"\n",
        "mail": "{mail}", "pem": "{pem}", "empty": "", "e": "\u00fc {token}"}"#;
    let notebook = r#"{"cells": [{"cell_type": "code", "execution_count": 3, "metadata": {}, "outputs": [{"name":
        "stdout", "output_type": "stream", "text": ["token {token}\n", "ok\n"]}], "source": ["token = \"{token}\"\n",
        "login(\"{mail}\", password=\"{password}\")\n"]}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}"#;
    for (name, template) in [("x.json", json), ("x.ipynb", notebook)] {
        redacted(name, template, |before, after| {
            let parsed = |text: &str| serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"));
            assert_alike(&parsed(before), &parsed(after));
        });
    }
}

#[test]
fn toml() {
    let template = "title = \"x\"\n[db]\npassword = \"{password}\" # kept\nports = [ 8001, 8002 ]\ncard = {card}\n\
        cards = [\n  {card},\n  7,\n]\ninline = { token = \"{token}\", n = 1 }\npem = \"\"\"\n{pem}\n\"\"\"\nlit = '{token}'\n";
    redacted("config.toml", template, |before, after| {
        let parsed =
            |text: &str| -> toml::Table { toml::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}")) };
        let value = |text: &str| serde_json::to_value(parsed(text)).expect("JSON");
        assert_alike(&value(before), &value(after));
    });
}

#[test]
fn yaml() {
    let template = "db:\n  password: {password}\n  quoted: \"{token}\"\n  single: '{token}'\n  card: {card}\n\
        list:\n  - {mail}\n  - name: x\n    secret_token: {token} # kept\nblock: |\n  {pem}\n  end\nfolded: >-\n  token {token}\n  words\n\
        flow: {a: {token}, b: [{card}, 2]}\n";
    redacted("x.yaml", template, |before, after| {
        let parsed = |text: &str| serde_yaml_ng::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"));
        assert_alike(&parsed(before), &parsed(after));
    });
}

#[test]
fn xml() {
    let template = "<?xml version=\"1.0\"?>\n<c><add key=\"password\" value=\"{token}\"/><password>{password}</password>\n\
        <![CDATA[token={token}]]><!-- {mail} --><n card=\"{card}\">{card}</n><t>a &lt;b&gt; {token} &amp; c</t></c>\n";
    redacted("x.xml", template, |before, after| {
        let parsed = |text: &str| {
            let mut reader = quick_xml::Reader::from_str(text);
            let mut shape = Vec::new();
            loop {
                match reader.read_event().unwrap_or_else(|e| panic!("{e}: {text}")) {
                    quick_xml::events::Event::Eof => return shape,
                    quick_xml::events::Event::Start(e) | quick_xml::events::Event::Empty(e) => {
                        let names = e.attributes().map(|a| a.expect("an attribute").key.as_ref().to_owned());
                        shape.push((e.name().as_ref().to_owned(), names.collect::<Vec<_>>()));
                    }
                    quick_xml::events::Event::CData(_) => shape.push(("[".to_owned(), Vec::new())),
                    quick_xml::events::Event::Comment(_) => shape.push(("!".to_owned(), Vec::new())),
                    _ => {}
                }
            }
        };
        assert_eq!(parsed(before), parsed(after), "{after}");
    });
}

#[test]
fn csv_and_ini() {
    let template = "id,name,password,card\n1,\"Doe, Jane\",\"{token}\",{card}\n2,{mail},{token},\"{card}\"\n";
    redacted("x.csv", template, |before, after| {
        let parsed = |text: &str| -> Vec<usize> {
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let rows = reader.records().map(|row| row.unwrap_or_else(|e| panic!("{e}: {text}")).len());
            rows.collect()
        };
        assert_eq!(parsed(before), parsed(after), "{after}");
    });
    let template =
        "[db]\nuser = x\npassword = {password}\ncard={card}\n[mail]\naddress = {mail}\ntoken: {token}\n";
    redacted("x.ini", template, |before, after| {
        let parsed = |text: &str| {
            let mut ini = configparser::ini::Ini::new();
            let map = ini.read(text.to_owned()).unwrap_or_else(|e| panic!("{e}: {text}"));
            let names = map.into_iter().map(|(section, keys)| {
                (section, keys.into_keys().collect::<std::collections::BTreeSet<_>>())
            });
            names.collect::<std::collections::BTreeMap<_, _>>()
        };
        assert_eq!(parsed(before), parsed(after), "{after}");
    });
}

#[test]
fn rust_source() {
    let template = "/// Mail {mail}.\nconst TOKEN: &str = \"{token}\";\nfn f() -> Vec<u64> {\n    let password = r#\"{token}\"#;\n    \
        let joined = concat!(\"{token}\", \"x\");\n    let b = b\"{token}\";\n    call(&[(\"authorization\", \"Bearer {token}\")]);\n    \
        vec![{card}, 0x10]\n}\n";
    redacted("x.rs", template, |before, after| {
        let items = |text: &str| syn::parse_file(text).unwrap_or_else(|e| panic!("{e}: {text}")).items.len();
        assert_eq!(items(before), items(after));
    });
}

#[test]
fn sarif_tells_nothing_in_any_property_and_digests_are_keyed() {
    let secret = token(3);
    let text = format!("let token = \"{secret}\";\n");
    let binary = data_encoding::BASE64.encode(text.as_bytes());
    let digest = "39fa2ee980eb94b0:1";
    let result = |text: &str| {
        json!({"ruleId": "R", "message": {"text": text, "markdown": format!("`{text}`")},
            "fingerprints": {"v1": digest}, "partialFingerprints": {"primaryLocationLineHash": digest},
            "codeFlows": [{"threadFlows": [{"locations": [{"location": {"message": {"text": text}}}]}]}],
            "fixes": [{"artifactChanges": [{"replacements": [{"deletedRegion": {"startLine": 1},
                "insertedContent": {"text": text, "binary": binary}}]}]}],
            "locations": [{"physicalLocation": {"region": {"startLine": 1, "snippet": {"text": text}},
                "contextRegion": {"startLine": 1, "snippet": {"text": text}}}}],
            "properties": {"tags": ["x"], "raw": text}})
    };
    let kept = json!({"ruleId": "R", "message": {"text": "words"}, "fingerprints": {"v1": digest}});
    let sarif = json!({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "t", "rules": [{"id": "R",
            "help": {"text": text}}]}},
        "invocations": [{"commandLine": format!("scan --token {secret}"), "executionSuccessful": true,
            "arguments": ["--token", secret], "environmentVariables": {"API_TOKEN": secret}}],
        "artifacts": [{"contents": {"text": text, "binary": binary}, "hashes": {"sha-256": "00ff"}},
            {"location": {"uri": "b.rs"}, "hashes": {"sha-256": "00fe"}}],
        "webRequests": [{"headers": {"Authorization": format!("Bearer {secret}")}, "body": {"binary": binary}}],
        "results": [result(&text), kept]}]});
    let bytes = serde_json::to_vec_pretty(&sarif).expect("serialises");
    assert_eq!(Format::detect("x", &bytes), Format::Sarif);
    let made = sanitizer().document(&bytes, Format::Sarif, &Learnt::default()).expect("can be made clean");
    let out: Value = serde_json::from_slice(&made.into_inner().bytes).expect("JSON");
    let said = out.to_string();
    assert!(!said.contains(&secret) && !said.contains(&binary), "{said}");
    let run = &out["runs"][0];
    for digests in ["fingerprints", "partialFingerprints"] {
        let now = run["results"][0][digests].to_string();
        assert!(now.contains("REDACTED_FINGERPRINT_"), "{now}");
    }
    assert!(
        run["artifacts"][0]["hashes"]["sha-256"]
            .as_str()
            .is_some_and(|h| h.starts_with("REDACTED_FINGERPRINT_"))
    );
    assert_eq!(run["artifacts"][1]["hashes"]["sha-256"], "00fe", "nothing of that file was replaced");
    assert_eq!(run["results"][1], sarif["runs"][0]["results"][1], "nor of that result");
    let contents = run["artifacts"][0]["contents"]["binary"].as_str().expect("text");
    let contents = data_encoding::BASE64
        .decode(contents.as_bytes())
        .unwrap_or_else(|e| panic!("{e}: {contents} {binary}"));
    assert!(String::from_utf8(contents).expect("UTF-8").starts_with("let token = \"REDACTED_"));
}

#[test]
fn hashes_of_a_file_are_keyed_where_a_result_about_it_told_something() {
    let result = |location: Value, text: &str| json!({"message": {"text": text}, "locations": [{"physicalLocation": {"artifactLocation": location}}]});
    let file = |uri: &str| json!({"location": {"uri": uri}, "hashes": {"sha-256": "00ff"}, "length": 7});
    let run = |results: Vec<Value>| json!({"artifacts": [file("a.rs"), file("b.rs"), file("c.rs")], "results": results});
    let secret = token(5);
    let sarif = json!({"version": "2.1.0", "runs": [
        run(vec![
            result(json!({"uri": "a.rs"}), &format!("holds {secret}")),
            result(json!({"index": 2}), &format!("holds {secret}")),
            result(json!({"uri": "b.rs", "index": 1}), "holds nothing"),
        ]),
        run(vec![result(json!({"uri": "b.rs"}), &format!("holds {secret}"))]),
    ]});
    let bytes = serde_json::to_vec(&sarif).expect("serialises");
    let made = sanitizer().document(&bytes, Format::Sarif, &Learnt::default()).expect("can be made clean");
    let once = made.into_inner().bytes;
    let out: Value = serde_json::from_slice(&once).expect("JSON");
    let keyed = |run: usize, file: usize| {
        let hash = out["runs"][run]["artifacts"][file]["hashes"]["sha-256"].as_str().expect("a string");
        hash.starts_with("REDACTED_FINGERPRINT_")
    };
    let all: Vec<bool> = (0..6).map(|at| keyed(at / 3, at % 3)).collect();
    assert_eq!(all, [true, false, true, false, true, false], "{out}");
    let twice = sanitizer().document(&once, Format::Sarif, &Learnt::default()).expect("can be made clean");
    assert_eq!(twice.into_inner().bytes, once);
}

#[test]
fn fingerprints_of_a_result_are_keyed_where_what_it_refers_to_told_something() {
    let secret = token(6);
    let told = json!({"text": format!("holds {secret}")});
    let flow = |index: usize| json!({"codeFlows": [{"threadFlows": [{"locations": [{"index": index}]}]}]});
    let file = |location: Value| json!({"locations": [{"physicalLocation": {"artifactLocation": location}}]});
    let references = [
        (flow(1), true),
        (flow(0), false),
        (json!({"webRequest": {"index": 0}}), true),
        (json!({"webResponse": {"index": 0}}), false),
        (file(json!({"uri": "a.rs"})), true),
        (file(json!({"index": 0})), true),
        (file(json!({"uri": "b.rs", "index": 1})), false),
        (json!({"locations": [{"logicalLocations": [{"index": 1}]}]}), true),
        (json!({"locations": [{"logicalLocations": [{"index": 0}]}]}), false),
    ];
    let results: Vec<Value> = references
        .iter()
        .map(|(reference, _)| {
            let mut result =
                json!({"message": {"text": "words"}, "fingerprints": {"v1": "39fa2ee980eb94b0:1"}});
            result
                .as_object_mut()
                .expect("an object")
                .extend(reference.as_object().expect("an object").clone());
            result
        })
        .collect();
    let lists = json!({"artifacts": [{"location": {"uri": "a.rs"}, "contents": told},
            {"location": {"uri": "b.rs"}, "hashes": {"sha-256": "00ff"}}],
        "threadFlowLocations": [{"location": {}}, {"location": {"message": told,
            "physicalLocation": {"artifactLocation": {"uri": "b.rs"}}}}],
        "webRequests": [{"body": told}], "webResponses": [{"body": {"text": "x"}}],
        "logicalLocations": [{"name": "f"}, {"name": "g", "properties": {"note": told}}]});
    // Lists stand before results or behind them; the next run has its own.
    let (mut before, mut behind) = (lists.clone(), json!({"results": results}));
    before["results"] = json!(results);
    behind.as_object_mut().expect("an object").extend(lists.as_object().expect("an object").clone());
    let sarif = json!({"version": "2.1.0", "runs": [before, behind, {"results": results}]});
    let made = sanitizer().document(
        &serde_json::to_vec(&sarif).expect("serialises"),
        Format::Sarif,
        &Learnt::default(),
    );
    let out: Value =
        serde_json::from_slice(&made.expect("can be made clean").into_inner().bytes).expect("JSON");
    for run in 0..3 {
        for (number, (reference, keyed)) in references.iter().enumerate() {
            let now = out["runs"][run]["results"][number]["fingerprints"]["v1"].as_str().expect("a string");
            assert_eq!(now.starts_with("REDACTED_FINGERPRINT_"), *keyed && run < 2, "{run} {reference}");
        }
        // What a step told, the hash of its file tells as well.
        let hash = &out["runs"][run]["artifacts"][1]["hashes"]["sha-256"];
        assert_eq!(
            hash.as_str().is_some_and(|hash| hash.starts_with("REDACTED_FINGERPRINT_")),
            run < 2,
            "{run}"
        );
    }
}

#[test]
fn coordinates_are_taken_out_of_short_numbers() {
    let text =
        json!({"lat": 48.2082, "lon": 16.3738, "n": 48.2082, "coordinates": [16.3738, 48.2082]}).to_string();
    let out: Value = serde_json::from_str(&clean("x.json", &text)).expect("still JSON");
    for there in [&out["lat"], &out["lon"], &out["coordinates"][0], &out["coordinates"][1]] {
        assert!(there.as_str().is_some_and(|text| text.starts_with("REDACTED_")), "{out}");
    }
    assert_eq!(out["n"], 48.2082, "{out}");
}
