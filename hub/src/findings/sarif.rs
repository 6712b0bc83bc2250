//! Reads SARIF 2.1.0 (OASIS) as tools really write it: what is missing or wrong in one result never loses the others.

use std::collections::BTreeMap;

use certus_protocol::ids::ContentHash;
use serde_json::Value;

use super::{Location, ToolResult};
use crate::limits;

/// The results of all runs, and what was wrong with the file.
pub(super) fn read(text: &str) -> (Vec<ToolResult>, Vec<String>) {
    let mut diagnostics = Vec::new();
    let log: Value = match serde_json::from_str(text) {
        Ok(log) => log,
        Err(error) => return (Vec::new(), vec![format!("not JSON: {error}")]),
    };
    let mut results = Vec::new();
    for (number, run) in array(&log, "runs").iter().enumerate() {
        let rules = Rules::of(run);
        let mut ordinals: BTreeMap<ContentHash, u32> = BTreeMap::new();
        for (at, result) in array(run, "results").iter().enumerate() {
            if results.len() == limits::FINDINGS_MAX {
                diagnostics.push(format!(
                    "more than {} results; the rest can be searched as text",
                    limits::FINDINGS_MAX
                ));
                return (results, diagnostics);
            }
            if !result.is_object() {
                diagnostics.push(format!("/runs/{number}/results/{at}: not an object"));
                continue;
            }
            let mut read = rules.result(run, result);
            read.fingerprint = fingerprint(&read, &mut ordinals);
            results.push(read);
        }
    }
    if log.get("runs").is_none() {
        diagnostics.push("/runs: missing".to_owned());
    }
    (results, diagnostics)
}

/// The rules of a run's tool and its extensions.
struct Rules<'a> {
    tool: &'a str,
    tool_version: &'a str,
    driver: &'a [Value],
    extensions: Vec<&'a [Value]>,
    overrides: Vec<(&'a str, &'a str)>,
}

impl<'a> Rules<'a> {
    fn of(run: &'a Value) -> Self {
        let driver = &run["tool"]["driver"];
        let tool_version = [text(driver, "semanticVersion"), text(driver, "version")];
        let mut overrides = Vec::new();
        for invocation in array(run, "invocations") {
            for change in array(invocation, "ruleConfigurationOverrides") {
                overrides.push((text(&change["descriptor"], "id"), text(&change["configuration"], "level")));
            }
        }
        Self {
            tool: text(driver, "name"),
            tool_version: tool_version.into_iter().find(|version| !version.is_empty()).unwrap_or(""),
            driver: array(driver, "rules"),
            extensions: array(&run["tool"], "extensions")
                .iter()
                .map(|extension| array(extension, "rules"))
                .collect(),
            overrides,
        }
    }

    /// The descriptor that a result names by component and index, by guid, or by id (`a/b` is a sub-rule of `a`).
    fn rule(&self, result: &'a Value) -> Option<&'a Value> {
        let named = &result["rule"];
        let component =
            named["toolComponent"]["index"].as_u64().and_then(|at| self.extensions.get(at as usize));
        let place = result["ruleIndex"].as_u64().or_else(|| named["index"].as_u64());
        if let Some(rule) = place.and_then(|at| component.unwrap_or(&self.driver).get(at as usize)) {
            return Some(rule);
        }
        let every = || std::iter::once(&self.driver).chain(&self.extensions).flat_map(|rules| rules.iter());
        let guid = text(named, "guid");
        if let Some(rule) = every().find(|rule| !guid.is_empty() && text(rule, "guid") == guid) {
            return Some(rule);
        }
        let mut id = rule_id(result);
        loop {
            if let Some(rule) = every().find(|rule| !id.is_empty() && text(rule, "id") == id) {
                return Some(rule);
            }
            id = id.rsplit_once('/')?.0;
        }
    }

    fn result(&self, run: &Value, result: &'a Value) -> ToolResult {
        let rule = self.rule(result);
        let of_rule = |name| rule.map_or("", |rule| text(rule, name));
        let id = if rule_id(result).is_empty() { of_rule("id") } else { rule_id(result) };
        let level = self.level(result, rule, id);
        let tags = rule.map_or(&[][..], |rule| array(&rule["properties"], "tags"));
        let mut fingerprints = BTreeMap::new();
        for kind in ["fingerprints", "partialFingerprints"] {
            for (name, value) in result[kind].as_object().into_iter().flatten() {
                fingerprints.insert(format!("{kind}/{name}"), value.as_str().unwrap_or_default().to_owned());
            }
        }
        let score = [&result["properties"], &rule.unwrap_or(&Value::Null)["properties"]]
            .into_iter()
            .find_map(|properties| number(&properties["security-severity"]));
        ToolResult {
            fingerprint: ContentHash([0; 32]),
            tool: self.tool.to_owned(),
            tool_version: self.tool_version.to_owned(),
            rule: id.to_owned(),
            rule_name: of_rule("name").to_owned(),
            severity: severity(score, &level).to_owned(),
            level,
            message: message(run, result, rule),
            locations: array(result, "locations").iter().map(|place| location(run, place)).collect(),
            related: array(result, "relatedLocations").iter().map(|place| location(run, place)).collect(),
            code_flows: array(result, "codeFlows").to_vec(),
            tags: tags.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            fingerprints,
            suppressed: array(result, "suppressions").iter().any(|s| text(s, "status") != "rejected"),
        }
    }

    /// SARIF 2.1.0, 3.27.10: the result's, else an override's, else the rule's default, else `warning`; `none` where the
    /// result is no failure.
    fn level(&self, result: &Value, rule: Option<&Value>, id: &str) -> String {
        let kind = text(result, "kind");
        if !kind.is_empty() && kind != "fail" {
            return "none".to_owned();
        }
        let changed = self
            .overrides
            .iter()
            .find(|(rule, level)| *rule == id && !level.is_empty())
            .map(|(_, level)| *level);
        let default = rule.map_or("", |rule| text(&rule["defaultConfiguration"], "level"));
        let levels = [text(result, "level"), changed.unwrap_or(""), default];
        levels.into_iter().find(|level| !level.is_empty()).unwrap_or("warning").to_owned()
    }
}

fn rule_id(result: &Value) -> &str {
    let id = text(result, "ruleId");
    if id.is_empty() { text(&result["rule"], "id") } else { id }
}

/// The message's text, or that of the rule's message that it names, with its arguments in place.
fn message(run: &Value, result: &Value, rule: Option<&Value>) -> String {
    let message = &result["message"];
    let id = text(message, "id");
    let strings = [
        rule.map(|rule| &rule["messageStrings"][id]),
        Some(&run["tool"]["driver"]["globalMessageStrings"][id]),
    ];
    let named = strings.into_iter().flatten().map(|string| text(string, "text"));
    let pattern = std::iter::once(text(message, "text"))
        .chain(named)
        .chain([text(message, "markdown")])
        .find(|text| !text.is_empty())
        .unwrap_or_default();
    let mut whole = pattern.to_owned();
    for (at, argument) in array(message, "arguments").iter().enumerate().take(64) {
        whole = whole.replace(&format!("{{{at}}}"), argument.as_str().unwrap_or_default());
    }
    whole
}

fn location(run: &Value, place: &Value) -> Location {
    let physical = &place["physicalLocation"];
    let artifact = &physical["artifactLocation"];
    let indexed = artifact["index"].as_u64().and_then(|at| array(run, "artifacts").get(at as usize));
    let uri = [text(artifact, "uri"), indexed.map_or("", |artifact| text(&artifact["location"], "uri"))];
    let region = &physical["region"];
    let logical = array(place, "logicalLocations").first();
    let name = logical.map(|logical| [text(logical, "fullyQualifiedName"), text(logical, "name")]);
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Location {
        path: uri.into_iter().find(|uri| !uri.is_empty()).unwrap_or_default().to_owned(),
        start_line: region["startLine"].as_u64(),
        end_line: region["endLine"].as_u64(),
        start_column: region["startColumn"].as_u64(),
        snippet: some(text(&region["snippet"], "text")),
        logical: name.and_then(|names| names.into_iter().find_map(some)),
    }
}

/// What a result is known by: tool, rule and path, with the tool's own fingerprint where it has one, else what it says (numbers left
/// out, since lines move) and shows; equal ones are told apart by their order.
fn fingerprint(result: &ToolResult, ordinals: &mut BTreeMap<ContentHash, u32>) -> ContentHash {
    let first = result.locations.first();
    let mut hasher = blake3::Hasher::new_derive_key("certus finding v1");
    let mut field = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    field(&result.tool);
    field(&result.rule);
    field(first.map_or("", |place| &place.path));
    if result.fingerprints.is_empty() {
        let plain: String = result.message.chars().filter(|c| !c.is_ascii_digit()).collect();
        field(&plain);
        field(first.and_then(|place| place.snippet.as_deref()).unwrap_or_default().trim());
        field(first.and_then(|place| place.logical.as_deref()).unwrap_or_default());
    }
    for (name, value) in &result.fingerprints {
        field(name);
        field(value);
    }
    let base = ContentHash(*hasher.finalize().as_bytes());
    let ordinal = ordinals.entry(base).or_default();
    *ordinal += 1;
    hasher.update(&ordinal.to_le_bytes());
    ContentHash(*hasher.finalize().as_bytes())
}

/// By the score as GitHub reads it (over 9 critical, 7 high, 4 medium), else by the level.
fn severity(score: Option<f64>, level: &str) -> &'static str {
    match (score, level) {
        (Some(score), _) if score > 9.0 => "critical",
        (Some(score), _) if score >= 7.0 => "high",
        (Some(score), _) if score >= 4.0 => "medium",
        (Some(_), _) => "low",
        (None, "error") => "high",
        (None, "warning") => "medium",
        (None, _) => "low",
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn array<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_levels_messages_and_places_are_resolved() {
        let log = serde_json::json!({"version": "2.1.0", "runs": [{
            "tool": {"driver": {"name": "T", "semanticVersion": "1.2", "rules": [
                {"id": "A", "defaultConfiguration": {"level": "error"}, "messageStrings": {"m": {"text": "bad {0} in {1}"}}}]},
                "extensions": [{"name": "E", "rules": [{"id": "X", "properties": {"tags": ["external/cwe/cwe-79"], "security-severity": "9.3"}}]}]},
            "artifacts": [{"location": {"uri": "src/indexed.py"}}],
            "results": [
                {"ruleIndex": 0, "message": {"id": "m", "arguments": ["x", "y"]}, "locations": [
                    {"physicalLocation": {"artifactLocation": {"index": 0}, "region": {"startLine": 3}}},
                    {"physicalLocation": {"artifactLocation": {"uri": "b.py"}}}]},
                {"rule": {"index": 0, "toolComponent": {"index": 0}}, "ruleId": "X/sub", "message": {"text": "t"}, "kind": "pass"},
                {"ruleId": "unknown", "message": {}},
                "not an object"]}]});
        let (results, diagnostics) = read(&log.to_string());
        assert_eq!(results.len(), 3);
        assert_eq!(diagnostics.len(), 1);
        assert_eq!((results[0].rule.as_str(), results[0].level.as_str()), ("A", "error"));
        assert_eq!(results[0].message, "bad x in y");
        assert_eq!(results[0].locations.len(), 2);
        assert_eq!(
            (results[0].locations[0].path.as_str(), results[0].locations[0].start_line),
            ("src/indexed.py", Some(3))
        );
        assert_eq!((results[1].level.as_str(), results[1].severity.as_str()), ("none", "critical"));
        assert_eq!(results[1].tags, ["external/cwe/cwe-79"]);
        assert_eq!(results[2].level, "warning");
    }

    #[test]
    fn a_result_is_known_again_when_lines_move_and_twins_are_told_apart() {
        let log = |line: u64| {
            let result = serde_json::json!({"ruleId": "R", "message": {"text": format!("unused name in line {line}")},
                "locations": [{"physicalLocation": {"artifactLocation": {"uri": "a.py"}, "region": {"startLine": line}}}]});
            serde_json::json!({"runs": [{"tool": {"driver": {"name": "T"}}, "results": [result, result]}]})
                .to_string()
        };
        let (before, after) = (read(&log(5)).0, read(&log(50)).0);
        assert_eq!(before[0].fingerprint, after[0].fingerprint);
        assert_ne!(before[0].fingerprint, before[1].fingerprint);
    }

    #[test]
    fn what_is_no_sarif_is_told() {
        assert_eq!(read("nonsense").1.len(), 1);
        assert_eq!(read("{}").1, ["/runs: missing"]);
        assert!(read("{\"runs\": [{\"results\": 5, \"tool\": []}, 7]}").0.is_empty());
    }
}
