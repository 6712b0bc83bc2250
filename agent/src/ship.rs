//! The stage that ships: connect, resume where the hub stands, send in order, await acks, let the spool forget.
//!
//! What was acknowledged is the hub's; what was not stays in the spool, whatever happens here. Every
//! frame stands in the egress ledger, on the disk, before its first byte leaves. Sessions follow the pure machine
//! in `certus_protocol::session`; this file only carries its actions out.

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
pub mod quic;
mod receipts;
mod session;

use backoff::Backoff;
use quic::ConnectError;
use session::SessionEnd;

/// How long nothing is sent after the ledger could not be written.
const HELD: Duration = Duration::from_secs(2);

/// What shipping needs.
pub struct Ship {
    /// Who this agent is.
    pub identity: Identity,
    /// Host and port of the hub.
    pub hub: String,
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
    /// Why there is none, in a sentence that says what to do.
    pub problem: Option<String>,
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
    while !stop.is_cancelled() {
        ship.link.send_modify(|link| {
            link.problem.get_or_insert_with(|| format!("the hub at {} has not answered yet", ship.hub));
        });
        let tls = quic::session_tls(&ship.identity)?;
        let connect = quic::connect(&ship.hub, tls, certus_protocol::message::ALPN_SESSION);
        let connected = tokio::select! {
            () = stop.cancelled() => break,
            connected = connect => connected,
        };
        let wait = match connected {
            Ok(connected) => {
                let end = session::run(&ship, connected, &stop, &mut backoff).await?;
                after(&ship, end, &mut backoff).await?
            }
            Err(error) => {
                let known = matches!(error, ConnectError::Unreachable { .. });
                report(&ship, &error.to_string());
                if known { backoff.next_wait() } else { backoff.longest() }
            }
        };
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(wait) => {}
        }
    }
    Ok(())
}

/// Does what a session's end asks for, and says how long to wait.
async fn after(ship: &Ship, end: SessionEnd, backoff: &mut Backoff) -> Result<Duration, ShipError> {
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
            while ship.spool.new_epoch(&reason).await? < at_least {}
            Ok(backoff.next_wait())
        }
    }
}

fn report(ship: &Ship, problem: &str) {
    let before = ship.link.borrow().problem.clone();
    if before.as_deref() != Some(problem) {
        tracing::warn!(hub = %ship.hub, "link: {problem}");
    }
    ship.link.send_modify(|link| {
        link.connected = false;
        link.problem = Some(problem.to_owned());
    });
}
