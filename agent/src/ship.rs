//! The stage that ships: connect, resume where the hub stands, send in order, await acks, let the spool forget.
//!
//! What was acknowledged is the hub's; what was not stays in the spool, whatever happens here. Every
//! frame stands in the egress ledger, on the disk, before its first byte leaves. Sessions follow the pure machine
//! in `certus_protocol::session`; this file only carries its actions out.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use certus_protocol::ids::{KeyId, PolicyHash};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::identity::Identity;
use crate::ledger::Ledger;
use crate::receipt::ReceiptKeys;
use crate::spool::{Spool, SpoolError};

pub mod backoff;
pub mod link;
pub mod pace;
pub mod quic;
pub mod quiet;
mod receipts;
pub mod route;
mod session;
pub mod start;
pub mod tcp;

use backoff::Backoff;
use link::Transport;
use pace::Pace;
use quic::ConnectError;
use quiet::QuietHours;
use route::Route;
use session::{Failure, Greeted, SessionEnd};
use start::Choice;

/// How long nothing is sent after the ledger could not be written.
const HELD: Duration = Duration::from_secs(2);

/// What shipping needs.
pub struct Ship {
    /// Who this agent is.
    pub identity: Identity,
    /// How the hub is reached.
    pub route: Route,
    /// How fast bytes may leave.
    pub pace: Arc<Pace>,
    /// When the bulk lane keeps silent.
    pub quiet: QuietHours,
    /// Where it is remembered which way worked.
    pub state_dir: PathBuf,
    /// Where the frames are.
    pub spool: Spool,
    /// Where it is written what leaves.
    pub ledger: Arc<Mutex<Ledger>>,
    /// Which keys the hub signs receipts with.
    pub receipt_keys: Arc<Mutex<ReceiptKeys>>,
    /// The pseudonym key in use.
    pub key_id: KeyId,
    /// The policy in use.
    pub policy: PolicyHash,
    /// For reports to people.
    pub clock: Arc<dyn Clock>,
    /// Where the link's state is shown.
    pub link: watch::Sender<LinkState>,
}

/// How the link is, for `status`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LinkState {
    /// Whether a session is open.
    pub connected: bool,
    /// What carries it.
    #[serde(default)]
    pub transport: Option<Transport>,
    /// Why there is none, in a sentence that says what to do.
    pub problem: Option<String>,
    /// Why the bulk lane waits, if it is told to.
    #[serde(default)]
    pub paused: Option<String>,
    /// The hub's clock minus this one, in milliseconds, at the last Welcome.
    pub clock_offset_ms: Option<i64>,
    /// Frames handed to the connection since the start.
    pub frames_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Sessions opened since the start.
    pub sessions: u64,
}

/// Why shipping ended for good; a broken link is no reason.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShipError {
    /// The spool can't be read.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// Key and certificate don't fit together.
    #[error("the agent's key and certificate don't fit together: {0}")]
    Tls(#[from] rustls::Error),
}

/// Ships until `stop`.
///
/// # Errors
/// See [`ShipError`].
pub async fn run(ship: Ship, stop: CancellationToken) -> Result<(), ShipError> {
    let mut backoff = Backoff::default();
    let mut choice = Choice::load(&ship.state_dir, ship.clock.now_ms());
    while !stop.is_cancelled() {
        ship.link.send_modify(|link| {
            link.problem.get_or_insert_with(|| format!("the hub at {} has not answered yet", ship.route.hub));
        });
        let greeted = tokio::select! {
            () = stop.cancelled() => break,
            greeted = start::greet(&ship, &choice) => greeted,
        };
        let wait = match greeted {
            Ok(Greeted::Open(session)) => {
                backoff.reset();
                choice.useful(session.transport(), ship.clock.now_ms());
                connected(&ship, session.transport());
                let end = session.run(choice.probe_wait(), &stop).await?;
                after(&ship, end, (&mut choice, &mut backoff)).await?
            }
            Ok(Greeted::Ended(end)) => after(&ship, end, (&mut choice, &mut backoff)).await?,
            Err(Failure::Ship(error)) => return Err(error),
            Err(Failure::Held(why)) => {
                after(&ship, SessionEnd::Held(why), (&mut choice, &mut backoff)).await?
            }
            Err(Failure::Link(error)) => {
                report(&ship, &error.to_string());
                let passes = matches!(error, ConnectError::Unreachable { .. } | ConnectError::Lost(_));
                if passes { backoff.next_wait() } else { backoff.longest() }
            }
        };
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(wait) => {}
        }
    }
    Ok(())
}

fn connected(ship: &Ship, transport: Transport) {
    let offset = ship.link.borrow().clock_offset_ms;
    tracing::info!(hub = %ship.route.hub, %transport, clock.offset_ms = offset, "link: connected");
    ship.link.send_modify(|link| {
        link.connected = true;
        link.transport = Some(transport);
        link.problem = None;
        link.sessions += 1;
    });
}

/// Does what a session's end asks for, and says how long to wait.
async fn after(
    ship: &Ship,
    end: SessionEnd,
    (choice, backoff): (&mut Choice, &mut Backoff),
) -> Result<Duration, ShipError> {
    match end {
        SessionEnd::Reconnect(reason) => {
            report(ship, &reason);
            Ok(backoff.next_wait())
        }
        SessionEnd::Held(reason) => {
            report(ship, &reason);
            Ok(HELD)
        }
        SessionEnd::Refused(reason) => {
            report(ship, &reason);
            Ok(backoff.longest())
        }
        SessionEnd::NewEpoch { at_least, reason } => {
            report(ship, &reason);
            loop {
                match ship.spool.new_epoch(&reason).await {
                    Ok(epoch) if epoch >= at_least => return Ok(backoff.next_wait()),
                    Ok(_) => {}
                    // The spool tries its disk again by itself.
                    Err(SpoolError::Io(error)) => {
                        report(ship, &format!("a new epoch can't begin: {error}"));
                        return Ok(HELD);
                    }
                    Err(other) => return Err(other.into()),
                }
            }
        }
        SessionEnd::Switch(transport) => {
            choice.prefer(transport);
            Ok(Duration::ZERO)
        }
        SessionEnd::Lossy => {
            choice.is_lossy();
            Ok(Duration::ZERO)
        }
    }
}

fn report(ship: &Ship, problem: &str) {
    let before = ship.link.borrow().problem.clone();
    if before.as_deref() != Some(problem) {
        tracing::warn!(hub = %ship.route.hub, "link: {problem}");
    }
    ship.link.send_modify(|link| {
        link.connected = false;
        link.transport = None;
        link.problem = Some(problem.to_owned());
    });
}
