//! Documents that hold a text of any rule's format as a value still parse, and nothing but such values has changed.

use certus_sanitizer::{Format, Learnt};
use serde_json::{Value, json};

use crate::company::formats;
use crate::numbers::{Random, expand};
use crate::sanitizer;

/// Stands beside each value and stays.
const KEPT: &str = "words that stay";

/// A format of documents: how one is written around a text, and what a parser reads of it; `None` where it is broken.
struct Language {
    name: &'static str,
    write: fn(&str) -> String,
    read: fn(&str) -> Option<Value>,
}

fn tree(text: &str) -> Value {
    json!({"a": text, "list": [KEPT, text, {"b": text, "n": 1.5, "t": true}], "z": KEPT})
}

/// Names, text and shape of elements.
fn elements(text: &str) -> Option<Value> {
    use quick_xml::events::Event;
    let mut reader = quick_xml::Reader::from_str(text);
    let (mut all, mut depth) = (Vec::new(), 0);
    loop {
        match reader.read_event().ok()? {
            Event::Eof => return (depth == 0).then_some(Value::Array(all)),
            Event::Start(start) => {
                depth += 1;
                let names = start.attributes().map(|attribute| Some(format!("{:?}", attribute.ok()?.key)));
                let attributes: Option<Vec<String>> = names.collect();
                all.push(json!([format!("{:?}", start.name()), attributes?]));
            }
            Event::End(end) => {
                depth -= 1;
                all.push(json!(format!("{:?}", end.name())));
            }
            Event::Text(text) if format!("{text:?}").contains(KEPT) => all.push(json!(KEPT)),
            _ => {}
        }
    }
}

fn cells(text: &str) -> Option<Value> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    let rows: Result<Vec<usize>, _> = reader.records().map(|row| row.map(|row| row.len())).collect();
    rows.ok().map(|rows| json!(rows))
}

fn items(text: &str) -> Option<Value> {
    syn::parse_file(text).ok().map(|file| json!(file.items.len()))
}

const LANGUAGES: [Language; 6] = [
    Language {
        name: "x.json",
        write: |text| tree(text).to_string(),
        read: |text| serde_json::from_str(text).ok(),
    },
    Language {
        name: "x.toml",
        write: |text| toml::to_string(&tree(text)).expect("serialises"),
        read: |text| serde_json::to_value(toml::from_str::<toml::Table>(text).ok()?).ok(),
    },
    Language {
        name: "x.yaml",
        write: |text| serde_yaml_ng::to_string(&tree(text)).expect("serialises"),
        read: |text| serde_yaml_ng::from_str(text).ok(),
    },
    Language {
        name: "x.xml",
        write: |text| {
            let said = quick_xml::escape::escape(text);
            format!(
                "<r><a b=\"{said}\" c=\"1\">{said}</a><k>{KEPT}</k><![CDATA[{}]]></r>",
                text.replace("]]>", "")
            )
        },
        read: elements,
    },
    Language {
        name: "x.csv",
        write: |text| {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(["id", "value", "note"]).expect("writes");
            (0..2).for_each(|n| writer.write_record([&n.to_string(), text, KEPT]).expect("writes"));
            String::from_utf8(writer.into_inner().expect("writes")).expect("UTF-8")
        },
        read: cells,
    },
    Language {
        name: "x.rs",
        write: |text| {
            format!("const A: &str = {text:?};\nfn f() -> Vec<&'static str> {{ vec![{text:?}, {KEPT:?}] }}\n")
        },
        read: items,
    },
];

/// Where two documents differ in something else than a value that was replaced.
fn differs(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => {
            !a.keys().eq(b.keys()) || a.values().zip(b.values()).any(|(a, b)| differs(a, b))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() != b.len() || a.iter().zip(b).any(|(a, b)| differs(a, b))
        }
        (Value::String(a), Value::String(b)) => a != b && (!b.contains("REDACTED_") || a == KEPT),
        (a, b) => a != b,
    }
}

#[test]
fn documents_with_a_value_of_any_rule_stay_what_they_are() {
    let mut wrong = Vec::new();
    for (number, formatted) in formats().iter().enumerate() {
        let text = expand(&formatted.format, &mut Random(number as u64 + 7));
        for Language { name, write, read } in &LANGUAGES {
            let document = write(&text);
            let Some(before) = read(&document) else { panic!("{name}: {document}") };
            let format = Format::detect(name, document.as_bytes());
            let made =
                sanitizer().document(document.as_bytes(), format, &Learnt::default()).expect("settles");
            let made = String::from_utf8(made.into_inner().bytes).expect("UTF-8");
            if read(&made).is_none_or(|after| differs(&before, &after)) {
                wrong.push(format!("{} in {name}: {document:?} became {made:?}", formatted.rule));
            }
        }
    }
    assert!(wrong.is_empty(), "{} {}", wrong.len(), wrong.join("\n"));
}
