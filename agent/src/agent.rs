//! The agent: source → extract → sanitize → spool → ship.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use certus_protocol::ids::SourceId;
use certus_sanitizer::{Place, Sanitizer};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, SystemClock};
use crate::config::{Config, SourceConfig, WhenFull};
use crate::identity::{self, Identity, IdentityError};
use crate::key::{self, KeyError};
use crate::ledger::{self, Ledger, LedgerError};
use crate::receipt::ReceiptKeys;
use crate::sanitize::{Intake, Shared};
use crate::ship::pace::Pace;
use crate::ship::{self, LinkState, Ship, ShipError};
use crate::source::{self, Duty, SourceError};
use crate::spool::{self, Owner, Spool, SpoolError, Stamp};
use crate::status::{self, SharedStatus, SpoolStatus, Status};

const STATUS_EVERY: Duration = Duration::from_millis(1_000);
const DRAIN_ACKS: Duration = Duration::from_secs(2);

/// Why the agent stopped or could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// It is nobody yet.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Its pseudonym key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Its rules: nothing may be sent.
    #[error("the sanitizer's rules can't be used, so nothing is sent: {0}")]
    Rules(#[from] certus_sanitizer::RulesError),
    /// A source's name can't be made clean: nothing may be sent.
    #[error("the name of a source can't be sanitized: {0}")]
    Name(#[from] certus_sanitizer::SanitizeError),
    /// Its spool.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// Its egress ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Its configuration names a proxy, or the environment does, that can't be used.
    #[error("proxy: {0}")]
    Proxy(String),
    /// Its link, for good.
    #[error(transparent)]
    Ship(#[from] ShipError),
    /// A source, when read once.
    #[error("source {name}: {cause}")]
    Source {
        /// Its sanitized name.
        name: String,
        /// Why.
        cause: SourceError,
    },
    /// The hub did not take everything in time.
    #[error("the hub did not confirm everything in time{}; what is spooled is sent by the next run",
        .0.as_ref().map_or(String::new(), |problem| format!(" ({problem})")))]
    Unconfirmed(Option<String>),
    /// A file of its state.
    #[error("the state folder {path}: {cause}")]
    State {
        /// Which one.
        path: String,
        /// Why.
        cause: std::io::Error,
    },
    /// A stage ended that should not: a defect.
    #[error("the {0} stage crashed")]
    Stage(&'static str),
}

/// How long the agent runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Until it is stopped.
    Watch,
    /// Until all sources were read once and the hub has confirmed everything; at most so long.
    Once {
        /// How long the hub may take after the last source was read.
        timeout: Duration,
    },
}

/// What a stage was, and how it ended.
type Ended = (&'static str, Result<(), AgentError>);

/// Runs the agent until `stop`, or once.
///
/// # Errors
/// See [`AgentError`].
pub async fn run(config: &Config, mode: Mode, stop: CancellationToken) -> Result<(), AgentError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    make_state_dir(&config.state_dir)?;
    let identity = Identity::load(&config.state_dir)?;
    let sanitizer = Arc::new(Sanitizer::new(&config.policy, key::load_or_make(&config.state_dir)?)?);
    let spool = open_spool(config, &identity, &sanitizer, clock.clone()).await?;
    let ledger =
        Ledger::open(&ledger::folder(&config.state_dir), &identity.tenant, identity.agent, clock.clone())?;
    let receipt_keys = ReceiptKeys::load(&config.state_dir).map_err(|cause| AgentError::State {
        path: identity::folder(&config.state_dir).display().to_string(),
        cause,
    })?;
    let route = config.link.route(config.hub.as_deref().unwrap_or(&identity.hub))?;
    let (link, link_seen) = watch::channel(LinkState::default());
    let mut reporter = Reporter::new(config, &identity, &route.hub, &sanitizer, clock.clone());

    let (read, sent) = (stop.child_token(), CancellationToken::new());
    let mut sources = JoinSet::new();
    let shared = Shared {
        sanitizer: sanitizer.clone(),
        learn: config.learn,
        spool: spool.clone(),
        large: Arc::default(),
        runtime: Handle::current(),
    };
    for source in &config.sources {
        let status = SharedStatus::new(source.kind);
        let name = sanitizer.string(source.name.as_str(), Place::Path)?;
        reporter.sources.push((name.text.clone(), status.clone()));
        let id = SourceId::derive(&identity.tenant, &source.name);
        let intake = Intake::new(shared.clone(), id, name, source.kind.lane(), status);
        read_source(&mut sources, (source.clone(), intake), config, mode, &read);
    }
    let mut stages: JoinSet<Ended> = JoinSet::new();
    let (ship, ship_stop) = (
        Ship {
            identity,
            route,
            pace: Arc::new(Pace::new(config.link.bytes_per_second_max)),
            quiet: config.link.quiet_hours.clone(),
            state_dir: config.state_dir.clone(),
            spool: spool.clone(),
            ledger: Arc::new(Mutex::new(ledger)),
            receipt_keys: Arc::new(Mutex::new(receipt_keys)),
            key_id: sanitizer.key_id(),
            policy: sanitizer.policy_hash(),
            clock,
            link,
        },
        sent.clone(),
    );
    stages.spawn(async move { ("ship", ship::run(ship, ship_stop).await.map_err(AgentError::from)) });
    let report_stop = sent.clone();
    let (spool_seen, report_link) = (spool.state(), link_seen.clone());
    stages.spawn(async move { ("status", reporter.run(spool_seen, report_link, report_stop).await) });

    let outcome = tokio::select! {
        outcome = conduct(&mut sources, mode, &stop) => outcome,
        Some(ended) = stages.join_next() => Err(ended.map_or(AgentError::Stage("agent"), |(name, outcome)| {
            outcome.err().unwrap_or(AgentError::Stage(name))
        })),
    };
    // The head closes, then the line behind it; what is spooled and not confirmed stays.
    read.cancel();
    while sources.join_next().await.is_some() {}
    let outcome = last_frames(outcome, &spool, &link_seen, (mode, &stop)).await;
    sent.cancel();
    while stages.join_next().await.is_some() {}
    let closed = spool.close().await;
    outcome.and(closed.map_err(AgentError::from))
}

/// Gives the hub time to confirm what was read: as long as it was said where everything is read once, else a moment.
async fn last_frames(
    outcome: Result<(), AgentError>,
    spool: &Spool,
    link: &watch::Receiver<LinkState>,
    (mode, stop): (Mode, &CancellationToken),
) -> Result<(), AgentError> {
    outcome?;
    match mode {
        Mode::Once { timeout } if !stop.is_cancelled() => confirmed(spool, timeout, link, stop).await,
        Mode::Once { .. } | Mode::Watch => {
            if link.borrow().connected {
                // Whatever is not confirmed by then is sent after the next start.
                drop(confirmed(spool, DRAIN_ACKS, link, &CancellationToken::new()).await);
            }
            Ok(())
        }
    }
}

/// Waits until the sources end by themselves, or until `stop`.
async fn conduct(
    sources: &mut JoinSet<Result<(), AgentError>>,
    mode: Mode,
    stop: &CancellationToken,
) -> Result<(), AgentError> {
    loop {
        let ended = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            ended = sources.join_next() => ended,
        };
        match (ended, mode) {
            (Some(ended), _) => ended.unwrap_or(Err(AgentError::Stage("source")))?,
            (None, Mode::Once { .. }) => return Ok(()),
            (None, Mode::Watch) => {
                // Without sources there is still a spool to send.
                stop.cancelled().await;
                return Ok(());
            }
        }
    }
}

fn read_source(
    sources: &mut JoinSet<Result<(), AgentError>>,
    (source, intake): (SourceConfig, Intake),
    config: &Config,
    mode: Mode,
    stop: &CancellationToken,
) {
    let duty = match mode {
        Mode::Watch => Duty::Watch,
        Mode::Once { .. } => Duty::Once,
    };
    let (state_dir, stop) = (config.state_dir.clone(), stop.clone());
    sources.spawn_blocking(move || {
        let reader = source::open(&source, state_dir);
        let name = intake.shown(source.name.as_str());
        source::run(&source, reader, intake, duty, &stop).map_err(|cause| AgentError::Source { name, cause })
    });
}

/// Waits until the hub has confirmed everything that was spooled.
async fn confirmed(
    spool: &Spool,
    timeout: Duration,
    link: &watch::Receiver<LinkState>,
    stop: &CancellationToken,
) -> Result<(), AgentError> {
    spool.flush().await?;
    let mut state = spool.state();
    let all = state.wait_for(|state| state.lanes.iter().all(|lane| lane.acked == lane.last));
    tokio::select! {
        () = stop.cancelled() => Ok(()),
        waited = tokio::time::timeout(timeout, all) => match waited {
            Ok(_) => Ok(()),
            Err(_) => Err(AgentError::Unconfirmed(link.borrow().problem.clone())),
        },
    }
}

/// Opens the spool of this identity.
///
/// # Errors
/// See [`SpoolError`].
pub async fn open_spool(
    config: &Config,
    identity: &Identity,
    sanitizer: &Sanitizer,
    clock: Arc<dyn Clock>,
) -> Result<Spool, AgentError> {
    let owner = Owner {
        tenant: identity.tenant.clone(),
        agent: identity.agent,
        epoch_dir: identity::folder(&config.state_dir),
    };
    let stamp = Stamp { key_id: sanitizer.key_id(), policy: sanitizer.policy_hash() };
    let mut spool = config.spool.clone();
    spool.when_full = match &config.when_full {
        WhenFull::Block => spool::WhenFull::Block,
        WhenFull::DropOldest(lane) => spool::WhenFull::DropOldest(*lane),
        WhenFull::Pause(name) => spool::WhenFull::Pause(SourceId::derive(&identity.tenant, name)),
    };
    let opened = tokio::task::spawn_blocking(move || Spool::open(&spool, owner, stamp, clock)).await;
    Ok(opened.map_err(|_| AgentError::Stage("spool"))??)
}

/// Makes the state folder, for nobody else to read.
///
/// # Errors
/// The file system's.
pub fn make_state_dir(path: &Path) -> Result<(), AgentError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|cause| AgentError::State { path: path.display().to_string(), cause })
}

/// Writes the status now and then.
struct Reporter {
    state_dir: std::path::PathBuf,
    status: Status,
    sources: Vec<(String, SharedStatus)>,
    clock: Arc<dyn Clock>,
}

impl Reporter {
    fn new(
        config: &Config,
        identity: &Identity,
        hub: &str,
        sanitizer: &Sanitizer,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let status = Status {
            agent: identity.agent.to_string(),
            tenant: identity.tenant.to_string(),
            hub: hub.to_owned(),
            pid: std::process::id(),
            key_id: sanitizer.key_id().to_string(),
            profile: sanitizer.profile().to_string(),
            ..Status::default()
        };
        Self { state_dir: config.state_dir.clone(), status, sources: Vec::new(), clock }
    }

    async fn run(
        mut self,
        spool: watch::Receiver<spool::State>,
        mut link: watch::Receiver<LinkState>,
        stop: CancellationToken,
    ) -> Result<(), AgentError> {
        let mut last = false;
        loop {
            self.status.at_ms = self.clock.now_ms();
            self.status.link = link.borrow().clone();
            self.status.spool = SpoolStatus::of(&spool.borrow());
            self.status.sources =
                self.sources.iter().map(|(name, status)| (name.clone(), status.lock().clone())).collect();
            if let Err(error) = status::write(&self.state_dir, &self.status) {
                tracing::warn!(%error, "status.json can't be written");
            }
            if last {
                return Ok(());
            }
            let told = self.status.link.clone();
            let news = |link: &LinkState| {
                (link.connected, link.transport) != (told.connected, told.transport)
                    || link.problem != told.problem
            };
            tokio::select! {
                () = stop.cancelled() => last = true,
                () = tokio::time::sleep(STATUS_EVERY) => {}
                // A link that is gone for good changes no more.
                Ok(_) = link.wait_for(news) => {}
            }
        }
    }
}
