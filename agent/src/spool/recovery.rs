//! Opening: what the index and the segments say is brought together, before any new input.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use certus_protocol::ids::{ContentHash, Epoch, Lane, Seq};

use super::catalog::{Held, Segment};
use super::index::{self, Accepted, Changes, owner_value};
use super::log::Seams;
use super::segment::{Active, Entry, Pointer, Segments, Standing};
use super::{LaneState, Owner, SpoolConfig, SpoolError, epoch};

/// A spool that can be written on.
pub(super) struct Recovered {
    pub(super) held: Held,
    pub(super) lanes: BTreeMap<Lane, LaneState>,
    pub(super) epoch: Epoch,
    /// The epoch that what is unacknowledged has to be numbered again in, if it has to.
    pub(super) renumber: Option<Epoch>,
    /// The newest segment, where it can be written on.
    pub(super) active: Option<Active>,
}

/// Brings index and segments together.
pub(super) fn recover(
    config: &SpoolConfig,
    owner: &Owner,
    seams: &Seams,
    segments: &Segments,
) -> Result<Recovered, SpoolError> {
    let index = &*seams.index;
    let named = index::owner(index)?;
    if named.as_ref().is_some_and(|named| *named != owner_value(&owner.tenant, owner.agent)) {
        return Err(SpoolError::Foreign(config.dir.clone()));
    }
    let found = match named {
        Some(_) => Found::Whole,
        None => rebuild(config, owner, seams, segments)?,
    };
    let (current, renumber) = settle_epoch(owner, seams, segments, found)?;
    let mut lanes = BTreeMap::new();
    for lane in Lane::ALL {
        lanes.insert(lane, index::lane(index, lane)?);
    }
    let gaps = index::gaps(index)?;
    let mut held = Held { epoch: current, segments: BTreeMap::new(), gaps: BTreeMap::new() };
    let active = read_segments(seams, segments, &lanes, &mut held)?;
    for gap in gaps.into_iter().filter(|gap| gap.entry.epoch == current) {
        held.drop_frames(gap.entry.lane, gap.entry.seq, gap.entry.through);
        held.gaps.insert((gap.entry.lane, gap.entry.seq), gap);
    }
    Ok(Recovered { held, lanes, epoch: current, renumber, active })
}

/// Reads what each segment holds of what was accepted; takes away those of which nothing was.
fn read_segments(
    seams: &Seams,
    segments: &Segments,
    lanes: &BTreeMap<Lane, LaneState>,
    held: &mut Held,
) -> Result<Option<Active>, SpoolError> {
    let accepted = index::accepted(&*seams.index)?;
    let list = segments.list()?;
    let newest = list.last().map(|(number, _)| *number);
    let mut active = None;
    let mut changes = Changes::default();
    for number in accepted.keys().filter(|number| !list.iter().any(|(there, _)| there == *number)) {
        // Its file is gone: it was being deleted, or the disk lost it. The numbers tell which.
        changes.forget_segment(*number);
    }
    let mut found = Vec::new();
    for (number, bytes) in list {
        let Some(Accepted { end, .. }) = accepted.get(&number).copied() else {
            segments.delete(number)?;
            continue;
        };
        let footer = segments.footer(number)?;
        let sealed = footer.is_some();
        let mut entries = match footer {
            Some(entries) => entries,
            None => scanned(segments, number, end)?,
        };
        entries.retain(|entry| entry.offset < end);
        found.push((number, bytes, sealed, entries));
    }
    let mut totals = Totals::of(lanes, held.epoch);
    found.iter_mut().rev().for_each(|(_, _, _, entries)| totals.fill_in(entries));
    for (number, bytes, sealed, entries) in found {
        let Accepted { end, written_ms } = accepted[&number];
        let mut segment = Segment::new(bytes, written_ms);
        entries.iter().for_each(|entry| segment.holds(entry, held.epoch));
        segment.end = end;
        segment.entries = (!sealed).then(|| Arc::new(entries.clone()));
        held.segments.insert(number, segment);
        if !sealed && Some(number) == newest {
            active = segments.reopen(number, end, entries).map_err(not_written_on).ok();
        }
    }
    seams.index.commit(&changes)?;
    Ok(active)
}

fn not_written_on(error: io::Error) {
    tracing::warn!(%error, "spool: the newest segment can't be written on; a new one is begun");
}

/// The accepted frames of a segment without a footer.
fn scanned(segments: &Segments, number: u64, end: u64) -> io::Result<Vec<Entry>> {
    match segments.scan(number, end) {
        Ok(scanned) => Ok(scanned.frames.into_iter().map(|(_, entry)| entry).collect()),
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) => {
            tracing::error!(segment = number, %error, "spool: a segment can't be read");
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}

/// Fills in the totals of entries that were scanned, backwards from what the index says of the last.
struct Totals {
    epoch: Epoch,
    /// The number before which to go on, and the bytes through it.
    lanes: BTreeMap<Lane, (Seq, u64)>,
}

impl Totals {
    fn of(lanes: &BTreeMap<Lane, LaneState>, epoch: Epoch) -> Self {
        let lanes = lanes.values().map(|state| (state.lane, (state.last, state.last_total))).collect();
        Self { epoch, lanes }
    }

    fn fill_in(&mut self, entries: &mut [Entry]) {
        for entry in entries.iter_mut().rev() {
            let Some((next, total)) = self.lanes.get_mut(&entry.lane) else { continue };
            // Frames that are missing between count for nothing; those that were written twice count once.
            let counts =
                entry.epoch == self.epoch && entry.standing == Standing::InOrder && entry.through <= *next;
            if counts {
                entry.total = *total;
                *total = total.saturating_sub(u64::from(entry.bytes));
                *next = Seq(entry.seq.0 - 1);
            }
        }
    }
}

/// How the index was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Whole,
    /// Made anew from the segments, whose frames continue one another.
    Rebuilt,
    /// Made anew, and the numbering can't be proven.
    Unproven,
}

/// Enters what the segments hold into an empty index: lanes, ends and gaps of the newest epoch.
fn rebuild(
    config: &SpoolConfig,
    owner: &Owner,
    seams: &Seams,
    segments: &Segments,
) -> Result<Found, SpoolError> {
    let now_ms = seams.clock.now_ms();
    let list = segments.list()?;
    if list.is_empty() {
        return Ok(Found::Whole);
    }
    tracing::error!("spool: the index is lost and made anew from the segments; sources are read again");
    let mut frames: Vec<(Pointer, ContentHash)> = Vec::new();
    let mut changes = Changes::default();
    let mut damaged = false;
    for (number, _) in list {
        let scanned = match segments.scan(number, u64::MAX) {
            Ok(scanned) => scanned,
            Err(error)
                if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
            {
                damaged = true;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        damaged |= scanned.damaged_bytes > 0;
        changes.segment(number, Accepted { end: scanned.end, written_ms: now_ms });
        for (header, entry) in scanned.frames {
            if header.agent != owner.agent || header.tenant != owner.tenant {
                return Err(SpoolError::Foreign(config.dir.clone()));
            }
            frames.push((Pointer { segment: number, entry }, header.previous));
        }
    }
    let newest = frames.iter().map(|(pointer, _)| pointer.entry.epoch).max();
    if let Some(newest) = newest {
        changes.epoch(newest);
        for lane in Lane::ALL {
            damaged |= !rebuild_lane(&frames, newest, lane, &mut changes);
        }
    }
    seams.index.commit(&changes)?;
    Ok(if damaged || newest.is_none() { Found::Unproven } else { Found::Rebuilt })
}

/// Enters a lane; answers whether its frames continue one another.
fn rebuild_lane(frames: &[(Pointer, ContentHash)], epoch: Epoch, lane: Lane, changes: &mut Changes) -> bool {
    // A number that was written twice counts as it was written last.
    let of_lane = frames.iter().filter(|(p, _)| p.entry.epoch == epoch && p.entry.lane == lane);
    let (gaps, in_order): (Vec<_>, Vec<_>) =
        of_lane.partition(|(pointer, _)| pointer.entry.standing == Standing::ForDropped);
    let by_seq: BTreeMap<Seq, &(Pointer, ContentHash)> =
        in_order.into_iter().map(|frame: &(Pointer, ContentHash)| (frame.0.entry.seq, frame)).collect();
    gaps.iter().for_each(|(pointer, _)| changes.gap(pointer));
    let Some(((first, first_previous), (last, _))) =
        by_seq.values().next().copied().zip(by_seq.values().next_back().copied())
    else {
        return gaps.is_empty();
    };
    let total: u64 = by_seq.values().map(|(pointer, _)| u64::from(pointer.entry.bytes)).sum();
    changes.lane(&LaneState {
        lane,
        acked: Seq(first.entry.seq.0 - 1),
        acked_hash: *first_previous,
        acked_total: 0,
        last: last.entry.through,
        last_hash: last.entry.hash,
        last_total: total,
    });
    let follows = |pair: &[&(Pointer, ContentHash)]| {
        pair[0].0.entry.through.next() == pair[1].0.entry.seq && pair[1].1 == pair[0].0.entry.hash
    };
    let ordered: Vec<_> = by_seq.into_values().collect();
    ordered.windows(2).all(follows)
}

/// The epoch that the numbers are of, and the one that has to follow it, if one has to.
fn settle_epoch(
    owner: &Owner,
    seams: &Seams,
    segments: &Segments,
    found: Found,
) -> Result<(Epoch, Option<Epoch>), SpoolError> {
    let of_index = index::epoch(&*seams.index)?;
    let of_file = epoch::read(&*seams.epochs)?;
    // Then no number was ever given away.
    let blank = segments.list()?.is_empty();
    let (current, wanted) = match (of_file, of_index) {
        (None, None) => (Epoch::FIRST, Epoch::FIRST),
        (None, Some(index)) if blank => (index, index),
        // The spool was lost: what it had numbered is not known.
        (Some(file), None) => (file, file.next()),
        // The file was lost with the identity, or restored from before: its number can't be trusted.
        (None, Some(index)) => (index, index.next()),
        (Some(file), Some(index)) if file < index => (index, index.next()),
        (Some(file), Some(index)) if found == Found::Unproven => (index, file.max(index).next()),
        (Some(file), Some(index)) => (index, file),
    };
    if of_file.is_some() && of_file != Some(wanted) {
        epoch::write(&*seams.epochs, wanted)?;
    }
    let mut changes = Changes::default();
    changes.owner(&owner.tenant, owner.agent);
    changes.epoch(current);
    seams.index.commit(&changes)?;
    // The first time the index goes first: a file without an index is a spool that was lost.
    if of_file.is_none() {
        epoch::write(&*seams.epochs, wanted)?;
    }
    Ok((current, (wanted != current).then_some(wanted)))
}
