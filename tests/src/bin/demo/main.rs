//! `cargo demo [PATH]`: a real hub and a real agent take a folder, a repository or a SARIF file in, and answer.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this program's output is its purpose")]

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;
use end_to_end::agent::{Agent, SourceLines};
use end_to_end::api::Api;
use end_to_end::binaries::binaries;
use end_to_end::hub::Hub;
use end_to_end::until;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

mod report;
mod sample;

const TENANT: &str = "demo";
const SOURCE: &str = "demo";
/// How long the hub may take to make everything searchable.
const SEARCHABLE_SECONDS: u64 = 600;

/// Ingest a folder, a git repository or a SARIF file for real, and ask the hub about it.
#[derive(Debug, Parser)]
#[command(name = "cargo demo")]
struct Arguments {
    /// What to ingest; by default the repository that holds the current folder.
    path: Option<PathBuf>,
    /// Forget what earlier runs on this path left behind.
    #[arg(long)]
    fresh: bool,
}

/// What is ingested.
struct Subject {
    path: PathBuf,
    kind: &'static str,
    /// Hub, agent and all they keep.
    folder: PathBuf,
}

/// How long each stage took.
#[derive(Default)]
struct Times {
    hub: Duration,
    ingest: Duration,
    searchable: Duration,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut running = Running { hub: None, agent: None };
    let outcome = tokio::select! {
        outcome = demo(arguments, &mut running) => outcome,
        () = interrupted() => {
            eprintln!("\nstopping; what was taken in is kept");
            Ok(())
        }
    };
    let stopped = running.stop().await;
    match outcome.and(stopped) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn interrupted() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// The two processes, to be stopped whatever happens.
struct Running {
    hub: Option<Hub>,
    agent: Option<Agent>,
}

impl Running {
    async fn stop(&mut self) -> Result<()> {
        if let Some(agent) = &mut self.agent {
            // An agent that failed has said so already.
            drop(agent.stop().await);
        }
        match &mut self.hub {
            Some(hub) => hub.stop().await,
            None => Ok(()),
        }
    }
}

async fn demo(arguments: Arguments, running: &mut Running) -> Result<()> {
    let subject = subject(&arguments)?;
    println!("certus demo: {} ({})", subject.path.display(), subject.kind);
    eprintln!("building certus-hub and certus-agent (some minutes the first time) ...");
    tokio::task::spawn_blocking(binaries).await??;

    let mut times = Times::default();
    let began = Instant::now();
    let hub = running.hub.insert(Hub::start(&subject.folder.join("hub")).await?);
    times.hub = began.elapsed();
    let api = key(hub, &subject.folder).await?;
    println!(
        "hub          up in {:.2} s, made its own CA; API {}",
        times.hub.as_secs_f64(),
        hub.api_address()?
    );

    let agent = running.agent.insert(configured(hub, &subject)?);
    if agent.state().join("identity").exists() {
        println!("agent        enrolled by an earlier run");
    } else {
        agent.enroll(&hub.token(TENANT).await?).await?;
        println!("agent        enrolled with a single-use join token");
    }
    let before = agent.status();
    let began = Instant::now();
    agent.run_once()?;
    ingest(agent, &subject).await?;
    times.ingest = began.elapsed();
    let status = agent.status();
    let began = Instant::now();
    // An agent with nothing to send may end before it is connected: the hub has seen nothing of it then.
    let lanes = status["spool"]["lanes"].as_object().context("the agent has no status")?;
    if lanes.values().any(|lane| lane["last"] != 0) {
        until("everything to be searchable", SEARCHABLE_SECONDS, || api.caught_up(&status)).await?;
    }
    times.searchable = began.elapsed();

    report::read(&status["sources"][SOURCE], &before);
    report::taken_out(agent, &status["sources"][SOURCE]).await?;
    report::left(&status);
    report::answers(&api, &subject.path).await?;
    report::times(&times, &status["sources"][SOURCE]);
    report::next(hub, agent, &api, &subject.folder)?;
    if std::io::stdout().is_terminal() {
        agent.run()?;
        println!("\nThe agent goes on watching {}. Ctrl-C ends the demo.", subject.path.display());
        until_ended(agent).await?;
    }
    Ok(())
}

/// What the arguments mean.
fn subject(arguments: &Arguments) -> Result<Subject> {
    let path = match &arguments.path {
        Some(path) => path.clone(),
        None => {
            let here = std::env::current_dir()?;
            let there = here.ancestors().find(|folder| folder.join(".git").exists());
            there.context("the current folder is in no git repository; give a PATH")?.to_owned()
        }
    };
    let path = path.canonicalize().with_context(|| format!("{}", path.display()))?;
    let is_git = path.join(".git").exists() || path.join("HEAD").is_file() && path.join("objects").is_dir();
    let kind = match (path.is_dir(), is_git) {
        (true, true) => "git",
        (true, false) => "folder",
        (false, _) if sample::is_sarif(&path) => "sarif",
        (false, _) => "folder",
    };
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace")?;
    let hash = blake3::hash(path.as_os_str().as_encoded_bytes()).to_hex();
    let folder = workspace.join("target/demo").join(&hash.as_str()[..12]);
    if arguments.fresh && folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    Ok(Subject { path, kind, folder })
}

/// The API with the key of the first run.
async fn key(hub: &Hub, folder: &Path) -> Result<Api> {
    let kept = folder.join("api.key");
    if let Ok(key) = std::fs::read_to_string(&kept) {
        return Ok(Api::new(&hub.api_address()?, &key));
    }
    let api = hub.api(TENANT).await?;
    std::fs::write(&kept, "")?;
    std::fs::set_permissions(&kept, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    std::fs::write(&kept, api.key())?;
    Ok(api)
}

fn configured(hub: &Hub, subject: &Subject) -> Result<Agent> {
    // What the demo itself writes is not taken in again.
    let own = subject.folder.parent().and_then(|demos| demos.strip_prefix(&subject.path).ok());
    let exclude =
        own.map_or(String::new(), |own| format!("exclude = [{:?}]", format!("/{}/", own.display())));
    let source = SourceLines::new(SOURCE, subject.kind, &subject.path, &exclude);
    Agent::new(&subject.folder.join("agent"), Some(&format!("localhost:{}", hub.quic)), &[source])
}

/// Waits until the agent has read everything and the hub has confirmed it, with a bar on a terminal.
async fn ingest(agent: &mut Agent, subject: &Subject) -> Result<()> {
    let total = if subject.kind == "git" { None } else { Some(sample::count(&subject.path)) };
    let bar = match total {
        _ if !std::io::stderr().is_terminal() => ProgressBar::hidden(),
        Some(total) => ProgressBar::new(total).with_style(ProgressStyle::with_template(
            "{bar:40} {human_pos} of {human_len} files, {msg}, {elapsed}",
        )?),
        None => ProgressBar::new_spinner()
            .with_style(ProgressStyle::with_template("{spinner} {human_pos} objects, {msg}, {elapsed}")?),
    };
    loop {
        if agent.ended()? {
            break;
        }
        let status = agent.status();
        let source = &status["sources"][SOURCE];
        let number = |value: &Value| value.as_u64().unwrap_or_default();
        let read = &source["read"];
        bar.set_position(number(&read["files"]) + number(&read["commits"]));
        bar.set_message(format!("{} frames sent", number(&status["link"]["frames_sent"])));
        bar.tick();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bar.finish_and_clear();
    agent.finish().await
}

async fn until_ended(agent: &mut Agent) -> Result<()> {
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        if agent.ended()? {
            bail!("the agent ended; see {}", agent.log().display());
        }
    }
}
