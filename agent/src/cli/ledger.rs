//! Commands about the egress ledger: what left, as a list, as a table for an auditor, and whether it is whole. They need no running
//! agent and stop none.

use std::io::Write;
use std::path::{Path, PathBuf};

use certus_protocol::ledger::{Event, FrameRow, ResourceRow};
use certus_sanitizer::{Place, Sanitizer};
use clap::{Args, Subcommand, ValueEnum};
use globset::{Glob, GlobMatcher};
use jiff::Timestamp;

use super::CliError;
use super::inspect::{at, failed};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::ledger::verify::{Against, verify};
use crate::ledger::{self, LedgerError, files};
use crate::receipt::{self, ReceiptKeys};

/// What is done with the ledger.
#[derive(Debug, Subcommand)]
pub(super) enum LedgerCommand {
    /// List what left, frame by frame.
    Show {
        /// Which of it.
        #[command(flatten)]
        which: Which,
        /// As JSON, one frame a line.
        #[arg(long)]
        json: bool,
    },
    /// Write what left as a table, one resource a row, for an auditor.
    Export {
        /// Which of it.
        #[command(flatten)]
        which: Which,
        /// How rows are written.
        #[arg(long, default_value = "csv")]
        format: Format,
    },
    /// Check the whole chain, that no frame is without a row, and every receipt of the hub.
    Verify {
        /// The hub's public key (PEM, from `certus-hub receipts key`), instead of those that the hub showed this agent.
        #[arg(long)]
        hub_key: Option<PathBuf>,
        /// Receipts as the hub keeps them (from `certus-hub receipts export`): a tail that was cut contradicts them.
        #[arg(long)]
        receipts: Option<PathBuf>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Which rows are meant; all where nothing is given.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// Paths that begin so, or that match where there is a `*`, `?`, `[` or `{`; as they left, or as they are here.
    #[arg(long)]
    path: Option<String>,
    /// From a time on, such as 2026-01-31T08:00:00Z, or so long ago, such as 36h or 7d.
    #[arg(long, value_parser = since_ms)]
    since: Option<i64>,
    /// Of one source.
    #[arg(long)]
    source: Option<String>,
}

/// How an export is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Comma-separated, with a header; cells that a spreadsheet would calculate begin with an apostrophe.
    Csv,
    /// JSON, one resource a line.
    Ndjson,
}

/// One resource as an auditor reads it.
#[derive(serde::Serialize)]
struct Row<'a> {
    at: String,
    epoch: u32,
    lane: String,
    seq: u64,
    frame: String,
    source: &'a str,
    what: &'a str,
    path: &'a str,
    bytes: u64,
    hash: String,
    taken_out: String,
    policy: String,
    key: String,
    document: String,
}

impl Row<'_> {
    const COLUMNS: [&'static str; 14] = [
        "at",
        "epoch",
        "lane",
        "seq",
        "frame",
        "source",
        "what",
        "path",
        "bytes",
        "hash",
        "taken_out",
        "policy",
        "key",
        "document",
    ];
}

enum Paths {
    All,
    Begin(Vec<String>),
    Match(GlobMatcher),
}

/// Carries the command out.
///
/// # Errors
/// 65 where the ledger is damaged or contradicts a receipt.
pub(super) fn run(config: &Config, command: LedgerCommand) -> Result<(), CliError> {
    let folder = ledger::folder(&config.state_dir);
    if files::list(&folder).map_err(failed)?.is_empty() {
        return Err(CliError::Data(format!(
            "there is no ledger at {} yet: nothing has left",
            folder.display()
        )));
    }
    match command {
        LedgerCommand::Show { which, json } => show(config, &folder, which, json),
        LedgerCommand::Export { which, format } => export(config, &folder, which, format),
        LedgerCommand::Verify { hub_key, receipts, json } => {
            let keys = match hub_key {
                Some(path) => {
                    receipt::keys_in(&path).map_err(|error| in_file(&path, &error))?.into_iter().collect()
                }
                None => ReceiptKeys::load(&config.state_dir).map_err(failed)?.all(),
            };
            let receipts =
                receipts.map(|path| receipt::receipts_in(&path).map_err(|error| in_file(&path, &error)));
            checked(&folder, &Against { keys, receipts: receipts.transpose()?.unwrap_or_default() }, json)
        }
    }
}

fn in_file(path: &Path, error: &std::io::Error) -> CliError {
    CliError::Data(format!("{}: {error}", path.display()))
}

fn checked(folder: &Path, against: &Against, json: bool) -> Result<(), CliError> {
    let verified = verify(folder, against).map_err(|error| CliError::Data(error.to_string()))?;
    if json {
        say!("{}", serde_json::to_string(&verified).map_err(failed)?);
        return Ok(());
    }
    say!("{} lines, {} frames, whole; head {}", verified.lines, verified.frames, verified.head);
    say!(
        "{} receipts of the hub, right; the last covers line {}",
        verified.receipts,
        verified.receipted_lines
    );
    if verified.compared > 0 {
        say!("agrees with {} receipts that the hub keeps", verified.compared);
    }
    Ok(())
}

fn show(config: &Config, folder: &Path, which: Which, json: bool) -> Result<(), CliError> {
    rows(config, folder, which, |row| {
        if json {
            say!("{}", serde_json::to_string(&row).map_err(failed)?);
            return Ok(());
        }
        let (time, source) = (at(row.at_ms), &row.source_name);
        say!(
            "{time}  {}/{}/{}  source {source}  {} bytes  {}",
            row.epoch,
            row.lane,
            row.seq,
            row.bytes,
            row.frame
        );
        for resource in &row.resources {
            let (what, taken_out) = (what(resource), taken_out(resource));
            say!("    {what} {} ({} bytes) {taken_out}", resource.path, resource.size);
        }
        Ok(())
    })
}

fn export(config: &Config, folder: &Path, which: Which, format: Format) -> Result<(), CliError> {
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    if format == Format::Csv {
        // Serde would write it with the first row only.
        written(writeln!(output, "{}", Row::COLUMNS.join(",")));
    }
    rows(config, folder, which, |frame| {
        let rows = frame.resources.iter().map(|resource| audited(&frame, resource));
        match format {
            Format::Csv => {
                let mut table = csv::WriterBuilder::new().has_headers(false).from_writer(&mut output);
                for row in rows {
                    let row = Row { source: &cell(row.source), path: &cell(row.path), ..row };
                    table.serialize(row).map_err(failed)?;
                }
                written(table.flush());
            }
            Format::Ndjson => {
                for row in rows {
                    serde_json::to_writer(&mut output, &row).map_err(failed)?;
                    written(output.write_all(b"\n"));
                }
            }
        }
        Ok(())
    })?;
    written(output.flush());
    Ok(())
}

/// Who reads it may have gone, and then nobody has to know.
fn written(outcome: std::io::Result<()>) {
    if let Err(error) = outcome {
        std::process::exit(if error.kind() == std::io::ErrorKind::BrokenPipe { 0 } else { 73 });
    }
}

fn audited<'a>(frame: &'a FrameRow, resource: &'a ResourceRow) -> Row<'a> {
    Row {
        at: at(frame.at_ms),
        epoch: frame.epoch,
        lane: frame.lane.to_string(),
        seq: frame.seq,
        frame: frame.frame.to_string(),
        source: &frame.source_name,
        what: what(resource),
        path: &resource.path,
        bytes: resource.size,
        hash: resource.hash.map(|hash| hash.to_string()).unwrap_or_default(),
        taken_out: taken_out(resource),
        policy: frame.policy.to_string(),
        key: frame.key_id.to_string(),
        document: resource.document.to_string(),
    }
}

fn what(resource: &ResourceRow) -> &'static str {
    use certus_protocol::ledger::What;
    match resource.what {
        What::Whole => "whole",
        What::Part => "part",
        What::LastPart => "last part",
        What::Abort => "abort",
        What::Tombstone => "deletion",
        What::SnapshotEnd => "manifest",
        What::Gap => "gap",
    }
}

fn taken_out(resource: &ResourceRow) -> String {
    let counts = resource.redactions.iter().map(|(type_name, count)| format!("{count} {type_name}"));
    counts.collect::<Vec<_>>().join(", ")
}

/// A name that somebody chose is no formula.
fn cell(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

/// Hands the rows that are meant to `each`, with the resources that are meant; the chain is checked on the way.
fn rows(
    config: &Config,
    folder: &Path,
    which: Which,
    mut each: impl FnMut(FrameRow) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let paths = which.path.map_or(Ok(Paths::All), |path| paths(config, path))?;
    let mut outcome = Ok(());
    let walked = files::walk(folder, |_, entry| {
        let Event::Frame(mut row) = entry.event else { return Ok(()) };
        let meant = which.since.is_none_or(|since| row.at_ms >= since)
            && which.source.as_ref().is_none_or(|source| row.source_name == *source)
            && outcome.is_ok();
        row.resources.retain(|resource| meant && paths.mean(&resource.path));
        if !row.resources.is_empty() {
            outcome = each(row);
        }
        Ok(())
    });
    walked.map_err(|error: LedgerError| CliError::Data(error.to_string()))?;
    outcome
}

/// The path as it was given and as it left: the sanitizer may have changed it.
fn paths(config: &Config, path: String) -> Result<Paths, CliError> {
    if path.contains(['*', '?', '[', '{']) {
        let glob = Glob::new(&path).map_err(|error| CliError::Data(format!("--path: {error}")))?;
        return Ok(Paths::Match(glob.compile_matcher()));
    }
    let mut begin = Vec::new();
    if let Some(key) = crate::key::load(&config.state_dir)? {
        let sanitizer = Sanitizer::new(&config.policy, key).map_err(failed)?;
        begin.push(sanitizer.string(&path, Place::Path).map_err(failed)?.text.clone());
    }
    begin.push(path);
    Ok(Paths::Begin(begin))
}

impl Paths {
    fn mean(&self, path: &str) -> bool {
        match self {
            Self::All => true,
            Self::Begin(begin) => begin.iter().any(|begin| path.starts_with(begin.as_str())),
            Self::Match(glob) => glob.is_match(path),
        }
    }
}

/// A time, or how long ago.
fn since_ms(text: &str) -> Result<i64, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time.as_millisecond());
    }
    let ago = super::duration(text)
        .map_err(|_| "give a time such as 2026-01-31T08:00:00Z, or how long ago, such as 36h or 7d")?;
    Ok(SystemClock.now_ms() - ago.as_millis() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_formulas() {
        for bad in ["=1+1", "+1", "-1", "@a"] {
            assert_eq!(cell(bad), format!("'{bad}"));
        }
        assert_eq!(cell("a=b"), "a=b");
    }

    #[test]
    fn times_are_absolute_or_ago() {
        assert_eq!(since_ms("1970-01-01T00:00:01Z"), Ok(1_000));
        let ago = SystemClock.now_ms() - since_ms("2d").expect("a duration");
        assert!((ago - 2 * 86_400_000).abs() < 10_000, "{ago}");
        assert!(since_ms("soon").is_err());
    }
}
