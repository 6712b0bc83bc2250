//! Which frames lie where: what the segments on the disk hold, for whoever reads and for whoever makes room.
//!
//! The writer changes it after a commit, so that what is found here is accepted. Readers look a frame up, let go of the
//! catalog, and read; a segment that is deleted meanwhile holds only what the hub has.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use certus_protocol::ids::{Epoch, Lane, Seq};

use super::segment::{Entry, Pointer, Segments, Standing};
use super::{LaneState, SpoolError, Stored};

/// The catalog and the segments that it is of; clones are the same.
#[derive(Clone)]
pub(super) struct Catalog {
    held: Arc<RwLock<Held>>,
    segments: Segments,
    footers: Arc<Mutex<Vec<Footer>>>,
}

/// A segment and what its footer tells.
type Footer = (u64, Arc<Vec<Entry>>);

/// What is known of the segments.
pub(super) struct Held {
    pub(super) epoch: Epoch,
    pub(super) segments: BTreeMap<u64, Segment>,
    /// Gap frames in place of frames that were dropped, by the first number.
    pub(super) gaps: BTreeMap<(Lane, Seq), Pointer>,
}

/// What one segment holds.
pub(super) struct Segment {
    pub(super) disk_bytes: u64,
    /// First and last number of each lane in the present epoch.
    pub(super) spans: BTreeMap<Lane, (Seq, Seq)>,
    /// Its entries where no footer tells them.
    pub(super) entries: Option<Arc<Vec<Entry>>>,
    /// Behind what was accepted of it; what the footer tells of behind that never was.
    pub(super) end: u64,
    /// When it was last written, Unix milliseconds.
    pub(super) written_ms: i64,
}

/// A segment that holds a number: its entries count through `last`; what they tell of behind that was dropped.
struct Holding {
    segment: u64,
    entries: Arc<Vec<Entry>>,
    last: Seq,
}

/// Footers of segments that were read last; one a lane.
const FOOTERS_KEPT: usize = Lane::ALL.len();

impl Segment {
    /// One that is about to be written.
    pub(super) fn new(disk_bytes: u64, written_ms: i64) -> Self {
        Self { disk_bytes, spans: BTreeMap::new(), entries: Some(Arc::default()), end: 0, written_ms }
    }

    /// Takes note of an accepted frame that lies in it.
    pub(super) fn holds(&mut self, entry: &Entry, epoch: Epoch) {
        self.end = self.end.max(entry.offset + u64::from(entry.bytes));
        if entry.epoch == epoch && entry.standing == Standing::InOrder {
            let span = self.spans.entry(entry.lane).or_insert((entry.seq, entry.through));
            *span = (entry.seq.min(span.0), entry.through.max(span.1));
        }
    }
}

impl Held {
    /// Frames `first..=through` of `lane` are dropped: segments no longer hold them.
    pub(super) fn drop_frames(&mut self, lane: Lane, first: Seq, through: Seq) {
        for segment in self.segments.values_mut() {
            if let Some((from, last)) = segment.spans.get(&lane).copied() {
                if first <= from && last <= through {
                    segment.spans.remove(&lane);
                } else if first <= from && from <= through {
                    segment.spans.insert(lane, (through.next(), last));
                } else if first <= last && last <= through {
                    segment.spans.insert(lane, (from, Seq(first.0 - 1)));
                }
            }
        }
    }
}

impl Catalog {
    pub(super) fn new(segments: Segments, held: Held) -> Self {
        Self { held: Arc::new(RwLock::new(held)), segments, footers: Arc::default() }
    }

    /// Forgets everything for what was read anew.
    pub(super) fn replace(&self, held: Held) {
        *self.change() = held;
        self.footers.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(super) fn read(&self) -> std::sync::RwLockReadGuard<'_, Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn change(&self) -> std::sync::RwLockWriteGuard<'_, Held> {
        self.held.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Frames of `lane` after `after` as far as they follow one another, `bytes_max` together unless the first alone is
    /// larger.
    pub(super) fn after(&self, lane: Lane, after: Seq, bytes_max: u64) -> io::Result<Vec<Pointer>> {
        let mut found: Vec<Pointer> = Vec::new();
        let (mut wanted, mut bytes) = (after.next(), 0);
        while let Some(Holding { segment, entries, last }) = self.holding(lane, wanted)? {
            let before = found.len();
            let epoch = self.read().epoch;
            for entry in entries.iter().filter(|entry| entry.lane == lane && entry.epoch == epoch) {
                if entry.seq != wanted || wanted > last {
                    continue;
                }
                bytes += u64::from(entry.bytes);
                if !found.is_empty() && bytes > bytes_max {
                    return Ok(found);
                }
                found.push(Pointer { segment, entry: *entry });
                wanted = entry.through.next();
            }
            if found.len() == before {
                break;
            }
        }
        Ok(found)
    }

    /// The frame of `lane` that ends at `through`.
    pub(super) fn ending(&self, lane: Lane, through: Seq) -> io::Result<Option<Pointer>> {
        let epoch = self.read().epoch;
        let Some(Holding { segment, entries, .. }) = self.holding(lane, through)? else { return Ok(None) };
        let of_lane = |entry: &&Entry| entry.lane == lane && entry.epoch == epoch && entry.through == through;
        Ok(entries.iter().rev().find(of_lane).map(|entry| Pointer { segment, entry: *entry }))
    }

    /// The frames of `lane` after `after`, read and checked; at least one if there is one.
    ///
    /// # Errors
    /// [`SpoolError::Damaged`] where the first can't be read.
    pub(super) fn frames(
        &self,
        state: &LaneState,
        after: Seq,
        bytes_max: u64,
    ) -> Result<Vec<Stored>, SpoolError> {
        let lane = state.lane;
        let pointers = self.after(lane, after, bytes_max)?;
        // What the hub has acknowledged need not be kept.
        if pointers.is_empty() && state.acked <= after && after < state.last {
            return Err(SpoolError::Damaged { lane, seq: after.next() });
        }
        let mut frames = Vec::with_capacity(pointers.len());
        for pointer in pointers {
            match self.segments.read(&pointer)? {
                Some(stored) if stored.header.seq == pointer.entry.seq => frames.push(stored),
                _ if frames.is_empty() => return Err(SpoolError::Damaged { lane, seq: pointer.entry.seq }),
                _ => break,
            }
        }
        Ok(frames)
    }

    /// The lowest number of `lane` past `after` that some frame stands for.
    pub(super) fn next_after(&self, lane: Lane, after: Seq) -> io::Result<Option<Seq>> {
        let epoch = self.read().epoch;
        let candidates: Vec<_> = {
            let held = self.read();
            let of_lane = |segment: &Segment| segment.spans.get(&lane).is_some_and(|(_, last)| *last > after);
            let listed = held.segments.iter().filter(|(_, segment)| of_lane(segment));
            listed.map(|(number, segment)| (*number, segment.entries.clone(), segment.end)).collect()
        };
        let gaps: Vec<Seq> =
            self.read().gaps.keys().filter(|(of, _)| *of == lane).map(|(_, seq)| *seq).collect();
        let mut lowest = gaps.into_iter().filter(|seq| *seq > after).min();
        for (number, entries, end) in candidates {
            let entries = match entries {
                Some(entries) => entries,
                None => self.footer(number, end)?,
            };
            let of_lane = entries.iter().filter(|entry| entry.lane == lane && entry.epoch == epoch);
            let here = of_lane.map(|entry| entry.seq).filter(|seq| *seq > after).min();
            lowest = lowest.into_iter().chain(here).min();
        }
        Ok(lowest)
    }

    /// Forgets the footer of a segment that is deleted.
    pub(super) fn forget_footer(&self, number: u64) {
        self.footers.lock().unwrap_or_else(PoisonError::into_inner).retain(|(held, _)| *held != number);
    }

    /// The segment that holds number `seq` of `lane`, and its entries. The newest that does: a number that was written
    /// twice was not accepted the first time.
    fn holding(&self, lane: Lane, seq: Seq) -> io::Result<Option<Holding>> {
        let (segment, entries, end, last) = {
            let held = self.read();
            let gap = held.gaps.range(..=(lane, seq)).next_back();
            if let Some((_, gap)) = gap.filter(|(at, gap)| at.0 == lane && seq <= gap.entry.through) {
                let entries = Arc::new(vec![gap.entry]);
                return Ok(Some(Holding { segment: gap.segment, entries, last: gap.entry.through }));
            }
            let spans = |segment: &Segment| {
                segment.spans.get(&lane).is_some_and(|(first, last)| *first <= seq && seq <= *last)
            };
            let Some((number, segment)) = held.segments.iter().rev().find(|(_, segment)| spans(segment))
            else {
                return Ok(None);
            };
            let last = segment.spans.get(&lane).map_or(seq, |(_, last)| *last);
            (*number, segment.entries.clone(), segment.end, last)
        };
        let entries = match entries {
            Some(entries) => entries,
            None => self.footer(segment, end)?,
        };
        Ok(Some(Holding { segment, entries, last }))
    }

    fn footer(&self, number: u64, end: u64) -> io::Result<Arc<Vec<Entry>>> {
        use io::ErrorKind::{InvalidData, NotFound, UnexpectedEof};
        let mut footers = self.footers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, entries)) = footers.iter().find(|(held, _)| *held == number) {
            return Ok(entries.clone());
        }
        let mut entries = match self.segments.footer(number)? {
            Some(entries) => entries,
            // A footer that is damaged: the frames tell for themselves.
            None => match self.segments.scan(number, end) {
                Ok(scanned) => scanned.frames.into_iter().map(|(_, entry)| entry).collect(),
                Err(error) if matches!(error.kind(), NotFound | InvalidData | UnexpectedEof) => Vec::new(),
                Err(error) => return Err(error),
            },
        };
        entries.retain(|entry| entry.offset < end);
        let entries = Arc::new(entries);
        footers.insert(0, (number, entries.clone()));
        footers.truncate(FOOTERS_KEPT);
        Ok(entries)
    }
}
