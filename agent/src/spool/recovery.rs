//! Opening: lock, check the file system, set a corrupt index aside, find out where to write on. Before any new input.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use certus_protocol::frame::Header;
use certus_protocol::ids::{Epoch, Lane};
use rustix::fs::FlockOperation;

use super::index::{Changes, Index, owner_value};
use super::segment::{Pointer, Segments};
use super::{LaneState, Owner, SpoolConfig, SpoolError, Volatile, epoch, index, segment};

/// A spool that can be written on.
pub(super) struct Recovered {
    pub(super) lock: File,
    pub(super) index: Index,
    pub(super) segments: Segments,
    pub(super) lanes: BTreeMap<Lane, LaneState>,
    pub(super) epoch: Epoch,
    /// The epoch that what is unacknowledged has to be numbered again in, if it has to.
    pub(super) renumber: Option<Epoch>,
}

pub(super) fn open(config: &SpoolConfig, owner: &Owner) -> Result<Recovered, SpoolError> {
    let dir = &config.dir;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let lock = lock(dir)?;
    if config.volatile == Volatile::Refuse
        && let Some(kind) = volatile_kind(&lock)?
    {
        return Err(SpoolError::Volatile(dir.clone(), kind));
    }
    let segments = Segments::open(segment::folder(dir))?;
    let (index, found) = open_index(dir, &segments)?;
    let named = index.owner()?;
    if named.as_ref().is_some_and(|named| *named != owner_value(&owner.tenant, owner.agent)) {
        return Err(SpoolError::Foreign(dir.clone()));
    }
    let (current, renumber) = settle_epoch(&index, owner, found)?;
    let mut changes = Changes::default();
    changes.owner(&owner.tenant, owner.agent);
    changes.epoch(current);
    index.commit(changes)?;
    let mut lanes = BTreeMap::new();
    for lane in Lane::ALL {
        lanes.insert(lane, index.lane(lane)?);
    }
    Ok(Recovered { lock, index, segments, lanes, epoch: current, renumber })
}

/// How the index was found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Whole,
    /// Made anew from the segments, whose frames continue one another.
    Rebuilt,
    /// Made anew, and the numbering can't be proven.
    Unproven,
}

fn open_index(dir: &Path, segments: &Segments) -> Result<(Index, Found), SpoolError> {
    let path = index::folder(dir);
    let corrupt = match Index::open(&path) {
        Ok(index) if index.owner()?.is_some() || segments.list()?.is_empty() => {
            return Ok((index, Found::Whole));
        }
        // Segments without an index: it was removed.
        Ok(_) => "it is empty".to_owned(),
        Err(SpoolError::Index(error @ (sled::Error::Corruption { .. } | sled::Error::Unsupported(_)))) => {
            error.to_string()
        }
        Err(other) => return Err(other),
    };
    let aside = (0..).map(|n| dir.join(format!("index.corrupt-{n}"))).find(|path| !path.exists());
    if let Some(aside) = aside {
        tracing::error!(reason = %corrupt, "spool: the index is set aside and made anew from the segments");
        fs::rename(&path, aside)?;
    }
    let index = Index::open(&path)?;
    let found = rebuild(&index, segments)?;
    Ok((index, found))
}

/// Enters the frames of the newest epoch that the segments hold into an empty index.
fn rebuild(index: &Index, segments: &Segments) -> Result<Found, SpoolError> {
    let mut frames: Vec<(Header, Pointer)> = Vec::new();
    let mut damaged = false;
    for (number, _) in segments.list()? {
        match segments.scan(number) {
            Ok(scanned) => {
                damaged |= scanned.damaged_bytes > 0;
                frames.extend(scanned.frames);
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => damaged = true,
            Err(error) => return Err(error.into()),
        }
    }
    let Some(newest) = frames.iter().map(|(header, _)| header.epoch).max() else {
        return Ok(Found::Unproven);
    };
    let mut changes = Changes::default();
    for lane in Lane::ALL {
        let mut of_lane: Vec<_> =
            frames.iter().filter(|(header, _)| header.epoch == newest && header.lane == lane).collect();
        of_lane.sort_by_key(|(header, _)| header.seq);
        let Some(((first, _), (last, last_at))) = of_lane.first().copied().zip(of_lane.last().copied())
        else {
            continue;
        };
        let follows = |pair: &[&(Header, Pointer)]| {
            pair[0].0.through.next() == pair[1].0.seq && pair[1].0.previous == pair[0].1.hash
        };
        damaged |= !of_lane.windows(2).all(follows);
        for (header, pointer) in &of_lane {
            changes.frame(lane, header.seq, pointer);
        }
        changes.lane(&LaneState {
            lane,
            acked: certus_protocol::ids::Seq(first.seq.0 - 1),
            acked_hash: first.previous,
            last: last.through,
            last_hash: last_at.hash,
            unacked_bytes: 0,
        });
    }
    changes.epoch(newest);
    index.commit(changes)?;
    Ok(if damaged { Found::Unproven } else { Found::Rebuilt })
}

/// The epoch that the pointers are of, and the one that has to follow it, if one has to.
fn settle_epoch(index: &Index, owner: &Owner, found: Found) -> Result<(Epoch, Option<Epoch>), SpoolError> {
    let of_index = index.epoch()?;
    let of_file = epoch::read(&owner.epoch_file)?;
    let (current, wanted) = match (of_file, of_index) {
        (None, None) => (Epoch::FIRST, Epoch::FIRST),
        (Some(file), None) => (file, if found == Found::Unproven { file.next() } else { file }),
        // The file was lost with the identity, or restored from before: its number can't be trusted.
        (None, Some(index)) => (index, index.next()),
        (Some(file), Some(index)) if file < index => (index, index.next()),
        (Some(file), Some(index)) if found == Found::Unproven => (index, file.max(index).next()),
        (Some(file), Some(index)) => (index, file),
    };
    if of_file != Some(wanted) {
        epoch::write(&owner.epoch_file, wanted)?;
    }
    Ok((current, (wanted != current).then_some(wanted)))
}

fn lock(dir: &Path) -> Result<File, SpoolError> {
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(dir.join("lock"))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(SpoolError::Locked(dir.to_owned())),
        Err(other) => Err(io::Error::from(other).into()),
    }
}

/// The kind of a file system that does not keep what was synced (magic numbers: linux/magic.h).
fn volatile_kind(file: &File) -> io::Result<Option<&'static str>> {
    let kind = rustix::fs::fstatfs(file)?.f_type as u64 & 0xFFFF_FFFF;
    Ok(match kind {
        0x0102_1994 => Some("tmpfs"),
        0x6969 => Some("NFS"),
        0xFF53_4D42 | 0xFE53_4D42 | 0x517B => Some("SMB"),
        0x6573_5546 => Some("FUSE"),
        _ => None,
    })
}
