//! How one stream of bytes (TLS over TCP) carries what QUIC has streams for: control messages both ways, and the
//! agent's lanes. It knows records and whose turn it is; who reads and writes bytes is the driver's matter.
//!
//! | offset | bytes | field of a record |
//! | --- | --- | --- |
//! | 0 | 1 | kind: 0 control, 1 the interactive lane, 2 the bulk lane; 0x81 and 0x82 give room to these lanes |
//! | 1 | 2 | length of what follows (little-endian), at most [`limits::RECORD_BYTES_MAX`] |
//! | 3 | … | the stream's next bytes; where room is given, how many bytes more may be sent (u32, little-endian) |
//!
//! Control is never held back. A lane begins with room for [`limits::LANE_ROOM_BYTES`]; who receives gives back what it
//! took, so that a lane that waits for its store holds up neither the other lane nor control, and a peer that sends past
//! its room is sent away. A control record without bytes says that the sender is there; the hub answers it in kind.

use crate::ids::Lane;
use crate::limits;

/// Bytes before a record's content.
pub const RECORD_HEAD_BYTES: usize = 3;
/// So many records of the interactive lane go before one of the bulk lane, where both have some.
const INTERACTIVE_IN_A_ROW: u32 = 7;
const GIVES_ROOM: u8 = 0x80;

/// What a record carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record<'a> {
    /// The control stream's next bytes; none: the sender is there.
    Control(&'a [u8]),
    /// A lane's next bytes.
    Lane(Lane, &'a [u8]),
    /// So many bytes more may be sent in this lane.
    Room(Lane, u32),
}

/// Why bytes are no record; the connection must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MuxError {
    /// A kind that is not known.
    #[error("record of unknown kind {0:#04x}")]
    Kind(u8),
    /// A length that no such record has.
    #[error("record of {0} bytes, where at most {max} may come", max = limits::RECORD_BYTES_MAX)]
    Length(usize),
    /// More than there was room for.
    #[error("the {0} lane was sent past its room")]
    Room(Lane),
}

/// Reads one record from the start of `bytes`, and how many bytes it took; `None` where it is not all there yet.
///
/// # Errors
/// The bytes are no record.
pub fn parse(bytes: &[u8]) -> Result<Option<(Record<'_>, usize)>, MuxError> {
    let Some([kind, low, high]) = bytes.first_chunk::<RECORD_HEAD_BYTES>().copied() else { return Ok(None) };
    let length = usize::from(u16::from_le_bytes([low, high]));
    let lane = match kind & !GIVES_ROOM {
        0 if kind == 0 => None,
        byte @ 1.. => Some(Lane::from_byte(byte - 1).ok_or(MuxError::Kind(kind))?),
        _ => return Err(MuxError::Kind(kind)),
    };
    let room = kind & GIVES_ROOM != 0;
    let right = if room { length == 4 } else { length <= limits::RECORD_BYTES_MAX };
    if !right || (lane.is_some() && length == 0) {
        return Err(MuxError::Length(length));
    }
    let Some(content) = bytes.get(RECORD_HEAD_BYTES..RECORD_HEAD_BYTES + length) else { return Ok(None) };
    let record = match (lane, content.first_chunk::<4>()) {
        (None, _) => Record::Control(content),
        (Some(lane), Some(more)) if room => Record::Room(lane, u32::from_le_bytes(*more)),
        (Some(lane), _) => Record::Lane(lane, content),
    };
    Ok(Some((record, RECORD_HEAD_BYTES + length)))
}

/// Appends the control stream's next bytes, in as many records as they need; none: says that the sender is there.
pub fn put_control(bytes: &[u8], out: &mut Vec<u8>) {
    if bytes.is_empty() {
        put(0, bytes, out);
    }
    bytes.chunks(limits::RECORD_BYTES_MAX).for_each(|chunk| put(0, chunk, out));
}

/// Appends one record of a lane.
///
/// # Panics
/// `bytes` are none, or more than one record holds.
pub fn put_lane(lane: Lane, bytes: &[u8], out: &mut Vec<u8>) {
    assert!(!bytes.is_empty() && bytes.len() <= limits::RECORD_BYTES_MAX, "a lane's record has its bounds");
    put(lane as u8 + 1, bytes, out);
}

/// Appends a record that lets the peer send so many bytes more in `lane`.
pub fn put_room(lane: Lane, more: u32, out: &mut Vec<u8>) {
    put((lane as u8 + 1) | GIVES_ROOM, &more.to_le_bytes(), out);
}

fn put(kind: u8, content: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(&(content.len() as u16).to_le_bytes());
    out.extend_from_slice(content);
}

/// Whose turn it is: the interactive lane's, as a rule, but the bulk lane always gets its share.
#[derive(Debug, Clone, Copy, Default)]
pub struct Turns {
    in_a_row: u32,
}

impl Turns {
    /// The lane that sends the next record, of those that can.
    pub fn next(&mut self, can: impl Fn(Lane) -> bool) -> Option<Lane> {
        let lane = match (can(Lane::Interactive), can(Lane::Bulk)) {
            (false, false) => return None,
            (true, true) if self.in_a_row >= INTERACTIVE_IN_A_ROW => Lane::Bulk,
            (true, _) => Lane::Interactive,
            (false, true) => Lane::Bulk,
        };
        self.in_a_row = if lane == Lane::Interactive { self.in_a_row + 1 } else { 0 };
        Some(lane)
    }
}
