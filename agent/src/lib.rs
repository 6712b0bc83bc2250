//! certus-agent: source → extract → sanitize → spool → ship, inside the customer's network.

pub mod clock;
pub mod identity;
pub mod ledger;
pub mod limits;
pub mod ship;
pub mod spool;
