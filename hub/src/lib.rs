//! certus-hub: receive → store → pipeline → index; answers read.

pub mod api;
pub mod authority;
pub mod cli;
pub mod clock;
pub mod config;
pub mod erasure;
pub mod events;
pub mod findings;
pub mod golden;
pub mod hub;
pub mod import;
pub mod index;
pub mod keys;
pub mod limits;
pub mod listen;
pub mod objects;
pub mod pipeline;
pub mod quarantine;
pub mod queue;
pub mod raw;
pub mod receipts;
pub mod receive;
pub mod state;

use std::io::IsTerminal;

use crate::config::{Config, LogFormat};

/// Starts logging, to standard error.
pub(crate) fn log(config: &Config) {
    let filter = tracing_subscriber::EnvFilter::try_new(&config.log_level)
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let json = match config.log_format {
        LogFormat::Auto => !std::io::stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json {
        builder.json().init();
    } else {
        builder.init();
    }
}
