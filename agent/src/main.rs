//! certus-agent: collects, sanitizes, spools and ships, inside the customer's network.
#![expect(clippy::print_stderr, reason = "an error's last resort")]

use std::process::ExitCode;

use certus_agent::cli::{Cli, run};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let mut signals = tokio::task::JoinSet::new();
    signals.spawn(async move {
        let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        stopped.cancel();
    });
    match run(cli, stop).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("certus-agent: {error}");
            ExitCode::from(error.code())
        }
    }
}
