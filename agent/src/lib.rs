//! certus-agent: source → extract → sanitize → spool → ship, inside the customer's network.

pub mod agent;
pub mod bundle;
pub mod cli;
pub mod clock;
pub mod config;
pub mod extract;
pub mod identity;
pub mod key;
pub mod ledger;
pub mod limits;
pub mod receipt;
pub mod sanitize;
pub mod ship;
pub mod source;
pub mod spool;
pub mod status;
