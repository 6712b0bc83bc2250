//! The link is cut, loses and mends; the hub is not there at first: everything arrives, once.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use end_to_end::agent::{Agent, SourceLines};
use end_to_end::frames::{in_raw, without_holes};
use end_to_end::hub::Hub;
use end_to_end::link::{Condition, Link};
use end_to_end::tree::{Random, write_files};
use end_to_end::until;

const TENANT: &str = "acme";

fn tree(input: &Path) -> Vec<SourceLines> {
    vec![SourceLines::new("tree", "folder", input, "reconcile_seconds = 1")]
}

#[tokio::test]
async fn over_a_link_that_is_cut_and_loses() -> Result<()> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let input = folder.path().join("input");
    fs::create_dir_all(&input)?;
    let mut hub = Hub::start(&folder.path().join("hub")).await?;
    let link = Link::to(([127, 0, 0, 1], hub.quic).into()).await?;
    let mut agent = Agent::new(&folder.path().join("agent"), Some(&link.address()), &tree(&input))?;
    agent.enroll(&hub.token(TENANT).await?).await?;
    agent.run()?;
    let mut random = Random::new(3);
    for round in 0..40 {
        write_files(&input.join(format!("round{round}")), 50, &[], &mut random)?;
        let condition = match random.below(4) {
            0 => Condition::Cut,
            1 => Condition::Lossy(30),
            2 => Condition::Lossy(5),
            _ => Condition::Up,
        };
        link.set(condition);
        tokio::time::sleep(Duration::from_millis(50 + random.below(250) as u64)).await;
    }
    link.set(Condition::Up);
    arrived(&hub, &agent, 2_000).await?;
    agent.stop().await?;
    link.close().await;
    hub.stop().await
}

#[tokio::test]
async fn to_a_hub_that_was_not_there_for_the_first_half() -> Result<()> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let input = folder.path().join("input");
    fs::create_dir_all(&input)?;
    let mut hub = Hub::start(&folder.path().join("hub")).await?;
    let mut agent = Agent::new(&folder.path().join("agent"), None, &tree(&input))?;
    agent.enroll(&hub.token(TENANT).await?).await?;
    hub.stop().await?;

    let mut random = Random::new(4);
    write_files(&input.join("first"), 1_000, &[], &mut random)?;
    agent.run()?;
    until("the agent to spool what is there", 60, || async {
        let status = agent.status();
        let all = status["sources"]["tree"]["sent"] == 1_000
            && status["spool"]["lanes"]["bulk"]["last"].as_u64() > Some(0);
        let told = status["link"]["problem"].as_str().is_some_and(|told| told.contains("not reachable"));
        ensure!(all && told, "{status}");
        Ok(())
    })
    .await?;
    // Stopped and started in between: what is spooled stays.
    agent.stop().await?;
    agent.run()?;
    hub.run().await?;
    write_files(&input.join("second"), 1_000, &[], &mut random)?;
    arrived(&hub, &agent, 2_000).await?;
    agent.stop().await?;
    hub.stop().await
}

async fn arrived(hub: &Hub, agent: &Agent, files: usize) -> Result<()> {
    let api = hub.api(TENANT).await?;
    until("everything to arrive", 120, || async {
        let found = api.documents("tree").await?.len();
        ensure!(found == files, "{found} files of {files}");
        Ok(())
    })
    .await?;
    let raw = in_raw(&hub.data())?;
    without_holes(&raw)?;
    ensure!(raw.keys().all(|(_, epoch, ..)| *epoch == 1), "a new epoch was begun");
    // The ledger tells of every frame that the hub holds, by the same hash.
    let ledger = agent.command(&["ledger", "show", "--json"]).await?;
    for found in raw.values() {
        ensure!(ledger.contains(&found.hash.to_string()), "frame {} is not in the ledger", found.header.seq);
    }
    agent.command(&["ledger", "verify"]).await.map(drop)
}
