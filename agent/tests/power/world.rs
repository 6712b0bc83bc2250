//! A spool's core over a model of the disk, a hub that takes what it is given, and what must hold between the two.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use certus_agent::clock::SetClock;
use certus_agent::spool::disk::model::{Model, Unsynced};
use certus_agent::spool::index::{Changes, Index, Memory, Pairs};
use certus_agent::spool::log::{Due, Log, Seams, Waiter};
use certus_agent::spool::{Batch, LaneState, Owner, SpoolConfig, SpoolError, Stamp, Stored, WhenFull};
use certus_protocol::envelope::{BodyV1 as EnvelopeBody, Envelope, ResourceKind, ResourceV1};
use certus_protocol::frame::{self, BodyV1, Kind};
use certus_protocol::ids::{AgentId, ContentHash, DocumentId, Epoch, KeyId, Lane, PolicyHash, Seq, SourceId};
use certus_sanitizer::{Clean, Place, Policy, PseudonymKey, Sanitizer, Text};
use tokio::sync::oneshot;

use crate::history::Step;

const SOURCE: SourceId = SourceId([4; 16]);
/// Small, so that a few frames fill one.
const SEGMENT_BYTES: u64 = 4_096;

/// An index that outlives a crash as a commit leaves it, and fails with the disk.
#[derive(Clone)]
struct OnDisk {
    held: Memory,
    disk: Model,
}

impl Index for OnDisk {
    fn commit(&self, changes: &Changes) -> Result<(), SpoolError> {
        self.disk.step()?;
        self.held.commit(changes)?;
        // From here on it is there, whatever is said of it.
        Ok(self.disk.step()?)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, SpoolError> {
        self.held.get(key)
    }

    fn under(&self, prefix: &[u8]) -> Pairs {
        self.held.under(prefix)
    }

    fn remake(&self) -> Result<(), SpoolError> {
        Ok(self.disk.step()?)
    }
}

/// A batch that was handed in.
struct Handed {
    lane: Lane,
    number: usize,
    answer: oneshot::Receiver<Result<(), SpoolError>>,
    answered: bool,
    durable: bool,
}

/// What the hub holds.
#[derive(Default, Clone)]
struct Hub {
    frames: BTreeMap<(Epoch, Lane, Seq), ContentHash>,
    through: BTreeMap<(Epoch, Lane), (Seq, ContentHash)>,
    numbers: BTreeMap<Lane, Vec<usize>>,
}

/// One run.
pub(crate) struct World {
    pub(crate) disk: Model,
    index: OnDisk,
    history: Vec<Step>,
    log: Option<Log>,
    handed: Vec<Handed>,
    hub: Hub,
    /// Every frame that could be read, by its number, and the batches that it makes visible.
    shown: BTreeMap<(Epoch, Lane, Seq), (ContentHash, Vec<usize>)>,
    now_ms: u64,
    name: Clean<Text>,
    bytes_max: u64,
    when_full: WhenFull,
    seen_dropped: u64,
    /// Batches in frames that a gap frame stood for.
    lost: BTreeSet<usize>,
}

impl World {
    pub(crate) fn new(history: &[Step]) -> Self {
        let disk = Model::default();
        Self {
            index: OnDisk { held: Memory::default(), disk: disk.clone() },
            disk,
            history: history.to_vec(),
            log: None,
            handed: Vec::new(),
            hub: Hub::default(),
            shown: BTreeMap::new(),
            now_ms: 0,
            name: name(),
            bytes_max: 1 << 30,
            when_full: WhenFull::Block,
            seen_dropped: 0,
            lost: BTreeSet::new(),
        }
    }

    /// A spool that holds so many bytes at the most, and drops bulk frames for new ones.
    pub(crate) fn bounded(history: &[Step], bytes_max: u64) -> Self {
        Self { bytes_max, when_full: WhenFull::DropOldest(Lane::Bulk), ..Self::new(history) }
    }

    /// Batches dropped so far.
    pub(crate) fn dropped(&self) -> usize {
        self.lost.len()
    }

    /// Goes through the history, as far as the power lasts.
    pub(crate) fn run(&mut self) {
        if !self.open() {
            self.settle();
        }
        for step in self.history.clone() {
            if self.disk.is_cut() {
                return;
            }
            self.now_ms += 10;
            match step {
                Step::Accept(lane, bytes) => self.accept(lane, &|number| vec![whole(number, bytes)]),
                Step::Parts(lane, count) => self.accept(lane, &|number| parts(number, count)),
                Step::Tick => self.tick(),
                Step::Deliver(lane, frames) => self.deliver(lane, frames),
                Step::NewEpoch => {
                    let now_ms = self.now_ms;
                    // Where it fails, the old epoch goes on.
                    drop(self.log.as_mut().map(|log| log.new_epoch(now_ms)));
                    self.look();
                }
                Step::Restart => {
                    let now_ms = self.now_ms;
                    if let Some(mut log) = self.log.take() {
                        log.close(now_ms);
                    }
                    self.collect();
                    if !self.open() {
                        self.settle();
                    }
                    if self.log.is_some() {
                        self.resume("restart");
                    }
                }
            }
        }
    }

    /// Opens the spool; answers whether that worked.
    pub(crate) fn open(&mut self) -> bool {
        let mut config = SpoolConfig::new(PathBuf::from("/spool"));
        config.segment_bytes = SEGMENT_BYTES;
        config.bytes_max = self.bytes_max;
        config.when_full = self.when_full;
        config.free_bytes_min = 0;
        config.linger_ms = 5;
        config.keep_acked_bytes = 0;
        let owner = Owner {
            tenant: "acme".parse().unwrap(),
            agent: AgentId([9; 16]),
            epoch_dir: PathBuf::from("/spool"),
        };
        let stamp = Stamp { key_id: KeyId([1; 8]), policy: PolicyHash([2; 16]) };
        let seams = Seams {
            disk: Arc::new(self.disk.clone()),
            index: Arc::new(self.index.clone()),
            epochs: Arc::new(self.disk.clone()),
            clock: Arc::new(SetClock::default()),
        };
        self.log = Log::open(config, owner, stamp, seams).ok();
        if self.log.is_some() {
            self.look();
        }
        self.log.is_some()
    }

    /// Lets time pass until a failing disk has recovered.
    pub(crate) fn settle(&mut self) {
        for _ in 0..30 {
            if self.disk.is_cut() {
                return;
            }
            if self.log.is_none() && !self.open() {
                continue;
            }
            self.now_ms += 1_000;
            self.tick();
            if self.handed.iter().all(|handed| handed.answered) {
                return;
            }
        }
    }

    fn tick(&mut self) {
        let now_ms = self.now_ms;
        if let Some(log) = &mut self.log {
            log.tick(now_ms, Due::All);
        }
        self.look();
    }

    fn accept(&mut self, lane: Lane, envelopes: &dyn Fn(usize) -> Vec<Envelope>) {
        let Some(log) = &mut self.log else { return };
        let number = self.handed.len();
        let (done, answer) = oneshot::channel();
        let batch = Batch {
            source: SOURCE,
            source_name: self.name.clone(),
            lane,
            envelopes: envelopes(number).into_iter().map(Clean::from_own_spool).collect(),
            checkpoints: vec![(mark(number), Some(b"1".to_vec()))],
        };
        self.handed.push(Handed { lane, number, answer, answered: false, durable: false });
        log.accept(batch, Waiter::new(done, None), self.now_ms);
        self.look();
    }

    /// The hub takes the next frames of a lane, as many as there are, and acknowledges them.
    pub(crate) fn deliver(&mut self, lane: Lane, count: usize) {
        let now_ms = self.now_ms;
        let Some(log) = &mut self.log else { return };
        let frames = after(log, lane, lane_of(log, lane).acked);
        let mut last = None;
        for stored in frames.into_iter().take(count) {
            self.hub.take(&stored);
            last = Some((stored.header.through, stored.hash));
        }
        if let Some((through, hash)) = last {
            log.acked(lane, through, hash, now_ms).unwrap();
        }
        self.look();
    }

    fn collect(&mut self) {
        for handed in &mut self.handed {
            if let Ok(outcome) = handed.answer.try_recv() {
                handed.answered = true;
                handed.durable |= outcome.is_ok();
            }
        }
    }

    /// Takes note of what was answered, and of every frame that can be read.
    fn look(&mut self) {
        self.collect();
        let Some(log) = &self.log else { return };
        let state = log.state();
        for lane in Lane::ALL {
            // What was seen before is read again only where it may have changed.
            let seen = self.shown.range((state.epoch, lane, Seq::ZERO)..=(state.epoch, lane, Seq(u64::MAX)));
            let seen = seen.last().map_or(Seq::ZERO, |(name, _)| name.2);
            let same = self.seen_dropped == state.dropped;
            let acked = lane_of(log, lane).acked;
            for stored in after(log, lane, if same { seen.max(acked) } else { acked }) {
                let (epoch, seq) = (stored.header.epoch, stored.header.seq);
                if stored.header.kind == Kind::Gap {
                    let dropped = self.shown.range((epoch, lane, seq)..=(epoch, lane, stored.header.through));
                    self.lost.extend(dropped.flat_map(|(_, (_, numbers))| numbers.iter().copied()));
                    continue;
                }
                let name = (epoch, lane, seq);
                let before = self.shown.insert(name, (stored.hash, numbers(&stored)));
                assert!(before.is_none_or(|(hash, _)| hash == stored.hash), "{name:?} became another frame");
            }
        }
        self.seen_dropped = state.dropped;
    }

    /// What is found after a crash.
    pub(crate) fn crashed(&self, unsynced: Unsynced) -> Self {
        let disk = self.disk.crashed(unsynced);
        let handed = self.handed.iter().map(|handed| Handed {
            lane: handed.lane,
            number: handed.number,
            answer: oneshot::channel().1,
            answered: handed.answered,
            durable: handed.durable,
        });
        Self {
            index: OnDisk { held: self.index.held.copy(), disk: disk.clone() },
            disk,
            history: Vec::new(),
            log: None,
            handed: handed.collect(),
            hub: self.hub.clone(),
            shown: self.shown.clone(),
            now_ms: self.now_ms,
            name: self.name.clone(),
            bytes_max: self.bytes_max,
            when_full: self.when_full,
            // All is looked at again.
            seen_dropped: u64::MAX,
            lost: self.lost.clone(),
        }
    }

    /// Every batch was answered: well, or, where the spool had to close while its disk failed, that it is not known.
    pub(crate) fn all_answered(&self, what: &str) {
        let missing: Vec<usize> =
            self.handed.iter().filter(|handed| !handed.answered).map(|handed| handed.number).collect();
        assert!(missing.is_empty(), "{what}: {missing:?} were never answered");
    }

    /// Opens what is there, and checks: what was answered is there, once, in order, with its checkpoint; nothing else is.
    pub(crate) fn check(&mut self, what: &str) {
        assert!(self.open(), "{what}: it can't be opened");
        self.resume(what);
        let log = self.log.as_ref().unwrap();
        for lane in Lane::ALL {
            let state = lane_of(log, lane);
            let frames = after(log, lane, state.acked);
            chained(&state, &frames, what);
            let pending: Vec<usize> = frames.iter().flat_map(numbers).collect();
            let delivered = self.hub.numbers.get(&lane).cloned().unwrap_or_default();
            let all: Vec<usize> = delivered.iter().chain(&pending).copied().collect();
            let once: BTreeSet<usize> = all.iter().copied().collect();
            assert_eq!(
                once.len(),
                all.len(),
                "{what}: {delivered:?} at the hub and {pending:?} in the spool"
            );
            assert!(all.is_sorted(), "{what}: out of order, {all:?}");
            for handed in self.handed.iter().filter(|handed| handed.lane == lane) {
                let there = once.contains(&handed.number);
                let marked = log.checkpoint(SOURCE, &mark(handed.number)).unwrap().is_some();
                let lost = self.lost.contains(&handed.number);
                assert!(
                    there || lost || !handed.durable,
                    "{what}: {} was answered and is gone",
                    handed.number
                );
                assert_eq!(there || lost, marked, "{what}: {} and its checkpoint", handed.number);
            }
        }
        // Those of before the crash wait for no answer.
        self.handed.iter_mut().for_each(|handed| handed.answered = true);
        self.accept(Lane::Bulk, &|number| vec![whole(number, 10)]);
        self.settle();
        assert!(self.handed.last().unwrap().durable, "{what}: it takes nothing more");
    }

    /// The hub says how far it is, as in Welcome.
    fn resume(&mut self, what: &str) {
        let now_ms = self.now_ms;
        let log = self.log.as_mut().unwrap();
        let epoch = log.state().epoch;
        for lane in Lane::ALL {
            let Some((through, hash)) = self.hub.through.get(&(epoch, lane)).copied() else { continue };
            let outcome = log.acked(lane, through, hash, now_ms);
            assert!(outcome.is_ok(), "{what}: {outcome:?}");
        }
    }
}

impl Hub {
    fn take(&mut self, stored: &Stored) {
        let header = &stored.header;
        let name = (header.epoch, header.lane, header.seq);
        match self.frames.insert(name, stored.hash) {
            Some(before) => assert_eq!(before, stored.hash, "{name:?} is another frame than the hub has"),
            None => self.numbers.entry(header.lane).or_default().extend(numbers(stored)),
        }
        self.through.insert((header.epoch, header.lane), (header.through, stored.hash));
    }
}

/// The numbers of the batches whose resources a frame makes visible.
fn numbers(stored: &Stored) -> Vec<usize> {
    let BodyV1::Data { envelopes, .. } = frame::open(&stored.bytes).unwrap().1 else { return Vec::new() };
    let seen = envelopes.into_iter().filter_map(|envelope| match envelope.body {
        EnvelopeBody::Whole { resource, .. } => Some(resource.path.parse().unwrap()),
        EnvelopeBody::LastPart { resource, attempt, index, .. } => {
            assert!(attempt.0 + u64::from(index) == stored.header.seq.0, "parts of a try stand side by side");
            Some(resource.path.parse().unwrap())
        }
        _ => None,
    });
    seen.collect()
}

fn chained(state: &LaneState, frames: &[Stored], what: &str) {
    let (mut seq, mut hash) = (state.acked, Some(state.acked_hash));
    for stored in frames {
        assert_eq!(stored.header.seq, seq.next(), "{what}: a hole");
        let follows = hash.is_none_or(|hash| hash == stored.header.previous);
        assert!(follows, "{what}: a break before {}", stored.header.seq);
        // Behind a gap stands what followed a frame that is lost.
        let gap = stored.header.kind == Kind::Gap;
        (seq, hash) = (stored.header.through, (!gap).then_some(stored.hash));
    }
    assert_eq!(seq, state.last, "{what}: the lane ends elsewhere");
    assert!(hash.is_none_or(|hash| hash == state.last_hash), "{what}: the lane ends elsewhere");
    if frames.iter().any(|stored| stored.header.kind == Kind::Gap) {
        return;
    }
    let bytes: u64 = frames.iter().map(|stored| stored.bytes.len() as u64).sum();
    assert_eq!(state.unacked_bytes(), bytes, "{what}: bytes that wait");
}

fn after(log: &Log, lane: Lane, after: Seq) -> Vec<Stored> {
    let mut frames: Vec<Stored> = Vec::new();
    loop {
        let at = frames.last().map_or(after, |stored| stored.header.through);
        let more = log.frames(lane, at, 1 << 20).unwrap();
        if more.is_empty() {
            return frames;
        }
        frames.extend(more);
    }
}

fn lane_of(log: &Log, lane: Lane) -> LaneState {
    *log.state().lanes.iter().find(|state| state.lane == lane).unwrap()
}

fn name() -> Clean<Text> {
    static NAME: std::sync::OnceLock<Clean<Text>> = std::sync::OnceLock::new();
    let made = || {
        let sanitizer = Sanitizer::new(&Policy::default(), PseudonymKey::from_bytes([7; 32])).unwrap();
        sanitizer.string("docs", Place::Path).unwrap()
    };
    NAME.get_or_init(made).clone()
}

fn mark(number: usize) -> Vec<u8> {
    number.to_string().into_bytes()
}

/// Bytes that do not compress.
fn noise(number: usize, bytes: usize) -> Vec<u8> {
    let mut dice = fastrand::Rng::with_seed(number as u64);
    std::iter::repeat_with(|| dice.u8(..)).take(bytes).collect()
}

fn document(number: usize) -> DocumentId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_le_bytes());
    DocumentId(id)
}

fn resource(number: usize, content: &[u8]) -> ResourceV1 {
    ResourceV1 {
        kind: ResourceKind::File,
        path: number.to_string(),
        reference: String::new(),
        media_type: String::new(),
        language: String::new(),
        size: content.len() as u64,
        hash: ContentHash::of(content),
        modified_ms: None,
        attributes: Vec::new(),
        redactions: Vec::new(),
        kept: Vec::new(),
        profile: String::new(),
    }
}

fn whole(number: usize, bytes: usize) -> Envelope {
    let content = noise(number, bytes);
    let resource = resource(number, &content);
    Envelope { document: document(number), body: EnvelopeBody::Whole { resource, content } }
}

fn parts(number: usize, count: u32) -> Vec<Envelope> {
    let attempt = Seq::ZERO;
    let part = |index: u32| {
        let content = noise(number + index as usize, 400);
        let body = if index + 1 == count {
            EnvelopeBody::LastPart { attempt, index, resource: resource(number, &content), content }
        } else {
            EnvelopeBody::Part { attempt, index, content }
        };
        Envelope { document: document(number), body }
    };
    (0..count).map(part).collect()
}
