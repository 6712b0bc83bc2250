//! What the hub holds in memory and takes from outside at the most.

/// Agents connected at once at the most.
pub const AGENTS_MAX: usize = 131_072;
/// Connections to the API at once at the most.
pub const CALLERS_MAX: usize = 4_096;
/// Handshakes at once at the most, on each port; past it the oldest gives way (TCP) or none is begun (QUIC).
pub const HANDSHAKES_MAX: usize = 1_024;
/// Handshakes at once past which a QUIC client must first show that its address is its own (RFC 9000, section 8.1).
pub const HANDSHAKES_TRUSTED: usize = 128;
/// What QUIC keeps of a connection that was not looked at yet, in bytes.
pub const INCOMING_BYTES: u64 = 16 << 10;
/// Findings that an agent's ledger was cut or rewritten that are remembered.
pub const LEDGER_BREAKS_KEPT: usize = 16;
/// Frames of one session that are being stored at once.
pub const STORES_IN_FLIGHT: usize = 16;
/// Frames read from a session's streams that wait for it.
pub const SESSION_QUEUE_FRAMES: usize = 4;
/// Answers that wait for a session's connection.
pub const SESSION_QUEUE_ANSWERS: usize = 16;
/// What the frames of one session may take in memory, from their headers to the store's answer, in bytes.
pub const SESSION_FRAME_BYTES: usize = 3 << 20;
/// What a new connection may have under way, in bytes.
pub const ROOM_BYTES: u32 = 1 << 20;
/// The same once frames of it were stored: as much as a long way at a good rate needs.
pub const ROOM_BYTES_GROWN: u32 = 4 << 20;
/// Frames of a session that must be stored before.
pub const FRAMES_BEFORE_GROWTH: u64 = 8;
/// Lanes that wait to be worked on, as references.
pub const QUEUE_LANES: usize = 65_536;
/// Frames that one index commit takes in.
pub const BATCH_FRAMES: usize = 64;
/// Their bytes, as stored.
pub const BATCH_BYTES: usize = 8 << 20;
/// How often a frame is tried before it is set aside.
pub const ATTEMPTS_MAX: u32 = 3;
/// A chunk's text, in bytes, after which it ends with its line.
pub const CHUNK_BYTES: usize = 1_600;
/// A line longer than this is cut into several chunks.
pub const CHUNK_BYTES_MAX: usize = 4_000;
/// Chunks of one document at the most; what follows can be read, not searched.
pub const CHUNKS_MAX: usize = 20_000;
/// tantivy's memory for one tenant's writer, in bytes (its own lower limit is 15 MB).
pub const INDEX_WRITER_BYTES: usize = 15_000_000;
/// Tenants whose index is open at once.
pub const INDEX_TENANTS_OPEN: usize = 64;
/// A request's body at the most, in bytes.
pub const REQUEST_BYTES_MAX: usize = 1 << 20;
/// Hits of one answer at the most.
pub const HITS_MAX: usize = 1_000;
/// A query's text at the most, in bytes.
pub const QUERY_BYTES_MAX: usize = 4 << 10;
/// Words of a query that are looked up.
pub const QUERY_WORDS_MAX: usize = 64;
/// Results of one SARIF document that become findings.
pub const FINDINGS_MAX: usize = 500_000;
/// A document's text that is kept for reading, in bytes.
pub const TEXT_BYTES_MAX: usize = 256 << 20;

const _: () = assert!(BATCH_BYTES >= 2 * certus_protocol::limits::FRAME_ENCODED_BYTES_MAX);
const _: () = assert!(SESSION_FRAME_BYTES > certus_protocol::limits::FRAME_ENCODED_BYTES_MAX + 4_096);
const _: () = assert!(ROOM_BYTES as usize + SESSION_FRAME_BYTES <= 4 << 20);
const _: () = assert!(HANDSHAKES_TRUSTED < HANDSHAKES_MAX);
const _: () = assert!(CHUNK_BYTES < CHUNK_BYTES_MAX);
