//! A hub and an agent in a folder of their own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::agent::{Agent, SourceLines};
use crate::api::Api;
use crate::hub::Hub;
use crate::until;

/// The tenant of a world.
pub const TENANT: &str = "acme";

/// A hub, an agent that is enrolled at it, and a client.
#[derive(Debug)]
pub struct World {
    folder: tempfile::TempDir,
    /// The hub.
    pub hub: Hub,
    /// The agent.
    pub agent: Agent,
    /// The client.
    pub api: Api,
}

impl World {
    /// A world under `temporary`, on a disk that keeps what is synced.
    ///
    /// # Errors
    /// The processes'.
    pub async fn new(temporary: &str, sources: impl FnOnce(&Path) -> Vec<SourceLines>) -> Result<Self> {
        let folder = tempfile::tempdir_in(temporary)?;
        let hub = Hub::start(&folder.path().join("hub")).await?;
        let input = folder.path().join("input");
        fs::create_dir_all(&input)?;
        let agent = Agent::new(&folder.path().join("agent"), None, &sources(&input))?;
        agent.enroll(&hub.token(TENANT).await?).await?;
        let api = hub.api(TENANT).await?;
        Ok(Self { folder, hub, agent, api })
    }

    /// The folder in which the sources lie.
    pub fn input(&self) -> PathBuf {
        self.folder.path().join("input")
    }

    /// The folder of everything.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Waits until everything that the agent has spooled can be found, and answers its status.
    ///
    /// # Errors
    /// It takes too long.
    pub async fn caught_up(&self, seconds: u64) -> Result<Value> {
        until("the hub to catch up", seconds, || async {
            let status = self.agent.status();
            let lanes = status["spool"]["lanes"].as_object().context("the agent has no status")?;
            ensure!(
                lanes.values().all(|lane| lane["acked"] == lane["last"]),
                "the agent still sends: {lanes:?}"
            );
            self.api.caught_up(&status).await?;
            Ok(status)
        })
        .await
    }
}
