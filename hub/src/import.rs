//! Taking in a bundle that was carried by hand: what came over the wire meanwhile is stored once.
//!
//! A bundle is read twice: first whole, up to its signature, which must be by a key that this hub's CA once certified for the
//! agent (by key, not by date); then frame by frame through the same session machine and into the same store as on
//! the wire. So a bundle that was changed, or is for another hub, stores nothing; and one whose frames do not fit behind
//! what is stored says so.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use certus_protocol::bundle::{self, BundleError, Head, Item, Reader, Trailer};
use certus_protocol::frame::Header;
use certus_protocol::ids::{AgentId, ContentHash, Epoch, KeyId, Lane, PolicyHash, Signature};
use certus_protocol::message::{
    Goodbye, Hello, Message, Nack, NackReason, WIRE_VERSION_MAX, WIRE_VERSION_MIN,
};
use certus_protocol::receipt::Receipt;
use certus_protocol::session::HubSession;
use certus_protocol::session::hub::{Action, Peer};

use crate::authority::Authority;
use crate::raw::LaneId;
use crate::receipts::Stands;
use crate::receive::Receive;
use crate::state::StateError;

/// What was taken in.
#[derive(Debug)]
pub struct Imported {
    /// Whose frames.
    pub agent: AgentId,
    /// Frames in the bundle.
    pub frames: u64,
    /// Those that were not stored before.
    pub new: u64,
    /// A receipt for each of its lanes.
    pub receipts: Vec<Receipt>,
}

/// Why a bundle was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// It can't be read: nothing was stored.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// It is damaged: nothing was stored.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// Bytes follow its end: nothing was stored.
    #[error("bytes follow the bundle's end")]
    Surplus,
    /// It is for another hub: nothing was stored.
    #[error("the bundle is for another hub (one with CA {0}); this one's CA is {1}")]
    OtherHub(ContentHash, ContentHash),
    /// Nobody known made it: nothing was stored.
    #[error("the bundle's certificate was not issued by this hub for the agent that it names")]
    Unknown,
    /// Its signature is wrong: nothing was stored.
    #[error("the bundle's signature is wrong: it was changed, or not made by the agent that it names")]
    Signature,
    /// The agent is not registered: nothing was stored.
    #[error("agent {0} is not registered here any more")]
    Unregistered(AgentId),
    /// Its epoch is over, or a frame does not fit; what fitted before it is stored.
    #[error("{0}")]
    Refused(String),
    /// The store does not answer: try again.
    #[error(transparent)]
    Store(#[from] StateError),
}

/// Takes in the bundle at `path`.
///
/// # Errors
/// See [`ImportError`].
pub async fn import(receive: &Receive, authority: &Authority, path: &Path) -> Result<Imported, ImportError> {
    let checked = check(authority, path)?;
    let epoch = Epoch(checked.head.epoch);
    let mut session = open(receive, &checked.peer, epoch).await?;
    let (mut held, mut new, mut number) = (HashSet::new(), 0, 0);
    let mut reader = BundleFile::open(path)?;
    while let Some(item) = reader.next()? {
        let Item::Frame(header, hash, bytes) = item else { continue };
        // The file is the one that was checked.
        if checked.frames.get(number) != Some(&hash) {
            return Err(BundleError::Content.into());
        }
        number += 1;
        new += u64::from(session.through(header.lane).is_some_and(|(through, _)| header.through > through));
        let actions = session.frame(&header, hash);
        if !stores(&actions, &header)? {
            continue;
        }
        receive.hold(&header, &mut held).await?;
        let outcome = receive.store(&header, hash, bytes.into()).await;
        let actions = session.stored(&header, hash, outcome);
        stores(&actions, &header)?;
    }
    let lane = |lane| LaneId { tenant: checked.peer.tenant.clone(), agent: checked.peer.agent, epoch, lane };
    let mut stands = Vec::new();
    for span in &checked.trailer.lanes {
        let Some((through, hash)) = session.through(span.lane) else { continue };
        receive.remember(&lane(span.lane), through, hash).await?;
        stands.push(Stands { lane: span.lane, through, hash });
    }
    let (of, head) = (lane(Lane::Bulk), checked.trailer.ledger);
    let receipts = receive.receipts.sign(&of, &stands, head, &receive.metrics).await?;
    Ok(Imported { agent: checked.peer.agent, frames: checked.trailer.frames, new, receipts })
}

struct Checked {
    head: Head,
    peer: Peer,
    trailer: Trailer,
    /// The frames' hashes, in order.
    frames: Vec<ContentHash>,
}

fn check(authority: &Authority, path: &Path) -> Result<Checked, ImportError> {
    let mut reader = BundleFile::open(path)?;
    let (mut known, mut frames, mut end) = (None, Vec::new(), None);
    while let Some(item) = reader.next()? {
        match item {
            Item::Head(head) => {
                let ca = ContentHash::of(authority.ca());
                if head.hub != ca {
                    return Err(ImportError::OtherHub(head.hub, ca));
                }
                let (peer, key) = authority.certified(&head.chain_der).ok_or(ImportError::Unknown)?;
                if peer.agent != head.agent || peer.tenant.as_str() != head.tenant {
                    return Err(ImportError::Unknown);
                }
                known = Some((head, peer, key));
            }
            Item::Frame(_, hash, _) => frames.push(hash),
            Item::End(trailer, signature) => end = Some((trailer, signature)),
            Item::More => {}
        }
    }
    let (Some((head, peer, key)), Some((trailer, signature))) = (known, end) else {
        return Err(BundleError::Content.into());
    };
    is_signed(&key, &trailer, signature)?;
    Ok(Checked { head, peer, trailer, frames })
}

fn is_signed(key: &[u8], trailer: &Trailer, signature: Signature) -> Result<(), ImportError> {
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key);
    key.verify(&bundle::signed_bytes(trailer), &signature.0).map_err(|_| ImportError::Signature)
}

/// A session as the agent would have opened it.
async fn open(receive: &Receive, peer: &Peer, epoch: Epoch) -> Result<HubSession, ImportError> {
    let mut session = HubSession::new(peer.clone(), 0);
    let hello = Hello {
        wire_min: WIRE_VERSION_MIN,
        wire_max: WIRE_VERSION_MAX,
        agent: peer.agent,
        tenant: peer.tenant.to_string(),
        epoch,
        key_id: KeyId([0; 8]),
        policy: PolicyHash([0; 16]),
        program: String::new(),
        now_ms: 0,
    };
    let mut actions = session.message(Message::Hello(hello));
    if actions == [Action::Load(epoch)] {
        let known = receive.known(peer, epoch).await?;
        actions = session.known(known.ok_or(ImportError::Unregistered(peer.agent))?);
    }
    if session.is_open() { Ok(session) } else { Err(ImportError::Refused(said(&actions))) }
}

fn said(actions: &[Action]) -> String {
    let goodbye = actions.iter().find_map(|action| match action {
        Action::Send(Message::Goodbye(Goodbye { detail, .. })) => Some(detail.clone()),
        _ => None,
    });
    goodbye.unwrap_or_else(|| "the bundle does not fit what is stored".to_owned())
}

/// Whether the frame is to be stored.
fn stores(actions: &[Action], header: &Header) -> Result<bool, ImportError> {
    let refused = |what: &str| {
        Err(ImportError::Refused(format!("frame {} of lane {}: {what}", header.seq, header.lane)))
    };
    for action in actions {
        match action {
            Action::Store => return Ok(true),
            Action::Send(Message::Nack(Nack { reason, .. })) => {
                return refused(match reason {
                    NackReason::OutOfOrder => {
                        "frames before it are missing here; import the bundle that holds them first"
                    }
                    NackReason::Fork => "another frame with its number is stored here",
                    NackReason::Retry => "the store does not answer; import the bundle again",
                    NackReason::Damaged | NackReason::NotYours => {
                        "it is not of the agent that made the bundle"
                    }
                });
            }
            Action::End(_) => return refused(&said(actions)),
            _ => {}
        }
    }
    Ok(false)
}

struct BundleFile {
    reader: Reader,
    file: BufReader<File>,
}

impl BundleFile {
    fn open(path: &Path) -> std::io::Result<Self> {
        Ok(Self { reader: Reader::default(), file: BufReader::with_capacity(1 << 20, File::open(path)?) })
    }

    /// The next item; `None` after the end, behind which no byte may stand.
    fn next(&mut self) -> Result<Option<Item>, ImportError> {
        let need = self.reader.need();
        if need == 0 {
            return if self.file.read(&mut [0])? == 0 { Ok(None) } else { Err(ImportError::Surplus) };
        }
        let mut bytes = vec![0; need];
        self.file.read_exact(&mut bytes).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => ImportError::Bundle(BundleError::Content),
            _ => error.into(),
        })?;
        Ok(Some(self.reader.feed(&bytes)?))
    }
}
