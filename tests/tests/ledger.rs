//! What left can be proven, with real processes: receipts, a ledger that was cut, and bundles that are carried by hand.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use end_to_end::agent::{Agent, SourceLines};
use end_to_end::frames::{in_raw, without_holes};
use end_to_end::hub::Hub;
use end_to_end::tree::{Random, write_files};
use end_to_end::until;
use serde_json::Value;

const TENANT: &str = "acme";
/// Nobody listens there.
const NOWHERE: &str = "127.0.0.1:9";

fn tree(input: &Path) -> Vec<SourceLines> {
    vec![SourceLines::new("tree", "folder", input, "reconcile_seconds = 1")]
}

/// That the command fails with this exit code and says so.
async fn refused(agent: &Agent, arguments: &[&str], code: i32, says: &str) -> Result<()> {
    let output = agent.output(arguments).await?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(
        output.status.code() == Some(code) && said.contains(says),
        "{arguments:?}: {:?} {said}",
        output.status
    );
    Ok(())
}

async fn lines(command: impl Future<Output = Result<String>>) -> Result<Vec<Value>> {
    command.await?.lines().map(|line| serde_json::from_str(line).context("a line of JSON")).collect()
}

#[tokio::test]
async fn a_ledger_that_was_cut_shows_offline_and_at_the_hub() -> Result<()> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let input = folder.path().join("input");
    fs::create_dir_all(&input)?;
    let mut hub = Hub::start(&folder.path().join("hub")).await?;
    let mut agent = Agent::new(&folder.path().join("agent"), None, &tree(&input))?;
    agent.enroll(&hub.token(TENANT).await?).await?;
    write_files(&input.join("first"), 50, &[], &mut Random::new(5))?;
    agent.run_once()?;
    agent.finish().await?;

    // The last receipt covers everything, though the agent ended as soon as it could.
    let verified: Value = serde_json::from_str(&agent.command(&["ledger", "verify", "--json"]).await?)?;
    ensure!(
        verified["receipts"].as_u64() > Some(0) && verified["receipted_lines"].as_u64() > Some(1),
        "{verified}"
    );
    let frames = in_raw(&hub.data())?.len();
    ensure!(verified["frames"] == frames, "{verified}, {frames} stored");
    let (receipts, key) = (folder.path().join("receipts"), folder.path().join("hub.pem"));
    let exported = hub.command(&["receipts", "export", "--tenant", TENANT]).await?;
    ensure!(exported.contains(&format!("\"through\":{frames}")), "{exported}");
    fs::write(&receipts, exported)?;
    fs::write(&key, hub.command(&["receipts", "key"]).await?)?;
    let (receipts, key) = (receipts.to_string_lossy().into_owned(), key.to_string_lossy().into_owned());
    let verify = ["ledger", "verify", "--hub-key", &key, "--receipts", &receipts];
    ensure!(agent.command(&verify).await?.contains("agrees with"), "not compared");
    let shown =
        lines(agent.command(&["ledger", "show", "--json", "--path", "first/", "--since", "1h"])).await?;
    ensure!(shown.iter().flat_map(|row| row["resources"].as_array().into_iter().flatten()).count() == 50);
    ensure!(agent.command(&["ledger", "show", "--path", "other/"]).await?.is_empty());
    ensure!(agent.command(&["ledger", "export", "--path", "first/*"]).await?.lines().count() == 51);
    ensure!(agent.command(&["ledger", "export", "--format", "ndjson"]).await?.lines().count() == 50);

    // The operator cuts everything behind the first line.
    let file = agent.state().join("ledger/egress-000001.ndjson");
    let text = fs::read_to_string(&file)?;
    fs::write(&file, text.split_inclusive('\n').next().unwrap_or_default())?;
    agent.command(&["ledger", "verify"]).await?;
    refused(&agent, &verify, 65, "was cut").await?;
    ensure!(!hub.command(&["agents"]).await?.contains("cut or rewritten"));
    write_files(&input.join("second"), 5, &[], &mut Random::new(6))?;
    agent.run_once()?;
    agent.finish().await?;
    ensure!(hub.command(&["agents"]).await?.contains("cut or rewritten"), "the hub did not notice");
    let agents = lines(hub.command(&["agents", "--json"])).await?;
    ensure!(agents[0]["ledger"]["breaks"].as_array().is_some_and(|breaks| breaks.len() == 1), "{agents:?}");
    // From now on it shows without the hub, too: its receipt stands in what goes on.
    refused(&agent, &["ledger", "verify"], 65, "contradicts").await?;
    hub.stop().await
}

#[tokio::test]
async fn what_was_carried_by_hand_is_stored_once() -> Result<()> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let input = folder.path().join("input");
    fs::create_dir_all(&input)?;
    let mut hub = Hub::start(&folder.path().join("hub")).await?;
    let mut other = Hub::start(&folder.path().join("other")).await?;
    let mut agent = Agent::new(&folder.path().join("agent"), Some(NOWHERE), &tree(&input))?;
    agent.enroll(&hub.token(TENANT).await?).await?;
    write_files(&input.join("first"), 50, &[], &mut Random::new(7))?;
    agent.run()?;
    until("the agent to spool what is there", 60, || async {
        let status = agent.status();
        ensure!(
            status["sources"]["tree"]["sent"] == 50 && status["sources"]["tree"]["rounds"].as_u64() > Some(0)
        );
        ensure!(status["spool"]["lanes"]["bulk"]["last"].as_u64() > Some(0), "{status}");
        Ok(())
    })
    .await?;
    agent.stop().await?;
    agent.run()?;
    // Beside the running agent; the ledger has every frame before the bundle is there.
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (bundle, receipts) = (path("bundle"), path("receipts"));
    agent.command(&["spool", "export", "--out", &bundle]).await?;
    let verified: Value = serde_json::from_str(&agent.command(&["ledger", "verify", "--json"]).await?)?;
    let frames = verified["frames"].as_u64().context("frames")?;
    ensure!(frames > 0, "{verified}");

    // What was changed, or is for another hub, stores nothing.
    let mut bytes = fs::read(&bundle)?;
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(path("changed"), &bytes)?;
    bytes[last] ^= 1;
    bytes[last / 2] ^= 1;
    fs::write(path("damaged"), &bytes)?;
    let not_taken =
        [(&hub, "changed", "signature"), (&hub, "damaged", ""), (&other, "bundle", "another hub")];
    for (hub, file, says) in not_taken {
        let refused = hub.command(&["import", &path(file)]).await;
        ensure!(refused.as_ref().is_err_and(|error| error.to_string().contains(says)), "{file}: {refused:?}");
        ensure!(in_raw(&hub.data())?.is_empty(), "{file} stored something");
    }

    // Beside the running hub.
    let said = hub.command(&["import", &bundle, "--receipts", &receipts]).await?;
    ensure!(said.contains(&format!("{frames} new")), "{said}");
    let said = hub.command(&["import", &bundle]).await?;
    ensure!(said.contains("0 new"), "{said}");
    arrived(&hub, 50).await?;
    let raw = in_raw(&hub.data())?;
    without_holes(&raw)?;
    ensure!(raw.len() as u64 == frames);

    // The receipts go back; an agent that was never connected has to be told whose they are.
    refused(&agent, &["spool", "import", &receipts], 65, "--hub-key").await?;
    fs::write(path("hub.pem"), hub.command(&["receipts", "key"]).await?)?;
    let import = ["spool", "import", &receipts, "--hub-key", &path("hub.pem")];
    refused(&agent, &import, 75, "in use").await?;
    agent.stop().await?;
    ensure!(agent.command(&import).await?.contains("through frame"));
    agent.command(&["ledger", "verify"]).await?;

    // The link is there now: nothing comes twice, what is new comes.
    write_files(&input.join("second"), 5, &[], &mut Random::new(8))?;
    let mut agent = Agent::new(&folder.path().join("agent"), None, &tree(&input))?;
    agent.run_once()?;
    agent.finish().await?;
    arrived(&hub, 55).await?;
    let after = in_raw(&hub.data())?;
    without_holes(&after)?;
    ensure!(raw.iter().all(|(name, found)| after.get(name).is_some_and(|now| now.hash == found.hash)));
    ensure!(after.keys().all(|(_, epoch, ..)| *epoch == 1), "a new epoch was begun");
    agent.command(&["ledger", "verify"]).await?;
    other.stop().await?;
    hub.stop().await
}

async fn arrived(hub: &Hub, files: usize) -> Result<()> {
    let api = hub.api(TENANT).await?;
    until("everything to arrive", 60, || async {
        let found = api.documents("tree").await?.len();
        ensure!(found == files, "{found} files of {files}");
        Ok(())
    })
    .await
}
