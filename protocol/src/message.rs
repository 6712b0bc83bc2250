//! What agent and hub say to each other beside frames, on a session's control stream.
//!
//! On the wire a message is: length of what follows (u32, little-endian), tag (u16), body (bincode
//! of the message's struct). The length is checked before anything is allocated. A tag that the
//! reader does not know is skipped when its highest bit is set ("may be ignored"), else the
//! session ends with [`GoodbyeReason::UnknownMessage`]: that is the defined answer to the unknown.
//!
//! Frames travel on one unidirectional stream for each lane, one behind the other; a frame tells its own length.

use bincode::{Decode, Encode};

use crate::encoding;
use crate::ids::{AgentId, ContentHash, Epoch, KeyId, Lane, PolicyHash, Seq};
use crate::limits;
use crate::receipt::{LedgerHead, Receipt};

/// The lowest version of the wire format that this code speaks.
pub const WIRE_VERSION_MIN: u16 = 1;
/// The highest.
pub const WIRE_VERSION_MAX: u16 = 1;
/// ALPN of a session.
pub const ALPN_SESSION: &[u8] = b"certus/1";
/// ALPN of an enrolment, where the client has no certificate yet.
pub const ALPN_ENROLL: &[u8] = b"certus-enroll/1";

const MAY_IGNORE: u16 = 0x8000;

/// A control message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Agent: opens the session.
    Hello(Hello),
    /// Hub: accepts it and says where to go on.
    Welcome(Welcome),
    /// Hub: everything through here is durable in `raw/`.
    Ack(Ack),
    /// Hub: a frame was not taken.
    Nack(Nack),
    /// Hub: how much may be in flight.
    Credit(Credit),
    /// Hub: what it knows of the policy in force.
    Policy(Policy),
    /// Both: the session ends, and why.
    Goodbye(Goodbye),
    /// Hub: what it stored, signed. Repeats the last ones when a session opens, then answers [`Message::Ledger`].
    Receipt(Receipt),
    /// Agent: how its egress ledger stands; asks for receipts.
    Ledger(LedgerReport),
}

/// Opens a session.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Hello {
    /// Lowest wire version that the agent speaks.
    pub wire_min: u16,
    /// Highest.
    pub wire_max: u16,
    /// Who; must agree with the certificate.
    pub agent: AgentId,
    /// For whom; must agree with the certificate.
    pub tenant: String,
    /// Its current life.
    pub epoch: Epoch,
    /// The pseudonym key in use.
    pub key_id: KeyId,
    /// The policy in use.
    pub policy: PolicyHash,
    /// The program's version, for people.
    pub program: String,
    /// The agent's clock, Unix milliseconds; only to report the offset.
    pub now_ms: i64,
}

/// Accepts a session.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Welcome {
    /// The wire version chosen.
    pub wire: u16,
    /// The lowest epoch that the hub accepts from this agent; a lower one must be left.
    pub epoch_min: Epoch,
    /// For each lane of the agent's epoch, the last frame stored.
    pub lanes: Vec<LaneResume>,
    /// How much may be in flight in each lane.
    pub credit: Credit,
    /// The hub's clock, Unix milliseconds; only to report the offset.
    pub now_ms: i64,
    /// The hub's version, for people.
    pub program: String,
}

/// Where a lane goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct LaneResume {
    /// Which lane.
    pub lane: Lane,
    /// Everything through here is stored; 0 for nothing.
    pub through: Seq,
    /// Hash of the last frame stored; zero for nothing.
    pub hash: ContentHash,
}

/// Everything of a lane through `through` is durable in `raw/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Ack {
    /// Which lane.
    pub lane: Lane,
    /// Contiguous.
    pub through: Seq,
    /// Hash of the frame that ends at `through`, so that a receipt can't be about other data.
    pub hash: ContentHash,
}

/// A frame was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Nack {
    /// Which lane.
    pub lane: Lane,
    /// Which frame.
    pub seq: Seq,
    /// What the agent should do.
    pub reason: NackReason,
    /// More for people; never holds content.
    pub detail: String,
}

/// Why a frame was not taken, and what the agent should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum NackReason {
    /// The store does not answer now: send again from here, after a pause.
    Retry,
    /// Frames are missing before this one: send again from the last ack.
    OutOfOrder,
    /// Another frame with this number is stored: open a new epoch, number again what is not acknowledged.
    Fork,
    /// The bytes are no valid frame: send again once, then report.
    Damaged,
    /// The frame is not this agent's or not this tenant's: stop.
    NotYours,
}

/// How much may be in flight in each lane, counted from the last ack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Credit {
    /// Frames; 0 pauses.
    pub frames: u32,
    /// Bytes.
    pub bytes: u64,
}

/// What the hub knows of the policy in force.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Policy {
    /// The policy that the tenant expects; an agent with another reports it.
    pub expected: PolicyHash,
    /// The pseudonym key that the tenant's sources are known by.
    pub key_id: KeyId,
}

/// The session ends.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Goodbye {
    /// Why.
    pub reason: GoodbyeReason,
    /// More for people; never holds content.
    pub detail: String,
}

/// How the agent's egress ledger stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct LedgerReport {
    /// Its end.
    pub head: LedgerHead,
    /// What it holds at the line that the hub's last receipt names: a hub that finds another hash than
    /// its receipt's, or fewer lines, knows that the ledger was cut or rewritten. None before any receipt.
    pub receipted: Option<LedgerHead>,
}

/// Why a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum GoodbyeReason {
    /// The process stops; come back.
    Shutdown,
    /// No common wire version.
    Version,
    /// Certificate and Hello or frame disagree, or the certificate is revoked.
    Identity,
    /// The agent's epoch is below the lowest accepted: open a new one.
    Epoch,
    /// A pseudonym key that the source is not known by, with no rotation announced.
    Key,
    /// The other side broke the protocol.
    Protocol,
    /// A message with an unknown tag that must not be ignored.
    UnknownMessage,
    /// Nothing was heard for too long.
    Silence,
}

/// What [`decode`] found at the start of the bytes.
#[expect(clippy::large_enum_variant, reason = "taken apart at once, never kept")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    /// A message and how many bytes it took.
    Message(Message, usize),
    /// A message that may be ignored, and how many bytes it took.
    Ignored(usize),
    /// The message is not all there yet; so many bytes are needed at the least.
    Need(usize),
}

/// Why bytes are no message; the session ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Longer than any message may be.
    #[error("control message of {0} bytes is past the limit of {max}", max = limits::MESSAGE_BYTES_MAX)]
    TooLong(usize),
    /// Shorter than its tag.
    #[error("control message without a tag")]
    NoTag,
    /// A tag that is not known and must not be ignored.
    #[error("control message with unknown tag {0:#06x}")]
    UnknownTag(u16),
    /// The body is no valid encoding.
    #[error("control message {0:#06x} can't be decoded")]
    Encoding(u16),
    /// A field is past its limit.
    #[error("control message's {0} is past its limit")]
    Limit(&'static str),
}

impl Message {
    /// The message as it travels.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Hello(body) => framed(1, body),
            Self::Welcome(body) => framed(2, body),
            Self::Ack(body) => framed(3, body),
            Self::Nack(body) => framed(4, body),
            Self::Credit(body) => framed(5, body),
            Self::Policy(body) => framed(6, body),
            Self::Goodbye(body) => framed(7, body),
            Self::Receipt(body) => framed(8, body),
            Self::Ledger(body) => framed(16, body),
        }
    }

    fn check(&self) -> Result<(), MessageError> {
        let text = |text: &str| {
            if text.len() <= limits::TEXT_BYTES_MAX { Ok(()) } else { Err(MessageError::Limit("text")) }
        };
        match self {
            Self::Hello(hello) => {
                text(&hello.program)?;
                text(&hello.tenant)
            }
            Self::Welcome(welcome) if welcome.lanes.len() > limits::SESSION_LANES_MAX => {
                Err(MessageError::Limit("lanes"))
            }
            Self::Welcome(welcome) => text(&welcome.program),
            Self::Nack(nack) => text(&nack.detail),
            Self::Goodbye(goodbye) => text(&goodbye.detail),
            Self::Receipt(receipt) => text(&receipt.statement.tenant),
            Self::Ack(_) | Self::Credit(_) | Self::Policy(_) | Self::Ledger(_) => Ok(()),
        }
    }
}

/// Reads one message from the start of `bytes`.
///
/// # Errors
/// The bytes are no message; the session must end.
pub fn decode(bytes: &[u8]) -> Result<Decoded, MessageError> {
    let Some(prefix) = bytes.first_chunk::<4>() else { return Ok(Decoded::Need(4)) };
    let length = u32::from_le_bytes(*prefix) as usize;
    if length > limits::MESSAGE_BYTES_MAX {
        return Err(MessageError::TooLong(length));
    }
    let Some(content) = bytes.get(4..4 + length) else { return Ok(Decoded::Need(4 + length)) };
    let Some((tag, body)) = content.split_first_chunk::<2>() else { return Err(MessageError::NoTag) };
    let tag = u16::from_le_bytes(*tag);
    let message = match tag {
        1 => Message::Hello(body_of(tag, body)?),
        2 => Message::Welcome(body_of(tag, body)?),
        3 => Message::Ack(body_of(tag, body)?),
        4 => Message::Nack(body_of(tag, body)?),
        5 => Message::Credit(body_of(tag, body)?),
        6 => Message::Policy(body_of(tag, body)?),
        7 => Message::Goodbye(body_of(tag, body)?),
        8 => Message::Receipt(body_of(tag, body)?),
        16 => Message::Ledger(body_of(tag, body)?),
        _ if tag & MAY_IGNORE != 0 => return Ok(Decoded::Ignored(4 + length)),
        _ => return Err(MessageError::UnknownTag(tag)),
    };
    message.check()?;
    Ok(Decoded::Message(message, 4 + length))
}

fn framed(tag: u16, body: &impl Encode) -> Vec<u8> {
    let body = encoding::encode(body);
    let mut bytes = Vec::with_capacity(6 + body.len());
    bytes.extend_from_slice(&(body.len() as u32 + 2).to_le_bytes());
    bytes.extend_from_slice(&tag.to_le_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

fn body_of<T: Decode<()>>(tag: u16, bytes: &[u8]) -> Result<T, MessageError> {
    encoding::decode::<_, { 2 * limits::MESSAGE_BYTES_MAX }>(bytes).ok_or(MessageError::Encoding(tag))
}
