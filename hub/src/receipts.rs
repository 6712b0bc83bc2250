//! Receipts: what this hub signs for an agent's customer, and what it remembers of the agent's egress ledger.
//!
//! The key is `secrets/receipt.key`, made when it is missing; its public half stands in `receipt.pem`. The last receipt of every
//! lane is kept under `state/receipts/`, the ledger as it was receipted last under `state/ledgers/`: a ledger that is shorter later,
//! or another one up to there, was cut or rewritten. That is noted for good, logged and counted; frames are taken all the
//! same. A ledger whose agent lies about it is found by `certus-agent ledger verify --receipts` with what is exported here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use bytes::Bytes;
use certus_protocol::ids::{AgentId, ContentHash, Epoch, Lane, ReceiptKey, Seq, Signature, Tenant};
use certus_protocol::message::LedgerReport;
use certus_protocol::receipt::{LedgerHead, Receipt, Statement, key_to_pem};
use serde::{Deserialize, Serialize};

use crate::authority::{self, AuthorityError};
use crate::clock::Clock;
use crate::events::Metrics;
use crate::limits;
use crate::objects::{Condition, Key, Objects};
use crate::raw::LaneId;
use crate::state::{self, StateError};

/// Signs and keeps receipts.
pub struct Receipts {
    signer: Ed25519KeyPair,
    key: ReceiptKey,
    objects: Arc<dyn Objects>,
    clock: Arc<dyn Clock>,
}

/// What is remembered of an agent's ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerState {
    /// Its end, as it was receipted last.
    pub head: Option<LedgerHead>,
    /// When it was found cut or rewritten, Unix milliseconds, and what was found; the last ones.
    #[serde(default)]
    pub breaks: Vec<(i64, String)>,
}

/// How far a lane is stored, for a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stands {
    /// Which lane.
    pub lane: Lane,
    /// Stored without a hole through here.
    pub through: Seq,
    /// Hash of the frame that ends there.
    pub hash: ContentHash,
}

/// Where the public key stands, for whoever checks receipts.
pub fn key_path(data_dir: &Path) -> PathBuf {
    data_dir.join("receipt.pem")
}

impl Receipts {
    /// Reads the key from `data_dir`, or makes one, and publishes its public half.
    ///
    /// # Errors
    /// The file system's, or a key that is none.
    pub fn open(
        data_dir: &Path,
        objects: Arc<dyn Objects>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AuthorityError> {
        let seed = zeroize::Zeroizing::new(authority::secret(data_dir, "receipt.key")?);
        let wrong = |_| AuthorityError::File {
            path: data_dir.join("secrets").join("receipt.key"),
            cause: std::io::Error::new(std::io::ErrorKind::InvalidData, "is no key for receipts"),
        };
        let signer = Ed25519KeyPair::from_seed_unchecked(&*seed).map_err(wrong)?;
        let key = ReceiptKey(std::array::from_fn(|i| signer.public_key().as_ref()[i]));
        let (path, pem) = (key_path(data_dir), key_to_pem(key));
        if std::fs::read_to_string(&path).is_ok_and(|there| there == pem) {
            return Ok(Self { signer, key, objects, clock });
        }
        authority::write_secret(&path, pem.as_bytes())?;
        Ok(Self { signer, key, objects, clock })
    }

    /// The public key.
    pub fn key(&self) -> ReceiptKey {
        self.key
    }

    /// The last receipts of an agent's epoch.
    ///
    /// # Errors
    /// The store's.
    pub async fn last(
        &self,
        tenant: &Tenant,
        agent: AgentId,
        epoch: Epoch,
    ) -> Result<Vec<Receipt>, StateError> {
        let mut found = Vec::new();
        for lane in Lane::ALL {
            let id = LaneId { tenant: tenant.clone(), agent, epoch, lane };
            found.extend(state::read::<Receipt>(&self.objects, &receipt_key(&id)?).await?);
        }
        Ok(found)
    }

    /// Every last receipt of a tenant, of one agent or of all, in the order of agents and epochs.
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&self, tenant: &Tenant, agent: Option<AgentId>) -> Result<Vec<Receipt>, StateError> {
        let prefix = match agent {
            Some(agent) => format!("state/receipts/{tenant}/{agent}/"),
            None => format!("state/receipts/{tenant}/"),
        };
        let mut found = Vec::new();
        let mut after: Option<Key> = None;
        loop {
            let keys = self.objects.list(&prefix, after.as_ref(), 1_000).await?;
            for key in &keys {
                found.extend(state::read::<Receipt>(&self.objects, key).await?);
            }
            let Some(last) = keys.last() else { return Ok(found) };
            after = Some(last.clone());
        }
    }

    /// What is remembered of an agent's ledger.
    ///
    /// # Errors
    /// The store's.
    pub async fn ledger(&self, tenant: &Tenant, agent: AgentId) -> Result<LedgerState, StateError> {
        Ok(state::read(&self.objects, &ledger_key(tenant, agent)?).await?.unwrap_or_default())
    }

    /// Signs how far lanes of this one's agent and epoch are stored, and how the agent's ledger stood, and remembers both.
    ///
    /// # Errors
    /// The store's; the agent asks again.
    pub async fn sign(
        &self,
        lane: &LaneId,
        stands: &[Stands],
        head: LedgerHead,
        metrics: &Metrics,
    ) -> Result<Vec<Receipt>, StateError> {
        let at_ms = self.clock.now_ms();
        let mut signed = Vec::new();
        for Stands { lane: name, through, hash } in stands {
            let statement = Statement {
                tenant: lane.tenant.to_string(),
                agent: lane.agent,
                epoch: lane.epoch.0,
                lane: *name,
                through: through.0,
                frame: *hash,
                ledger: Some(head),
                at_ms,
            };
            let signature = self.signer.sign(statement.signed_text().as_bytes());
            let signature = Signature(std::array::from_fn(|i| signature.as_ref()[i]));
            let receipt = Receipt { statement, key: self.key, signature };
            let key = receipt_key(&LaneId { lane: *name, ..lane.clone() })?;
            // One session holds an agent; of two writers either receipt is right.
            let bytes = Bytes::from(
                serde_json::to_vec(&receipt)
                    .map_err(|error| StateError::Damaged { key: key.clone(), cause: error.to_string() })?,
            );
            let _written = self.objects.put(&key, bytes, Condition::Always).await?;
            signed.push(receipt);
        }
        if !signed.is_empty() {
            metrics.receipts_signed(signed.len() as u64);
            state::update::<LedgerState>(&self.objects, &ledger_key(&lane.tenant, lane.agent)?, |there| {
                let there = there.unwrap_or_default();
                // A bundle may tell of an earlier state than the wire did.
                let later = there.head.is_none_or(|there| there.lines < head.lines);
                later.then_some(LedgerState { head: Some(head), ..there })
            })
            .await?;
        }
        Ok(signed)
    }

    /// Notes where what an agent tells of its ledger contradicts what was receipted before.
    ///
    /// # Errors
    /// The store's.
    pub async fn compare(
        &self,
        lane: &LaneId,
        report: LedgerReport,
        metrics: &Metrics,
    ) -> Result<(), StateError> {
        let at_ms = self.clock.now_ms();
        let mut found = None;
        state::update::<LedgerState>(&self.objects, &ledger_key(&lane.tenant, lane.agent)?, |there| {
            let mut there = there?;
            found = contradiction(there.head?, report);
            there.breaks.push((at_ms, found.clone()?));
            let surplus = there.breaks.len().saturating_sub(limits::LEDGER_BREAKS_KEPT);
            there.breaks.drain(..surplus);
            // It goes on from what there is; what was found stays.
            there.head = Some(report.head);
            Some(there)
        })
        .await?;
        if let Some(what) = found {
            metrics.ledger_broken();
            tracing::error!(agent.id = %lane.agent, tenant = %lane.tenant, "an agent's egress ledger was cut or rewritten: {what}");
        }
        Ok(())
    }
}

/// What of a ledger as it is told now contradicts what was receipted.
fn contradiction(receipted: LedgerHead, report: LedgerReport) -> Option<String> {
    if report.head.lines < receipted.lines {
        return Some(format!("it had {} lines and has {}", receipted.lines, report.head.lines));
    }
    let there = [Some(report.head), report.receipted];
    let same_line = there.into_iter().flatten().find(|head| head.lines == receipted.lines);
    let other = same_line.is_some_and(|head| head.hash != receipted.hash);
    other.then(|| format!("line {} is another than it was", receipted.lines))
}

fn receipt_key(lane: &LaneId) -> Result<Key, StateError> {
    Ok(Key::new(format!("state/receipts/{}", lane.path()))?)
}

fn ledger_key(tenant: &Tenant, agent: AgentId) -> Result<Key, StateError> {
    Ok(Key::new(format!("state/ledgers/{tenant}/{agent}"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(lines: u64, hash: u8) -> LedgerHead {
        LedgerHead { lines, hash: ContentHash([hash; 32]) }
    }

    #[test]
    fn a_ledger_that_is_shorter_or_another_contradicts_what_was_receipted() {
        let told = |now, receipted| contradiction(head(5, 5), LedgerReport { head: now, receipted });
        assert_eq!(told(head(5, 5), None), None);
        assert_eq!(told(head(9, 9), Some(head(5, 5))), None);
        // The agent knows of an earlier receipt only: nothing can be said.
        assert_eq!(told(head(9, 9), Some(head(3, 3))), None);
        assert!(told(head(4, 4), None).is_some());
        assert!(told(head(5, 6), None).is_some());
        assert!(told(head(9, 9), Some(head(5, 6))).is_some());
    }
}
