//! Real tools that tests need, installed by the scripts under `services/`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Installs a tool and answers where its program is.
///
/// # Errors
/// It can't be installed; with what the script said.
pub fn installed(name: &str) -> Result<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("services").join(format!("{name}.sh"));
    let output = Command::new(&script).output().with_context(|| format!("{}", script.display()))?;
    ensure!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

/// What ruff reports on a tree, as SARIF.
///
/// # Errors
/// Ruff can't be installed or run.
pub fn ruff_sarif(tree: &Path) -> Result<Vec<u8>> {
    let mut ruff = Command::new(installed("ruff")?);
    ruff.args(["check", "--isolated", "--no-cache", "--exit-zero", "--output-format", "sarif", "."]);
    let output = ruff.current_dir(tree).output()?;
    ensure!(output.status.success(), "ruff: {}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}
