//! Commands about bundles that are carried by hand, and the receipts that come back.

use std::path::Path;
use std::sync::Arc;

use certus_protocol::ids::{Lane, Seq};
use certus_protocol::receipt::Receipt;

use super::CliError;
use super::inspect::failed;
use super::spool::segments;
use crate::agent::{self, AgentError};
use crate::bundle::{self, BundleError};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::identity::Identity;
use crate::key;
use crate::ledger::{self, Ledger};
use crate::receipt::{self, ReceiptKeys};

pub(super) fn export(config: &Config, out: &Path, lane: Option<Lane>) -> Result<(), CliError> {
    let identity = Identity::load(&config.state_dir).map_err(AgentError::from)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let folder = ledger::folder(&config.state_dir);
    let mut ledger =
        Ledger::open(&folder, &identity.tenant, identity.agent, clock.clone()).map_err(AgentError::from)?;
    let epoch_dir = crate::identity::folder(&config.state_dir);
    let spooled = bundle::Spooled { segments: segments(config)?, epoch_dir, lane };
    let exported = bundle::export(&spooled, &identity, &mut ledger, out, clock.now_ms()).map_err(
        |error| match error {
            BundleError::Out { .. } => CliError::Output(error.to_string()),
            other => CliError::Data(other.to_string()),
        },
    )?;
    say!("{} frames, {} bytes, in {}", exported.frames, exported.bytes, out.display());
    Ok(())
}

/// Receipts forget what is in the spool, so that they are taken only with a signature by a key that the hub has shown
/// this agent, or that a person vouches for.
pub(super) async fn import(config: &Config, path: &Path, hub_key: Option<&Path>) -> Result<(), CliError> {
    let wrong = |why: String| CliError::Data(format!("{}: {why}", path.display()));
    let identity = Identity::load(&config.state_dir).map_err(AgentError::from)?;
    let keys = match hub_key {
        Some(path) => receipt::keys_in(path).map_err(failed)?.into_iter().collect(),
        None => ReceiptKeys::load(&config.state_dir).map_err(failed)?.all(),
    };
    let receipts = receipt::receipts_in(path).map_err(|error| wrong(error.to_string()))?;
    for receipt in &receipts {
        if !keys.contains(&receipt.key) {
            return Err(wrong(
                "is signed with a key that the hub has not shown this agent; --hub-key names it".to_owned(),
            ));
        }
        if !receipt::is_signed(receipt) {
            return Err(wrong("holds a receipt whose signature is wrong".to_owned()));
        }
        if receipt.statement.agent != identity.agent || receipt.statement.tenant != identity.tenant.as_str() {
            return Err(wrong("holds a receipt for another agent".to_owned()));
        }
    }
    take_in(config, &identity, &receipts).await
}

async fn take_in(config: &Config, identity: &Identity, receipts: &[Receipt]) -> Result<(), CliError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let sanitizer = certus_sanitizer::Sanitizer::new(&config.policy, key::load_or_make(&config.state_dir)?)
        .map_err(failed)?;
    let spool = agent::open_spool(config, identity, &sanitizer, clock.clone()).await?;
    let folder = ledger::folder(&config.state_dir);
    let mut ledger =
        Ledger::open(&folder, &identity.tenant, identity.agent, clock).map_err(AgentError::from)?;
    let mut known = ReceiptKeys::load(&config.state_dir).map_err(failed)?;
    let epoch = spool.state().borrow().epoch;
    for receipt in receipts {
        let stated = &receipt.statement;
        let new = known.keep(receipt.key).map_err(failed)?.then_some(receipt.key);
        ledger.receipt(receipt, new).map_err(AgentError::from)?;
        if stated.epoch == epoch.0 {
            spool.acked(stated.lane, Seq(stated.through), stated.frame).await.map_err(AgentError::from)?;
        }
        say!("lane {}: the hub has everything through frame {}", stated.lane, stated.through);
    }
    Ok(spool.close().await.map_err(AgentError::from)?)
}
