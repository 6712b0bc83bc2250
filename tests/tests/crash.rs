//! Agent and hub are killed at random moments while files, commits and reports come and go.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use certus_protocol::envelope::BodyV1 as Envelope;
use certus_protocol::frame::{self, BodyV1};
use certus_protocol::ids::ContentHash;
use end_to_end::agent::SourceLines;
use end_to_end::frames::{FrameName, Tail, in_raw, in_segments, without_holes};
use end_to_end::tree::{Random, agree, git};
use end_to_end::until;
use end_to_end::world::World;

const KILLS: usize = 200;
/// Where a hub's objects stand until they are whole.
const DRAFTS: &str = "objects/.draft";
/// Up to how long an agent lives: most end at work.
const AGENT_LIFE_MS: usize = 120;
/// How long to wait for an agent or hub to write.
const STRIKE_PATIENCE: Duration = Duration::from_millis(1_500);
/// Up to how long a hub lives: agents come back after a moment only.
const HUB_LIFE_MS: usize = 700;

fn sources(input: &Path) -> Vec<SourceLines> {
    let more = "reconcile_seconds = 1";
    vec![
        SourceLines::new("tree", "folder", &input.join("tree"), more),
        SourceLines::new("history", "git", &input.join("history"), more),
        SourceLines::new("scans", "sarif", &input.join("scans"), more),
    ]
}

/// What is put in, and what was taken away again.
struct Load {
    random: Random,
    rounds: usize,
    files: BTreeSet<String>,
    reports: BTreeSet<String>,
}

impl Load {
    fn new(input: &Path) -> Result<Self> {
        for folder in ["tree", "history", "scans"] {
            fs::create_dir_all(input.join(folder))?;
        }
        git(&input.join("history"), &["init", "-q"])?;
        Ok(Self { random: Random::new(5), rounds: 0, files: BTreeSet::new(), reports: BTreeSet::new() })
    }

    /// Fifteen files come and two go, a commit, and now and then a report.
    fn round(&mut self, input: &Path) -> Result<()> {
        let round = self.rounds;
        self.rounds += 1;
        for number in 0..15 {
            let name = format!("f{round}-{number}.txt");
            // Some are larger than a frame.
            let lines = if number == 0 && round % 20 == 7 { 40_000 } else { 40 };
            fs::write(input.join("tree").join(&name), self.random.prose(lines) + &name)?;
            self.files.insert(name);
        }
        for _ in 0..2 {
            let at = self.random.below(self.files.len());
            let Some(name) = self.files.iter().nth(at).cloned() else { continue };
            fs::remove_file(input.join("tree").join(&name))?;
            self.files.remove(&name);
        }
        let history = input.join("history");
        fs::write(history.join(format!("m{}.rs", round % 20)), self.random.prose(4))?;
        git(&history, &["add", "-A"])?;
        git(&history, &["commit", "-q", "--allow-empty", "-m", &format!("round {round}")])?;
        if round.is_multiple_of(4) {
            let name = format!("scan{round}.sarif");
            let sarif = serde_json::json!({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "generated"}},
                "results": [{"ruleId": name, "message": {"text": "x"}}]}]});
            fs::write(input.join(".draft"), sarif.to_string())?;
            fs::rename(input.join(".draft"), input.join("scans").join(&name))?;
            self.reports.insert(name);
        }
        Ok(())
    }
}

#[tokio::test]
async fn killed_agents_lose_and_repeat_nothing() -> Result<()> {
    let mut world = World::new(env!("CARGO_TARGET_TMPDIR"), sources).await?;
    let mut load = Load::new(&world.input())?;
    let mut random = Random::new(77);
    let mut kills = Vec::new();
    for number in 0..KILLS {
        load.round(&world.input())?;
        let tail = Tail::of(&world.agent.state())?;
        world.agent.run()?;
        match tail {
            // Every fourth one dies just when it writes; the others at any moment.
            Some(tail) if number % 4 == 3 => strike(move || tail.is_written()).await?,
            _ => tokio::time::sleep(Duration::from_millis(random.below(AGENT_LIFE_MS) as u64)).await,
        }
        world.agent.kill().await?;
        kills.push((in_segments(&world.agent.state())?, names(&in_raw(&world.hub.data())?)));
    }
    settle(&mut world, &load).await?;

    let raw = in_raw(&world.hub.data())?;
    let mut stages: BTreeMap<&str, usize> = BTreeMap::new();
    for (written, stored) in &kills {
        let unaccepted =
            written.iter().any(|(name, found)| raw.get(name).is_none_or(|raw| raw.hash != found.hash));
        let unsent = written.keys().any(|name| !stored.contains_key(name));
        let stage = match (unaccepted, unsent) {
            (true, _) => "spool: written, not accepted",
            (false, true) => "ship: accepted, not stored",
            (false, false) => "source: all that was spooled is stored",
        };
        *stages.entry(stage).or_default() += 1;
    }
    println!("{KILLS} kills of the agent hit {stages:?}");
    ensure!(stages.len() == 3, "some stage was never hit: {stages:?}");
    ensure!(!world.agent.state().join("spool/index.corrupt-0").exists(), "an index was set aside");
    once_each(&world)?;
    world.agent.stop().await?;
    world.hub.stop().await
}

#[tokio::test]
async fn killed_hubs_lose_and_repeat_nothing() -> Result<()> {
    let mut world = World::new(env!("CARGO_TARGET_TMPDIR"), sources).await?;
    let mut load = Load::new(&world.input())?;
    let mut random = Random::new(78);
    let mut stages: BTreeMap<&str, usize> = BTreeMap::new();
    world.agent.run()?;
    let mut stored = BTreeMap::new();
    let drafts = world.hub.data().join(DRAFTS);
    for number in 0..KILLS {
        load.round(&world.input())?;
        if number % 8 == 7 {
            // Every eighth one dies just when it writes; the others at any moment.
            let drafts = drafts.clone();
            strike(move || fs::read_dir(&drafts).is_ok_and(|mut drafts| drafts.next().is_some())).await?;
        } else {
            tokio::time::sleep(Duration::from_millis(random.below(HUB_LIFE_MS) as u64)).await;
        }
        world.hub.kill().await?;
        let now = names(&in_raw(&world.hub.data())?);
        *stages.entry(hub_stage(&world.hub.data(), &now)?).or_default() += 1;
        // What was stored stays as it is.
        for (name, hash) in &stored {
            ensure!(now.get(name) == Some(hash), "{name:?} changed or went");
        }
        stored = now;
        world.hub.run().await?;
    }
    settle(&mut world, &load).await?;
    println!("{KILLS} kills of the hub hit {stages:?}");
    ensure!(stages.len() == 3, "some stage was never hit: {stages:?}");
    once_each(&world)?;
    world.agent.stop().await?;
    world.hub.stop().await
}

/// Waits for the moment at which something stands on the disk that is not accepted yet.
async fn strike(is_written: impl Fn() -> bool + Send + 'static) -> Result<()> {
    let watching = tokio::task::spawn_blocking(move || {
        let began = Instant::now();
        while !is_written() && began.elapsed() < STRIKE_PATIENCE {
            std::hint::spin_loop();
        }
    });
    Ok(watching.await?)
}

fn names(found: &BTreeMap<FrameName, end_to_end::frames::Found>) -> BTreeMap<FrameName, ContentHash> {
    found.iter().map(|(name, found)| (name.clone(), found.hash)).collect()
}

/// Where the hub was when it was killed, by what lies on its disk.
fn hub_stage(data: &Path, stored: &BTreeMap<FrameName, ContentHash>) -> Result<&'static str> {
    let drafts = fs::read_dir(data.join(DRAFTS))?.count();
    if drafts > 0 {
        return Ok("store: an object half put");
    }
    let mut unprocessed = false;
    for (agent, epoch, lane, seq) in stored.keys() {
        let cursor = data.join(format!("objects/state/cursors/acme/{agent}/{epoch:010}/{lane}"));
        let bytes = fs::read(cursor).unwrap_or_default();
        let cursor: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
        unprocessed |= cursor["processed"].as_u64().unwrap_or_default() < *seq;
    }
    Ok(if unprocessed { "pipeline: stored, not processed" } else { "idle: all that is stored is processed" })
}

/// Runs both until the hub holds what is there, no more and no less.
async fn settle(world: &mut World, load: &Load) -> Result<()> {
    if world.agent.ended()? {
        world.agent.run()?;
    }
    let listed = git(&world.input().join("history"), &["rev-list", "--all"])?;
    let commits: BTreeSet<String> = listed.split_whitespace().map(str::to_owned).collect();
    until("the hub to hold what is there", 120, || async {
        let tree = world.api.documents("tree").await?;
        let files: BTreeSet<String> = tree.into_keys().map(|(path, _)| path).collect();
        let history = world.api.documents("history").await?;
        let held = history.into_keys().filter(|(path, _)| path.starts_with("commits/"));
        let held: BTreeSet<String> = held.map(|(_, id)| id).collect();
        let scans = world.api.documents("scans").await?;
        let reports: BTreeSet<String> = scans.into_keys().map(|(path, _)| path).collect();
        agree("files", &files, &load.files)?;
        agree("commits", &held, &commits)?;
        agree("reports", &reports, &load.reports)
    })
    .await?;
    world.caught_up(60).await?;
    for ((path, _), document) in world.api.documents("tree").await?.into_iter().step_by(9) {
        let held = world.api.get(&format!("/v1/documents/{document}")).await?;
        let there = fs::read(world.input().join("tree").join(&path))?;
        ensure!(held["hash"] == blake3::hash(&there).to_hex().as_str(), "{path} is not what is there");
    }
    Ok(())
}

/// Nothing was numbered again, and no version came twice: the load writes each file and each commit once.
fn once_each(world: &World) -> Result<()> {
    let raw = in_raw(&world.hub.data())?;
    without_holes(&raw)?;
    ensure!(raw.keys().all(|(_, epoch, ..)| *epoch == 1), "a new epoch was begun");
    let mut seen = BTreeMap::new();
    for (name, found) in &raw {
        let (_, BodyV1::Data { envelopes, .. }) = frame::open(&found.bytes)? else { continue };
        for envelope in envelopes {
            let (Envelope::Whole { resource, .. } | Envelope::LastPart { resource, .. }) = &envelope.body
            else {
                continue;
            };
            if let Some(before) = seen.insert((envelope.document, resource.hash), name.clone()) {
                anyhow::bail!("{} came in {before:?} and again in {name:?}", resource.path);
            }
        }
    }
    Ok(())
}
