//! The whole line with the programs as they are released: start, memory, throughput, draining a backlog.
#![expect(clippy::print_stdout, reason = "a bench's figures are its purpose")]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use end_to_end::agent::{Agent, SourceLines};
use end_to_end::binaries::binaries;
use end_to_end::hub::Hub;
use end_to_end::tree::Random;
use end_to_end::until;

const TENANT: &str = "acme";
/// Files of the throughput run, and lines in each (60 bytes or so a line).
const FILES: usize = 10_000;
const LINES: usize = 160;
/// Items of the backlog.
const BACKLOG: usize = 100_000;
const SECONDS_MAX: u64 = 600;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let programs = binaries()?;
    for (name, path) in [("certus-agent", &programs.agent), ("certus-hub", &programs.hub)] {
        println!("{name}: {:.1} MB", fs::metadata(path)?.len() as f64 / 1e6);
    }
    throughput().await?;
    drain().await
}

async fn throughput() -> Result<()> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let began = Instant::now();
    let mut hub = Hub::start(&folder.path().join("hub")).await?;
    println!("hub: up after {} ms", began.elapsed().as_millis());
    let input = folder.path().join("input");
    fs::create_dir_all(&input)?;
    let mut agent = enrolled(folder.path(), &hub, &input).await?;
    let began = Instant::now();
    agent.run()?;
    until("the agent to connect", 30, || async {
        ensure!(agent.status()["link"]["connected"] == true, "{}", agent.status()["link"]);
        Ok(())
    })
    .await?;
    println!("agent: connected after {} ms", began.elapsed().as_millis());
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (agent_id, hub_id) = (agent.id().context("agent")?, hub.id().context("hub")?);
    println!("idle: agent {:.1} MiB, hub {:.1} MiB", resident(agent_id)?, resident(hub_id)?);

    let mut random = Random::new(1);
    let mut bytes = 0;
    let draft = folder.path().join("draft");
    for number in 0..FILES {
        let place = draft.join(format!("{}", number % 100));
        fs::create_dir_all(&place)?;
        let text = random.prose(LINES);
        bytes += text.len();
        fs::write(place.join(format!("file{number}.txt")), text)?;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = cpu_seconds(agent_id)?;
    let mut most: (f64, f64) = (0.0, 0.0);
    let began = Instant::now();
    fs::rename(&draft, input.join("all"))?;
    until("everything to be acknowledged", SECONDS_MAX, || {
        most.0 = resident(agent_id).unwrap_or(0.0).max(most.0);
        most.1 = resident(hub_id).unwrap_or(0.0).max(most.1);
        let done = acknowledged(&agent, FILES);
        async move {
            ensure!(done, "some is not");
            Ok(())
        }
    })
    .await?;
    let (took, worked) = (began.elapsed().as_secs_f64(), cpu_seconds(agent_id)? - before);
    let megabytes = bytes as f64 / 1e6;
    println!(
        "source to hub-durable: {megabytes:.0} MB in {took:.1} s ({:.1} MB/s); the agent worked {worked:.1} s: {:.1} MB/s per core",
        megabytes / took,
        megabytes / worked
    );
    println!("steady: agent {:.1} MiB at most, hub {:.1} MiB at most", most.0, most.1);
    agent.stop().await?;
    hub.stop().await
}

async fn drain() -> Result<()> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let mut hub = Hub::start(&folder.path().join("hub")).await?;
    let input = folder.path().join("input");
    for number in 0..BACKLOG {
        let place = input.join(format!("{}", number % 200));
        fs::create_dir_all(&place)?;
        fs::write(
            place.join(format!("item{number}.txt")),
            format!("item {number} waits for the hub to come back\n"),
        )?;
    }
    let mut agent = enrolled(folder.path(), &hub, &input).await?;
    hub.stop().await?;
    let began = Instant::now();
    agent.run()?;
    until("the backlog to be spooled", SECONDS_MAX, || async {
        ensure!(agent.status()["sources"]["tree"]["sent"] == BACKLOG, "{}", agent.status()["spool"]);
        Ok(())
    })
    .await?;
    println!("{BACKLOG} items spooled in {:.1} s", began.elapsed().as_secs_f64());
    // Started anew, the agent finds the hub at once instead of after its longest wait.
    agent.stop().await?;
    hub.run().await?;
    let began = Instant::now();
    agent.run()?;
    until("the backlog to be drained", SECONDS_MAX, || async {
        let status = agent.status();
        let lane = &status["spool"]["lanes"]["bulk"];
        ensure!(status["link"]["connected"] == true, "{}", status["link"]);
        ensure!(lane["last"].as_u64() > Some(0) && lane["acked"] == lane["last"], "{lane}");
        Ok(())
    })
    .await?;
    let took = began.elapsed().as_secs_f64();
    println!("{BACKLOG} spooled items drained in {took:.1} s at most, the agent's start included");
    println!("after it: agent {:.1} MiB", resident(agent.id().context("agent")?)?);
    agent.stop().await?;
    hub.stop().await
}

async fn enrolled(folder: &Path, hub: &Hub, input: &Path) -> Result<Agent> {
    let agent = Agent::new(&folder.join("agent"), None, &[SourceLines::new("tree", "folder", input, "")])?;
    agent.enroll(&hub.token(TENANT).await?).await?;
    Ok(agent)
}

fn acknowledged(agent: &Agent, files: usize) -> bool {
    let status = agent.status();
    let lane = &status["spool"]["lanes"]["bulk"];
    status["sources"]["tree"]["sent"] == files && lane["acked"] == lane["last"] && lane["unacked_bytes"] == 0
}

/// Resident memory, in MiB.
fn resident(process: u32) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kilobytes / 1024.0)
}

/// User and system time, in seconds.
fn cpu_seconds(process: u32) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields: Vec<&str> = text.rsplit(')').next().context("stat")?.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).context("ticks");
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}
