//! What the agent holds in memory and on its disk at the most.

/// Envelopes handed to the spool whose frames are not durable yet, in bytes; part of the memory budget.
pub const SPOOL_IN_FLIGHT_BYTES: usize = 6 << 20;
/// Batches handed to the spool that wait for its writer.
pub const SPOOL_QUEUE_BATCHES: usize = 1_024;
/// A segment's length, in bytes, preallocated.
pub const SEGMENT_BYTES: u64 = 32 << 20;
/// Frames written before they are synced together, in bytes.
pub const GROUP_BYTES: u64 = 1 << 20;
/// How long a group waits for company, in milliseconds.
pub const GROUP_WAIT_MS: u64 = 2;
/// sled's page cache, in bytes; part of the memory budget.
pub const INDEX_CACHE_BYTES: u64 = 4 << 20;
/// A checkpoint's key and value at the most, in bytes.
pub const CHECKPOINT_BYTES_MAX: usize = 64 << 10;

const _: () = assert!(GROUP_BYTES < SEGMENT_BYTES);
const _: () = assert!(SEGMENT_BYTES > 4 * certus_protocol::limits::FRAME_ENCODED_BYTES_MAX as u64);
