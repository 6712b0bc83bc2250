//! What the demo prints.
#![expect(clippy::print_stdout, reason = "this program's output is its purpose")]

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use end_to_end::agent::Agent;
use end_to_end::api::Api;
use end_to_end::hub::Hub;
use indicatif::{HumanBytes, HumanCount};
use serde_json::{Value, json};

use super::{Times, sample};

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn list(value: &Value) -> String {
    let entries = value.as_object().into_iter().flatten();
    entries.map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
}

pub(crate) fn read(source: &Value, before: &Value) {
    let read = &source["read"];
    println!(
        "read         {} files ({}), {} commits, {} references, {} results in {} SARIF files",
        HumanCount(number(&read["files"])),
        HumanBytes(number(&read["bytes"])),
        HumanCount(number(&read["commits"])),
        number(&read["references"]),
        HumanCount(number(&read["sarif_results"])),
        number(&read["sarif_files"]),
    );
    if !before.is_null() {
        println!(
            "             only what changed since the last run was sent: {} resources, {} deletions",
            number(&source["sent"]),
            number(&source["deleted"])
        );
    } else if number(&source["sent"]) == 0 {
        println!("             there is nothing to send");
    }
    let left_out = list(&source["left_out"]);
    if !left_out.is_empty() {
        println!("left out     {left_out}");
        for (path, why) in source["listed"].as_object().into_iter().flatten().take(5) {
            println!("             {path}: {}", why.as_str().unwrap_or_default());
        }
    }
}

pub(crate) async fn taken_out(agent: &Agent, source: &Value) -> Result<()> {
    let redactions = list(&source["redactions"]);
    println!("taken out    {}", if redactions.is_empty() { "nothing" } else { &redactions });
    let output = agent.output(&["preview", "--json", super::SOURCE]).await?;
    let mut shown = BTreeSet::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let row: Value = serde_json::from_str(line).unwrap_or_default();
        let (Some(before), Some(after)) = (row["before"].as_str(), row["after"].as_str()) else { continue };
        let short = |text: &str| text.trim().chars().take(100).collect::<String>();
        let fits = short(after).contains("REDACTED_");
        if shown.len() < 3 && fits && shown.insert(row["type"].as_str().unwrap_or_default().to_owned()) {
            println!("             {}:{}", row["path"].as_str().unwrap_or_default(), row["line"]);
            println!("               before  {}", short(before));
            println!("               after   {}", short(after));
        }
    }
    Ok(())
}

pub(crate) fn left(status: &Value) {
    let link = &status["link"];
    let sources = status["sources"].as_object().into_iter().flatten();
    let read: u64 = sources.map(|(_, source)| number(&source["read"]["bytes"])).sum();
    let sent = number(&link["bytes_sent"]);
    let ratio = if sent > 0 {
        format!(", {:.1} : 1 against what was read", read as f64 / sent as f64)
    } else {
        String::new()
    };
    println!("what left    {} frames, {}{ratio}", number(&link["frames_sent"]), HumanBytes(sent));
}

pub(crate) async fn answers(api: &Api, path: &Path) -> Result<()> {
    let mut asked = 0;
    for word in sample::words(path) {
        let answer = api.search(&json!({"query": word, "mode": "lexical", "limit": 2})).await?;
        let hits = answer["hits"].as_array().cloned().unwrap_or_default();
        if hits.is_empty() {
            continue;
        }
        println!("search       {word:?}: {} documents", answer["total"]);
        for hit in hits {
            let pieces = hit["highlights"].as_array().into_iter().flatten();
            let text: String = pieces
                .map(|piece| {
                    let text = piece["text"].as_str().unwrap_or_default();
                    if piece["matched"] == true { format!("[{text}]") } else { text.to_owned() }
                })
                .collect();
            let line = text.lines().find(|line| line.contains('[')).unwrap_or_default().trim();
            let line: String = line.chars().take(100).collect();
            println!(
                "               {}:{}  {line}",
                hit["path"].as_str().unwrap_or_default(),
                hit["line_start"]
            );
        }
        asked += 1;
        if asked == 2 {
            break;
        }
    }
    let findings = api.get("/v1/findings?limit=3").await?;
    println!("findings     {} from SARIF", findings["total"]);
    for finding in findings["findings"].as_array().into_iter().flatten() {
        let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        println!(
            "               {} {} {}  {}:{}",
            text("state"),
            text("level"),
            text("rule"),
            finding["locations"][0]["path"].as_str().unwrap_or_default(),
            finding["locations"][0]["start_line"]
        );
    }
    Ok(())
}

pub(crate) fn times(times: &Times, source: &Value) {
    let stage = |name: &str| number(&source["stages"][name]) as f64 / 1e6;
    println!(
        "time         hub up {:.2} s; read, sanitize, spool and ship {:.2} s (reading {:.2}, sanitizing {:.2}, waiting for the spool {:.2}); searchable {:.2} s later",
        times.hub.as_secs_f64(),
        times.ingest.as_secs_f64(),
        stage("read_us"),
        stage("sanitize_us"),
        stage("spool_us"),
        times.searchable.as_secs_f64()
    );
}

pub(crate) fn next(hub: &Hub, agent: &Agent, api: &Api, folder: &Path) -> Result<()> {
    let address = hub.api_address()?;
    println!("data         {}", folder.display());
    println!("API          {address}  key {}", api.key());
    let programs = end_to_end::binaries::binaries()?;
    println!("\nNext, in another terminal while this one is up:");
    println!(
        "  curl -s {address}/v1/search -H 'Authorization: Bearer {}' -H 'Content-Type: application/json' -d '{{\"query\": \"error\"}}'",
        api.key()
    );
    println!("  {} --config {} ledger show", programs.agent.display(), agent.config().display());
    println!("  {} --config {} status", programs.agent.display(), agent.config().display());
    Ok(())
}
