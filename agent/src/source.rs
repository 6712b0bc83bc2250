//! The stage that reads sources: hints from the system tell where to look at once, reading all of it again now and
//! then is the truth.
//!
//! Each source has a thread of its own, on which everything blocks. What it found stands in the spool's checkpoints,
//! committed together with what was found: a source that begins again goes on where the spool is.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::config::{Events, SourceConfig, SourceKind};
use crate::limits;
use crate::sanitize::Intake;
use crate::spool::SpoolError;

pub mod folder;
pub mod git;
mod hint;

use hint::Hints;

/// Where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// At all of the source.
    Everywhere,
    /// At these places under its root only.
    At(BTreeSet<PathBuf>),
}

/// When to look again although nothing hints at it: places whose state was not settled.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Again(pub BTreeSet<PathBuf>);

/// What a pass over a source is for. What one new resource gives away is taken out of all of them, whatever their order:
/// so they are all looked at before the first is handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// To learn the values in what is new; nothing else changes.
    Learn,
    /// To hand it in.
    Send,
}

/// Why a source could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The source itself is missing or can't be opened; what it held before stays as it is.
    #[error("{0}")]
    Source(String),
    /// The spool failed.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The agent stops.
    #[error("stopped")]
    Stopped,
}

/// Something that is read and watched.
pub trait Source: Send {
    /// Brings the spool up to what stands at the places to look at; answers where to look again soon.
    ///
    /// # Errors
    /// Then nothing of it counts but what the checkpoints say.
    fn read(
        &mut self,
        look: &Look,
        intake: &mut Intake,
        stop: &CancellationToken,
    ) -> Result<Again, SourceError>;

    /// What to watch: paths, and whether with everything under them.
    fn watched(&self) -> Vec<(PathBuf, bool)>;

    /// The place under the root that a changed path stands for; `None` where it does not matter.
    fn place(&self, changed: &std::path::Path) -> Option<PathBuf>;
}

/// Whether the agent goes on watching.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// Until it is stopped.
    Watch,
    /// Everything is read once.
    Once,
}

/// The source that a configuration describes. `state_dir` is never read.
pub fn open(config: &SourceConfig, state_dir: PathBuf) -> Box<dyn Source> {
    match config.kind {
        SourceKind::Folder | SourceKind::Sarif => Box::new(folder::Folder::new(config.clone(), state_dir)),
        SourceKind::Git => Box::new(git::Git::new(config.clone())),
    }
}

/// Reads and watches a source until `stop`, or once.
///
/// # Errors
/// Only where reading once failed; while watching, it is tried again.
pub fn run(
    config: &SourceConfig,
    mut source: Box<dyn Source>,
    mut intake: Intake,
    duty: Duty,
    stop: &CancellationToken,
) -> Result<(), SourceError> {
    let hints = Hints::new();
    let mut watcher = None;
    let mut watch = duty == Duty::Watch && config.events == Events::On;
    let mut look = Look::Everywhere;
    let mut whole_at = Instant::now();
    loop {
        if std::mem::take(&mut watch) {
            // Before reading: what changes meanwhile is hinted at.
            watcher = hints.watch(&source.watched());
        }
        if look == Look::Everywhere {
            whole_at = Instant::now();
        }
        let outcome = timed(source.as_mut(), &look, &mut intake, stop);
        let again = match outcome {
            Ok(again) => {
                intake.status().lock().problem = None;
                again
            }
            Err(SourceError::Stopped) => break,
            Err(error) if duty == Duty::Once => return Err(error),
            Err(error) => {
                report(config, &intake, &error);
                watch = duty == Duty::Watch && config.events == Events::On;
                look = Look::Everywhere;
                if paused(stop, Duration::from_millis(limits::SOURCE_RETRY_MS), &intake) {
                    break;
                }
                continue;
            }
        };
        if look == Look::Everywhere {
            intake.status().lock().rounds += 1;
        }
        if duty == Duty::Once && again.0.is_empty() {
            break;
        }
        let whole = whole_at + Duration::from_millis(config.reconcile_ms);
        let Some(next) = next_look(&hints, source.as_ref(), again, whole, stop) else { break };
        look = next;
    }
    drop(watcher);
    Ok(intake.flush()?)
}

/// Reads, and counts the time that went neither into sanitizing nor into the spool.
fn timed(
    source: &mut dyn Source,
    look: &Look,
    intake: &mut Intake,
    stop: &CancellationToken,
) -> Result<Again, SourceError> {
    let elsewhere = |intake: &Intake| {
        let times = intake.status().lock().stages;
        times.sanitize_us + times.spool_us
    };
    let (began, before) = (Instant::now(), elsewhere(intake));
    let outcome = source.read(look, intake, stop);
    let spent = elsewhere(intake).saturating_sub(before);
    let took = began.elapsed().as_micros() as u64;
    intake.status().lock().stages.read_us += took.saturating_sub(spent);
    outcome
}

fn report(config: &SourceConfig, intake: &Intake, error: &SourceError) {
    let problem = error.to_string();
    let mut status = intake.status().lock();
    if status.problem.as_deref() != Some(&problem) {
        tracing::warn!(source = %intake.shown(config.name.as_str()), "source: {problem}");
    }
    status.problem = Some(problem);
}

/// Waits; answers whether it was stopped.
fn paused(stop: &CancellationToken, wait: Duration, intake: &Intake) -> bool {
    let waited = async { tokio::time::timeout(wait, stop.cancelled()).await.is_ok() };
    intake.shared().runtime.block_on(waited)
}

/// Waits until there is something to look at; `None`: the agent stops.
fn next_look(
    hints: &Hints,
    source: &dyn Source,
    again: Again,
    whole: Instant,
    stop: &CancellationToken,
) -> Option<Look> {
    const STOP_LOOKED_FOR: Duration = Duration::from_millis(100);
    let mut places = again.0;
    let mut ready = (!places.is_empty())
        .then(|| Instant::now() + Duration::from_millis(limits::SETTLE_MS.unsigned_abs()));
    loop {
        if stop.is_cancelled() {
            return None;
        }
        let now = Instant::now();
        if now >= whole || hints.overflowed() || places.len() > limits::HINTS_MAX {
            hints.clear();
            return Some(Look::Everywhere);
        }
        if ready.is_some_and(|at| now >= at) {
            return Some(Look::At(places));
        }
        let until = ready.map_or(whole, |at| at.min(whole)).saturating_duration_since(now);
        let place = hints.next(until.min(STOP_LOOKED_FOR)).and_then(|changed| source.place(&changed));
        if let Some(place) = place {
            places.insert(place);
            let gather = Duration::from_millis(limits::HINT_GATHER_MS);
            ready.get_or_insert_with(|| Instant::now() + gather);
        }
    }
}
