//! Making a group durable: segments first, then the index; what fails is kept and tried again.

use std::io;
use std::sync::Arc;

use certus_protocol::frame::Packed;

use super::{Due, Group, Log, RETRY_MS};
use crate::spool::SpoolError;
use crate::spool::catalog::Segment;
use crate::spool::index::Changes;
use crate::spool::segment::{Active, Entry, Pointer};

impl Log {
    /// Makes the group durable and tells who waits; acks too, where they are due.
    pub(super) fn commit(&mut self, acks: Due) {
        let due = self
            .acks_since_ms
            .is_some_and(|since| acks == Due::All || self.now_ms >= since + super::ACK_DELAY_MS);
        if self.failing.is_some() && acks == Due::Late && self.retry_at_ms.is_some_and(|at| self.now_ms < at)
        {
            return;
        }
        if self.index_unknown {
            if let Err(error) = self.remake_index().and_then(|()| self.reload()) {
                return self.failed(&error);
            }
            self.recovered();
        }
        let nothing = self.group.frames.is_empty() && self.group.checkpoints.is_empty();
        if !nothing || due {
            match self.write_group() {
                Ok(()) => self.recovered(),
                Err(error) => return self.failed(&error),
            }
        }
        for done in std::mem::take(&mut self.group).done {
            done.answer(Ok(()));
        }
        if let Err(error) = self.delete_segments(super::room::Pressed::No) {
            tracing::warn!(%error, "spool: acknowledged segments could not be deleted");
        }
    }

    fn write_group(&mut self) -> Result<(), SpoolError> {
        let mut group = std::mem::take(&mut self.group);
        let written = self.append(&group.frames, &mut group.placed).and_then(|()| self.index_group(&group));
        self.group = group;
        written?;
        let placed = std::mem::take(&mut self.group.placed);
        self.enter_in_catalog(&placed);
        self.group.frames.clear();
        self.group.checkpoints.clear();
        self.group.bytes = 0;
        // Everything that is packed was in the group.
        self.committed.clone_from(&self.lanes);
        self.acks_since_ms = None;
        Ok(())
    }

    fn index_group(&mut self, group: &Group) -> Result<(), SpoolError> {
        let mut changes = Changes::default();
        for (source, key, value) in &group.checkpoints {
            changes.checkpoint(*source, key, value.clone());
        }
        self.lanes.values().for_each(|lane| changes.lane(lane));
        changes.accepted(&group.placed, self.seams.clock.now_ms());
        self.forget_gaps(&mut changes);
        self.commit_index(&changes)
    }

    /// Commits to the index; after a failure once more to one made anew, with the room held in reserve.
    pub(super) fn commit_index(&mut self, changes: &Changes) -> Result<(), SpoolError> {
        if !self.index_failed {
            match self.seams.index.commit(changes) {
                Ok(()) => return Ok(()),
                Err(error) => {
                    tracing::error!(%error, "spool: the index could not be written; it is made anew")
                }
            }
        }
        self.index_failed = true;
        self.remake_index()?;
        self.seams.index.commit(changes)?;
        self.index_failed = false;
        Ok(())
    }

    fn remake_index(&mut self) -> Result<(), SpoolError> {
        self.reserve.give();
        self.seams.index.remake()
    }

    /// Commits a change of many things at once; where that fails, what the index holds has to be found out.
    pub(super) fn commit_at_once(&mut self, changes: &Changes) -> Result<(), SpoolError> {
        let outcome = self.commit_index(changes);
        if let Err(error) = &outcome {
            self.index_unknown = true;
            self.failed(error);
        }
        outcome
    }

    /// Writes the frames that are not placed yet behind the last one and syncs them; after a failure once more, into a
    /// new segment: a descriptor whose sync failed may report success for pages that were dropped.
    pub(super) fn append(&mut self, frames: &[Packed], placed: &mut Vec<Pointer>) -> Result<(), SpoolError> {
        if placed.len() == frames.len() {
            return Ok(());
        }
        let before = placed.len();
        if let Err(error) = self.append_once(&frames[before..], placed) {
            tracing::error!(%error, "spool: a write failed; it is tried once more in a new segment");
            self.abandon(placed, before);
            if let Err(error) = self.append_once(&frames[before..], placed) {
                self.abandon(placed, before);
                return Err(error.into());
            }
        }
        Ok(())
    }

    fn append_once(&mut self, frames: &[Packed], placed: &mut Vec<Pointer>) -> io::Result<()> {
        for packed in frames {
            let bytes = packed.bytes.len() as u64;
            if !self.active.as_ref().is_some_and(|active| active.fits(bytes)) {
                self.seal()?;
                self.begin_segment(bytes)?;
            }
            let total = self.total_before(packed, placed);
            let active = self.active.as_mut().expect("a segment was begun");
            active.append(&packed.bytes, Entry::of(&packed.header, packed.hash, total + bytes))?;
            let entry = *active.entries.last().expect("it was just appended");
            placed.push(Pointer { segment: active.number, entry });
        }
        self.active.as_ref().map_or(Ok(()), Active::sync)
    }

    /// Bytes of the frame's lane before it.
    fn total_before(&self, packed: &Packed, placed: &[Pointer]) -> u64 {
        let of_lane = placed.iter().rev().find(|pointer| {
            pointer.entry.lane == packed.header.lane && pointer.entry.epoch == packed.header.epoch
        });
        match of_lane {
            Some(pointer) => pointer.entry.total,
            None if packed.header.seq.0 == 1 => 0,
            None => self.committed[&packed.header.lane].last_total,
        }
    }

    /// Leaves a segment whose writing failed: what was not durable in it is placed anew, elsewhere.
    fn abandon(&mut self, placed: &mut Vec<Pointer>, before: usize) {
        placed.truncate(before);
        self.active = None;
    }

    fn seal(&mut self) -> io::Result<()> {
        let Some(active) = &self.active else { return Ok(()) };
        let length = active.seal()?;
        let number = active.number;
        self.active = None;
        self.sealed.push(number);
        if let Some(segment) = self.catalog.change().segments.get_mut(&number) {
            segment.disk_bytes = length;
        }
        Ok(())
    }

    /// Seals the newest segment, where all of it is accepted, so that the next start has nothing to read through.
    pub(super) fn seal_at_end(&mut self) -> Result<(), SpoolError> {
        let whole = self.active.as_ref().is_some_and(|active| {
            let held = self.catalog.read();
            held.segments.get(&active.number).is_some_and(|segment| segment.end == active.end)
        });
        if whole && self.failing.is_none() {
            self.seal()?;
        }
        Ok(())
    }

    fn begin_segment(&mut self, frame_bytes: u64) -> io::Result<()> {
        let number = self.catalog.read().segments.last_key_value().map_or(1, |(number, _)| number + 1);
        let bytes = self.config.segment_bytes.max(Active::length_for(frame_bytes));
        let active = self.segments.create(number, bytes)?;
        self.catalog.change().segments.insert(number, Segment::new(bytes, self.seams.clock.now_ms()));
        self.active = Some(active);
        Ok(())
    }

    /// Shows accepted frames to readers.
    pub(super) fn enter_in_catalog(&mut self, placed: &[Pointer]) {
        let now_ms = self.seams.clock.now_ms();
        let epoch = self.epoch;
        let mut held = self.catalog.change();
        held.epoch = epoch;
        for pointer in placed {
            let Some(segment) = held.segments.get_mut(&pointer.segment) else { continue };
            segment.written_ms = now_ms;
            segment.holds(&pointer.entry, epoch);
            if let Some(entries) = &mut segment.entries {
                Arc::make_mut(entries).push(pointer.entry);
            }
        }
        // Sealed ones tell by their footers; those whose writing failed may have none.
        for number in std::mem::take(&mut self.sealed) {
            if let Some(segment) = held.segments.get_mut(&number) {
                segment.entries = None;
            }
        }
    }

    fn recovered(&mut self) {
        if self.failing.take().is_some() {
            tracing::info!("spool: the disk takes what is written again");
            self.reserve.take();
        }
        if self.blocked.is_none() {
            self.retry_at_ms = None;
        }
    }

    pub(super) fn failed(&mut self, error: &SpoolError) {
        if self.failing.is_none() {
            tracing::error!(%error, "spool: the disk does not take what is written; sources wait until it does");
        }
        self.failing = Some(format!("the spool's disk does not take what is written: {error}"));
        self.retry_at_ms = Some(self.now_ms + RETRY_MS);
    }
}
