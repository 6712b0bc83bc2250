//! Room: whether more may be accepted, which segments may go, and, where the configuration says so, what is dropped.

use std::io;

use certus_protocol::frame::{self, BodyV1};
use certus_protocol::ids::{Lane, Seq, SourceId};
use certus_protocol::limits::WINDOW_FRAMES_MAX;

use super::Log;
use crate::limits;
use crate::spool::index::Changes;
use crate::spool::segment::{Active, Entry};
use crate::spool::{SpoolError, WhenFull};

/// Whether room is needed now.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pressed {
    Yes,
    No,
}

impl Log {
    pub(super) fn disk_bytes(&self) -> u64 {
        self.catalog.read().segments.values().map(|segment| segment.disk_bytes).sum()
    }

    /// The source that waits so that others can go on.
    pub(super) fn paused(&self) -> Option<SourceId> {
        match self.config.when_full {
            WhenFull::Pause(source) => {
                let threshold = self.config.bytes_max / 8 * limits::PAUSE_EIGHTHS;
                (self.disk_bytes() > threshold).then_some(source)
            }
            WhenFull::Block | WhenFull::DropOldest(_) => None,
        }
    }

    /// Why `bytes` more of `lane` can't be written now; `None`: they can.
    pub(super) fn no_room(&mut self, lane: Lane, bytes: u64) -> Result<Option<String>, SpoolError> {
        let open: usize = self.builders.values().map(|builder| builder.bytes + 4096).sum();
        let wanted = self.group.bytes + open as u64 + bytes + bytes / 64 + 64 * 1024;
        if self.active.as_ref().is_some_and(|active| active.fits(wanted)) {
            return Ok(None);
        }
        let segment = self.config.segment_bytes.max(Active::length_for(wanted));
        if self.full(lane, segment)?.is_none() {
            return Ok(None);
        }
        self.delete_segments(Pressed::Yes)?;
        if let WhenFull::DropOldest(oldest) = self.config.when_full {
            while self.full(lane, segment)?.is_some() && self.drop_oldest(oldest)? {}
        }
        Ok(self.full(lane, segment)?)
    }

    /// Why no further segment of `bytes` may be made for `lane`. The last one is for the interactive lane alone.
    fn full(&self, lane: Lane, bytes: u64) -> io::Result<Option<String>> {
        let used = self.disk_bytes();
        let kept = if lane == Lane::Interactive { 0 } else { self.config.segment_bytes };
        if used + bytes + kept > self.config.bytes_max {
            let most = self.config.bytes_max;
            return Ok(Some(format!("the spool holds {used} bytes of the {most} it may (spool.max_bytes)")));
        }
        let free = self.seams.disk.free_bytes()?;
        if free < self.config.free_bytes_min + bytes {
            let wanted = self.config.free_bytes_min;
            return Ok(Some(format!(
                "its disk has {free} bytes free, and {wanted} must stay free (spool.min_free_bytes)"
            )));
        }
        Ok(None)
    }

    /// Deletes segments that may go: first the index forgets them, durably, then the file goes.
    pub(super) fn delete_segments(&mut self, pressed: Pressed) -> Result<(), SpoolError> {
        if self.failing.is_some() {
            return Ok(());
        }
        for number in self.expendable(pressed) {
            let mut changes = Changes::default();
            changes.forget_segment(number);
            self.committed.values().for_each(|lane| changes.lane(lane));
            self.commit_index(&changes)?;
            self.catalog.change().segments.remove(&number);
            self.catalog.forget_footer(number);
            self.segments.delete(number)?;
        }
        Ok(())
    }

    /// Segments, oldest first, that hold only what is acknowledged and is past its time or over the limit; all such
    /// if `pressed`. The newest stays, so that the numbering can be proven from it.
    fn expendable(&self, pressed: Pressed) -> Vec<u64> {
        let held = self.catalog.read();
        let newest = held.segments.last_key_value().map(|(number, _)| *number);
        let gaps_in = |number: u64| held.gaps.values().any(|gap| gap.segment == number);
        let done = |(number, segment): &(&u64, &crate::spool::catalog::Segment)| {
            Some(**number) != newest
                && !gaps_in(**number)
                && segment.spans.iter().all(|(lane, (_, last))| *last <= self.let_go(*lane))
        };
        let candidates: Vec<_> = held.segments.iter().filter(done).collect();
        let now_ms = self.seams.clock.now_ms();
        let mut kept: u64 = candidates.iter().map(|(_, segment)| segment.disk_bytes).sum();
        let mut chosen = Vec::new();
        for (number, segment) in candidates {
            let old = now_ms.saturating_sub(segment.written_ms) > self.config.keep_acked_ms as i64;
            if pressed == Pressed::Yes
                || old
                || kept > self.config.keep_acked_bytes
                || segment.spans.is_empty()
            {
                kept -= segment.disk_bytes;
                chosen.push(*number);
            }
        }
        chosen
    }

    /// Through where frames of `lane` may be forgotten: acknowledged, and no part of a resource that is not wholly.
    pub(super) fn let_go(&self, lane: Lane) -> Seq {
        let acked = self.committed[&lane].acked;
        let open = self.attempts.iter().filter(|(of, first, _)| *of == lane && *first <= acked);
        open.map(|(_, first, _)| Seq(first.0 - 1)).min().map_or(acked, |first| first.min(acked))
    }

    /// Drops the oldest frames of `lane` that were never sent, as many as it takes to free a segment; a gap frame takes
    /// their place. Answers whether there were such.
    fn drop_oldest(&mut self, lane: Lane) -> Result<bool, SpoolError> {
        if self.failing.is_some() || !self.group.frames.is_empty() {
            return Ok(false);
        }
        let Some((first, through)) = self.droppable(lane) else { return Ok(false) };
        let before = self.catalog.ending(lane, Seq(first.0 - 1))?.map(|pointer| pointer.entry.hash);
        let state = self.committed[&lane];
        let previous = if first == state.acked.next() { Some(state.acked_hash) } else { before };
        let (Some(previous), Some(last)) = (previous, self.catalog.ending(lane, through)?) else {
            return Ok(false);
        };
        let reason =
            format!("the spool was full: frames {first} to {through} were dropped (spool.when_full)");
        let stamp = (self.stamp.key_id, self.stamp.policy);
        let place = self.place((lane, first, through), SourceId([0; 16]), stamp, previous);
        let packed = frame::pack(place, &BodyV1::Gap { reason: reason.clone() })
            .map_err(|error| SpoolError::Limit(error.to_string()))?;
        let mut placed = Vec::new();
        self.append(std::slice::from_ref(&packed), &mut placed)?;
        for pointer in &mut placed {
            pointer.entry = Entry { total: last.entry.total, ..pointer.entry };
        }
        let mut changes = Changes::default();
        changes.accepted(&placed, self.seams.clock.now_ms());
        let replaced: Vec<Seq> = {
            let held = self.catalog.read();
            let within = held.gaps.range((lane, first)..=(lane, through));
            within.map(|((_, seq), _)| *seq).collect()
        };
        replaced.iter().for_each(|seq| changes.forget_gap(lane, *seq));
        placed.iter().for_each(|pointer| changes.gap(pointer));
        self.commit_at_once(&changes)?;
        self.enter_in_catalog(&placed);
        let mut held = self.catalog.change();
        held.gaps.retain(|(of, seq), _| *of != lane || !replaced.contains(seq));
        held.gaps.extend(placed.iter().map(|pointer| ((lane, first), *pointer)));
        held.drop_frames(lane, first, through);
        drop(held);
        self.attempts.retain(|(of, begin, _)| *of != lane || *begin < first || *begin > through);
        self.dropped += through.0 - first.0 + 1;
        tracing::warn!(%lane, "spool: {reason}");
        self.delete_segments(Pressed::Yes)?;
        Ok(true)
    }

    /// The frames whose dropping frees the first segment that it can: never those that may be on their way.
    fn droppable(&self, lane: Lane) -> Option<(Seq, Seq)> {
        let acked = self.committed[&lane].acked;
        let unsent = Seq(acked.0 + WINDOW_FRAMES_MAX + 1);
        let held = self.catalog.read();
        let newest = held.segments.last_key_value().map(|(number, _)| *number);
        // Drop from a gap that stands there already, so that it grows instead of another beside it.
        let gap = held.gaps.range((lane, unsent)..).next().filter(|(at, _)| at.0 == lane);
        let from = gap.map_or(unsent, |((_, seq), _)| *seq);
        let frees = |(number, segment): &(&u64, &crate::spool::catalog::Segment)| {
            let others = segment.spans.iter().filter(|(of, _)| **of != lane);
            Some(**number) != newest
                && others.clone().all(|(of, (_, last))| *last <= self.let_go(*of))
                && segment.spans.get(&lane).is_some_and(|(first, _)| *first >= unsent)
        };
        let (_, segment) = held.segments.iter().find(frees)?;
        let (first, through) = *segment.spans.get(&lane)?;
        Some((from.min(first), through))
    }

    /// Forgets gaps that the hub has.
    pub(super) fn forget_gaps(&mut self, changes: &mut Changes) {
        let committed = &self.lanes;
        let mut held = self.catalog.change();
        held.gaps.retain(|(lane, seq), gap| {
            let keep = gap.entry.through > committed[lane].acked;
            if !keep {
                changes.forget_gap(*lane, *seq);
            }
            keep
        });
    }
}
