//! Commands about receipts, and taking in bundles that are carried by hand.

use std::io::Write;
use std::path::Path;

use certus_protocol::ids::{AgentId, Tenant};
use certus_protocol::receipt::{Receipt, key_to_pem};
use clap::Subcommand;

use super::{CliError, failed};
use crate::config::Config;
use crate::events::Metrics;
use crate::hub::Parts;
use crate::import::{self, ImportError};
use crate::queue::Embedded;
use crate::receive::Receive;

/// What is done with receipts.
#[derive(Debug, Subcommand)]
pub(super) enum ReceiptsCommand {
    /// Print the public key that receipts are signed with, as PEM.
    Key,
    /// List the last receipt of every lane.
    Show(Which),
    /// Write them, one as JSON a line, for `certus-agent ledger verify --receipts`.
    Export(Which),
}

/// Whose receipts.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// The tenant.
    #[arg(long)]
    tenant: Tenant,
    /// Only this agent's.
    #[arg(long)]
    agent: Option<AgentId>,
}

pub(super) async fn run(config: &Config, command: ReceiptsCommand) -> Result<(), CliError> {
    let receipts = Parts::open(config)?.receipts;
    match command {
        ReceiptsCommand::Key => {
            say!("{}", key_to_pem(receipts.key()).trim_end());
        }
        ReceiptsCommand::Show(which) => {
            for receipt in receipts.list(&which.tenant, which.agent).await.map_err(failed)? {
                let stated = &receipt.statement;
                let ledger = stated.ledger.map_or("none".to_owned(), |head| format!("line {}", head.lines));
                let at = jiff::Timestamp::from_millisecond(stated.at_ms).map_err(failed)?;
                say!(
                    "{at}  {}  epoch {} {:<11}  through {}  ledger {ledger}  {}",
                    stated.agent,
                    stated.epoch,
                    stated.lane.as_str(),
                    stated.through,
                    stated.frame
                );
            }
        }
        ReceiptsCommand::Export(which) => {
            for receipt in receipts.list(&which.tenant, which.agent).await.map_err(failed)? {
                say!("{}", serde_json::to_string(&receipt).map_err(failed)?);
            }
        }
    }
    Ok(())
}

pub(super) async fn import(config: &Config, bundle: &Path, receipts: Option<&Path>) -> Result<(), CliError> {
    let parts = Parts::open(config)?;
    // A hub that runs finds by its sweep what stands in raw/ now; one that does not, at its next start.
    let receive = Receive {
        objects: parts.objects.clone(),
        queue: std::sync::Arc::new(Embedded::default()),
        receipts: parts.receipts.clone(),
        clock: parts.clock.clone(),
        metrics: Metrics::new(),
    };
    let imported = import::import(&receive, &parts.authority, bundle).await.map_err(|error| match error {
        ImportError::Store(error) => failed(error),
        other => CliError::Unknown(format!("{}: {other}", bundle.display())),
    })?;
    if let Some(path) = receipts {
        write_receipts(path, &imported.receipts)
            .map_err(|error| failed(format!("{}: {error}", path.display())))?;
    }
    let (frames, new) = (imported.frames, imported.new);
    say!("{frames} frames of agent {}: {new} new, {} were stored already", imported.agent, frames - new);
    Ok(())
}

fn write_receipts(path: &Path, receipts: &[Receipt]) -> std::io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    for receipt in receipts {
        serde_json::to_writer(&mut file, receipt)?;
        file.write_all(b"\n")?;
    }
    file.sync_all()
}
