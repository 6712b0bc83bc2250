//! Commands of the spool. Those that only look work beside a running agent; those that change something need it stopped.

use std::collections::BTreeMap;
use std::sync::Arc;

use certus_protocol::ids::{Lane, Seq};
use certus_sanitizer::Sanitizer;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::CliError;
use super::inspect::{at, failed};
use crate::agent::{self, AgentError};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::identity::Identity;
use crate::key;
use crate::spool::disk::Folder;
use crate::spool::segment::{self, Segments};
use crate::spool::{Spool, SpoolError};

/// Bytes read from the spool at a time.
const READ_BYTES: usize = 4 << 20;

pub(super) fn ls(config: &Config, json: bool) -> Result<(), CliError> {
    let segments = segments(config)?;
    for (number, _) in segments.list().map_err(failed)? {
        for (header, entry) in segments.scan(number, u64::MAX).map_err(failed)?.frames {
            if json {
                let row = serde_json::json!({
                    "segment": number, "offset": entry.offset, "epoch": header.epoch.0,
                    "lane": header.lane.to_string(), "seq": header.seq.0, "through": header.through.0,
                    "source": header.source.to_string(), "envelopes": header.count, "bytes": entry.bytes,
                    "hash": entry.hash.to_string(),
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
                    entry.bytes
                );
            }
        }
    }
    Ok(())
}

pub(super) fn verify(config: &Config, json: bool) -> Result<(), CliError> {
    let segments = segments(config)?;
    let (mut frames, mut bytes, mut damaged) = (0u64, 0u64, 0u64);
    let list = segments.list().map_err(failed)?;
    for (number, _) in &list {
        let scanned = segments.scan(*number, u64::MAX).map_err(failed)?;
        frames += scanned.frames.len() as u64;
        bytes += scanned.frames.iter().map(|(_, entry)| u64::from(entry.bytes)).sum::<u64>();
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
        let what = "the spool is damaged; stop the agent and run `certus-agent spool repair`: what is lost will be told to the hub";
        return Err(CliError::Data(what.to_owned()));
    }
    Ok(())
}

/// What the segments hold of one lane in one epoch.
#[derive(Debug, Serialize)]
struct Held {
    epoch: u32,
    lane: String,
    first: u64,
    last: u64,
    frames: u64,
    bytes: u64,
}

pub(super) fn stat(config: &Config, json: bool) -> Result<(), CliError> {
    let segments = segments(config)?;
    let list = segments.list().map_err(failed)?;
    let mut held: BTreeMap<(u32, Lane), Held> = BTreeMap::new();
    let mut sealed = 0;
    for (number, _) in &list {
        let entries = match segments.footer(*number).map_err(failed)? {
            Some(entries) => {
                sealed += 1;
                entries
            }
            None => {
                let scanned = segments.scan(*number, u64::MAX).map_err(failed)?;
                scanned.frames.into_iter().map(|(_, entry)| entry).collect()
            }
        };
        for entry in entries {
            let (first, last) = (entry.seq.0, entry.through.0);
            let (epoch, lane) = (entry.epoch.0, entry.lane);
            let new = Held { epoch, lane: lane.to_string(), first, last, frames: 0, bytes: 0 };
            let held = held.entry((epoch, lane)).or_insert(new);
            (held.first, held.last) = (held.first.min(first), held.last.max(last));
            held.frames += 1;
            held.bytes += u64::from(entry.bytes);
        }
    }
    let disk_bytes: u64 = list.iter().map(|(_, bytes)| bytes).sum();
    if json {
        let lanes: Vec<&Held> = held.values().collect();
        let row = serde_json::json!({
            "segments": list.len(), "sealed": sealed, "disk_bytes": disk_bytes, "bytes_max": config.spool.bytes_max,
            "lanes": lanes,
        });
        say!("{row}");
        return Ok(());
    }
    let most = config.spool.bytes_max;
    say!(
        "{} segments, {sealed} of them sealed, {disk_bytes} bytes of the {most} that they may take",
        list.len()
    );
    for Held { epoch, lane, first, last, frames, bytes } in held.values() {
        say!("{epoch}/{lane:<12}  frames {first} to {last}: {frames}, {bytes} bytes");
    }
    Ok(())
}

pub(super) async fn repair(config: &Config, json: bool) -> Result<(), CliError> {
    let spool = open(config).await?;
    let mut damaged = 0;
    for lane in Lane::ALL {
        damaged += damaged_frames(&spool, lane).await?;
    }
    if damaged > 0 {
        spool.new_epoch("frames were damaged").await.map_err(AgentError::from)?;
    }
    let state = spool.state().borrow().clone();
    spool.close().await.map_err(AgentError::from)?;
    if json {
        say!(
            "{}",
            serde_json::json!({"damaged": damaged, "epoch": state.epoch.0, "disk_bytes": state.disk_bytes})
        );
    } else if damaged > 0 {
        say!("{damaged} damaged places are gaps in epoch {} now, which the hub is told of", state.epoch);
    } else {
        say!("the spool is whole: epoch {}, {} bytes", state.epoch, state.disk_bytes);
    }
    Ok(())
}

/// Places of a lane that can't be read and that the hub does not have.
async fn damaged_frames(spool: &Spool, lane: Lane) -> Result<u64, CliError> {
    let known = spool.state().borrow().lanes.iter().find(|known| known.lane == lane).copied();
    let Some(known) = known else { return Ok(0) };
    let (mut at, mut damaged) = (known.acked, 0);
    while at < known.last {
        match spool.frames(lane, at, READ_BYTES).await {
            Ok(frames) => match frames.last() {
                Some(last) => at = last.header.through,
                None => return Ok(damaged),
            },
            Err(SpoolError::Damaged { seq, .. }) => {
                damaged += 1;
                at = Seq(seq.0.max(at.0 + 1));
            }
            Err(other) => return Err(AgentError::from(other).into()),
        }
    }
    Ok(damaged)
}

pub(super) async fn replay(config: &Config, since: &str, json: bool) -> Result<(), CliError> {
    let since_ms = moment(since).map_err(CliError::Data)?;
    let spool = open(config).await?;
    let kept_ms = spool.replay(since_ms).await.map_err(AgentError::from)?;
    let state = spool.state().borrow().clone();
    spool.close().await.map_err(AgentError::from)?;
    let frames: u64 = state.lanes.iter().map(|lane| lane.last.0 - lane.acked.0).sum();
    if json {
        let kept = (kept_ms < i64::MAX).then_some(kept_ms);
        say!("{}", serde_json::json!({"frames": frames, "epoch": state.epoch.0, "kept_since_ms": kept}));
        return Ok(());
    }
    say!("{frames} frames are sent again when the agent runs, in epoch {}", state.epoch);
    if kept_ms > since_ms && kept_ms < i64::MAX {
        say!(
            "what was sent before {} is no longer kept here (spool.keep_acked_bytes, keep_acked_hours)",
            at(kept_ms)
        );
    }
    Ok(())
}

/// A moment as people give it: RFC 3339, or how long ago, such as 90m, 24h or 7d.
fn moment(text: &str) -> Result<i64, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at.as_millisecond());
    }
    let ago: SignedDuration = text.parse().map_err(|_| {
        format!("{text:?} is no time; give one such as 2026-01-31T08:00:00Z, or 24h for a day ago")
    })?;
    Ok(SystemClock.now_ms().saturating_sub(ago.as_millis() as i64))
}

async fn open(config: &Config) -> Result<Spool, CliError> {
    let identity = Identity::load(&config.state_dir).map_err(AgentError::from)?;
    let key = key::load_or_make(&config.state_dir)?;
    let sanitizer = Sanitizer::new(&config.policy, key).map_err(AgentError::from)?;
    Ok(agent::open_spool(config, &identity, &sanitizer, Arc::new(SystemClock)).await?)
}

pub(super) fn segments(config: &Config) -> Result<Segments, CliError> {
    if !config.spool.dir.join(segment::FOLDER).exists() {
        return Err(CliError::Data(format!("there is no spool at {} yet", config.spool.dir.display())));
    }
    let disk = Folder::open(&config.spool.dir, &[]).map_err(failed)?;
    Ok(Segments::new(Arc::new(disk)))
}
