//! A child process that is always ended: gently if there is time, else at once.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

/// How long a process may take to end by itself.
const GENTLE: Duration = Duration::from_secs(15);

/// A running program; killed when dropped.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    /// Starts a program whose standard error is appended to `log`. It stands in a process group of its own, so that a Ctrl-C
    /// reaches it only through us.
    ///
    /// # Errors
    /// It can't be started.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true).process_group(0);
        let child = command.spawn().with_context(|| format!("{:?}", command.as_std().get_program()))?;
        Ok(Self(child))
    }

    /// Its id.
    pub fn id(&self) -> Option<u32> {
        self.0.id()
    }

    /// Whether it has ended, and how.
    ///
    /// # Errors
    /// The system's.
    pub fn ended(&mut self) -> Result<Option<std::process::ExitStatus>> {
        Ok(self.0.try_wait()?)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// The system's.
    pub async fn wait(&mut self) -> Result<std::process::ExitStatus> {
        Ok(self.0.wait().await?)
    }

    /// Asks it to end and waits; kills it where it does not.
    ///
    /// # Errors
    /// The system's, or it had to be killed.
    pub async fn stop(mut self) -> Result<std::process::ExitStatus> {
        self.signal(Signal::TERM)?;
        match tokio::time::timeout(GENTLE, self.0.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => {
                self.0.kill().await?;
                anyhow::bail!("a process did not end within {GENTLE:?} and was killed")
            }
        }
    }

    /// Kills it on the spot, and waits until it is gone.
    ///
    /// # Errors
    /// The system's.
    pub async fn kill(mut self) -> Result<()> {
        Ok(self.0.kill().await?)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        if let Some(pid) = self.0.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
            match kill_process(pid, signal) {
                Err(rustix::io::Errno::SRCH) => {}
                other => other?,
            }
        }
        Ok(())
    }
}
