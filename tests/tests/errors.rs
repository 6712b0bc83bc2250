//! What people see when something is wrong: which thing, where, and what to do; and that the rest goes on.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use end_to_end::agent::{Agent, SourceLines};
use end_to_end::binaries::binaries;
use end_to_end::hub::Hub;
use end_to_end::until;
use tokio::process::Command;

/// A user without any rights.
const NOBODY: u32 = 65_534;

fn folder() -> Result<tempfile::TempDir> {
    Ok(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?)
}

async fn said(command: &mut Command) -> Result<(i32, String)> {
    let output = command.output().await?;
    let code = output.status.code().context("it was killed")?;
    Ok((code, String::from_utf8_lossy(&output.stderr).into_owned()))
}

#[tokio::test]
async fn a_wrong_key_is_named_with_line_and_mend() -> Result<()> {
    let folder = folder()?;
    let path = folder.path().join("wrong.toml");
    let programs = binaries()?;
    for (program, text, wanted) in [
        (
            &programs.agent,
            "state_dir = \"/x\"\n[[source]]\nname = \"a\"\nkind = \"folder\"\npaht = \"/y\"\n",
            ["line 5", "`paht`", "`path`"],
        ),
        (&programs.agent, "state_dri = \"/x\"\n", ["line 1", "`state_dri`", "`state_dir`"]),
        (
            &programs.hub,
            "data_dir = \"/x\"\n[listen]\nqiuc = \"1.2.3.4:5\"\n",
            ["line 3", "`qiuc`", "`quic`"],
        ),
    ] {
        fs::write(&path, text)?;
        for arguments in [&["config", "check"][..], &["run"][..]] {
            let (code, text) = said(Command::new(program).arg("--config").arg(&path).args(arguments)).await?;
            ensure!(code == 64, "exit code {code}: {text}");
            ensure!(wanted.iter().all(|wanted| text.contains(wanted)), "{text}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_sample_configurations_are_right() -> Result<()> {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
    let programs = binaries()?;
    for (program, file) in [(&programs.agent, "agent.toml"), (&programs.hub, "hub.toml")] {
        let (code, text) =
            said(Command::new(program).arg("--config").arg(deploy.join(file)).args(["config", "check"]))
                .await?;
        ensure!(code == 0, "{file}: {text}");
    }
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_read_is_listed_and_the_rest_goes_on() -> Result<()> {
    let folder = folder()?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    let mut hub = Hub::start(&folder.path().join("hub")).await?;
    let input = folder.path().join("input");
    fs::create_dir_all(input.join("closed"))?;
    fs::write(input.join("open.txt"), "readable")?;
    fs::write(input.join("shut.txt"), "not readable")?;
    fs::write(input.join("closed/inside.txt"), "not reachable")?;
    fs::write(input.join("image.png"), b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")?;
    fs::File::create(input.join("large.log"))?.set_len(5 << 30)?;
    std::os::unix::fs::symlink("..", input.join("loop"))?;
    let mut agent =
        Agent::new(&folder.path().join("agent"), None, &[SourceLines::new("docs", "folder", &input, "")])?;
    agent.enroll(&hub.token("acme").await?).await?;
    agent.run_once()?;
    agent.finish().await?;
    fs::write(input.join("shut.txt"), "not readable any more")?;
    fs::set_permissions(input.join("shut.txt"), fs::Permissions::from_mode(0o000))?;
    fs::set_permissions(input.join("closed"), fs::Permissions::from_mode(0o000))?;
    fs::write(input.join("open.txt"), "readable, and changed")?;

    // Root may read everything; somebody else may not.
    let mut command = agent.program(&["run", "--once"])?;
    if rustix::process::geteuid().is_root() {
        give_away(&folder.path().join("agent"), NOBODY)?;
        command.uid(NOBODY).gid(NOBODY);
    }
    let (code, text) = said(&mut command).await?;
    ensure!(code == 0, "exit code {code}: {text}");
    let status = agent.status();
    let listed = &status["sources"]["docs"]["listed"];
    for (path, why) in [
        ("shut.txt", "unreadable"),
        ("closed", "unreadable"),
        ("image.png", "binary"),
        ("large.log", "too-large"),
        ("loop", "symlink"),
    ] {
        ensure!(listed[path].as_str().is_some_and(|told| told.starts_with(why)), "{path}: {listed}");
    }
    ensure!(status["sources"]["docs"]["sent"] == 1, "{}", status["sources"]["docs"]);
    // What can't be read says nothing: what was sent of it before stays.
    ensure!(status["sources"]["docs"]["deleted"] == 0, "{}", status["sources"]["docs"]);
    let api = hub.api("acme").await?;
    until("the hub to catch up", 30, || api.caught_up(&status)).await?;
    let held: Vec<String> = api.documents("docs").await?.into_keys().map(|(path, _)| path).collect();
    ensure!(held == ["closed/inside.txt", "open.txt", "shut.txt"], "{held:?}");
    fs::set_permissions(input.join("closed"), fs::Permissions::from_mode(0o755))?;
    hub.stop().await
}

fn give_away(path: &Path, user: u32) -> Result<()> {
    chown(path, Some(user), Some(user))?;
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            give_away(&entry?.path(), user)?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_source_that_is_gone_deletes_nothing() -> Result<()> {
    let folder = folder()?;
    let mut hub = Hub::start(&folder.path().join("hub")).await?;
    let input = folder.path().join("input");
    fs::create_dir_all(&input)?;
    fs::write(input.join("a.txt"), "a text that was here")?;
    let mut agent =
        Agent::new(&folder.path().join("agent"), None, &[SourceLines::new("docs", "folder", &input, "")])?;
    agent.enroll(&hub.token("acme").await?).await?;
    agent.run_once()?;
    agent.finish().await?;
    fs::rename(&input, folder.path().join("elsewhere"))?;
    let (code, text) = said(&mut agent.program(&["run", "--once"])?).await?;
    ensure!(code == 1 && text.contains("can't be opened"), "exit code {code}: {text}");
    let (code, text) = said(&mut agent.program(&["preview", "docs"])?).await?;
    ensure!(code == 65 && text.contains("no such file or folder"), "exit code {code}: {text}");
    let api = hub.api("acme").await?;
    until("the document to be found", 30, || async {
        let found = api.documents("docs").await?;
        ensure!(found.len() == 1, "{found:?}");
        Ok(())
    })
    .await?;
    hub.stop().await
}

#[tokio::test]
async fn a_hub_that_is_not_there_is_told_in_a_sentence() -> Result<()> {
    let folder = folder()?;
    let mut hub = Hub::start(&folder.path().join("hub")).await?;
    let input = folder.path().join("input");
    fs::create_dir_all(&input)?;
    fs::write(input.join("a.txt"), "some text")?;
    let agent =
        Agent::new(&folder.path().join("agent"), None, &[SourceLines::new("docs", "folder", &input, "")])?;

    let (code, text) = said(&mut agent.program(&["run"])?).await?;
    ensure!(code == 77 && text.contains("not enrolled yet") && text.contains("enroll"), "{code}: {text}");
    let (code, text) =
        said(agent.program(&["enroll"])?.env("CERTUS_JOIN_TOKEN", "certus-join-1.nonsense")).await?;
    ensure!(code == 65 && !text.contains("nonsense"), "{code}: {text}");
    let token = hub.token("acme").await?;
    agent.enroll(&token).await?;
    let (code, text) = said(agent.program(&["enroll"])?.env("CERTUS_JOIN_TOKEN", &token)).await?;
    ensure!(code == 77 && text.contains("enrolled already"), "{code}: {text}");
    hub.stop().await?;

    let (code, text) = said(&mut agent.program(&["run", "--once", "--timeout", "1s"])?).await?;
    ensure!(
        code == 69 && text.contains("has not answered yet") && text.contains("sent by the next run"),
        "{code}: {text}"
    );
    let other = Agent::new(&folder.path().join("other"), None, &[])?;
    let (code, text) = said(other.program(&["enroll"])?.env("CERTUS_JOIN_TOKEN", &token)).await?;
    ensure!(code == 69 && text.contains("not reachable"), "{code}: {text}");
    Ok(())
}
