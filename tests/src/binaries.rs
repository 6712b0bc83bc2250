//! Builds the two programs and tells where they are.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};

/// Where the programs are.
#[derive(Debug, Clone)]
pub struct Binaries {
    /// certus-agent.
    pub agent: PathBuf,
    /// certus-hub.
    pub hub: PathBuf,
}

/// The programs, built as this one was; once in a process.
///
/// # Errors
/// They can't be built; cargo has said why.
pub fn binaries() -> Result<&'static Binaries> {
    static BUILT: OnceLock<Binaries> = OnceLock::new();
    if let Some(built) = BUILT.get() {
        return Ok(built);
    }
    let own = std::env::current_exe().context("where this program is")?;
    let folder =
        own.ancestors().find(|folder| folder.join(".cargo-lock").exists() || folder.join("deps").is_dir());
    let folder = folder.context("this program does not lie in a target folder")?.to_owned();
    let mut cargo = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    cargo.args(["build", "--quiet", "--package", "certus-agent", "--package", "certus-hub", "--bins"]);
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    if folder.file_name().is_some_and(|name| name == "release") {
        cargo.arg("--release");
    }
    if !cargo.status().context("cargo")?.success() {
        bail!("the programs could not be built");
    }
    let built = Binaries { agent: folder.join("certus-agent"), hub: folder.join("certus-hub") };
    Ok(BUILT.get_or_init(|| built))
}
