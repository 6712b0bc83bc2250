//! What the agent holds in memory and on its disk at the most.

use certus_protocol::ids::Lane;

/// Envelopes of each lane handed to the spool whose frames are not durable yet, in bytes; part of the memory budget.
pub const SPOOL_IN_FLIGHT_BYTES: [usize; Lane::ALL.len()] = [2 << 20, 3 << 20];
/// Batches handed to the spool that wait for its writer.
pub const SPOOL_QUEUE_BATCHES: usize = 1_024;
/// A segment's length, in bytes, preallocated.
pub const SEGMENT_BYTES: u64 = 32 << 20;
/// Frames in a segment at the most.
pub const SEGMENT_FRAMES: usize = 8_192;
/// Frames written before they are synced together, in bytes.
pub const GROUP_BYTES: u64 = 256 << 10;
/// How long a group waits for company, in milliseconds.
pub const GROUP_WAIT_MS: u64 = 2;
/// sled's page cache, in bytes; part of the memory budget.
pub const INDEX_CACHE_BYTES: u64 = 4 << 20;
/// sled's file is made anew at the start when it is longer, and holds little for it, in bytes.
pub const INDEX_FILE_BYTES: u64 = 64 << 20;
/// Room held in reserve so that acks and cursors can be written on a full disk, in bytes.
pub const RESERVE_BYTES: u64 = 8 << 20;
/// From how many eighths of its bound the spool makes the source wait that its configuration names.
pub const PAUSE_EIGHTHS: u64 = 7;
/// A checkpoint's key and value at the most, in bytes.
pub const CHECKPOINT_BYTES_MAX: usize = 64 << 10;

const _: () = assert!(GROUP_BYTES < SEGMENT_BYTES);
const _: () = assert!(SEGMENT_BYTES > 4 * certus_protocol::limits::FRAME_ENCODED_BYTES_MAX as u64);

/// The least that a bandwidth limit may be, in bytes a second: a frame must be through before its ack is missed.
pub const BYTES_PER_SECOND_MIN: u64 = 64 << 10;
const _: () = assert!(BYTES_PER_SECOND_MIN / 1_000 >= 2 * certus_protocol::session::SLOWEST_BYTES_PER_MS);

/// How often a source is read again as a whole unless its configuration says otherwise, in milliseconds.
pub const RECONCILE_MS: u64 = 30_000;
/// The longest that a frame may wait for more, in milliseconds.
pub const LINGER_MS_MAX: u64 = 3_600_000;
/// A file past this is left out and listed unless its source's configuration says otherwise, in bytes.
pub const FILE_BYTES_MAX: u64 = 16 << 20;
/// What a source's configuration may allow, in bytes: a file is sanitized in one piece, in memory.
pub const FILE_BYTES_CEILING: u64 = 1 << 30;
/// A file past this is alone in memory, in bytes; part of the memory budget.
pub const LARGE_FILE_BYTES: u64 = 1 << 20;
/// A file that was changed within this time is looked at again before it is taken, in milliseconds.
pub const SETTLE_MS: i64 = 200;
/// A file that never comes to rest is taken as it is after this time, in milliseconds.
pub const SETTLE_MS_MAX: u64 = 10_000;
/// How long hints are gathered before they are followed, in milliseconds.
pub const HINT_GATHER_MS: u64 = 100;
/// Hints kept apart; past this the whole source is read again.
pub const HINTS_MAX: usize = 4_096;
/// Folders in folders at the most.
pub const DEPTH_MAX: usize = 256;
/// Resources that status lists by name, of each source.
pub const LISTED_MAX: usize = 1_000;
/// Batches of one source that wait for durability at the most.
pub const RECEIPTS_MAX: usize = 8_192;
/// How long a source waits after its reading failed, in milliseconds.
pub const SOURCE_RETRY_MS: u64 = 5_000;

/// What is unpacked of a container at the most, members of members included, in bytes.
pub const EXTRACT_BYTES_MAX: usize = 32 << 20;
/// What is unpacked of any container, however small it is, in bytes.
pub const EXTRACT_BYTES_FREE: usize = 1 << 20;
/// Past that, how many times its own size is unpacked.
pub const EXTRACT_RATIO_MAX: usize = 100;
/// Members of a container and of those in it.
pub const EXTRACT_MEMBERS_MAX: usize = 10_000;
/// Containers in containers, the outermost included.
pub const EXTRACT_DEPTH_MAX: usize = 3;
/// How long reading a container may take, in milliseconds.
pub const EXTRACT_MS_MAX: u64 = 10_000;

/// A file of the egress ledger, in bytes, after which the next one is begun: the last one is read at every start.
pub const LEDGER_FILE_BYTES: u64 = 4 << 20;
/// A line of the egress ledger at the most, in bytes: a frame's resources, their names escaped.
pub const LEDGER_LINE_BYTES_MAX: u64 = 32 << 20;
/// Lanes, each in an epoch, of which the ledger remembers how far they are recorded.
pub const LEDGER_LANES_KEPT: usize = 16;

const _: () = assert!(LEDGER_LINE_BYTES_MAX >= 8 * certus_protocol::limits::FRAME_RAW_BYTES_MAX as u64);
