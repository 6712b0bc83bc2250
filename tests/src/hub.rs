//! A real hub in a folder of its own, on free loopback ports that stay the same over restarts.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use tokio::process::Command;

use crate::api::Api;
use crate::binaries::binaries;
use crate::process::Process;
use crate::until;

/// How long a hub may take to answer.
const START_SECONDS: u64 = 30;

/// A hub, running or not.
#[derive(Debug)]
pub struct Hub {
    folder: PathBuf,
    /// Port for agents, UDP and TCP.
    pub quic: u16,
    process: Option<Process>,
}

impl Hub {
    /// Writes the configuration of a hub into `folder` and starts it.
    ///
    /// # Errors
    /// It does not come up; its log is in the folder.
    pub async fn start(folder: &Path) -> Result<Self> {
        let api = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        Self::configured(folder, &format!("plain_api = \"127.0.0.1:{api}\"\n")).await
    }

    /// The same, with an API that speaks TLS as it does in production.
    ///
    /// # Errors
    /// It does not come up.
    pub async fn start_with_tls(folder: &Path) -> Result<Self> {
        Self::configured(folder, "").await
    }

    async fn configured(folder: &Path, listen: &str) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let quic = free_port()?;
        let data = folder.join("data");
        let config = format!(
            "data_dir = {data:?}\n[log]\nformat = \"json\"\n[listen]\nquic = \"127.0.0.1:{quic}\"\n{listen}"
        );
        fs::write(folder.join("hub.toml"), config)?;
        let mut hub = Self { folder: folder.to_owned(), quic, process: None };
        hub.run().await?;
        Ok(hub)
    }

    /// Starts the hub again.
    ///
    /// # Errors
    /// It does not come up.
    pub async fn run(&mut self) -> Result<()> {
        let mut command = Command::new(&binaries()?.hub);
        command.arg("--config").arg(self.config()).arg("run");
        let mut process = Process::start(&mut command, &self.log())?;
        let id = process.id();
        let listening = self.data().join("listen.json");
        let log = self.log();
        until("the hub to come up", START_SECONDS, || {
            let ended = process.ended().ok().flatten();
            let up = fs::read(&listening)
                .ok()
                .and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok())
                .is_some_and(|listening| listening["pid"].as_u64() == id.map(u64::from));
            async move {
                ensure!(up || ended.is_some(), "it does not listen yet");
                Ok(ended)
            }
        })
        .await
        .and_then(|ended| match ended {
            Some(status) => bail!("the hub ended with {status}"),
            None => Ok(()),
        })
        .with_context(|| log_tail(&log))?;
        self.process = Some(process);
        Ok(())
    }

    /// Its configuration.
    pub fn config(&self) -> PathBuf {
        self.folder.join("hub.toml")
    }

    /// What it keeps.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Its log.
    pub fn log(&self) -> PathBuf {
        self.folder.join("hub.log")
    }

    /// Its process id, where it runs.
    pub fn id(&self) -> Option<u32> {
        self.process.as_ref().and_then(Process::id)
    }

    /// The address of its API.
    ///
    /// # Errors
    /// It does not run.
    pub fn api_address(&self) -> Result<String> {
        let bytes = fs::read(self.data().join("listen.json")).context("the hub does not run")?;
        let listening: serde_json::Value = serde_json::from_slice(&bytes)?;
        Ok(listening["api"].as_str().unwrap_or_default().to_owned())
    }

    /// A client with a new key of this tenant that may do everything.
    ///
    /// # Errors
    /// The key can't be made.
    pub async fn api(&self, tenant: &str) -> Result<Api> {
        let key = self
            .command(&["key", "new", "--tenant", tenant, "--scopes", "search,findings,quarantine,admin"])
            .await?;
        Ok(Api::new(&self.api_address()?, &key))
    }

    /// A new join token, made out to this hub or to what forwards to it.
    ///
    /// # Errors
    /// It can't be made.
    pub async fn token(&self, tenant: &str) -> Result<String> {
        self.command(&["token", "new", "--tenant", tenant]).await
    }

    /// Runs a command of the hub's program and answers what it prints.
    ///
    /// # Errors
    /// It failed; with what it said.
    pub async fn command(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(&binaries()?.hub);
        command.arg("--config").arg(self.config()).args(arguments).kill_on_drop(true);
        let output = command.output().await?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "certus-hub {arguments:?}: {said}");
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Ends it and waits.
    ///
    /// # Errors
    /// It had to be killed.
    pub async fn stop(&mut self) -> Result<()> {
        match self.process.take() {
            Some(process) => {
                let status = process.stop().await?;
                ensure!(status.success(), "the hub ended with {status}");
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

/// A port that is free for UDP and TCP.
fn free_port() -> Result<u16> {
    loop {
        let port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
}

/// The last lines of a log, for an error.
pub fn log_tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(5)..].join("\n")
}
