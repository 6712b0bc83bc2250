//! Every limit of frame, wire and state formats, and proofs that they fit together.
//!
//! A length that a peer or a disk hands in is compared with these before anything is allocated.

/// Body of a frame before compression at which the writer closes it, in bytes.
pub const FRAME_CLOSE_BYTES: usize = 1 << 20;
/// Body of a frame before compression that a reader accepts at the most, in bytes.
pub const FRAME_RAW_BYTES_MAX: usize = 2 << 20;
/// Body of a frame after compression that a reader accepts at the most, in bytes.
pub const FRAME_ENCODED_BYTES_MAX: usize = FRAME_RAW_BYTES_MAX + (64 << 10);
/// Envelopes in one frame at the most.
pub const FRAME_ENVELOPES_MAX: usize = 1 << ENVELOPE_INDEX_BITS;
/// Content that one envelope carries at the most, in bytes; a larger resource travels as parts.
pub const ENVELOPE_CONTENT_BYTES_MAX: usize = 960 << 10;
/// Everything else of one envelope (path, attributes, redactions) at the most, in bytes.
pub const ENVELOPE_META_BYTES_MAX: usize = 512 << 10;
/// A sanitized path, URL or reference name at the most, in bytes.
pub const PATH_BYTES_MAX: usize = 16 << 10;
/// Attributes of one resource at the most.
pub const ATTRIBUTES_MAX: usize = 64;
/// One attribute's value at the most, in bytes.
pub const ATTRIBUTE_BYTES_MAX: usize = 4 << 10;
/// Distinct redaction rules counted for one resource at the most.
pub const REDACTION_COUNTS_MAX: usize = 2_048;
/// Spans that a policy keeps on purpose, in one envelope, at the most.
pub const KEPT_SPANS_MAX: usize = 4_096;
/// Entries of one snapshot-end envelope at the most; a longer manifest takes several.
pub const SNAPSHOT_ENTRIES_MAX: usize = 8_192;
/// A whole resource, over all its parts, at the most, in bytes.
pub const RESOURCE_BYTES_MAX: u64 = 4 << 30;
/// Parts of one resource at the most.
pub const PARTS_MAX: u32 = 1 << 14;

/// One control message at the most, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 256 << 10;
/// Lanes that one session resumes at the most.
pub const SESSION_LANES_MAX: usize = 8;
/// Frames of a lane in flight (sent, not acknowledged) at the most.
pub const WINDOW_FRAMES_MAX: u64 = 256;
/// Bytes of a lane in flight at the most, unless one frame alone is larger.
pub const WINDOW_BYTES_MAX: u64 = 16 << 20;
/// What one record of a TLS stream over TCP carries at the most, in bytes; with its head it fits one TLS record.
pub const RECORD_BYTES_MAX: usize = (16 << 10) - 8;
/// What may be under way in one lane over TCP before its receiver has taken it, in bytes.
pub const LANE_ROOM_BYTES: u32 = 1 << 20;
/// A text in a control message (reason, name, version) at the most, in bytes.
pub const TEXT_BYTES_MAX: usize = 1 << 10;

/// A bundle's header or trailer at the most, in bytes.
pub const BUNDLE_PART_BYTES_MAX: usize = 64 << 10;

/// A tenant's name at the most, in bytes.
pub const TENANT_BYTES_MAX: usize = 32;
/// A source's name at the most, in bytes.
pub const SOURCE_NAME_BYTES_MAX: usize = 256;

/// Bits of a version that hold the generation.
pub const GENERATION_BITS: u32 = 11;
/// Bits of a version that hold the sequence number.
pub const SEQ_BITS: u32 = 38;
/// Bits of a version that hold the index within the frame.
pub const ENVELOPE_INDEX_BITS: u32 = 14;
/// Largest sequence number.
pub const SEQ_MAX: u64 = (1 << SEQ_BITS) - 1;
/// Largest generation.
pub const GENERATION_MAX: u64 = (1 << GENERATION_BITS) - 1;

// A version must stay positive in engines whose integers are signed.
const _: () = assert!(GENERATION_BITS + SEQ_BITS + ENVELOPE_INDEX_BITS == 63);
// A frame that is closed at its limit and then takes one largest envelope still fits a reader.
const _: () = assert!(ENVELOPE_CONTENT_BYTES_MAX + ENVELOPE_META_BYTES_MAX <= FRAME_RAW_BYTES_MAX);
const _: () = assert!(FRAME_CLOSE_BYTES <= FRAME_RAW_BYTES_MAX);
// zstd's worst case on incompressible input: n + n/256 + 64 KiB covers it.
const _: () = assert!(FRAME_RAW_BYTES_MAX + FRAME_RAW_BYTES_MAX / 256 + 512 <= FRAME_ENCODED_BYTES_MAX);
// Parts of the largest resource fit their counter.
const _: () = assert!(RESOURCE_BYTES_MAX / (ENVELOPE_CONTENT_BYTES_MAX as u64) < PARTS_MAX as u64);
const _: () = assert!(SNAPSHOT_ENTRIES_MAX * 80 <= FRAME_RAW_BYTES_MAX);
const _: () =
    assert!(PATH_BYTES_MAX + ATTRIBUTES_MAX * (ATTRIBUTE_BYTES_MAX + 64) <= ENVELOPE_META_BYTES_MAX);
const _: () = assert!(RECORD_BYTES_MAX + 3 <= 16 << 10 && RECORD_BYTES_MAX <= u16::MAX as usize);
const _: () = assert!(LANE_ROOM_BYTES as usize >= 4 * RECORD_BYTES_MAX);
const _: () = assert!(WINDOW_BYTES_MAX as usize >= FRAME_ENCODED_BYTES_MAX);
// At 10,000 frames a second a lane's numbers last for 300 days; a new epoch begins at 0 again.
const _: () = assert!(SEQ_MAX / 10_000 / 86_400 >= 300);
