//! Bundles: frames that are carried by hand, signed by the agent that made them, for one hub.
//!
//! | bytes | field |
//! | --- | --- |
//! | 8 | magic `CBUNDLE1` |
//! | 4 | length of the header (little-endian, as all) |
//! | … | header: bincode of [`Head`] |
//! | … | frames as in [`crate::frame`], one behind the other |
//! | 4 | `CEND` |
//! | 4 | length of the trailer |
//! | … | trailer: bincode of [`Trailer`], which holds BLAKE3 of everything before `CEND` |
//! | 64 | signature over [`signed_bytes`]: ECDSA on P-256 with SHA-256, r then s |
//!
//! [`Reader`] takes the bytes piece by piece, as many as it says, and hands out what they hold; no length is believed before it
//! is compared with its limit. Only once [`Item::End`] came and its signature was checked is anything in the bundle to
//! be acted upon: whoever stores frames reads a bundle twice.

use bincode::{Decode, Encode};

use crate::encoding;
use crate::frame::{self, FrameError, HEADER_BYTES, Header};
use crate::ids::{AgentId, ContentHash, Lane, Seq, Signature};
use crate::limits;
use crate::receipt::LedgerHead;

/// First bytes of every bundle.
pub const MAGIC: [u8; 8] = *b"CBUNDLE1";
const END_MARK: [u8; 4] = *b"CEND";

/// Who made a bundle, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Head {
    /// Whose data.
    pub tenant: String,
    /// Whose frames.
    pub agent: AgentId,
    /// In which of the agent's lives.
    pub epoch: u32,
    /// The hub: hash of its CA's certificate, as in a join token.
    pub hub: ContentHash,
    /// The agent's certificate, then what leads to the CA, DER each.
    pub chain_der: Vec<Vec<u8>>,
    /// When, by the agent's clock, Unix milliseconds; for people.
    pub at_ms: i64,
}

/// What a bundle holds, and its hash.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Trailer {
    /// Frames.
    pub frames: u64,
    /// Those of each lane, in the lanes' order.
    pub lanes: Vec<Span>,
    /// The end of the agent's ledger, with the rows of these frames before it.
    pub ledger: LedgerHead,
    /// BLAKE3 of everything before the trailer's mark.
    pub content: ContentHash,
}

/// A lane's frames in a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Span {
    /// Which lane.
    pub lane: Lane,
    /// The first frame's number.
    pub first: Seq,
    /// The last number that is stood for.
    pub last: Seq,
    /// Hash of the last frame.
    pub hash: ContentHash,
}

/// Why bytes are no bundle; nothing in it is to be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The first bytes are no magic.
    #[error("not a bundle of format version 1")]
    Magic,
    /// A length is past its limit.
    #[error("the bundle's {0} is past its limit")]
    Limit(&'static str),
    /// A part is no valid encoding.
    #[error("the bundle's {0} can't be decoded")]
    Encoding(&'static str),
    /// Something else than a frame or the trailer.
    #[error("the bundle is damaged after {0} frames")]
    Mark(u64),
    /// A frame is none.
    #[error("frame {number} of the bundle: {cause}")]
    Frame {
        /// From 1.
        number: u64,
        /// What is wrong with it.
        cause: FrameError,
    },
    /// A frame is not of the agent, tenant or epoch that the header names.
    #[error("frame {0} of the bundle is not of the agent, tenant or epoch that its header names")]
    Foreign(u64),
    /// The trailer tells of other frames than those there are.
    #[error("the bundle's trailer tells of other content than it holds: it was changed or cut")]
    Content,
}

/// Writes a bundle's parts; what it answers is to be written in the order of the calls.
#[derive(Debug)]
pub struct Writer {
    content: blake3::Hasher,
    spans: Spans,
}

/// Reads a bundle piece by piece.
#[derive(Debug)]
pub struct Reader {
    step: Step,
    content: blake3::Hasher,
    head: Option<Head>,
    spans: Spans,
}

/// What a piece held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// Nothing whole yet.
    More,
    /// The header; who made the bundle is known once its end was checked.
    Head(Head),
    /// A frame whose hashes are right.
    Frame(Header, ContentHash, Vec<u8>),
    /// The end; the bundle is whole if the signature is right.
    End(Trailer, Signature),
}

#[derive(Debug)]
enum Step {
    Prefix,
    Head(usize),
    Mark,
    FrameHead([u8; 4]),
    FrameBody(Vec<u8>, usize),
    TrailerLength,
    Trailer(usize),
    Signature(Trailer),
    End,
}

#[derive(Debug, Default)]
struct Spans {
    frames: u64,
    lanes: Vec<Span>,
}

/// What the agent signs.
pub fn signed_bytes(trailer: &Trailer) -> Vec<u8> {
    [&b"certus bundle 1\n"[..], &encoding::encode(trailer)].concat()
}

impl Writer {
    /// A bundle that begins with these bytes.
    pub fn new(head: &Head) -> (Self, Vec<u8>) {
        let bytes = [&MAGIC[..], &prefixed(&encoding::encode(head))].concat();
        let mut content = blake3::Hasher::new();
        content.update(&bytes);
        (Self { content, spans: Spans::default() }, bytes)
    }

    /// The frame `bytes` with this header follows.
    pub fn frame(&mut self, header: &Header, hash: ContentHash, bytes: &[u8]) {
        self.content.update(bytes);
        self.spans.note(header, hash);
    }

    /// Frames so far.
    pub fn frames(&self) -> u64 {
        self.spans.frames
    }

    /// The hash of everything so far.
    pub fn content(&self) -> ContentHash {
        ContentHash(*self.content.finalize().as_bytes())
    }

    /// No frame follows; `ledger` has their rows.
    pub fn trailer(self, ledger: LedgerHead) -> Trailer {
        let content = self.content();
        Trailer { frames: self.spans.frames, lanes: self.spans.lanes, ledger, content }
    }
}

/// The bundle's last bytes.
pub fn sealed(trailer: &Trailer, signature: Signature) -> Vec<u8> {
    [&END_MARK[..], &prefixed(&encoding::encode(trailer)), &signature.0].concat()
}

impl Default for Reader {
    fn default() -> Self {
        Self { step: Step::Prefix, content: blake3::Hasher::new(), head: None, spans: Spans::default() }
    }
}

impl Reader {
    /// How many bytes [`Reader::feed`] wants next; 0 at the end, where no byte must follow.
    pub fn need(&self) -> usize {
        match &self.step {
            Step::Prefix => MAGIC.len() + 4,
            Step::Head(length) | Step::Trailer(length) | Step::FrameBody(_, length) => *length,
            Step::Mark | Step::TrailerLength => 4,
            Step::FrameHead(_) => HEADER_BYTES - 4,
            Step::Signature(_) => 64,
            Step::End => 0,
        }
    }

    /// Takes the next bytes, exactly [`Reader::need`].
    ///
    /// # Errors
    /// See [`BundleError`].
    ///
    /// # Panics
    /// Where it is handed another number of bytes.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Item, BundleError> {
        assert_eq!(bytes.len(), self.need(), "a reader is fed what it needs");
        let of_content =
            matches!(self.step, Step::Prefix | Step::Head(_) | Step::FrameHead(_) | Step::FrameBody(..));
        if of_content {
            self.content.update(bytes);
        }
        let step = std::mem::replace(&mut self.step, Step::End);
        let (step, item) = match step {
            Step::Prefix => {
                let rest = bytes.strip_prefix(&MAGIC).ok_or(BundleError::Magic)?;
                (Step::Head(length_of(rest, "header")?), Item::More)
            }
            Step::Head(_) => {
                let head: Head = decoded(bytes, "header")?;
                self.head = Some(head.clone());
                (Step::Mark, Item::Head(head))
            }
            Step::Mark => (self.mark(bytes)?, Item::More),
            Step::FrameHead(mark) => {
                let whole = [&mark[..], bytes].concat();
                let header = Header::parse(&whole).map_err(|cause| self.wrong_frame(cause))?;
                let body = header.encoded_bytes as usize;
                (Step::FrameBody(whole, body), Item::More)
            }
            Step::FrameBody(mut whole, _) => {
                whole.extend_from_slice(bytes);
                (Step::Mark, self.frame(whole)?)
            }
            Step::TrailerLength => (Step::Trailer(length_of(bytes, "trailer")?), Item::More),
            Step::Trailer(_) => (Step::Signature(self.trailer(decoded(bytes, "trailer")?)?), Item::More),
            Step::Signature(trailer) => {
                let signature = Signature(std::array::from_fn(|i| bytes[i]));
                (Step::End, Item::End(trailer, signature))
            }
            Step::End => (Step::End, Item::More),
        };
        self.step = step;
        Ok(item)
    }

    fn mark(&mut self, bytes: &[u8]) -> Result<Step, BundleError> {
        if bytes == END_MARK {
            return Ok(Step::TrailerLength);
        }
        if bytes != frame::MAGIC {
            return Err(BundleError::Mark(self.spans.frames));
        }
        self.content.update(bytes);
        Ok(Step::FrameHead(frame::MAGIC))
    }

    fn frame(&mut self, bytes: Vec<u8>) -> Result<Item, BundleError> {
        let (header, _) = frame::split(&bytes).map_err(|cause| self.wrong_frame(cause))?;
        let hash = frame::hash(&bytes);
        let ours = self.head.as_ref().is_some_and(|head| {
            head.tenant == header.tenant.as_str()
                && head.agent == header.agent
                && head.epoch == header.epoch.0
        });
        if !ours {
            return Err(BundleError::Foreign(self.spans.frames + 1));
        }
        self.spans.note(&header, hash);
        Ok(Item::Frame(header, hash, bytes))
    }

    fn trailer(&self, trailer: Trailer) -> Result<Trailer, BundleError> {
        let content = ContentHash(*self.content.finalize().as_bytes());
        let told = (trailer.content, trailer.frames, &trailer.lanes);
        if told == (content, self.spans.frames, &self.spans.lanes) {
            Ok(trailer)
        } else {
            Err(BundleError::Content)
        }
    }

    fn wrong_frame(&self, cause: FrameError) -> BundleError {
        BundleError::Frame { number: self.spans.frames + 1, cause }
    }
}

impl Spans {
    fn note(&mut self, header: &Header, hash: ContentHash) {
        self.frames += 1;
        match self.lanes.iter_mut().find(|span| span.lane == header.lane) {
            Some(span) => (span.last, span.hash) = (header.through, hash),
            None => {
                let (lane, first, last) = (header.lane, header.seq, header.through);
                self.lanes.push(Span { lane, first, last, hash });
                self.lanes.sort_by_key(|span| span.lane);
            }
        }
    }
}

fn prefixed(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_le_bytes()[..], bytes].concat()
}

fn length_of(bytes: &[u8], what: &'static str) -> Result<usize, BundleError> {
    let length = bytes.first_chunk::<4>().map_or(usize::MAX, |four| u32::from_le_bytes(*four) as usize);
    if length <= limits::BUNDLE_PART_BYTES_MAX { Ok(length) } else { Err(BundleError::Limit(what)) }
}

fn decoded<T: Decode<()>>(bytes: &[u8], what: &'static str) -> Result<T, BundleError> {
    encoding::decode::<_, { 2 * limits::BUNDLE_PART_BYTES_MAX }>(bytes).ok_or(BundleError::Encoding(what))
}
