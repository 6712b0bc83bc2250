//! Findings as SARIF 2.1.0, written as they come; no value stands in it.

use std::collections::BTreeMap;
use std::io::{self, Write};

use certus_sanitizer::{Kind, Sanitizer, rules};
use serde_json::{Value, json};

use super::scan::{Told, reason};

/// All before the results: the tool and its rules.
pub(super) fn begin(out: &mut dyn Write, sanitizer: &Sanitizer) -> io::Result<()> {
    let sources: BTreeMap<String, String> =
        rules::raw().unwrap_or_default().into_iter().map(|(_, rule)| (rule.id, rule.source)).collect();
    let rule = |(id, kind, type_name): (&str, Kind, &str)| {
        let text = format!("{} {type_name}", kind.as_str());
        let mut rule = json!({"id": id, "shortDescription": {"text": text}});
        if let Some(source) = sources.get(id) {
            rule["helpUri"] = json!(source);
        }
        rule
    };
    let table: Vec<Value> = sanitizer.rules().map(rule).collect();
    let tool =
        json!({"driver": {"name": "certus-agent", "version": env!("CARGO_PKG_VERSION"), "rules": table}});
    write!(
        out,
        "{{\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\",\"version\":\"2.1.0\",\"runs\":[{{\"tool\":{tool},\"columnKind\":\"unicodeCodePoints\",\"results\":["
    )
}

/// A result; `(later, lasting)`: whether others stand before it, and whether the key is kept, so that fingerprints
/// mean something in another run.
pub(super) fn result(
    out: &mut dyn Write,
    name: &str,
    told: &Told,
    (later, lasting): (bool, bool),
) -> io::Result<()> {
    let finding = &told.finding;
    let text = format!("{} {}: {}", finding.kind.as_str(), finding.type_name, reason(finding));
    let mut row = json!({
        "ruleId": finding.rule,
        "level": if finding.kind == Kind::Secret { "error" } else { "warning" },
        "rank": f64::from((finding.score.value() * 100.0).round()),
        "message": {"text": text},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": uri(name)},
            "region": {
                "startLine": told.line, "startColumn": told.column,
                "byteOffset": finding.start, "byteLength": finding.end - finding.start,
            },
        }}],
        "properties": {"replacement": finding.replacement},
    });
    if lasting {
        row["partialFingerprints"] = json!({"certus/v1": told.fingerprint});
    }
    write!(out, "{}\n{row}", if later { "," } else { "" })
}

/// All behind the results.
pub(super) fn end(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n]}}]}}")
}

/// A relative reference (RFC 3986) to a path.
fn uri(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'/');
    name.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
