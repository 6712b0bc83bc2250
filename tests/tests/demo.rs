//! The demo as a newcomer runs it: twice, on odd things, and interrupted.

use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use end_to_end::binaries::binaries;
use end_to_end::tree::Random;
use end_to_end::until;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Command;

fn demo(path: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
    command.arg(path).kill_on_drop(true);
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Processes that work on the folder in which a demo of `path` keeps its things.
fn left_running(path: &Path) -> Result<Vec<String>> {
    let hash = blake3::hash(path.as_os_str().as_encoded_bytes()).to_hex();
    let mark = format!("demo/{}/", &hash.as_str()[..12]);
    let mut left = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let command = fs::read(entry?.path().join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        if command.contains(&mark) {
            left.push(command);
        }
    }
    Ok(left)
}

/// What was killed at the demo's end may take a moment to die.
async fn nothing_is_left_running(path: &Path) -> Result<()> {
    until("every process of the demo to be gone", 5, || async {
        let left = left_running(path)?;
        ensure!(left.is_empty(), "{left:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_second_run_sends_only_what_changed() -> Result<()> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let path = folder.path().canonicalize()?;
    fs::write(path.join("notes.md"), "Remember the gargoyles, and write to someone@example-corp.io\n")?;
    fs::write(
        path.join("scan.sarif"),
        r#"{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "lint"}},
        "results": [{"ruleId": "L1", "level": "warning", "message": {"text": "odd"}}]}]}"#,
    )?;
    fs::write(path.join("image.bin"), [0, 1, 2, 3])?;
    fs::File::create(path.join("huge.log"))?.set_len(5 << 30)?;
    std::os::unix::fs::symlink(".", path.join("loop"))?;
    let output = demo(&path).output().await?;
    let text = said(&output);
    ensure!(output.status.success(), "{text}");
    for wanted in [
        "read         2 files",
        "1 results in 1 SARIF files",
        "1 binary",
        "1 symlink",
        "1 too-large",
        "1 EMAIL",
        "REDACTED_EMAIL_",
        "search       ",
        "findings     1 from SARIF",
        "time         ",
        "API          http://",
    ] {
        ensure!(text.contains(wanted), "{wanted:?} is missing:\n{text}");
    }
    ensure!(!text.contains("someone@"), "the demo shows a value:\n{text}");

    fs::write(path.join("more.md"), "One more file\n")?;
    let text = said(&demo(&path).output().await?);
    ensure!(
        text.contains("only what changed since the last run was sent: 1 resources, 0 deletions"),
        "{text}"
    );
    nothing_is_left_running(&path).await?;
    Ok(())
}

#[tokio::test]
async fn nothing_to_take_in_is_said() -> Result<()> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let text = said(&demo(folder.path()).output().await?);
    ensure!(text.contains("there is nothing to send"), "{text}");
    let output = demo(&folder.path().join("missing")).output().await?;
    let text = said(&output);
    ensure!(!output.status.success() && text.contains("missing: No such file or directory"), "{text}");
    Ok(())
}

#[tokio::test]
async fn an_interrupted_demo_leaves_no_process_and_goes_on_next_time() -> Result<()> {
    // Built before, so that the interruptions hit the demo and not the compiler.
    tokio::task::spawn_blocking(binaries).await??;
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let path = folder.path().canonicalize()?;
    let mut random = Random::new(6);
    end_to_end::tree::write_files(&path, 500, &[], &mut random)?;
    for round in 0..8 {
        let mut running =
            demo(&path).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn()?;
        tokio::time::sleep(Duration::from_millis(random.below(900) as u64)).await;
        let id = running.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        if let Some(id) = id {
            // It may just have ended by itself.
            let signal = if round % 2 == 0 { Signal::INT } else { Signal::TERM };
            let sent = kill_process(id, signal);
            ensure!(sent.is_ok() || sent == Err(rustix::io::Errno::SRCH), "{sent:?}");
        }
        tokio::time::timeout(Duration::from_secs(30), running.wait()).await.context("it does not end")??;
        nothing_is_left_running(&path).await?;
    }
    let output = demo(&path).output().await?;
    ensure!(output.status.success() && said(&output).contains("search       "), "{}", said(&output));
    Ok(())
}
