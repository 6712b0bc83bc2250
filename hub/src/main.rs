//! certus-hub: receives, stores, indexes and answers.
#![expect(clippy::print_stderr, reason = "an error's last resort")]

use std::process::ExitCode;

use certus_hub::cli::{Cli, run};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[tokio::main]
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
            eprintln!("certus-hub: {error}");
            ExitCode::from(error.code())
        }
    }
}
