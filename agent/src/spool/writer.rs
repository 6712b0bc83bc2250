//! The one thread that writes: packs envelopes into frames, syncs them in groups, and keeps the index.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use certus_protocol::envelope::{BodyV1 as EnvelopeBody, Envelope};
use certus_protocol::frame::{self, BodyV1, Packed, Place};
use certus_protocol::ids::{ContentHash, Epoch, KeyId, Lane, PolicyHash, Seq, SourceId};
use certus_protocol::limits::{FRAME_CLOSE_BYTES, FRAME_ENVELOPES_MAX};
use certus_sanitizer::Clean;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::time::Instant;

use super::index::{Changes, Index};
use super::recovery::Recovered;
use super::segment::Segments;
use super::space::{Pressed, Space};
use super::{Batch, LaneState, Owner, SpoolConfig, SpoolError, Stamp, State};
use crate::clock::Clock;
use crate::limits;

mod renumber;
mod tail;

/// Acks are made durable lazily: one that is lost is told again by the hub.
const ACK_DELAY: Duration = Duration::from_millis(250);

type Done<T> = oneshot::Sender<Result<T, SpoolError>>;

/// Who waits for durability, and the room in memory that is free again after it.
pub(super) struct Waiter {
    done: Done<()>,
    room: Option<OwnedSemaphorePermit>,
}

impl Waiter {
    pub(super) fn new(done: Done<()>, room: Option<OwnedSemaphorePermit>) -> Self {
        Self { done, room }
    }

    fn answer(self, outcome: Result<(), SpoolError>) {
        drop(self.room);
        answer(self.done, outcome);
    }
}

/// What the writer is asked to do.
pub(super) enum Command {
    Accept(Batch, Waiter),
    /// Somebody waits for room that open frames hold.
    Hurry,
    Acked {
        lane: Lane,
        through: Seq,
        hash: ContentHash,
        done: Done<()>,
    },
    NewEpoch(Done<Epoch>),
    Flush(Waiter),
    Close(Done<()>),
}

/// A frame that is open for more envelopes.
struct Builder {
    source_name: String,
    envelopes: Vec<Envelope>,
    bytes: usize,
    since: Instant,
    done: Vec<Waiter>,
    checkpoints: Checkpoints,
}

type Checkpoints = Vec<(SourceId, Vec<u8>, Option<Vec<u8>>)>;

/// What the next commit makes durable.
#[derive(Default)]
struct Group {
    frames: Vec<Packed>,
    bytes: u64,
    done: Vec<Waiter>,
    checkpoints: Checkpoints,
}

pub(super) struct Writer {
    config: SpoolConfig,
    owner: Owner,
    stamp: Stamp,
    clock: Arc<dyn Clock>,
    lock: File,
    index: Index,
    segments: Segments,
    space: Space,
    epoch: Epoch,
    /// As packed.
    lanes: BTreeMap<Lane, LaneState>,
    /// As committed.
    committed: BTreeMap<Lane, LaneState>,
    active: Option<(u64, File, u64, u64)>,
    builders: BTreeMap<(Lane, SourceId), Builder>,
    group: Group,
    waiting: VecDeque<(Batch, Waiter)>,
    blocked: Option<String>,
    acks_since: Option<Instant>,
    state: watch::Sender<State>,
}

impl Writer {
    /// A writer over what was recovered; numbers it again first where it has to.
    pub(super) fn new(
        config: SpoolConfig,
        owner: Owner,
        stamp: Stamp,
        recovered: Recovered,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, watch::Receiver<State>), SpoolError> {
        let space = Space::read(&recovered.segments, &recovered.index, clock.now_ms())?;
        let empty = State { epoch: recovered.epoch, lanes: Vec::new(), disk_bytes: 0, blocked: None };
        let (state, watched) = watch::channel(empty);
        let mut writer = Self {
            config,
            owner,
            stamp,
            clock,
            lock: recovered.lock,
            index: recovered.index,
            segments: recovered.segments,
            space,
            epoch: recovered.epoch,
            committed: recovered.lanes.clone(),
            lanes: recovered.lanes,
            active: None,
            builders: BTreeMap::new(),
            group: Group::default(),
            waiting: VecDeque::new(),
            blocked: None,
            acks_since: None,
            state,
        };
        writer.cut_tail()?;
        if let Some(wanted) = recovered.renumber {
            writer.renumber(wanted)?;
        }
        writer.publish();
        Ok((writer, watched))
    }

    /// Serves until closed or until every handle is gone.
    pub(super) fn run(mut self, commands: mpsc::Receiver<Command>) {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_time().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                tracing::error!(%error, "spool: the writer can't start");
                return;
            }
        };
        if let Some(closed) = runtime.block_on(self.serve(commands)) {
            drop(self);
            // Whoever closes learns of it after lock and files are let go.
            answer(closed, Ok(()));
        }
    }

    async fn serve(&mut self, mut commands: mpsc::Receiver<Command>) -> Option<Done<()>> {
        loop {
            let first = match self.deadline() {
                None => commands.recv().await,
                Some(at) => match tokio::time::timeout_at(at, commands.recv()).await {
                    Ok(command) => command,
                    Err(_) => {
                        self.close_frames(Due::Late);
                        self.commit(Due::Late);
                        continue;
                    }
                },
            };
            let group_ends = Instant::now() + Duration::from_millis(limits::GROUP_WAIT_MS);
            let mut next = first;
            loop {
                let Some(command) = next else {
                    self.close_frames(Due::All);
                    self.commit(Due::All);
                    return None;
                };
                if let Some(closing) = self.take(command) {
                    self.close_frames(Due::All);
                    self.commit(Due::All);
                    return Some(closing);
                }
                if self.group.bytes >= limits::GROUP_BYTES {
                    break;
                }
                match tokio::time::timeout_at(group_ends, commands.recv()).await {
                    Ok(command) => next = command,
                    Err(_) => break,
                }
            }
            self.close_frames(Due::Late);
            self.commit(Due::Late);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let linger = Duration::from_millis(self.config.linger_ms);
        let frames = self.builders.values().map(|builder| builder.since + linger).min();
        let acks = self.acks_since.map(|since| since + ACK_DELAY);
        let blocked = (!self.waiting.is_empty()).then(|| Instant::now() + Duration::from_millis(500));
        [frames, acks, blocked].into_iter().flatten().min()
    }

    fn take(&mut self, command: Command) -> Option<Done<()>> {
        match command {
            Command::Accept(batch, done) => {
                self.waiting.push_back((batch, done));
                self.admit();
            }
            Command::Hurry => self.close_frames(Due::All),
            Command::Acked { lane, through, hash, done } => {
                let outcome = self.acked(lane, through, hash);
                self.admit();
                answer(done, outcome);
            }
            Command::NewEpoch(done) => {
                self.close_frames(Due::All);
                self.commit(Due::Late);
                let outcome = self.renumber(self.epoch.next());
                self.publish();
                answer(done, outcome.map(|()| self.epoch));
            }
            Command::Flush(done) => {
                self.close_frames(Due::All);
                self.group.done.push(done);
            }
            Command::Close(done) => return Some(done),
        }
        None
    }

    /// Takes in what waits, as far as there is room.
    fn admit(&mut self) {
        while let Some((batch, _)) = self.waiting.front() {
            let bytes: usize = batch.envelopes.iter().map(|envelope| envelope.cost_bytes()).sum();
            let room = if batch.envelopes.is_empty() { Ok(None) } else { self.no_room(bytes as u64) };
            match room {
                Ok(None) => self.blocked = None,
                Ok(Some(why)) => {
                    if self.blocked.is_none() {
                        tracing::warn!(reason = %why, "spool: full, sources wait");
                    }
                    self.blocked = Some(why);
                    self.publish();
                    return;
                }
                Err(error) => {
                    if let Some((_, done)) = self.waiting.pop_front() {
                        done.answer(Err(error));
                    }
                    continue;
                }
            }
            if let Some((batch, done)) = self.waiting.pop_front() {
                self.enter(batch, done);
            }
        }
    }

    /// Why `bytes` more can't be written now; `None`: they can.
    fn no_room(&mut self, bytes: u64) -> Result<Option<String>, SpoolError> {
        let open: usize = self.builders.values().map(|builder| builder.bytes + 4096).sum();
        let wanted = self.group.bytes + open as u64 + bytes + bytes / 64 + 64 * 1024;
        if self.active.as_ref().is_some_and(|(_, _, at, end)| at + wanted <= *end) {
            return Ok(None);
        }
        let segment = self.config.segment_bytes.max(wanted);
        if self.space.full(&self.config, &self.lock, segment)?.is_some() {
            self.delete_segments(Pressed::Yes)?;
        }
        Ok(self.space.full(&self.config, &self.lock, segment)?)
    }

    fn enter(&mut self, batch: Batch, done: Waiter) {
        let key = (batch.lane, batch.source);
        let marks: Checkpoints = batch.checkpoints.into_iter().map(|(k, v)| (batch.source, k, v)).collect();
        let in_parts = batch.envelopes.iter().any(|envelope| is_part(envelope));
        if in_parts {
            // The parts' try is named by the number of the frame that holds the first of them: begin one.
            self.close_frame(key);
        }
        let mut attempt = None;
        for envelope in batch.envelopes {
            let bytes = envelope.cost_bytes();
            let full = self.builders.get(&key).is_some_and(|open| {
                open.bytes + bytes > FRAME_CLOSE_BYTES || open.envelopes.len() == FRAME_ENVELOPES_MAX
            });
            if full {
                self.close_frame(key);
            }
            let envelope = if is_part(&envelope) {
                let first = matches!(
                    &envelope.body,
                    EnvelopeBody::Part { index: 0, .. } | EnvelopeBody::LastPart { index: 0, .. }
                );
                if first || attempt.is_none() {
                    self.close_frame(key);
                    attempt = self.lanes.get(&batch.lane).map(|lane| lane.last.next());
                }
                envelope.with_attempt(attempt.unwrap_or_default())
            } else {
                envelope
            };
            let builder = self.builders.entry(key).or_insert_with(|| Builder {
                source_name: batch.source_name.text.clone(),
                envelopes: Vec::new(),
                bytes: 0,
                since: Instant::now(),
                done: Vec::new(),
                checkpoints: Vec::new(),
            });
            builder.bytes += bytes;
            builder.envelopes.push(Clean::into_inner(envelope));
            if attempt.is_some() {
                self.close_frame(key);
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

    fn close_frames(&mut self, due: Due) {
        let linger = Duration::from_millis(self.config.linger_ms);
        let now = Instant::now();
        let late = |builder: &Builder| due == Due::All || now >= builder.since + linger;
        let keys: Vec<_> =
            self.builders.iter().filter(|(_, builder)| late(builder)).map(|(key, _)| *key).collect();
        for key in keys {
            self.close_frame(key);
        }
    }

    fn close_frame(&mut self, key: (Lane, SourceId)) {
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
        let state = self.lanes.get_mut(&lane).expect("every lane has a state");
        let place = Place {
            tenant: self.owner.tenant.clone(),
            agent: self.owner.agent,
            epoch: self.epoch,
            lane,
            seq: state.last.next(),
            through: state.last.next(),
            source,
            key_id,
            policy,
            previous: state.last_hash,
        };
        let packed = frame::pack(place, body)?;
        state.last = packed.header.through;
        state.last_hash = packed.hash;
        state.unacked_bytes += packed.bytes.len() as u64;
        Ok(packed)
    }

    /// Makes the group durable and tells who waits.
    fn commit(&mut self, acks: Due) {
        let due = self.acks_since.is_some_and(|since| acks == Due::All || since.elapsed() >= ACK_DELAY);
        let group = std::mem::take(&mut self.group);
        if group.frames.is_empty() && group.checkpoints.is_empty() && !due {
            group.done.into_iter().for_each(|done| done.answer(Ok(())));
            return;
        }
        match self.write(&group, Changes::default()) {
            Ok(()) => group.done.into_iter().for_each(|done| done.answer(Ok(()))),
            Err(error) => {
                tracing::error!(%error, "spool: a group could not be made durable");
                self.lanes.clone_from(&self.committed);
                let text = error.to_string();
                for done in group.done {
                    done.answer(Err(SpoolError::Io(std::io::Error::other(text.clone()))));
                }
            }
        }
        if let Err(error) = self.delete_segments(Pressed::No) {
            tracing::warn!(%error, "spool: acknowledged segments could not be deleted");
        }
        self.publish();
    }

    fn write(&mut self, group: &Group, mut changes: Changes) -> Result<(), SpoolError> {
        let pointers = self.append(&group.frames)?;
        for (packed, pointer) in group.frames.iter().zip(&pointers) {
            changes.frame(packed.header.lane, packed.header.seq, pointer);
        }
        for (source, key, value) in &group.checkpoints {
            changes.checkpoint(*source, key, value.clone());
        }
        self.lanes.values().for_each(|lane| changes.lane(lane));
        changes.epoch(self.epoch);
        self.index.commit(changes)?;
        let now_ms = self.clock.now_ms();
        for (packed, pointer) in group.frames.iter().zip(&pointers) {
            self.space.wrote(packed.header.lane, packed.header.seq, pointer, now_ms);
        }
        self.committed.clone_from(&self.lanes);
        self.acks_since = None;
        Ok(())
    }

    fn acked(&mut self, lane: Lane, through: Seq, hash: ContentHash) -> Result<(), SpoolError> {
        let state = self.lanes.get_mut(&lane).expect("every lane has a state");
        if through < state.acked {
            return Ok(());
        }
        let own = if through == state.acked { Some(state.acked_hash) } else { None };
        let own = match own {
            Some(own) => Some(own),
            None => self.index.pointer(lane, through)?.map(|pointer| pointer.hash),
        };
        if own != Some(hash) {
            return Err(SpoolError::AckMismatch { lane, seq: through });
        }
        let mut bytes = 0;
        for found in self.index.pointers(lane, state.acked) {
            let (seq, pointer) = found?;
            if seq > through {
                break;
            }
            bytes += u64::from(pointer.bytes);
        }
        state.unacked_bytes = state.unacked_bytes.saturating_sub(bytes);
        state.acked = through;
        state.acked_hash = hash;
        let committed = self.committed.get_mut(&lane).expect("every lane has a state");
        committed.acked = through;
        committed.acked_hash = hash;
        committed.unacked_bytes = committed.unacked_bytes.saturating_sub(bytes);
        self.acks_since.get_or_insert_with(Instant::now);
        self.publish();
        Ok(())
    }

    /// Deletes segments that may go: first the index forgets their frames, durably, then the file goes.
    fn delete_segments(&mut self, pressed: Pressed) -> Result<(), SpoolError> {
        let now_ms = self.clock.now_ms();
        for (number, last) in self.space.expendable(&self.config, &self.committed, now_ms, pressed) {
            let mut changes = Changes::default();
            for (lane, last) in last {
                for found in self.index.pointers(lane, Seq::ZERO) {
                    let (seq, _) = found?;
                    if seq > last {
                        break;
                    }
                    changes.forget_frame(lane, seq);
                }
            }
            self.committed.values().for_each(|lane| changes.lane(lane));
            self.index.commit(changes)?;
            self.segments.delete(number)?;
            self.space.deleted(number);
        }
        Ok(())
    }

    fn publish(&self) {
        let state = State {
            epoch: self.epoch,
            lanes: self.committed.values().copied().collect(),
            disk_bytes: self.space.disk_bytes(),
            blocked: self.blocked.clone(),
        };
        self.state.send_if_modified(|now| {
            let changed = *now != state;
            *now = state;
            changed
        });
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Due {
    All,
    Late,
}

fn is_part(envelope: &Envelope) -> bool {
    matches!(envelope.body, EnvelopeBody::Part { .. } | EnvelopeBody::LastPart { .. })
}

/// Whoever asked may have gone; then nobody has to know.
fn answer<T>(done: Done<T>, outcome: Result<T, SpoolError>) {
    drop(done.send(outcome));
}
