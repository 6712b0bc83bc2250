//! Making a bundle of what is in the spool, to be carried by hand where no link is (`certus_protocol::bundle`).
//!
//! Works beside a running agent: segments are only read, and the ledger takes turns. Every frame's row stands in the ledger, on the
//! disk, before the frame is written to the bundle, and the bundle itself before it is complete. All frames of the
//! present epoch go in, acknowledged or not: what the hub has already, it takes once.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use certus_protocol::bundle::{self, Head, Trailer, Writer};
use certus_protocol::ids::{ContentHash, Epoch, Lane, Seq, Signature};
use certus_protocol::ledger::{BundleRow, Event};
use rustls::pki_types::PrivateKeyDer;

use crate::identity::Identity;
use crate::ledger::{Ledger, LedgerError};
use crate::spool::disk::Folder;
use crate::spool::segment::{Pointer, Segments};
use crate::spool::{Stored, epoch};

/// Frames recorded in the ledger together, in bytes.
const GROUP_BYTES: u32 = 4 << 20;

/// Where the frames are.
pub struct Spooled {
    /// The spool's segments.
    pub segments: Segments,
    /// The folder that holds the agent's epoch.
    pub epoch_dir: PathBuf,
    /// Only this lane.
    pub lane: Option<Lane>,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    /// Frames.
    pub frames: u64,
    /// The bundle's length.
    pub bytes: u64,
}

/// Why no bundle was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The spool can't be read.
    #[error("the spool can't be read: {0}")]
    Spool(io::Error),
    /// There is nothing to carry.
    #[error("the spool holds no frame")]
    Empty,
    /// A frame is gone that was there: the hub acknowledged it meanwhile; make the bundle again.
    #[error(
        "frame {1} of lane {0} can't be read any more; make the bundle again, or check `certus-agent spool verify`"
    )]
    Gone(Lane, Seq),
    /// The ledger can't be written: nothing may leave.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The agent's key is of a kind that signs no bundles.
    #[error("the agent's key can't sign a bundle: it must be a key on P-256")]
    Key,
    /// The bundle can't be written.
    #[error("{path}: {cause}")]
    Out {
        /// Where.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
}

/// Writes the bundle to `out`, which appears whole or not at all.
///
/// # Errors
/// See [`BundleError`].
pub fn export(
    spooled: &Spooled,
    identity: &Identity,
    ledger: &mut Ledger,
    out: &Path,
    at_ms: i64,
) -> Result<Exported, BundleError> {
    let failed = |cause| BundleError::Out { path: out.to_owned(), cause };
    let signer = signer(identity)?;
    let (epoch, lanes) = frames(spooled)?;
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut draft =
        BufWriter::with_capacity(1 << 20, tempfile::NamedTempFile::new_in(folder).map_err(failed)?);
    let hub = ContentHash::of(identity.roots.first().ok_or(BundleError::Key)?);
    let chain_der = identity.chain.iter().map(|der| der.to_vec()).collect();
    let (tenant, agent) = (identity.tenant.to_string(), identity.agent);
    let (mut writer, begin) = Writer::new(&Head { tenant, agent, epoch: epoch.0, hub, chain_der, at_ms });
    draft.write_all(&begin).map_err(failed)?;
    for (lane, pointers) in &lanes {
        let pointers: Vec<(Seq, Pointer)> = pointers.iter().map(|(seq, pointer)| (*seq, *pointer)).collect();
        let mut left = pointers.as_slice();
        while !left.is_empty() {
            let (group, rest) = left.split_at(group_of(left));
            left = rest;
            let stored = read(&spooled.segments, *lane, group)?;
            ledger.record(&stored)?;
            for frame in stored {
                writer.frame(&frame.header, frame.hash, &frame.bytes);
                draft.write_all(&frame.bytes).map_err(failed)?;
            }
        }
    }
    let frames = writer.frames();
    ledger.note(Event::Bundle(BundleRow { at_ms, hub, frames, content: writer.content() }))?;
    let trailer = writer.trailer(ledger.head());
    draft.write_all(&bundle::sealed(&trailer, sign(&signer, &trailer)?)).map_err(failed)?;
    let draft = draft.into_inner().map_err(|error| failed(error.into_error()))?;
    draft.as_file().sync_all().map_err(failed)?;
    let file = draft.persist(out).map_err(|error| failed(error.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(Exported { frames, bytes: file.metadata().map_err(failed)?.len() })
}

/// Where frames lie, by lane and number.
type Lanes = BTreeMap<Lane, BTreeMap<Seq, Pointer>>;

/// The frames of the present epoch by lane and number. What was written and never accepted may still lie in a segment, before
/// what took its number.
fn frames(spooled: &Spooled) -> Result<(Epoch, Lanes), BundleError> {
    let folder = Folder::open(&spooled.epoch_dir, &[]).map_err(BundleError::Spool)?;
    let epoch = epoch::read(&folder).map_err(BundleError::Spool)?.ok_or(BundleError::Empty)?;
    let mut lanes = Lanes::new();
    for (number, _) in spooled.segments.list().map_err(BundleError::Spool)? {
        let scanned = match spooled.segments.scan(number, u64::MAX) {
            // Everything in it was acknowledged meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other.map_err(BundleError::Spool)?,
        };
        for (header, entry) in scanned.frames {
            let pointer = Pointer { segment: number, entry };
            if header.epoch == epoch && spooled.lane.is_none_or(|lane| lane == header.lane) {
                lanes.entry(header.lane).or_default().insert(header.seq, pointer);
            }
        }
    }
    if lanes.is_empty() { Err(BundleError::Empty) } else { Ok((epoch, lanes)) }
}

/// How many of them are read and recorded together.
fn group_of(left: &[(Seq, Pointer)]) -> usize {
    let mut bytes = 0;
    let fit = left.iter().take_while(|(_, pointer)| {
        bytes += pointer.entry.bytes;
        bytes <= GROUP_BYTES
    });
    fit.count().max(1)
}

fn read(segments: &Segments, lane: Lane, group: &[(Seq, Pointer)]) -> Result<Vec<Stored>, BundleError> {
    let read = |(seq, pointer): &(Seq, Pointer)| {
        segments.read(pointer).map_err(BundleError::Spool)?.ok_or(BundleError::Gone(lane, *seq))
    };
    group.iter().map(read).collect()
}

fn signer(identity: &Identity) -> Result<EcdsaKeyPair, BundleError> {
    let PrivateKeyDer::Pkcs8(key) = identity.key() else { return Err(BundleError::Key) };
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.secret_pkcs8_der())
        .map_err(|_| BundleError::Key)
}

fn sign(signer: &EcdsaKeyPair, trailer: &Trailer) -> Result<Signature, BundleError> {
    let signed =
        signer.sign(&SystemRandom::new(), &bundle::signed_bytes(trailer)).map_err(|_| BundleError::Key)?;
    Ok(Signature(std::array::from_fn(|i| signed.as_ref()[i])))
}
