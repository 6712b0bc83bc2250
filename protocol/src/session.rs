//! Who may say what, when: both ends of a session as pure state machines.
//!
//! Each machine is told what happened (messages, frames, what the disk did, the time) and answers with
//! actions, to be carried out in the order given. It owns no socket, no disk and no clock. A session ends with
//! the connection; what outlives it (what is acknowledged, what is stored) is handed to the next one.
//!
//! ```text
//! agent                                   hub
//!   Hello ─────────────────────────────────►   certificate and Hello agree?
//!   ◄───────────────────────────── Welcome     where each lane goes on, how much may be in flight
//!   frames, lane by lane ──────────────────►   in order, each chained to the one before
//!   ◄───────────────────────── Ack │ Nack      stored through here │ not taken, and what to do
//!   Ledger ────────────────────────────────►   how the egress ledger stands
//!   ◄───────────────────────────── Receipt     signed: stored through here, and that is how the ledger stood
//!   Goodbye ◄──────────────────────► Goodbye
//! ```
//!
//! Time is given in milliseconds of any steady clock.

pub mod agent;
pub mod hub;

pub use agent::AgentSession;
pub use hub::HubSession;

/// Without any progress for so long while frames are in flight, an agent leaves the connection; on top of it comes
/// what these frames take over the slowest link.
pub const ACK_TIMEOUT_MS: u64 = 30_000;
/// The slowest link that is worth having: 16 kB a second.
pub const SLOWEST_BYTES_PER_MS: u64 = 16;
/// A hub waits so long for a Hello.
pub const HELLO_TIMEOUT_MS: u64 = 10_000;
/// An agent that had to go back so often without progress leaves the connection.
pub const REWINDS_MAX: u32 = 8;
