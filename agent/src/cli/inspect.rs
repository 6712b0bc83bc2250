//! `status`: what a running agent says of itself, and what one that ended said last.

use jiff::Timestamp;

use super::CliError;
use crate::config::Config;
use crate::status::{self, SourceStatus, Status};

pub(super) fn failed(error: impl std::fmt::Display) -> CliError {
    CliError::Failed(error.to_string())
}

pub(super) fn at(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |at| at.to_string())
}

pub(super) fn status(config: &Config, json: bool) -> Result<(), CliError> {
    let Some(status) = status::read(&config.state_dir).map_err(failed)? else {
        let what = "this agent has not run yet; start it with `certus-agent run`";
        return Err(CliError::Data(what.to_owned()));
    };
    if json {
        say!("{}", serde_json::to_string(&status).map_err(failed)?);
        return Ok(());
    }
    print_agent(&status);
    for (name, source) in &status.sources {
        print_source(name, source);
    }
    Ok(())
}

fn print_agent(status: &Status) {
    let running = std::path::Path::new("/proc").join(status.pid.to_string()).exists();
    let state = if running { format!("running (process {})", status.pid) } else { "not running".to_owned() };
    say!("agent    {} of tenant {}: {state}, as of {}", status.agent, status.tenant, at(status.at_ms));
    let link = match (&status.link.problem, status.link.connected) {
        (_, true) => {
            let by = status.link.transport.map_or(String::new(), |transport| format!(" by {transport}"));
            let paused = status.link.paused.as_ref().map_or(String::new(), |why| format!("; {why}"));
            format!("connected{by}{paused}")
        }
        (Some(problem), false) => problem.clone(),
        (None, false) => "not connected".to_owned(),
    };
    say!("link     {}: {link}", status.hub);
    if let Some(offset) = status.link.clock_offset_ms
        && offset.abs() >= 1_000
    {
        say!("clock    the hub's is {:.1} s ahead of this machine's", offset as f64 / 1_000.0);
    }
    say!("         sent {} frames, {} bytes", status.link.frames_sent, status.link.bytes_sent);
    say!("spool    epoch {}, {} bytes on the disk", status.spool.epoch, status.spool.disk_bytes);
    for (name, lane) in &status.spool.lanes {
        let waiting = lane.last - lane.acked.min(lane.last);
        say!("         {name}: {waiting} frames wait for the hub ({} bytes)", lane.unacked_bytes);
    }
    if let Some(blocked) = &status.spool.blocked {
        say!("         sources wait: {blocked}");
    }
    if let Some(source) = &status.spool.paused {
        say!("         nearly full: source {source} waits, so that the others can go on");
    }
    if status.spool.dropped > 0 {
        say!("         dropped {} frames to make room since the start", status.spool.dropped);
    }
    say!("policy   profile {}, pseudonym key {}", status.profile, status.key_id);
}

fn print_source(name: &str, source: &SourceStatus) {
    let state =
        source.problem.as_deref().unwrap_or(if source.rounds == 0 { "being read" } else { "watched" });
    say!("source   {name} ({}): {state}", source.kind);
    say!(
        "         holds {} resources, {} bytes; sent {}, deleted {} since the start",
        source.holds.resources,
        source.holds.bytes,
        source.sent,
        source.deleted
    );
    let redacted: Vec<String> =
        source.redactions.iter().map(|(type_name, count)| format!("{count} {type_name}")).collect();
    if !redacted.is_empty() {
        say!("         taken out: {}", redacted.join(", "));
    }
    for (why, count) in &source.left_out {
        say!("         left out: {count} {why}");
    }
    for (path, why) in source.listed.iter().filter(|(_, why)| !["binary", "symlink"].contains(&why.as_str()))
    {
        say!("           {path}: {why}");
    }
}
