//! `cargo ci`: everything that must hold before a change lands, step by step, with the seconds of each.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this program's output is its purpose")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;

const DENY: &str = "cargo-deny";
const DENY_VERSION: &str = "0.19.0";
/// What the suites need beyond Rust, and a C compiler: program and why.
const TOOLS: [(&str, &str); 4] = [
    ("git", "judges what the hub holds of a history"),
    ("python3", "installs ruff, whose report is ingested"),
    ("openssl", "tests the certificates of certs/pki.sh"),
    ("valgrind", "watches over the vector instructions' tests"),
];

/// Check everything that must hold before a change lands.
#[derive(Debug, Parser)]
#[command(name = "cargo ci")]
struct Arguments {
    /// Run the suites with random moments five times.
    #[arg(long)]
    long: bool,
}

type Step = (&'static str, fn(&Arguments) -> Result<()>);

const STEPS: [Step; 9] = [
    ("tools", |_| tools()),
    ("format", |_| cargo(&["fmt", "--all", "--check"])),
    ("lints", |_| {
        cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--features",
            "end-to-end/suites",
            "--",
            "-D",
            "warnings",
        ])
    }),
    ("licences, bans, advisories", |_| deny()),
    ("docs", |_| cargo(&["doc", "--workspace", "--no-deps"])),
    ("certificates", |_| certificates()),
    ("tests of each crate", |_| cargo(&["test", "--workspace"])),
    ("vector instructions under valgrind", |_| {
        let runner = r#"target."cfg(all())".runner = ["valgrind", "--quiet", "--error-exitcode=1"]"#;
        cargo(&["--config", runner, "test", "--package", "certus-sanitizer", "--lib", "simd::"])
    }),
    ("suites with real processes", suites),
];

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Paths are the repository's, from wherever this is called.
    if let Err(error) = std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")) {
        eprintln!("== the repository that this was built from is gone: {error}");
        return ExitCode::FAILURE;
    }
    let mut times = Vec::new();
    let mut failed = None;
    for (name, step) in STEPS {
        println!("== {name}");
        let began = Instant::now();
        let outcome = step(&arguments);
        times.push((name, began.elapsed().as_secs()));
        if let Err(error) = outcome {
            eprintln!("== {name} failed: {error:#}");
            failed = Some(name);
            break;
        }
    }
    for (name, seconds) in &times {
        println!("{seconds:>6} s  {name}");
    }
    println!("{:>6} s  together", times.iter().map(|(_, seconds)| seconds).sum::<u64>());
    if failed.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn run(command: &mut Command) -> Result<()> {
    // An error says what is wrong by itself; a library's backtrace would bury it.
    let status = command.env("RUSTDOCFLAGS", "-D warnings").env("RUST_LIB_BACKTRACE", "0").status();
    let status = status.with_context(|| format!("{:?} can't be started", command.get_program()))?;
    ensure!(status.success(), "{:?} ended with {status}", command.get_program());
    Ok(())
}

fn cargo(arguments: &[&str]) -> Result<()> {
    run(Command::new("cargo").args(arguments))
}

fn tools() -> Result<()> {
    for (tool, why) in TOOLS {
        let there = Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success())
            || Command::new(tool).arg("version").output().is_ok_and(|output| output.status.success());
        ensure!(there, "{tool} is missing; it {why}");
    }
    Ok(())
}

/// The PKI that certs/pki.sh makes holds, by openssl's judgement.
fn certificates() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let pki = folder.path().join("pki");
    run(Command::new("certs/pki.sh").arg("make").arg(&pki).arg("acme"))?;
    run(Command::new("certs/pki.sh").arg("test").arg(&pki))
}

/// One after the other: each measures out the machine by itself.
fn suites(arguments: &Arguments) -> Result<()> {
    let rounds = if arguments.long { 5 } else { 1 };
    let suites = named_suites()?;
    for round in 1..=rounds {
        for suite in &suites {
            let began = Instant::now();
            let names = ["test", "--workspace", "--features", "end-to-end/suites", "--test", suite];
            cargo(&[&names[..], &["--", "--test-threads", "1", "--nocapture"]].concat())?;
            println!("   {suite}, round {round}: {} s", began.elapsed().as_secs());
        }
    }
    Ok(())
}

/// The tests that stand behind the feature `suites`.
fn named_suites() -> Result<Vec<String>> {
    let manifest: toml::Table = std::fs::read_to_string("tests/Cargo.toml")?.parse()?;
    let tests = manifest["test"].as_array().context("tests/Cargo.toml names no test")?;
    let real = tests.iter().filter(|test| test.get("required-features").is_some());
    let names = real.filter_map(|test| Some(test.get("name")?.as_str()?.to_owned()));
    Ok(names.collect())
}

/// Licences, bans and sources must hold; the advisories too, wherever their database can be reached.
fn deny() -> Result<()> {
    let deny = installed_deny()?;
    let check =
        |what: &[&str]| Command::new(&deny).args(["check", "--config", ".deny.toml"]).args(what).output();
    let output = check(&["--hide-inclusion-graph", "bans", "licenses", "sources"])?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    let output = check(&["advisories"])?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        println!("   advisories: none open");
    } else if said.contains("failed to fetch") || said.contains("unable to") && said.contains("advisory") {
        println!("   advisories: NOT CHECKED, their database can't be reached from here");
    } else {
        bail!("{said}");
    }
    Ok(())
}

/// Where the tool lies; it is installed into a cache folder, once.
fn installed_deny() -> Result<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let cache =
        std::env::var_os("CERTUS_CI_CACHE").map_or_else(|| home.join(".cache/certus-ci"), PathBuf::from);
    let program = cache.join("bin").join(DENY);
    let is_right = |program: &Path| {
        let output = Command::new(program).arg("--version").output();
        output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(DENY_VERSION))
    };
    if !is_right(&program) {
        println!("   installing {DENY} {DENY_VERSION} (some minutes, once)");
        let mut install = Command::new("cargo");
        install
            .args(["install", "--quiet", "--locked", DENY, "--version", DENY_VERSION, "--root"])
            .arg(&cache);
        // Apart from this workspace's own configuration and target folder.
        run(install.current_dir(std::env::temp_dir()).env_remove("CARGO_TARGET_DIR"))?;
    }
    Ok(program)
}
