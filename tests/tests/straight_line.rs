//! A tree, a history and a real report go from an agent's disk into a hub, and come back without what was planted in them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use end_to_end::agent::SourceLines;
use end_to_end::leaks::Needles;
use end_to_end::service::ruff_sarif;
use end_to_end::tree::{Random, git, holding, secrets, write_files};
use end_to_end::world::World;
use serde_json::{Value, json};

const FILES: usize = 2_000;

fn sources(input: &Path) -> Vec<SourceLines> {
    vec![
        SourceLines::new("tree", "folder", &input.join("tree"), ""),
        SourceLines::new("history", "git", &input.join("history"), ""),
        SourceLines::new("scans", "sarif", &input.join("scans"), ""),
    ]
}

/// A history of some commits, with planted values in contents, messages and names.
fn history(repository: &Path, secrets: &[String], random: &mut Random) -> Result<()> {
    fs::create_dir_all(repository)?;
    git(repository, &["init", "-q"])?;
    for (number, secret) in secrets.iter().enumerate() {
        fs::write(repository.join(format!("module{number}.py")), random.prose(20) + &holding(secret))?;
        git(repository, &["add", "-A"])?;
        git(repository, &["commit", "-q", "-m", &format!("change {number}\n\n{}", holding(secret))])?;
    }
    git(repository, &["tag", "-a", "v1", "-m", "first"])?;
    git(repository, &["branch", "topic", "HEAD~2"])?;
    Ok(())
}

/// Python that ruff has something to say about, with a planted value in a line that the report shows.
fn report(scans: &Path, code: &Path, secret: &str) -> Result<Value> {
    fs::create_dir_all(scans)?;
    fs::create_dir_all(code)?;
    fs::write(code.join("a.py"), format!("import os\nimport sys\n{}def f(:\n", holding(secret)))?;
    fs::write(code.join("b.py"), "import json\nx = 1\nif x == None:\n    pass\n")?;
    let sarif = ruff_sarif(code)?;
    let value: Value = serde_json::from_slice(&sarif)?;
    fs::write(scans.join("ruff.sarif"), sarif)?;
    Ok(value)
}

#[tokio::test]
async fn everything_arrives_without_what_was_planted() -> Result<()> {
    let mut world = World::new(env!("CARGO_TARGET_TMPDIR"), sources).await?;
    let mut random = Random::new(11);
    let planted = secrets(&mut random, 40);
    let input = world.input();
    write_files(&input.join("tree"), FILES, &planted[..30], &mut random)?;
    let named = input.join(format!("tree/for-{}.txt", planted[1]));
    fs::write(named, "the name of this file is somebody's\n")?;
    let archived = format!("{}{}", random.prose(20), holding(&planted[39]));
    let mut archive = tar::Builder::new(fs::File::create(input.join("tree/old.tar"))?);
    let mut header = tar::Header::new_gnu();
    header.set_size(archived.len() as u64);
    archive.append_data(&mut header, "notes.txt", archived.as_bytes())?;
    archive.finish()?;
    history(&input.join("history"), &planted[30..38], &mut random)?;
    let ruff = report(&input.join("scans"), &input.join("code"), &planted[38])?;

    world.agent.run_once()?;
    world.agent.finish().await?;
    let status = world.caught_up(120).await?;
    ensure!(status["sources"]["tree"]["sent"] == FILES as u64 + 2, "{}", status["sources"]["tree"]);

    // Every file, and each by its own word.
    let documents = world.api.documents("tree").await?;
    ensure!(documents.len() == FILES + 2, "{} documents", documents.len());
    for number in (0..FILES).step_by(97) {
        let answer = world
            .api
            .search(&json!({"query": format!("mark{number}"), "mode": "lexical", "limit": 5}))
            .await?;
        let path = answer["hits"][0]["path"].as_str().unwrap_or_default().to_owned();
        ensure!(path.contains(&format!("/file{number}.")), "mark{number} is answered by {path:?}");
    }
    same_history(&world).await?;
    same_findings(&world, &ruff).await?;
    nothing_planted(&world, &planted, documents.values()).await?;

    // Once more: nothing is new.
    world.agent.run_once()?;
    world.agent.finish().await?;
    let again = world.agent.status();
    for source in ["tree", "history", "scans"] {
        ensure!(again["sources"][source]["sent"] == 0, "{}", again["sources"][source]);
    }
    ensure!(again["link"]["frames_sent"] == 0, "{}", again["link"]);
    world.hub.stop().await
}

/// What the hub holds of the history is what git lists, without trees.
async fn same_history(world: &World) -> Result<()> {
    let repository = world.input().join("history");
    let listed = git(&repository, &["rev-list", "--objects", "--all", "--no-object-names"])?;
    let mut expected = BTreeSet::new();
    for id in listed.split_whitespace() {
        if git(&repository, &["cat-file", "-t", id])?.trim() != "tree" {
            expected.insert(id.to_owned());
        }
    }
    let documents = world.api.documents("history").await?;
    let held: BTreeSet<String> =
        documents.keys().map(|(_, id)| id.clone()).filter(|id| !id.is_empty()).collect();
    ensure!(held == expected, "held {} objects, git lists {}", held.len(), expected.len());
    let names: BTreeSet<&str> =
        documents.keys().filter(|(_, id)| id.is_empty()).map(|(name, _)| name.as_str()).collect();
    ensure!(names == BTreeSet::from(["refs/heads/main", "refs/heads/topic", "refs/tags/v1"]), "{names:?}");
    Ok(())
}

/// The findings are the report's results.
async fn same_findings(world: &World, ruff: &Value) -> Result<()> {
    let results = ruff["runs"][0]["results"].as_array().context("ruff reports nothing")?;
    ensure!(results.len() >= 3, "ruff reports {} results", results.len());
    let findings = world.api.get("/v1/findings?limit=100").await?;
    let occurrences: u64 = findings["findings"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|finding| finding["occurrences"].as_u64())
        .sum();
    ensure!(occurrences == results.len() as u64, "{occurrences} findings of {} results", results.len());
    let tools = findings["findings"].as_array().into_iter().flatten();
    ensure!(tools.into_iter().all(|finding| finding["tool"] == "ruff"), "{findings}");
    Ok(())
}

/// No planted value stands anywhere but in the sources: both processes' files, logs, metrics, ledger, answers.
async fn nothing_planted(
    world: &World,
    planted: &[String],
    documents: impl Iterator<Item = &String>,
) -> Result<()> {
    let needles = Needles::new(planted);
    let told = |found: Vec<(String, Vec<usize>)>| {
        let files: Vec<_> = found.iter().map(|(file, which)| format!("{file} holds {which:?}")).collect();
        files.join("\n")
    };
    for folder in ["agent", "hub"] {
        let found = needles.found_under(&world.folder().join(folder))?;
        ensure!(found.is_empty(), "{}", told(found));
    }
    // The search is able to find: the sources hold them all.
    let there: BTreeSet<usize> =
        needles.found_under(&world.input())?.into_iter().flat_map(|(_, which)| which).collect();
    ensure!(there.len() == planted.len(), "only {} of {} were planted", there.len(), planted.len());

    let mut answers = vec![world.api.raw("GET", "/metrics", None).await?.1];
    for document in documents.step_by(3) {
        answers.push(world.api.raw("GET", &format!("/v1/documents/{document}"), None).await?.1);
    }
    for value in planted {
        let query = json!({"query": value, "mode": "lexical", "limit": 20});
        let answer = world.api.search(&query).await?;
        answers.push(answer.to_string());
    }
    for (command, json) in [("ledger", "show"), ("spool", "ls")] {
        answers.push(world.agent.command(&[command, json, "--json"]).await?);
    }
    answers.push(world.agent.command(&["status"]).await?);
    answers.push(world.agent.command(&["ledger", "verify"]).await?);
    for answer in answers {
        let found = needles.found_in(answer.as_bytes());
        ensure!(found.is_empty(), "an answer holds {found:?}: {}", &answer[..answer.len().min(200)]);
    }
    Ok(())
}
