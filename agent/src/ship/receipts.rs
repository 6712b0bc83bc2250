//! Asking for receipts and keeping them, in one session.
//!
//! A hub that has given receipts before repeats the last ones when a session opens; the agent answers with what its ledger
//! holds at the line that they name, so that a ledger that was cut shows. Later it asks whenever more was acknowledged
//! than receipted, at most once a second.

use std::collections::BTreeMap;
use std::io;
use std::sync::PoisonError;
use std::time::Duration;

use certus_protocol::ids::Lane;
use certus_protocol::message::{LedgerReport, Message};
use certus_protocol::receipt::{LedgerHead, Receipt};
use tokio::time::Instant;

use super::Ship;
use crate::ledger::LedgerError;
use crate::receipt;

/// Receipts are asked for at most so often.
const EVERY: Duration = Duration::from_secs(1);
/// The hub passes over what comes sooner than this.
const SOONEST: Duration = Duration::from_millis(100);

/// Why a receipt was not kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReceiptError {
    /// The hub sent something else than its receipt: leave it.
    #[error("the hub sent a receipt that {0}")]
    Wrong(&'static str),
    /// Nothing may leave before the ledger can be written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The key can't be kept.
    #[error("the hub's receipt key can't be kept: {0}")]
    Keys(#[from] io::Error),
    /// A defect.
    #[error("keeping a receipt crashed")]
    Crashed,
}

/// How far a session's lanes are acknowledged and receipted.
pub(super) struct Receipting {
    acked: BTreeMap<Lane, u64>,
    receipted: BTreeMap<Lane, u64>,
    /// The highest line that a receipt names.
    line: Option<u64>,
    /// Whether the hub waits for what the ledger holds at that line.
    asked: bool,
    next: Instant,
}

impl Receipting {
    pub(super) fn new() -> Self {
        let (acked, receipted) = (BTreeMap::new(), BTreeMap::new());
        Self { acked, receipted, line: None, asked: false, next: Instant::now() }
    }

    /// The hub has everything of `lane` through here.
    pub(super) fn acked(&mut self, lane: Lane, through: u64) {
        self.acked.insert(lane, through);
    }

    /// Whether more is acknowledged than receipted.
    pub(super) fn is_behind(&self) -> bool {
        self.acked.iter().any(|(lane, through)| *through > self.receipted.get(lane).copied().unwrap_or(0))
    }

    /// When to tell the hub how the ledger stands; `None` while there is no need.
    pub(super) fn due(&self) -> Option<Instant> {
        (self.asked || self.is_behind()).then_some(self.next)
    }

    /// The session is about to end: what is due is due now.
    pub(super) fn hurry(&mut self) {
        self.next = self.next.min(Instant::now() + SOONEST);
    }

    /// What to tell the hub.
    pub(super) async fn report(&mut self, ship: &Ship) -> Result<Message, ReceiptError> {
        (self.asked, self.next) = (false, Instant::now() + EVERY);
        let (ledger, line) = (ship.ledger.clone(), self.line);
        let told = tokio::task::spawn_blocking(move || -> Result<LedgerReport, LedgerError> {
            let ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
            let at = |lines| ledger.hash_at(lines).map(|hash| hash.map(|hash| LedgerHead { lines, hash }));
            Ok(LedgerReport { head: ledger.head(), receipted: line.map(at).transpose()?.flatten() })
        });
        Ok(Message::Ledger(told.await.map_err(|_| ReceiptError::Crashed)??))
    }

    /// Checks the hub's receipt and appends it to the ledger. A key comes with it over the authenticated session.
    pub(super) async fn keep(&mut self, ship: &Ship, receipt: Receipt) -> Result<(), ReceiptError> {
        let stated = &receipt.statement;
        if stated.agent != ship.identity.agent || stated.tenant != ship.identity.tenant.as_str() {
            return Err(ReceiptError::Wrong("is about another agent"));
        }
        if !receipt::is_signed(&receipt) {
            return Err(ReceiptError::Wrong("is not signed by the key that it names"));
        }
        self.receipted.insert(stated.lane, stated.through);
        if let Some(head) = stated.ledger {
            // The first ones of a session are repeated: the hub waits for an answer.
            self.asked |= self.line.is_none();
            self.line = self.line.max(Some(head.lines));
        }
        let (ledger, keys) = (ship.ledger.clone(), ship.receipt_keys.clone());
        let kept = tokio::task::spawn_blocking(move || -> Result<(), ReceiptError> {
            let mut keys = keys.lock().unwrap_or_else(PoisonError::into_inner);
            let new = keys.keep(receipt.key)?.then_some(receipt.key);
            if let Some(key) = new {
                tracing::info!(%key, "the hub signs receipts with a key that was not known here before");
            }
            let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(head) = receipt.statement.ledger
                && ledger.hash_at(head.lines)? != Some(head.hash)
            {
                tracing::error!(
                    line = head.lines,
                    "the egress ledger contradicts the hub's receipt: it was cut or rewritten"
                );
            }
            Ok(ledger.receipt(&receipt, new)?)
        });
        kept.await.map_err(|_| ReceiptError::Crashed)?
    }
}
