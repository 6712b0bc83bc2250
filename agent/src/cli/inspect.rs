//! Commands that look at what the agent keeps: status and spool. They need no running agent and stop none.

use jiff::Timestamp;

use super::CliError;
use crate::config::Config;
use crate::spool::segment::{self, Segments};
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
        (_, true) => "connected".to_owned(),
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
        say!("         full, sources wait: {blocked}");
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

pub(super) fn spool_ls(config: &Config, json: bool) -> Result<(), CliError> {
    let segments = segments(config)?;
    for (number, _) in segments.list().map_err(failed)? {
        for (header, pointer) in segments.scan(number).map_err(failed)?.frames {
            if json {
                let row = serde_json::json!({
                    "segment": number, "offset": pointer.offset, "epoch": header.epoch.0,
                    "lane": header.lane.to_string(), "seq": header.seq.0, "source": header.source.to_string(),
                    "envelopes": header.count, "bytes": pointer.bytes, "hash": pointer.hash.to_string(),
                });
                say!("{row}");
            } else {
                say!(
                    "{}/{}/{:<8}  source {}  {:>5} envelopes  {:>8} bytes  segment {number}",
                    header.epoch,
                    header.lane,
                    header.seq,
                    header.source,
                    header.count,
                    pointer.bytes
                );
            }
        }
    }
    Ok(())
}

pub(super) fn spool_verify(config: &Config, json: bool) -> Result<(), CliError> {
    let segments = segments(config)?;
    let (mut frames, mut bytes, mut damaged) = (0u64, 0u64, 0u64);
    let list = segments.list().map_err(failed)?;
    for (number, _) in &list {
        let scanned = segments.scan(*number).map_err(failed)?;
        frames += scanned.frames.len() as u64;
        bytes += scanned.frames.iter().map(|(_, pointer)| u64::from(pointer.bytes)).sum::<u64>();
        damaged += scanned.damaged_bytes;
    }
    if json {
        let row = serde_json::json!({
            "segments": list.len(), "frames": frames, "bytes": bytes, "damaged_bytes": damaged,
        });
        say!("{row}");
    } else {
        say!("{} segments, {frames} frames, {bytes} bytes, {damaged} bytes damaged", list.len());
    }
    if damaged > 0 {
        return Err(CliError::Data("the spool is damaged; what is lost will be told to the hub".to_owned()));
    }
    Ok(())
}

pub(super) fn segments(config: &Config) -> Result<Segments, CliError> {
    let folder = segment::folder(&config.spool.dir);
    if !folder.exists() {
        return Err(CliError::Data(format!("there is no spool at {} yet", config.spool.dir.display())));
    }
    Segments::open(folder).map_err(failed)
}
