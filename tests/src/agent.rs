//! A real agent in a folder of its own.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::process::Command;

use crate::binaries::binaries;
use crate::process::Process;

/// An agent, running or not.
#[derive(Debug)]
pub struct Agent {
    folder: PathBuf,
    process: Option<Process>,
}

/// A source in the agent's configuration.
#[derive(Debug, Clone)]
pub struct SourceLines {
    name: String,
    kind: &'static str,
    path: PathBuf,
    more: String,
}

impl SourceLines {
    /// A source; `more` is further lines of its table.
    pub fn new(name: &str, kind: &'static str, path: &Path, more: &str) -> Self {
        Self { name: name.to_owned(), kind, path: path.to_owned(), more: more.to_owned() }
    }
}

impl Agent {
    /// Writes an agent's configuration into `folder`. `hub` is an address other than that of the enrolment.
    ///
    /// # Errors
    /// The file system's.
    pub fn new(folder: &Path, hub: Option<&str>, sources: &[SourceLines]) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let state = folder.join("state");
        let mut config = format!("state_dir = {state:?}\n[log]\nformat = \"json\"\n");
        if let Some(hub) = hub {
            writeln!(config, "[hub]\naddress = {hub:?}")?;
        }
        config.push_str("[spool]\nlinger_ms = 100\nmin_free_bytes = \"64 MiB\"\n");
        for SourceLines { name, kind, path, more } in sources {
            writeln!(config, "[[source]]\nname = {name:?}\nkind = {kind:?}\npath = {path:?}\n{more}")?;
        }
        fs::write(folder.join("agent.toml"), config)?;
        Ok(Self { folder: folder.to_owned(), process: None })
    }

    /// Adds lines to the table `[hub]` of its configuration, which names an address.
    ///
    /// # Errors
    /// The file system's, or there is no such table.
    pub fn configure_hub(&self, lines: &str) -> Result<()> {
        let text = fs::read_to_string(self.config())?;
        ensure!(text.contains("[hub]\n"), "no [hub] in {text}");
        Ok(fs::write(self.config(), text.replace("[hub]\n", &format!("[hub]\n{lines}\n")))?)
    }

    /// Its configuration.
    pub fn config(&self) -> PathBuf {
        self.folder.join("agent.toml")
    }

    /// What it keeps.
    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Its log.
    pub fn log(&self) -> PathBuf {
        self.folder.join("agent.log")
    }

    /// Its process id, where it runs.
    pub fn id(&self) -> Option<u32> {
        self.process.as_ref().and_then(Process::id)
    }

    /// A command of its program, with its configuration.
    ///
    /// # Errors
    /// The program can't be built.
    pub fn program(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(&binaries()?.agent);
        command.arg("--config").arg(self.config()).args(arguments).kill_on_drop(true);
        Ok(command)
    }

    /// Runs a command of its program.
    ///
    /// # Errors
    /// It can't be started.
    pub async fn output(&self, arguments: &[&str]) -> Result<Output> {
        Ok(self.program(arguments)?.output().await?)
    }

    /// Runs a command of its program and answers what it prints.
    ///
    /// # Errors
    /// It failed; with what it said.
    pub async fn command(&self, arguments: &[&str]) -> Result<String> {
        let output = self.output(arguments).await?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "certus-agent {arguments:?}: {said}");
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Enrols it.
    ///
    /// # Errors
    /// It was refused; with what it said.
    pub async fn enroll(&self, token: &str) -> Result<()> {
        let output = self.program(&["enroll"])?.env("CERTUS_JOIN_TOKEN", token).output().await?;
        ensure!(output.status.success(), "enrol: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Starts it, to watch.
    ///
    /// # Errors
    /// It can't be started.
    pub fn run(&mut self) -> Result<()> {
        self.process = Some(Process::start(&mut self.program(&["run"])?, &self.log())?);
        Ok(())
    }

    /// Starts it to read everything once.
    ///
    /// # Errors
    /// It can't be started.
    pub fn run_once(&mut self) -> Result<()> {
        self.process = Some(Process::start(&mut self.program(&["run", "--once"])?, &self.log())?);
        Ok(())
    }

    /// Waits for the end of [`Self::run_once`].
    ///
    /// # Errors
    /// It failed.
    pub async fn finish(&mut self) -> Result<()> {
        let status = self.process.as_mut().context("the agent does not run")?.wait().await?;
        self.process = None;
        ensure!(status.success(), "the agent ended with {status}: {}", crate::hub::log_tail(&self.log()));
        Ok(())
    }

    /// Whether it has ended by itself.
    ///
    /// # Errors
    /// The system's.
    pub fn ended(&mut self) -> Result<bool> {
        Ok(match &mut self.process {
            Some(process) => process.ended()?.is_some(),
            None => true,
        })
    }

    /// Its status, as it was written last; null where it never was.
    pub fn status(&self) -> Value {
        let bytes = fs::read(self.state().join("status.json")).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Ends it and waits.
    ///
    /// # Errors
    /// It had to be killed.
    pub async fn stop(&mut self) -> Result<()> {
        match self.process.take() {
            Some(process) => {
                let status = process.stop().await?;
                ensure!(
                    status.success(),
                    "the agent ended with {status}: {}",
                    crate::hub::log_tail(&self.log())
                );
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Kills it on the spot.
    ///
    /// # Errors
    /// The system's.
    pub async fn kill(&mut self) -> Result<()> {
        match self.process.take() {
            Some(process) => process.kill().await,
            None => Ok(()),
        }
    }
}
