//! The API as callers meet it: TLS by another's judgement, its own description, filters, pages, errors.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use end_to_end::agent::SourceLines;
use end_to_end::hub::Hub;
use end_to_end::world::World;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// What openssl gets from the hub, and whether it trusts it.
async fn by_openssl(hub: &Hub, trusted: &std::path::Path, version: &str) -> Result<(bool, String)> {
    let address = hub.api_address()?.replace("https://", "");
    let mut command = Command::new("openssl");
    command.args([
        "s_client",
        "-connect",
        &address,
        "-servername",
        "localhost",
        "-verify_hostname",
        "localhost",
    ]);
    command.arg("-CAfile").arg(trusted).args(["-verify_return_error", "-quiet", version]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn()?;
    let mut input = child.stdin.take().context("its input")?;
    // Whoever refuses the hub reads no request.
    drop(input.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await);
    let output = child.wait_with_output().await?;
    drop(input);
    Ok((output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()))
}

#[tokio::test]
async fn tls_holds_by_openssls_judgement() -> Result<()> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let mut hub = Hub::start_with_tls(&folder.path().join("hub")).await?;
    let mut other = Hub::start_with_tls(&folder.path().join("other")).await?;
    let (trusts, answer) = by_openssl(&hub, &hub.data().join("ca.pem"), "-tls1_3").await?;
    ensure!(trusts && answer.starts_with("HTTP/1.1 200"), "{answer}");
    let (trusts, answer) = by_openssl(&hub, &other.data().join("ca.pem"), "-tls1_3").await?;
    ensure!(!trusts && answer.is_empty(), "a hub of another CA is trusted: {answer}");
    let (trusts, answer) = by_openssl(&hub, &hub.data().join("ca.pem"), "-tls1_2").await?;
    ensure!(!trusts && answer.is_empty(), "TLS 1.2 is spoken: {answer}");
    other.stop().await?;
    hub.stop().await
}

async fn filled() -> Result<World> {
    let sources = |input: &std::path::Path| {
        vec![
            SourceLines::new("guide", "folder", &input.join("guide"), ""),
            SourceLines::new("code", "folder", &input.join("code"), ""),
        ]
    };
    let mut world = World::new(env!("CARGO_TARGET_TMPDIR"), sources).await?;
    let input = world.input();
    for (path, text) in [
        ("guide/start.md", "How to begin with widgets\n"),
        ("guide/deep/more.md", "More of widgets, and of `<script>`\n"),
        ("code/src/widget.rs", "fn make_widgets() {}\n"),
        ("code/src/other.py", "def other(): pass  # widgets\n"),
        ("code/notes.txt", "nothing of interest\n"),
    ] {
        let path = input.join(path);
        fs::create_dir_all(path.parent().context("its folder")?)?;
        fs::write(path, text)?;
    }
    world.agent.run_once()?;
    world.agent.finish().await?;
    world.caught_up(30).await?;
    Ok(world)
}

fn paths(answer: &Value) -> BTreeSet<&str> {
    answer["hits"].as_array().into_iter().flatten().filter_map(|hit| hit["path"].as_str()).collect()
}

#[tokio::test]
async fn searches_filter_page_and_count() -> Result<()> {
    let mut world = filled().await?;
    let widgets = BTreeSet::from(["deep/more.md", "src/other.py", "src/widget.rs", "start.md"]);
    let all = world.api.search(&json!({"query": "widgets"})).await?;
    ensure!(paths(&all) == widgets && all["total"] == 4, "{all}");
    for (filters, wanted) in [
        (json!({"source": ["guide"]}), BTreeSet::from(["deep/more.md", "start.md"])),
        (json!({"language": ["rust"]}), BTreeSet::from(["src/widget.rs"])),
        (json!({"path_prefix": "src/"}), BTreeSet::from(["src/other.py", "src/widget.rs"])),
        (
            json!({"kind": ["file"], "language": ["python", "markdown"], "path_prefix": "src"}),
            BTreeSet::from(["src/other.py"]),
        ),
        (json!({"source": ["nowhere"]}), BTreeSet::new()),
    ] {
        let answer = world.api.search(&json!({"query": "widgets", "filters": filters})).await?;
        ensure!(paths(&answer) == wanted, "{filters}: {answer}");
    }
    let mut seen = Vec::new();
    let mut query = json!({"query": "widgets", "limit": 1});
    loop {
        let page = world.api.search(&query).await?;
        ensure!(page["total"] == 4, "{page}");
        seen.extend(paths(&page).into_iter().map(str::to_owned));
        let Some(cursor) = page["cursor"].as_str() else { break };
        query["cursor"] = json!(cursor);
    }
    ensure!(
        seen.len() == 4 && seen.iter().map(String::as_str).collect::<BTreeSet<_>>() == widgets,
        "{seen:?}"
    );
    // A cursor belongs to its query.
    let cursor = world.api.search(&json!({"query": "widgets", "limit": 1})).await?["cursor"].clone();
    let other = json!({"query": "interest", "limit": 1, "cursor": cursor});
    let (status, text) = world.api.raw("POST", "/v1/search", Some(other)).await?;
    ensure!(status == 400 && text.contains("cursor"), "{status} {text}");
    world.hub.stop().await
}

#[tokio::test]
async fn errors_are_problems_and_the_description_names_every_route() -> Result<()> {
    let mut world = filled().await?;
    for (method, path, body, wanted) in [
        ("POST", "/v1/search", Some(json!({"query": "x", "limti": 3})), 422),
        ("POST", "/v1/search", Some(json!({"query": "x", "limit": 100_000})), 422),
        ("GET", "/v1/documents/00000000000000000000000000000000", None, 404),
        ("GET", "/v1/findings?levle=error", None, 400),
        ("GET", "/v1/nothing", None, 404),
        ("DELETE", "/v1/search", None, 405),
    ] {
        let (status, text) = world.api.raw(method, path, body).await?;
        let problem: Value = serde_json::from_str(&text).with_context(|| format!("{path}: {text}"))?;
        ensure!(status == wanted && problem["status"] == wanted, "{method} {path}: {status} {text}");
        ensure!(problem["title"].is_string() && problem["detail"].is_string(), "{method} {path}: {text}");
    }
    let described = world.api.get("/openapi.json").await?;
    let routes: BTreeSet<&str> =
        described["paths"].as_object().into_iter().flatten().map(|(path, _)| path.as_str()).collect();
    for route in [
        "/v1/search",
        "/v1/documents/{id}",
        "/v1/sources",
        "/v1/agents",
        "/v1/findings",
        "/v1/findings/{id}",
        "/v1/quarantine",
        "/v1/quarantine/{id}/release",
        "/v1/quarantine/{id}/reject",
        "/health",
        "/ready",
        "/metrics",
    ] {
        ensure!(routes.contains(route), "{route} is not described: {routes:?}");
    }
    let metrics = world.api.raw("GET", "/metrics", None).await?.1;
    ensure!(metrics.contains("certus_hub_frames_stored_total"), "{metrics}");
    ensure!(!metrics.contains("acme"), "a metric names a tenant");
    world.hub.stop().await
}
