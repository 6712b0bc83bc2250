//! The command line: `certus-hub`. Data goes to standard output, everything else to standard error.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use certus_protocol::ids::Tenant;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use tokio_util::sync::CancellationToken;

use crate::authority::AgentState;
use crate::config::Config;
use crate::events::Metrics;
use crate::hub::{self, HubError, Parts};
use crate::keys::Scope;
use crate::state;

/// Receives what agents sanitized, stores it, makes it findable, and answers.
#[derive(Debug, Parser)]
#[command(name = "certus-hub", version)]
pub struct Cli {
    /// The configuration file.
    #[arg(long, env = "CERTUS_HUB_CONFIG", default_value = "/etc/certus/hub.toml", global = true)]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the hub until it is told to stop.
    Run,
    /// Join tokens, with which agents enrol.
    #[command(subcommand)]
    Token(TokenCommand),
    /// API keys.
    #[command(subcommand)]
    Key(KeyCommand),
    /// List the agents that were enrolled.
    Agents {
        /// As JSON, one object a line.
        #[arg(long)]
        json: bool,
    },
    /// Make index, golden and findings anew from raw/ (the hub must not run).
    Rebuild {
        /// Only this tenant's.
        #[arg(long)]
        tenant: Option<Tenant>,
    },
    /// Take in a bundle that was carried here by hand; the hub may run meanwhile.
    Import {
        /// The bundle, from `certus-agent spool export`.
        bundle: PathBuf,
        /// Where signed receipts are written, to be carried back (`certus-agent spool import`).
        #[arg(long)]
        receipts: Option<PathBuf>,
    },
    /// Signed receipts of what is stored here.
    #[command(subcommand)]
    Receipts(receipts::ReceiptsCommand),
    /// The configuration file.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print completions for a shell.
    Completions {
        /// Which shell.
        shell: Shell,
    },
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Make a single-use token for one agent; it is shown this once.
    New {
        /// The agent's tenant.
        #[arg(long)]
        tenant: Tenant,
        /// How long it is good, such as 15m, 2h or 1d.
        #[arg(long, default_value = "15m", value_parser = duration_ms)]
        ttl: i64,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make an API key; it is shown this once.
    New {
        /// The key's tenant.
        #[arg(long)]
        tenant: Tenant,
        /// What it allows.
        #[arg(long, value_delimiter = ',', default_value = "search,findings")]
        scopes: Vec<Scope>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the keys, without their secrets.
    Ls {
        /// As JSON, one object a line.
        #[arg(long)]
        json: bool,
    },
    /// Revoke a key.
    Revoke {
        /// The key's id.
        id: String,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Check the file and say what is wrong with it.
    Check,
}

/// Why a command failed, by exit code.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CliError {
    /// 64: the configuration.
    #[error("{0}")]
    Config(#[from] crate::config::ConfigError),
    /// 65: what was named does not exist, or what was handed in is wrong.
    #[error("{0}")]
    Unknown(String),
    /// 1: at run time.
    #[error("{0}")]
    Hub(#[from] HubError),
    /// 1: the store.
    #[error("{0}")]
    Failed(String),
}

impl CliError {
    /// The process's exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Config(_) => 64,
            Self::Unknown(_) => 65,
            Self::Hub(HubError::Locked(_)) => 75,
            Self::Hub(_) | Self::Failed(_) => 1,
        }
    }
}

/// Prints a line of the command's answer; who reads it may have gone, and then nobody has to know.
macro_rules! say {
    ($($text:tt)*) => {
        if let Err(error) = writeln!(std::io::stdout(), $($text)*) {
            std::process::exit(if error.kind() == std::io::ErrorKind::BrokenPipe { 0 } else { 73 });
        }
    };
}

mod receipts;

fn failed(error: impl std::fmt::Display) -> CliError {
    CliError::Failed(error.to_string())
}

/// Carries the command out.
///
/// # Errors
/// See [`CliError`].
pub async fn run(cli: Cli, stop: CancellationToken) -> Result<(), CliError> {
    if let Command::Completions { shell } = cli.command {
        clap_complete::generate(shell, &mut Cli::command(), "certus-hub", &mut std::io::stdout());
        return Ok(());
    }
    let config = Config::load(&cli.config)?;
    match cli.command {
        Command::Run => {
            crate::log(&config);
            Ok(hub::run(&config, stop).await?)
        }
        Command::Token(TokenCommand::New { tenant, ttl, json }) => {
            new_token(&config, &tenant, ttl, json).await
        }
        Command::Key(command) => key(&config, command).await,
        Command::Agents { json } => agents(&config, json).await,
        Command::Rebuild { tenant } => {
            crate::log(&config);
            rebuild(&config, tenant).await
        }
        Command::Import { bundle, receipts } => {
            crate::log(&config);
            receipts::import(&config, &bundle, receipts.as_deref()).await
        }
        Command::Receipts(command) => receipts::run(&config, command).await,
        Command::Config(ConfigCommand::Check) => {
            say!("{} is right", cli.config.display());
            Ok(())
        }
        Command::Completions { .. } => Ok(()),
    }
}

async fn new_token(config: &Config, tenant: &Tenant, ttl_ms: i64, json: bool) -> Result<(), CliError> {
    let parts = Parts::open(config)?;
    let token = parts.authority.new_token(tenant, &hub::advertised(config), ttl_ms).await.map_err(failed)?;
    if json {
        say!(
            "{}",
            serde_json::json!({"token": token.to_text(), "tenant": tenant.as_str(), "hub": token.hub})
        );
    } else {
        say!("{}", token.to_text());
    }
    Ok(())
}

async fn key(config: &Config, command: KeyCommand) -> Result<(), CliError> {
    let keys = Parts::open(config)?.keys;
    match command {
        KeyCommand::New { tenant, scopes, json } => {
            let (kept, text) = keys.make(&tenant, BTreeSet::from_iter(scopes)).await.map_err(failed)?;
            if json {
                say!(
                    "{}",
                    serde_json::json!({"id": kept.id, "key": text, "tenant": kept.tenant, "scopes": kept.scopes})
                );
            } else {
                say!("{text}");
            }
        }
        KeyCommand::Ls { json } => {
            for key in keys.list().await.map_err(failed)? {
                let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
                let state = if key.revoked_ms.is_some() { "revoked" } else { "good" };
                if json {
                    say!(
                        "{}",
                        serde_json::json!({"id": key.id, "tenant": key.tenant, "scopes": scopes, "state": state})
                    );
                } else {
                    say!("{}  {:<16}  {:<8}  {}", key.id, key.tenant, state, scopes.join(","));
                }
            }
        }
        KeyCommand::Revoke { id } => {
            if !keys.revoke(&id).await.map_err(failed)? {
                return Err(CliError::Unknown(format!(
                    "there is no key {id}; `certus-hub key ls` lists them"
                )));
            }
        }
    }
    Ok(())
}

async fn agents(config: &Config, json: bool) -> Result<(), CliError> {
    let Parts { objects, receipts, .. } = Parts::open(config)?;
    for key in objects.list("state/agents/", None, 100_000).await.map_err(failed)? {
        let Some(agent) = state::read::<AgentState>(&objects, &key).await.map_err(failed)? else { continue };
        let tenant: Tenant = agent.tenant.parse().map_err(failed)?;
        let ledger = receipts.ledger(&tenant, agent.agent).await.map_err(failed)?;
        if json {
            let mut row = serde_json::to_value(&agent).map_err(failed)?;
            row["ledger"] = serde_json::to_value(&ledger).map_err(failed)?;
            say!("{row}");
        } else {
            let seen = agent.seen_ms.map_or("never connected".to_owned(), |ms| {
                jiff::Timestamp::from_millisecond(ms)
                    .map_or(ms.to_string(), |at| format!("last connected {at}"))
            });
            say!("{}  {:<16}  {:<24}  {seen}", agent.agent, agent.tenant, agent.label);
            for (at_ms, what) in &ledger.breaks {
                let at =
                    jiff::Timestamp::from_millisecond(*at_ms).map_or(at_ms.to_string(), |at| at.to_string());
                say!("    its egress ledger was cut or rewritten, found {at}: {what}");
            }
        }
    }
    Ok(())
}

async fn rebuild(config: &Config, tenant: Option<Tenant>) -> Result<(), CliError> {
    let _lock = hub::lock(config)?;
    let parts = Parts::open(config)?;
    let pipeline = parts.pipeline(config, Metrics::new())?;
    let frames = pipeline.rebuild(tenant.as_ref()).await.map_err(failed)?;
    say!("{frames} frames processed again");
    Ok(())
}

fn duration_ms(text: &str) -> Result<i64, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let scale = match unit {
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err("give a number with s, m, h or d, such as 15m".to_owned()),
    };
    number.parse::<i64>().ok().and_then(|n| n.checked_mul(scale)).ok_or_else(|| "too long".to_owned())
}
