//! The spool's core: packs envelopes into frames, writes them in groups, and knows what is accepted. It owns no thread, no
//! queue and no clock: time is given in milliseconds of any steady clock, and the writer drives it.
//!
//! A group that can't be made durable is kept and tried again: nobody is told that it was, or that it was not, before it is
//! known.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use certus_protocol::envelope::{BodyV1 as EnvelopeBody, Envelope};
use certus_protocol::frame::{self, BodyV1, Packed, Place};
use certus_protocol::ids::{ContentHash, Epoch, KeyId, Lane, PolicyHash, Seq, SourceId};
use certus_protocol::limits::{FRAME_CLOSE_BYTES, FRAME_ENVELOPES_MAX};
use certus_sanitizer::Clean;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::catalog::Catalog;
use super::disk::Disk;
use super::index::Index;
use super::recovery::{self, Recovered};
use super::segment::{Active, Pointer, Segments};
use super::{Batch, LaneState, Owner, SpoolConfig, SpoolError, Stamp, State, Stored, WhenFull};
use crate::clock::Clock;
use crate::limits;

mod commit;
mod renumber;
mod reserve;
mod room;

use renumber::Moving;
use reserve::Reserve;

/// Acks are made durable lazily: one that is lost is told again by the hub.
const ACK_DELAY_MS: u64 = 250;
/// How long to wait before a disk that failed, or that was full, is tried again.
const RETRY_MS: u64 = 500;

pub(super) type Done<T> = oneshot::Sender<Result<T, SpoolError>>;

/// Who waits for durability, and the room in memory that is free again after it.
pub struct Waiter {
    done: Done<()>,
    room: Option<OwnedSemaphorePermit>,
}

impl Waiter {
    /// Somebody who is answered through `done`.
    pub fn new(done: oneshot::Sender<Result<(), SpoolError>>, room: Option<OwnedSemaphorePermit>) -> Self {
        Self { done, room }
    }

    fn answer(self, outcome: Result<(), SpoolError>) {
        drop(self.room);
        // Whoever asked may have gone; then nobody has to know.
        drop(self.done.send(outcome));
    }
}

/// A frame that is open for more envelopes.
struct Builder {
    source_name: String,
    envelopes: Vec<Envelope>,
    bytes: usize,
    since_ms: u64,
    done: Vec<Waiter>,
    checkpoints: Checkpoints,
}

type Checkpoints = Vec<(SourceId, Vec<u8>, Option<Vec<u8>>)>;

/// What the next commit makes durable.
#[derive(Default)]
struct Group {
    frames: Vec<Packed>,
    /// Where those of them lie that are on the disk already.
    placed: Vec<Pointer>,
    bytes: u64,
    done: Vec<Waiter>,
    checkpoints: Checkpoints,
}

/// What becomes of an envelope that is sanitized again.
#[derive(Debug)]
pub enum Again {
    /// These take its place.
    Keep(Vec<Clean<Envelope>>),
    /// Nothing does; why, for people.
    Withhold(String),
}

/// Sanitizes an envelope again: gets the header of its frame. A resource in parts comes whole, as one envelope.
pub type Sanitize<'a> = dyn FnMut(&frame::Header, Clean<Envelope>) -> Again + Send + 'a;

/// Which frames are closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// All that are open.
    All,
    /// Those that waited long enough for more.
    Late,
}

/// The seams of a spool.
#[derive(Clone)]
pub struct Seams {
    /// Its folder.
    pub disk: Arc<dyn Disk>,
    /// Its index.
    pub index: Arc<dyn Index>,
    /// The folder that holds the agent's epoch.
    pub epochs: Arc<dyn Disk>,
    /// For ages and reports.
    pub clock: Arc<dyn Clock>,
}

/// The core of an open spool.
pub struct Log {
    config: SpoolConfig,
    owner: Owner,
    stamp: Stamp,
    seams: Seams,
    segments: Segments,
    catalog: Catalog,
    reserve: Reserve,
    epoch: Epoch,
    /// As packed.
    lanes: BTreeMap<Lane, LaneState>,
    /// As committed.
    committed: BTreeMap<Lane, LaneState>,
    active: Option<Active>,
    /// Segments sealed since the catalog was told.
    sealed: Vec<u64>,
    /// Resources in parts, some acknowledged and some not: first and last frame.
    attempts: Vec<(Lane, Seq, Seq)>,
    builders: BTreeMap<(Lane, SourceId), Builder>,
    group: Group,
    waiting: BTreeMap<Lane, VecDeque<(Batch, Waiter)>>,
    blocked: Option<String>,
    failing: Option<String>,
    index_failed: bool,
    /// What the index holds is not known: it is asked before anything else is written.
    index_unknown: bool,
    retry_at_ms: Option<u64>,
    acks_since_ms: Option<u64>,
    dropped: u64,
    now_ms: u64,
}

impl Log {
    /// Recovers a spool over these seams; numbers it again first where it has to.
    ///
    /// # Errors
    /// See [`SpoolError`].
    pub fn open(config: SpoolConfig, owner: Owner, stamp: Stamp, seams: Seams) -> Result<Self, SpoolError> {
        let segments = Segments::new(seams.disk.clone());
        let recovered = recovery::recover(&config, &owner, &seams, &segments)?;
        let Recovered { held, lanes, epoch, renumber, active } = recovered;
        let mut log = Self {
            catalog: Catalog::new(segments.clone(), held),
            reserve: Reserve::open(seams.disk.clone(), config.free_bytes_min),
            config,
            owner,
            stamp,
            seams,
            segments,
            epoch,
            committed: lanes.clone(),
            lanes,
            active,
            sealed: Vec::new(),
            attempts: Vec::new(),
            builders: BTreeMap::new(),
            group: Group::default(),
            waiting: BTreeMap::new(),
            blocked: None,
            failing: None,
            index_failed: false,
            index_unknown: false,
            retry_at_ms: None,
            acks_since_ms: None,
            dropped: 0,
            now_ms: 0,
        };
        log.find_open_attempts()?;
        if let Some(wanted) = renumber {
            log.renumber(wanted, &mut Moving::AsItIs)?;
        }
        Ok(log)
    }

    /// Takes the spool as its disk has it: a change of many things at once was cut short, and may or may not have come
    /// about. Nothing that is packed waits then.
    fn reload(&mut self) -> Result<(), SpoolError> {
        self.active = None;
        self.sealed.clear();
        let mut recovered = recovery::recover(&self.config, &self.owner, &self.seams, &self.segments)?;
        if recovered.epoch == self.epoch {
            // Acks are told to the index late.
            for (lane, state) in &mut recovered.lanes {
                let known = self.committed[lane];
                if known.acked > state.acked {
                    (state.acked, state.acked_hash, state.acked_total) =
                        (known.acked, known.acked_hash, known.acked_total);
                }
            }
        }
        self.catalog.replace(recovered.held);
        self.epoch = recovered.epoch;
        self.committed.clone_from(&recovered.lanes);
        self.lanes = recovered.lanes;
        self.active = recovered.active;
        self.attempts.clear();
        self.find_open_attempts()?;
        self.index_unknown = false;
        match recovered.renumber {
            Some(wanted) => self.renumber(wanted, &mut Moving::AsItIs),
            None => Ok(()),
        }
    }

    pub(super) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// What is in the spool, as committed.
    pub fn state(&self) -> State {
        State {
            epoch: self.epoch,
            lanes: self.committed.values().copied().collect(),
            disk_bytes: self.disk_bytes(),
            blocked: self.failing.clone().or_else(|| self.blocked.clone()),
            paused: self.paused(),
            dropped: self.dropped,
        }
    }

    /// Frames of `lane` after `after`, see [`super::Spool::frames`].
    ///
    /// # Errors
    /// See there.
    pub fn frames(&self, lane: Lane, after: Seq, bytes_max: u64) -> Result<Vec<Stored>, SpoolError> {
        self.catalog.frames(&self.committed[&lane], after, bytes_max)
    }

    /// A source's checkpoint.
    ///
    /// # Errors
    /// The index failed.
    pub fn checkpoint(&self, source: SourceId, key: &[u8]) -> Result<Option<Vec<u8>>, SpoolError> {
        super::index::checkpoint(&*self.seams.index, source, key)
    }

    /// When [`Self::tick`] has something to do; `None`: not before something comes.
    pub fn deadline_ms(&self) -> Option<u64> {
        let frames = self.builders.values().map(|builder| builder.since_ms + self.config.linger_ms).min();
        let acks = self.acks_since_ms.map(|since| since + ACK_DELAY_MS);
        match self.retry_at_ms {
            // While the disk fails, nothing else helps.
            Some(at) if self.failing.is_some() => Some(at),
            retry => [frames, acks, retry].into_iter().flatten().min(),
        }
    }

    /// Whether the group is large enough to be made durable without waiting for more.
    pub fn is_due(&self) -> bool {
        self.group.bytes >= limits::GROUP_BYTES
    }

    /// Takes a batch, when there is room.
    pub fn accept(&mut self, batch: Batch, done: Waiter, now_ms: u64) {
        self.now_ms = now_ms;
        self.waiting.entry(batch.lane).or_default().push_back((batch, done));
        self.admit();
    }

    /// Answers when everything that was accepted before is durable.
    pub fn flush(&mut self, done: Waiter) {
        self.close_frames(Due::All);
        self.group.done.push(done);
    }

    /// Closes frames that are due.
    pub fn close_frames(&mut self, due: Due) {
        let late =
            |builder: &Builder| due == Due::All || self.now_ms >= builder.since_ms + self.config.linger_ms;
        let keys: Vec<_> =
            self.builders.iter().filter(|(_, builder)| late(builder)).map(|(key, _)| *key).collect();
        for key in keys {
            self.close_frame(key);
        }
    }

    /// Time has passed: closes what is late, makes the group durable, tries again what failed.
    pub fn tick(&mut self, now_ms: u64, due: Due) {
        self.now_ms = now_ms;
        self.close_frames(due);
        self.commit(due);
        if self.blocked.is_some() || self.paused().is_some() {
            self.admit();
        }
    }

    /// The hub has everything of `lane` through `through`, whose frame has this hash.
    ///
    /// # Errors
    /// [`SpoolError::AckMismatch`] where the spool's own frame differs.
    pub fn acked(
        &mut self,
        lane: Lane,
        through: Seq,
        hash: ContentHash,
        now_ms: u64,
    ) -> Result<(), SpoolError> {
        self.now_ms = now_ms;
        let state = self.committed[&lane];
        if through < state.acked {
            return Ok(());
        }
        let (own, total) = if through == state.acked {
            (Some(state.acked_hash), state.acked_total)
        } else {
            let pointer = self.catalog.ending(lane, through)?;
            (pointer.map(|p| p.entry.hash), pointer.map_or(0, |p| p.entry.total))
        };
        if own != Some(hash) {
            return Err(SpoolError::AckMismatch { lane, seq: through });
        }
        for lanes in [&mut self.lanes, &mut self.committed] {
            let state = lanes.get_mut(&lane).expect("every lane has a state");
            (state.acked, state.acked_hash, state.acked_total) =
                (through, hash, total.max(state.acked_total));
        }
        self.attempts.retain(|(of, _, last)| *of != lane || *last > through);
        self.acks_since_ms.get_or_insert(now_ms);
        self.admit();
        Ok(())
    }

    /// Numbers what is not acknowledged again, in a new epoch; answers it.
    ///
    /// # Errors
    /// The old epoch goes on.
    pub fn new_epoch(&mut self, now_ms: u64) -> Result<Epoch, SpoolError> {
        self.tick(now_ms, Due::All);
        self.renumber(self.epoch.next(), &mut Moving::AsItIs)?;
        Ok(self.epoch)
    }

    /// Sends again, in a new epoch, what was written since and is still kept; answers since when all is, Unix
    /// milliseconds.
    ///
    /// # Errors
    /// The old epoch goes on.
    pub fn replay(&mut self, since_ms: i64, now_ms: u64) -> Result<i64, SpoolError> {
        self.tick(now_ms, Due::All);
        let (after, kept_ms) = {
            let held = self.catalog.read();
            let kept_ms = held.segments.values().map(|segment| segment.written_ms).min();
            let first = |lane: Lane| {
                let spans = held.segments.values().filter(|segment| segment.written_ms >= since_ms);
                spans.filter_map(|segment| segment.spans.get(&lane)).map(|(first, _)| Seq(first.0 - 1)).min()
            };
            let after =
                |lane: Lane| (lane, first(lane).map_or(self.let_go(lane), |at| at.min(self.let_go(lane))));
            (Lane::ALL.map(after), kept_ms)
        };
        self.renumber_after(&after, self.epoch.next(), &mut Moving::AsItIs)?;
        Ok(kept_ms.unwrap_or(i64::MAX))
    }

    /// Sanitizes what is not acknowledged again, in a new epoch, and stamps it and all that follows; answers the epoch.
    ///
    /// # Errors
    /// The old epoch and stamp go on.
    pub fn resanitize(
        &mut self,
        stamp: Stamp,
        again: &mut Sanitize<'_>,
        now_ms: u64,
    ) -> Result<Epoch, SpoolError> {
        self.tick(now_ms, Due::All);
        let before = std::mem::replace(&mut self.stamp, stamp);
        match self.renumber(self.epoch.next(), &mut Moving::Sanitized(again)) {
            Ok(()) => Ok(self.epoch),
            Err(error) => {
                self.stamp = before;
                Err(error)
            }
        }
    }

    /// Ends: what is open is made durable, the newest segment sealed.
    pub fn close(&mut self, now_ms: u64) {
        self.tick(now_ms, Due::All);
        let gone = self.failing.clone().unwrap_or_else(|| "the spool was closed".to_owned());
        let group = std::mem::take(&mut self.group).done;
        let waiting = std::mem::take(&mut self.waiting).into_values().flatten().map(|(_, done)| done);
        for done in group.into_iter().chain(waiting) {
            done.answer(Err(SpoolError::Io(std::io::Error::other(gone.clone()))));
        }
        if let Err(error) = self.seal_at_end() {
            tracing::warn!(%error, "spool: the newest segment could not be sealed; the next start reads it through");
        }
    }

    /// Takes in what waits, as far as there is room; the interactive lane first.
    fn admit(&mut self) {
        let mut why = None;
        for lane in Lane::ALL {
            while let Some((batch, _)) = self.waiting.get(&lane).and_then(VecDeque::front) {
                let bytes: usize = batch.envelopes.iter().map(|envelope| envelope.cost_bytes()).sum();
                let room = match &self.failing {
                    Some(why) if self.index_unknown => Ok(Some(why.clone())),
                    _ if batch.envelopes.is_empty() => Ok(None),
                    _ => self.no_room(lane, bytes as u64),
                };
                match room.unwrap_or_else(|error| Some(format!("the spool's disk fails: {error}"))) {
                    Some(full) => {
                        why = Some(full);
                        break;
                    }
                    None => {
                        if let Some((batch, done)) = self.waiting.get_mut(&lane).and_then(VecDeque::pop_front)
                        {
                            self.enter(batch, done);
                        }
                    }
                }
            }
        }
        if let (Some(why), None) = (&why, &self.blocked) {
            tracing::warn!(reason = %why, "spool: full, sources wait");
        }
        if why.is_none() && self.blocked.is_some() {
            tracing::info!("spool: there is room again");
        }
        // What is packed has to be written before anything can be dropped.
        let soon = matches!(self.config.when_full, WhenFull::DropOldest(_)) && !self.group.frames.is_empty();
        self.retry_at_ms = why.is_some().then_some(self.now_ms + if soon { 0 } else { RETRY_MS });
        self.blocked = why;
    }

    fn enter(&mut self, batch: Batch, done: Waiter) {
        let key = (batch.lane, batch.source);
        let marks: Checkpoints = batch.checkpoints.into_iter().map(|(k, v)| (batch.source, k, v)).collect();
        let mut attempt = None;
        for envelope in batch.envelopes {
            let bytes = envelope.cost_bytes();
            let full = self.builders.get(&key).is_some_and(|open| {
                open.bytes + bytes > FRAME_CLOSE_BYTES || open.envelopes.len() == FRAME_ENVELOPES_MAX
            });
            if full || part(&envelope).is_some() {
                self.close_frame(key);
            }
            let envelope = match part(&envelope) {
                Some(index) => {
                    // The parts' try is named by the number of the frame that holds the first of them.
                    if index == 0 || attempt.is_none() {
                        attempt = Some(self.lanes[&batch.lane].last.next());
                    }
                    envelope.with_attempt(attempt.unwrap_or_default())
                }
                None => envelope,
            };
            let is_part = part(&envelope).is_some();
            let is_last = matches!(envelope.body, EnvelopeBody::LastPart { .. });
            let builder = self.builders.entry(key).or_insert_with(|| Builder {
                source_name: batch.source_name.text.clone(),
                envelopes: Vec::new(),
                bytes: 0,
                since_ms: self.now_ms,
                done: Vec::new(),
                checkpoints: Vec::new(),
            });
            builder.bytes += bytes;
            builder.envelopes.push(Clean::into_inner(envelope));
            if is_part {
                self.close_frame(key);
            }
            if is_last && let Some(first) = attempt.take() {
                self.attempts.push((batch.lane, first, self.lanes[&batch.lane].last));
            }
        }
        match self.builders.get_mut(&key) {
            Some(builder) => {
                builder.checkpoints.extend(marks);
                builder.done.push(done);
                if batch.lane == Lane::Interactive {
                    self.close_frame(key);
                }
            }
            None => {
                self.group.checkpoints.extend(marks);
                self.group.done.push(done);
            }
        }
    }

    fn close_frame(&mut self, key: (Lane, SourceId)) {
        if self.index_unknown {
            // Its number is not known either.
            return;
        }
        let Some(builder) = self.builders.remove(&key) else { return };
        let Builder { source_name, envelopes, done, checkpoints, .. } = builder;
        let body = BodyV1::Data { source_name, envelopes };
        let stamp = (self.stamp.key_id, self.stamp.policy);
        match self.pack(key.0, key.1, stamp, &body) {
            Ok(packed) => {
                self.group.bytes += packed.bytes.len() as u64;
                self.group.frames.push(packed);
                self.group.done.extend(done);
                self.group.checkpoints.extend(checkpoints);
            }
            Err(error) => {
                // The sanitizer keeps the limits; what breaks them is told to whoever handed it in.
                tracing::error!(%error, "spool: envelopes can't be packed");
                for done in done {
                    done.answer(Err(SpoolError::Limit(error.to_string())));
                }
            }
        }
    }

    fn pack(
        &mut self,
        lane: Lane,
        source: SourceId,
        (key_id, policy): (KeyId, PolicyHash),
        body: &BodyV1,
    ) -> Result<Packed, frame::FrameError> {
        let seq = self.lanes[&lane].last.next();
        let place = self.place((lane, seq, seq), source, (key_id, policy), self.lanes[&lane].last_hash);
        let packed = frame::pack(place, body)?;
        let state = self.lanes.get_mut(&lane).expect("every lane has a state");
        state.last = packed.header.through;
        state.last_hash = packed.hash;
        state.last_total += packed.bytes.len() as u64;
        Ok(packed)
    }

    fn place(
        &self,
        (lane, seq, through): (Lane, Seq, Seq),
        source: SourceId,
        (key_id, policy): (KeyId, PolicyHash),
        previous: ContentHash,
    ) -> Place {
        Place {
            tenant: self.owner.tenant.clone(),
            agent: self.owner.agent,
            epoch: self.epoch,
            lane,
            seq,
            through,
            source,
            key_id,
            policy,
            previous,
        }
    }
}

/// The index of a part; `None` for what is no part.
fn part(envelope: &Envelope) -> Option<u32> {
    match &envelope.body {
        EnvelopeBody::Part { index, .. } | EnvelopeBody::LastPart { index, .. } => Some(*index),
        EnvelopeBody::Whole { .. }
        | EnvelopeBody::Abort { .. }
        | EnvelopeBody::Tombstone { .. }
        | EnvelopeBody::SnapshotEnd { .. } => None,
    }
}
