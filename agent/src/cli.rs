//! The command line: `certus-agent`. Data goes to standard output, everything else to standard error.

use std::io::{IsTerminal, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use certus_protocol::enroll::JoinToken;
use certus_protocol::ids::Lane;
use certus_sanitizer::{Learn, Policy, Profile, PseudonymKey};
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::agent::{self, AgentError, Mode};
use crate::config::{Config, ConfigError, LogFormat};
use crate::identity::{self, EnrollError, IdentityError};
use crate::key::{self, KeyError};
use crate::ledger::LedgerError;
use crate::ship::quic::ConnectError;
use crate::spool::SpoolError;

/// Prints a line of the command's answer.
macro_rules! say {
    ($($text:tt)*) => { $crate::cli::say_line(format_args!($($text)*)) };
}

mod beside;
mod bundle;
mod inspect;
mod item;
mod ledger;
mod rules;
mod sarif;
mod scan;
mod spool;
mod tree;

/// Collects what is to be assured, takes secrets and personal data out of it, and ships it to the hub.
#[derive(Debug, Parser)]
#[command(name = "certus-agent", version)]
pub struct Cli {
    /// The configuration file.
    #[arg(long, env = "CERTUS_AGENT_CONFIG", default_value = "/etc/certus/agent.toml", global = true)]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the agent until it is told to stop.
    Run {
        /// Read every source once, wait until the hub has confirmed everything, and end.
        #[arg(long)]
        once: bool,
        /// With --once: how long the hub may take after the last source was read, such as 90s or 10m.
        #[arg(long, default_value = "10m", value_parser = duration, requires = "once")]
        timeout: Duration,
    },
    /// Enrol this agent at a hub, with a join token from `certus-hub token new`.
    Enroll {
        /// The join token; visible to other users of this machine while the command runs.
        #[arg(long, env = "CERTUS_JOIN_TOKEN", hide_env_values = true, conflicts_with = "token_file")]
        token: Option<String>,
        /// A file that holds the join token; `-` is standard input.
        #[arg(long)]
        token_file: Option<PathBuf>,
        /// What people call this agent; the host's name by default.
        #[arg(long)]
        label: Option<String>,
    },
    /// Tell how sources, spool and link are.
    Status {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the values in a tree that would be taken out; nothing is changed or sent.
    Scan {
        /// How findings are told.
        #[command(flatten)]
        telling: scan::Telling,
        /// What is taken out.
        #[command(flatten)]
        terms: TermsArgs,
        /// A folder or a file.
        tree: PathBuf,
    },
    /// Write a sanitized copy of a tree; nothing is sent.
    Sanitize {
        /// What is taken out.
        #[command(flatten)]
        terms: TermsArgs,
        /// How far values that were found are remembered: run, file or off.
        #[arg(long, default_value = "run")]
        learn: Learn,
        /// A folder or a file.
        tree: PathBuf,
        /// Where the copy goes.
        #[arg(long)]
        out: PathBuf,
    },
    /// Show what would leave, as a diff against what is there, with the values masked; nothing is sent. Both stand side by
    /// side on a terminal of 100 columns and more.
    Preview {
        /// As JSON, one replacement a line.
        #[arg(long)]
        json: bool,
        /// What is taken out.
        #[command(flatten)]
        terms: TermsArgs,
        /// A source of the configuration, or a folder, repository or file.
        source_or_path: String,
    },
    /// The rules by which values are found, and those of a policy file.
    #[command(subcommand)]
    Rules(rules::RulesCommand),
    /// The spool.
    #[command(subcommand)]
    Spool(SpoolCommand),
    /// The egress ledger: what left.
    #[command(subcommand)]
    Ledger(ledger::LedgerCommand),
    /// The tenant's pseudonym key.
    #[command(subcommand)]
    Key(KeyCommand),
    /// The configuration file.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print completions for a shell.
    Completions {
        /// Which shell.
        shell: Shell,
    },
}

/// What is taken out: the configuration's policy unless something is given.
#[derive(Debug, clap::Args)]
struct TermsArgs {
    /// A policy file.
    #[arg(long)]
    policy: Option<PathBuf>,
    /// The sanitizing profile.
    #[arg(long)]
    profile: Option<Profile>,
}

impl TermsArgs {
    fn policy(&self, config: Option<&Config>) -> Result<Policy, CliError> {
        let given = match &self.policy {
            Some(path) => crate::config::load_policy(path)?,
            None if self.profile.is_some() => Policy::default(),
            None => config.map(|config| config.policy.clone()).unwrap_or_default(),
        };
        Ok(Policy { profile: self.profile.unwrap_or(given.profile), ..given })
    }
}

#[derive(Debug, Subcommand)]
enum SpoolCommand {
    /// List the frames in the spool's segments.
    Ls {
        /// As JSON, one frame a line.
        #[arg(long)]
        json: bool,
    },
    /// Read every segment and check every frame.
    Verify {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Tell what the spool holds, lane by lane.
    Stat {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Recover the spool, and put gaps in place of frames that can't be read (the agent must not run).
    Repair {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Send again what was sent since a time and is still kept (the agent must not run).
    Replay {
        /// Such as 2026-01-31T08:00:00Z, or 24h for a day ago.
        #[arg(long)]
        since: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write what is in the spool into a signed bundle, to be carried to the hub by hand (`certus-hub import`); the agent may
    /// run meanwhile.
    Export {
        /// Where the bundle is written.
        #[arg(long)]
        out: PathBuf,
        /// Only this lane, interactive or bulk.
        #[arg(long)]
        lane: Option<Lane>,
    },
    /// Take in the hub's receipts for bundles that were carried there; the agent must not run.
    Import {
        /// The receipts, from `certus-hub import --receipts`.
        receipts: PathBuf,
        /// The hub's public key (PEM, from `certus-hub receipts key`), where the hub has shown this agent none yet.
        #[arg(long)]
        hub_key: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a key, where there is none.
    New,
    /// Keep a key from another agent of the tenant, read from standard input.
    Import,
    /// Print the key, for another agent of the tenant. Whoever has it can test guesses.
    Export,
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
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// At run time.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// At enrolment.
    #[error(transparent)]
    Enroll(#[from] EnrollError),
    /// The pseudonym key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// 65: what was handed in is wrong.
    #[error("{0}")]
    Data(String),
    /// 73: what should be written can't be.
    #[error("{0}")]
    Output(String),
    /// 1: anything else.
    #[error("{0}")]
    Failed(String),
}

impl CliError {
    /// The process's exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Config(_) => 64,
            Self::Data(_) | Self::Key(KeyError::Malformed(_)) => 65,
            Self::Output(_) | Self::Key(KeyError::Exists(_)) => 73,
            Self::Agent(AgentError::Unconfirmed(_))
            | Self::Enroll(EnrollError::Connect(ConnectError::Unreachable { .. })) => 69,
            Self::Agent(AgentError::Spool(SpoolError::Locked(_))) => 75,
            Self::Agent(AgentError::Identity(IdentityError::NotEnrolled)) | Self::Enroll(_) => 77,
            Self::Agent(AgentError::Ledger(LedgerError::Chain { .. } | LedgerError::Foreign(_))) => 65,
            Self::Agent(_) | Self::Key(_) | Self::Failed(_) => 1,
        }
    }
}

/// Carries the command out.
///
/// # Errors
/// See [`CliError`].
pub async fn run(cli: Cli, stop: CancellationToken) -> Result<(), CliError> {
    match cli.command {
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "certus-agent", &mut std::io::stdout());
            Ok(())
        }
        Command::Scan { telling, terms, tree } => {
            let config = Config::load(&cli.config).ok();
            scan::scan(&tree, &terms.policy(config.as_ref())?, kept_key(config.as_ref())?, &telling, &stop)
        }
        Command::Sanitize { terms, learn, tree, out } => {
            let config = Config::load(&cli.config).ok();
            let (policy, key) = (terms.policy(config.as_ref())?, any_key(kept_key(config.as_ref())?)?);
            tree::sanitize(&tree, &out, &tree::Making { policy, key, learn }, &stop)
        }
        Command::Preview { json, terms, source_or_path } => {
            let config = Config::load(&cli.config).ok();
            let (policy, key) = (terms.policy(config.as_ref())?, any_key(kept_key(config.as_ref())?)?);
            tree::preview(config.as_ref(), &source_or_path, (&policy, key, json), &stop)
        }
        Command::Rules(command) => rules::run(&command, || kept_key(Config::load(&cli.config).ok().as_ref())),
        command => configured(command, &cli.config, stop).await,
    }
}

/// What needs a configuration.
async fn configured(
    command: Command,
    path: &std::path::Path,
    stop: CancellationToken,
) -> Result<(), CliError> {
    let config = Config::load(path)?;
    match command {
        Command::Run { once, timeout } => {
            log(&config);
            let mode = if once { Mode::Once { timeout } } else { Mode::Watch };
            Ok(agent::run(&config, mode, stop).await?)
        }
        Command::Enroll { token, token_file, label } => {
            let token = join_token(token, token_file)?;
            agent::make_state_dir(&config.state_dir)?;
            let label = label.unwrap_or_else(host_name);
            let route = config.link.route(&token.hub)?;
            let identity = identity::enroll(&token, &route, &label, &config.state_dir).await?;
            say!("enrolled as agent {} of tenant {}", identity.agent, identity.tenant);
            Ok(())
        }
        Command::Status { json } => inspect::status(&config, json),
        Command::Spool(SpoolCommand::Ls { json }) => spool::ls(&config, json),
        Command::Spool(SpoolCommand::Verify { json }) => spool::verify(&config, json),
        Command::Spool(SpoolCommand::Stat { json }) => spool::stat(&config, json),
        Command::Spool(SpoolCommand::Repair { json }) => spool::repair(&config, json).await,
        Command::Spool(SpoolCommand::Replay { since, json }) => spool::replay(&config, &since, json).await,
        Command::Spool(SpoolCommand::Export { out, lane }) => bundle::export(&config, &out, lane),
        Command::Spool(SpoolCommand::Import { receipts, hub_key }) => {
            bundle::import(&config, &receipts, hub_key.as_deref()).await
        }
        Command::Ledger(command) => ledger::run(&config, command),
        Command::Key(command) => pseudonym_key(&config, &command),
        Command::Config(ConfigCommand::Check) => {
            say!("{} is right: {} sources", path.display(), config.sources.len());
            Ok(())
        }
        Command::Completions { .. }
        | Command::Scan { .. }
        | Command::Sanitize { .. }
        | Command::Rules(_)
        | Command::Preview { .. } => Ok(()),
    }
}

fn pseudonym_key(config: &Config, command: &KeyCommand) -> Result<(), CliError> {
    agent::make_state_dir(&config.state_dir)?;
    match command {
        KeyCommand::New => say!("{}", key::make(&config.state_dir)?.id()),
        KeyCommand::Import => {
            let key = key::parse(&standard_input()?, "standard input")?;
            key::keep(&config.state_dir, &key)?;
            say!("{}", key.id());
        }
        KeyCommand::Export => {
            let key = key::load(&config.state_dir)?;
            let key = key.ok_or_else(|| {
                CliError::Data("there is no pseudonym key yet; `certus-agent key new` makes one".to_owned())
            })?;
            say!("{}", *key::export(&key));
        }
    }
    Ok(())
}

/// The configured agent's key where there is one.
fn kept_key(config: Option<&Config>) -> Result<Option<PseudonymKey>, CliError> {
    Ok(config.map(|config| key::load(&config.state_dir)).transpose()?.flatten())
}

/// That key, else one of this run only, so that nobody can test guesses by what is shown.
fn any_key(kept: Option<PseudonymKey>) -> Result<PseudonymKey, CliError> {
    match kept {
        Some(key) => Ok(key),
        None => {
            let folder = tempfile::tempdir().map_err(|error| CliError::Failed(error.to_string()))?;
            Ok(key::make(folder.path())?)
        }
    }
}

fn join_token(token: Option<String>, file: Option<PathBuf>) -> Result<JoinToken, CliError> {
    let text = match (token, file) {
        (Some(token), _) => Zeroizing::new(token),
        (None, Some(path)) if path.as_os_str() == "-" => standard_input()?,
        (None, Some(path)) => std::fs::read_to_string(&path)
            .map(Zeroizing::new)
            .map_err(|error| CliError::Data(format!("{}: {error}", path.display())))?,
        (None, None) => {
            let what = "a join token is needed: --token-file FILE, or CERTUS_JOIN_TOKEN; the hub's `certus-hub token new` makes one";
            return Err(CliError::Data(what.to_owned()));
        }
    };
    text.trim().parse::<JoinToken>().map_err(|error| CliError::Data(error.to_string()))
}

fn standard_input() -> Result<Zeroizing<String>, CliError> {
    let mut text = Zeroizing::new(String::new());
    let read = std::io::stdin().take(64 << 10).read_to_string(&mut text);
    read.map_err(|error| CliError::Data(format!("standard input: {error}")))?;
    Ok(text)
}

fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "agent".to_owned() } else { name }
}

fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let scale = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err("give a number with s, m, h or d, such as 10m".to_owned()),
    };
    let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(scale));
    seconds.map(Duration::from_secs).ok_or_else(|| "too long".to_owned())
}

/// A line of data; who reads it may have gone, and then nobody has to know.
fn say_line(line: std::fmt::Arguments<'_>) {
    if let Err(error) = writeln!(std::io::stdout(), "{line}") {
        std::process::exit(if error.kind() == std::io::ErrorKind::BrokenPipe { 0 } else { 73 });
    }
}

/// Starts logging, on standard error.
fn log(config: &Config) {
    let json = match config.log_format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let filter = tracing_subscriber::EnvFilter::try_new(&config.log_level)
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json {
        builder.json().flatten_event(true).init();
    } else {
        builder.with_target(false).with_ansi(std::io::stderr().is_terminal()).init();
    }
}
