//! Room: how much the segments take, whether another may be made, which may go.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;

use certus_protocol::ids::{Lane, Seq};

use super::index::Index;
use super::segment::{Pointer, Segments};
use super::{LaneState, SpoolConfig, SpoolError};

/// What the segments on the disk hold.
pub(super) struct Space {
    segments: BTreeMap<u64, Use>,
}

/// What one segment holds.
#[derive(Default)]
struct Use {
    disk_bytes: u64,
    /// Its last frame of each lane.
    last: BTreeMap<Lane, Seq>,
    /// Behind its last accepted frame.
    end: u64,
    /// When it was last written, Unix milliseconds.
    written_ms: i64,
}

impl Space {
    /// Reads what is there; `now_ms` counts as the time of the last write.
    pub(super) fn read(segments: &Segments, index: &Index, now_ms: i64) -> Result<Self, SpoolError> {
        let mut space = Self { segments: BTreeMap::new() };
        for (number, disk_bytes) in segments.list()? {
            space.segments.insert(number, Use { disk_bytes, written_ms: now_ms, ..Use::default() });
        }
        for lane in Lane::ALL {
            for found in index.pointers(lane, Seq::ZERO) {
                let (seq, pointer) = found?;
                space.wrote(lane, seq, &pointer, now_ms);
            }
        }
        Ok(space)
    }

    pub(super) fn disk_bytes(&self) -> u64 {
        self.segments.values().map(|used| used.disk_bytes).sum()
    }

    /// The newest segment, and the end of what was accepted in it.
    pub(super) fn newest(&self) -> Option<(u64, u64)> {
        self.segments.last_key_value().map(|(number, used)| (*number, used.end))
    }

    pub(super) fn created(&mut self, number: u64, disk_bytes: u64, now_ms: i64) {
        self.segments.insert(number, Use { disk_bytes, written_ms: now_ms, ..Use::default() });
    }

    pub(super) fn wrote(&mut self, lane: Lane, seq: Seq, pointer: &Pointer, now_ms: i64) {
        let end = pointer.offset + u64::from(pointer.bytes);
        let used = self.segments.entry(pointer.segment).or_default();
        let last = used.last.entry(lane).or_insert(seq);
        *last = seq.max(*last);
        used.end = used.end.max(end);
        used.written_ms = now_ms;
    }

    /// Forgets which frames lie where, because they are all numbered anew.
    pub(super) fn renumbered(&mut self) {
        self.segments.values_mut().for_each(|used| used.last.clear());
    }

    /// Why no further segment of `bytes` may be made; `None`: it may.
    pub(super) fn full(&self, config: &SpoolConfig, folder: &File, bytes: u64) -> io::Result<Option<String>> {
        let used = self.disk_bytes();
        if used + bytes > config.bytes_max {
            return Ok(Some(format!(
                "the spool holds {used} bytes of the {} it may (spool.max_bytes)",
                config.bytes_max
            )));
        }
        let stat = rustix::fs::fstatvfs(folder)?;
        let free = stat.f_bavail * stat.f_frsize;
        if free < config.free_bytes_min + bytes {
            let wanted = config.free_bytes_min;
            return Ok(Some(format!(
                "its disk has {free} bytes free, and {wanted} must stay free (spool.min_free_bytes)"
            )));
        }
        Ok(None)
    }

    /// Segments, oldest first, that hold only what is acknowledged and is past its time or over the limit; all such
    /// if `pressed`. The newest stays, so that the numbering can be proven from it.
    pub(super) fn expendable(
        &self,
        config: &SpoolConfig,
        lanes: &BTreeMap<Lane, LaneState>,
        now_ms: i64,
        pressed: Pressed,
    ) -> Vec<(u64, Vec<(Lane, Seq)>)> {
        let newest = self.segments.last_key_value().map(|(number, _)| *number);
        let acked = |used: &Use| {
            used.last.iter().all(|(lane, last)| lanes.get(lane).is_some_and(|l| *last <= l.acked))
        };
        let candidates: Vec<_> =
            self.segments.iter().filter(|(number, used)| Some(**number) != newest && acked(used)).collect();
        let mut kept: u64 = candidates.iter().map(|(_, used)| used.disk_bytes).sum();
        let mut chosen = Vec::new();
        for (number, used) in candidates {
            let old = now_ms.saturating_sub(used.written_ms) > config.keep_acked_ms as i64;
            if pressed == Pressed::Yes || old || kept > config.keep_acked_bytes || used.last.is_empty() {
                kept -= used.disk_bytes;
                chosen.push((*number, used.last.iter().map(|(lane, seq)| (*lane, *seq)).collect()));
            }
        }
        chosen
    }

    pub(super) fn deleted(&mut self, number: u64) {
        self.segments.remove(&number);
    }
}

/// Whether room is needed now.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pressed {
    Yes,
    No,
}
