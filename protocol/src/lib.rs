//! What Certus says on the wire and keeps in `raw/`, as values.
//!
//! One frame format serves spool, wire and store; the session of both ends is a pair of
//! pure state machines; the egress ledger's rows are values with a hash chain. This crate
//! deliberately does no I/O, reads no clock and knows no runtime: whoever owns the socket,
//! the disk and the time hands bytes, events and instants in.

pub mod bundle;
mod encoding;
pub mod enroll;
pub mod envelope;
pub mod frame;
pub mod ids;
pub mod ledger;
pub mod limits;
pub mod message;
pub mod mux;
pub mod receipt;
pub mod session;
