//! The spool as its users see it: what it answered for is there after every end, in order, once.
#![expect(clippy::unwrap_used, reason = "a failure ends the test")]

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use certus_agent::clock::SetClock;
use certus_agent::spool::disk::Folder;
use certus_agent::spool::segment::{FOLDER, Segments};
use certus_agent::spool::{
    Batch, LaneState, Owner, Spool, SpoolConfig, SpoolError, Stamp, State, Stored, Volatile,
};
use certus_protocol::envelope::{BodyV1 as Envelope, ResourceKind};
use certus_protocol::frame::{self, BodyV1};
use certus_protocol::ids::{AgentId, ContentHash, Epoch, KeyId, Lane, PolicyHash, Seq, SourceId};
use certus_sanitizer::{Clean, Format, Learnt, Place, Policy, PseudonymKey, RawResource, Sanitizer, Text};
use proptest::prelude::*;
use rustix::fs::FlockOperation;
use tempfile::TempDir;
use tokio::task::JoinSet;

const SOURCE: SourceId = SourceId([4; 16]);

struct Home {
    folder: TempDir,
    sanitizer: Sanitizer,
    name: Clean<Text>,
}

impl Home {
    fn new() -> Self {
        let sanitizer = Sanitizer::new(&Policy::default(), PseudonymKey::from_bytes([7; 32])).unwrap();
        let name = sanitizer.string("docs", Place::Path).unwrap();
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        Self { folder, sanitizer, name }
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("spool")
    }

    fn config(&self) -> SpoolConfig {
        let mut config = SpoolConfig::new(self.dir());
        config.segment_bytes = 4 << 20;
        config.bytes_max = 64 << 20;
        config.free_bytes_min = 0;
        config.linger_ms = 1;
        config.keep_acked_bytes = 0;
        // Tests may run wherever there is room.
        config.volatile = Volatile::Allow;
        config
    }

    async fn open(&self) -> Spool {
        self.open_with(self.config()).await.unwrap()
    }

    async fn open_with(&self, config: SpoolConfig) -> Result<Spool, SpoolError> {
        let owner = Owner {
            tenant: "acme".parse().unwrap(),
            agent: AgentId([9; 16]),
            epoch_dir: self.folder.path().to_owned(),
        };
        let stamp = Stamp { key_id: KeyId([1; 8]), policy: PolicyHash([2; 16]) };
        let clock = Arc::new(SetClock::default());
        tokio::task::spawn_blocking(move || Spool::open(&config, owner, stamp, clock)).await.unwrap()
    }

    /// A batch that holds a file of these bytes and remembers `mark` under its path.
    fn batch(&self, lane: Lane, path: &str, content: &[u8], mark: &str) -> Batch {
        let raw = RawResource {
            source: SOURCE,
            kind: ResourceKind::File,
            path,
            reference: "",
            media_type: "text/plain",
            language: "",
            content,
            format: Format::Text,
            modified_ms: None,
            attributes: Vec::new(),
        };
        let clean = self.sanitizer.resource(&raw, &Learnt::default()).unwrap();
        Batch {
            source: SOURCE,
            source_name: self.name.clone(),
            lane,
            envelopes: clean.envelopes,
            checkpoints: vec![(path.as_bytes().to_vec(), Some(mark.as_bytes().to_vec()))],
        }
    }
}

fn lane_of(state: &State, lane: Lane) -> LaneState {
    *state.lanes.iter().find(|there| there.lane == lane).unwrap()
}

fn paths(frames: &[Stored]) -> Vec<String> {
    let mut paths = Vec::new();
    for stored in frames {
        match frame::open(&stored.bytes).unwrap().1 {
            BodyV1::Data { envelopes, .. } => {
                for envelope in envelopes {
                    match envelope.body {
                        Envelope::Whole { resource, .. } | Envelope::LastPart { resource, .. } => {
                            paths.push(resource.path);
                        }
                        _ => {}
                    }
                }
            }
            BodyV1::Gap { reason } => paths.push(reason),
        }
    }
    paths
}

async fn all(spool: &Spool, lane: Lane) -> Vec<Stored> {
    let mut all: Vec<Stored> = Vec::new();
    let acked = lane_of(&spool.state().borrow(), lane).acked;
    let mut after = Seq::ZERO;
    loop {
        let more = spool.frames(lane, after, 1 << 20).await.unwrap();
        after = more.last().map_or(after, |stored| stored.header.through);
        if more.is_empty() && after < acked {
            // What is acknowledged need not be kept.
            after = acked;
            continue;
        }
        if more.is_empty() {
            return all;
        }
        all.extend(more);
    }
}

#[tokio::test]
async fn what_was_accepted_is_there_after_a_restart_with_its_checkpoint() {
    let home = Home::new();
    let spool = home.open().await;
    for number in 0..20 {
        let path = format!("f{number}");
        spool.accept(home.batch(Lane::Bulk, &path, b"text", "seen")).await.unwrap();
        assert_eq!(spool.checkpoint(SOURCE, path.as_bytes()).unwrap().as_deref(), Some(&b"seen"[..]));
    }
    let before = all(&spool, Lane::Bulk).await;
    spool.close().await.unwrap();
    let spool = home.open().await;
    assert_eq!(all(&spool, Lane::Bulk).await, before);
    assert_eq!(paths(&before).len(), 20);
    assert_eq!(spool.checkpoints(SOURCE, b"f1").count(), 11);
    // Each frame names the one before it.
    for pair in before.windows(2) {
        assert_eq!(pair[1].header.previous, pair[0].hash);
        assert_eq!(pair[1].header.seq, pair[0].header.seq.next());
    }
}

#[tokio::test]
async fn a_snapshot_of_the_index_that_a_kill_cut_short_costs_nothing() {
    let home = Home::new();
    let spool = home.open().await;
    spool.accept(home.batch(Lane::Bulk, "a.txt", b"first", "1")).await.unwrap();
    spool.close().await.unwrap();
    drop(home.open().await.close().await);
    let index = home.dir().join("index-0001");
    let names = fs::read_dir(&index).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let snapshot = names.filter(|name| name.starts_with("snap.")).max().unwrap();
    let whole = fs::read(index.join(&snapshot)).unwrap();
    for length in [0, 5, whole.len() / 2, whole.len()] {
        fs::write(index.join("snap.00000000FFFFFFFF.generating"), &whole[..length]).unwrap();
        let spool = home.open().await;
        assert_eq!(spool.checkpoint(SOURCE, b"a.txt").unwrap().as_deref(), Some(&b"1"[..]), "{length} bytes");
        assert!(!home.dir().join("index.corrupt-0").exists());
        spool.close().await.unwrap();
    }
}

/// Threads of sled's may hold its file a moment longer than the spool that was closed.
#[tokio::test]
async fn an_index_that_is_not_yet_let_go_is_waited_for() {
    let home = Home::new();
    home.open().await.close().await.unwrap();
    let held = File::open(home.dir().join("index-0001/db")).unwrap();
    rustix::fs::flock(&held, FlockOperation::LockExclusive).unwrap();
    let inode = format!(":{} ", held.metadata().unwrap().ino());
    let waits = || {
        let locks = fs::read_to_string("/proc/locks").unwrap();
        locks.lines().any(|line| line.contains("-> FLOCK") && line.contains(&inode))
    };
    let home = Arc::new(home);
    let mut opening = JoinSet::new();
    opening.spawn({
        let home = Arc::clone(&home);
        async move { home.open().await }
    });
    while !waits() {
        assert!(opening.try_join_next().is_none(), "it does not wait");
        tokio::task::yield_now().await;
    }
    drop(held);
    opening.join_next().await.unwrap().unwrap().close().await.unwrap();
}

#[tokio::test]
async fn a_second_process_is_kept_out_and_so_is_another_agent() {
    let home = Home::new();
    let spool = home.open().await;
    assert!(matches!(home.open_with(home.config()).await, Err(SpoolError::Locked(_))));
    spool.close().await.unwrap();
    let owner = Owner {
        tenant: "other".parse().unwrap(),
        agent: AgentId([9; 16]),
        epoch_dir: home.folder.path().to_owned(),
    };
    let stamp = Stamp { key_id: KeyId([1; 8]), policy: PolicyHash([2; 16]) };
    let config = home.config();
    let opened = Spool::open(&config, owner, stamp, Arc::new(SetClock::default()));
    assert!(matches!(opened, Err(SpoolError::Foreign(_))));
}

#[tokio::test]
async fn a_large_resource_travels_as_parts_of_one_try() {
    let home = Home::new();
    let spool = home.open().await;
    let content: Vec<u8> =
        (0..3_000_000u32).flat_map(|n| if n % 64 == 63 { *b"\n" } else { *b"x" }).collect();
    spool.accept(home.batch(Lane::Bulk, "small", b"text", "1")).await.unwrap();
    spool.accept(home.batch(Lane::Bulk, "large", &content, "1")).await.unwrap();
    let frames = all(&spool, Lane::Bulk).await;
    let mut attempts = Vec::new();
    let mut bytes = Vec::new();
    for stored in &frames {
        let BodyV1::Data { envelopes, .. } = frame::open(&stored.bytes).unwrap().1 else { continue };
        for envelope in envelopes {
            match envelope.body {
                Envelope::Part { attempt, content, .. } | Envelope::LastPart { attempt, content, .. } => {
                    attempts.push((attempt, stored.header.seq));
                    bytes.extend(content);
                }
                _ => {}
            }
        }
    }
    assert_eq!(bytes, content);
    assert!(attempts.len() >= 3);
    assert!(attempts.iter().all(|(attempt, _)| *attempt == attempts[0].1), "{attempts:?}");
}

#[tokio::test]
async fn an_ack_of_other_bytes_is_told_and_a_new_epoch_numbers_again() {
    let home = Home::new();
    let spool = home.open().await;
    for number in 0..6 {
        spool.accept(home.batch(Lane::Interactive, &format!("f{number}"), b"text", "1")).await.unwrap();
    }
    let frames = all(&spool, Lane::Interactive).await;
    spool.acked(Lane::Interactive, Seq(2), frames[1].hash).await.unwrap();
    let wrong = spool.acked(Lane::Interactive, Seq(3), ContentHash([0; 32])).await;
    assert!(matches!(wrong, Err(SpoolError::AckMismatch { .. })));
    assert_eq!(spool.new_epoch("a test").await.unwrap(), Epoch(2));
    let again = all(&spool, Lane::Interactive).await;
    assert_eq!(paths(&again), ["f2", "f3", "f4", "f5"]);
    assert_eq!(again[0].header.seq, Seq(1));
    assert!(again.iter().all(|stored| stored.header.epoch == Epoch(2)));
    spool.close().await.unwrap();
    let spool = home.open().await;
    assert_eq!(all(&spool, Lane::Interactive).await, again);
}

#[tokio::test]
async fn a_wiped_or_restored_index_never_reuses_a_number_for_other_data() {
    let home = Home::new();
    let spool = home.open().await;
    for number in 0..5 {
        spool.accept(home.batch(Lane::Bulk, &format!("f{number}"), b"text", "1")).await.unwrap();
    }
    let before = all(&spool, Lane::Bulk).await;
    spool.close().await.unwrap();
    fs::remove_dir_all(home.dir().join("index-0001")).unwrap();
    let spool = home.open().await;
    let after = all(&spool, Lane::Bulk).await;
    // Either the same frames under the same numbers, or others in another life.
    let epoch = spool.state().borrow().epoch;
    if epoch == Epoch::FIRST {
        assert_eq!(after, before);
    }
    assert_eq!(paths(&after), paths(&before));
}

#[tokio::test]
async fn a_damaged_frame_becomes_a_gap_and_the_rest_goes_on() {
    let home = Home::new();
    let spool = home.open().await;
    for number in 0..5 {
        spool.accept(home.batch(Lane::Interactive, &format!("f{number}"), b"text", "1")).await.unwrap();
    }
    spool.close().await.unwrap();
    let segments = Segments::new(Arc::new(Folder::open(&home.dir(), &[]).unwrap()));
    let (number, _) = segments.list().unwrap()[0];
    let (_, entry) = segments.scan(number, u64::MAX).unwrap().frames[2];
    damage(&home.dir(), number, entry.offset + 250);
    let spool = home.open().await;
    let damaged = spool.frames(Lane::Interactive, Seq(2), 1 << 20).await;
    assert!(matches!(damaged, Err(SpoolError::Damaged { seq: Seq(3), .. })), "{damaged:?}");
    spool.new_epoch("damage").await.unwrap();
    let frames = all(&spool, Lane::Interactive).await;
    let told = paths(&frames);
    assert_eq!(told.len(), 5);
    assert!(told[2].contains("damaged"), "{told:?}");
    assert_eq!((told[1].as_str(), told[3].as_str()), ("f1", "f3"));
}

fn damage(spool: &Path, segment: u64, at: u64) {
    let path = spool.join(FOLDER).join(format!("{segment:010}.seg"));
    let file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x40], at).unwrap();
}

#[tokio::test]
async fn a_full_spool_makes_sources_wait_and_acks_make_room() {
    let home = Home::new();
    let mut config = home.config();
    config.segment_bytes = 1 << 20;
    config.bytes_max = 5 << 20;
    let spool = home.open_with(config).await.unwrap();
    // Nothing that compresses.
    let mut seed = 1u64;
    let mut noise = || -> Vec<u8> {
        let mut next = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ +-"[(seed % 55) as usize]
        };
        (0..400_000).map(|n| if n % 70 == 69 { b'\n' } else { next() }).collect()
    };
    let mut accepted = 0;
    let mut state = spool.state();
    let mut waiting = Box::pin(spool.accept(home.batch(Lane::Bulk, "f0", &noise(), "1")));
    loop {
        tokio::select! {
            outcome = &mut waiting => {
                outcome.unwrap();
                accepted += 1;
                assert!(accepted < 100, "the bound does not hold");
                waiting = Box::pin(spool.accept(home.batch(Lane::Bulk, &format!("f{accepted}"), &noise(), "1")));
            }
            full = state.wait_for(|state| state.blocked.is_some()) => {
                assert!(full.unwrap().disk_bytes <= 4 << 20, "the last segment is for the interactive lane");
                break;
            }
        }
    }
    assert!(accepted >= 4);
    let last = lane_of(&spool.state().borrow(), Lane::Bulk);
    spool.acked(Lane::Bulk, last.last, last.last_hash).await.unwrap();
    waiting.await.unwrap();
    assert_eq!(lane_of(&spool.state().borrow(), Lane::Bulk).acked, last.last);
}

/// What may happen to a spool.
#[derive(Debug, Clone)]
enum Step {
    Accept(Lane, u8),
    Ack(Lane, u8),
    Restart,
    NewEpoch,
}

fn step() -> impl Strategy<Value = Step> {
    let lane = prop_oneof![Just(Lane::Bulk), Just(Lane::Interactive)];
    prop_oneof![
        5 => (lane.clone(), any::<u8>()).prop_map(|(lane, size)| Step::Accept(lane, size)),
        2 => (lane, any::<u8>()).prop_map(|(lane, at)| Step::Ack(lane, at)),
        1 => Just(Step::Restart),
        1 => Just(Step::NewEpoch),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Against a model: a list of paths for each lane, from which acks take the head.
    #[test]
    fn any_sequence_of_operations_keeps_order_and_loses_nothing(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let home = Home::new();
            let mut spool = home.open().await;
            let mut model: [Vec<String>; 2] = [Vec::new(), Vec::new()];
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Accept(lane, size) => {
                        let path = format!("f{number}");
                        let content = vec![b'x'; usize::from(size) * 64];
                        spool.accept(home.batch(lane, &path, &content, "1")).await.unwrap();
                        model[lane as usize].push(path);
                    }
                    Step::Ack(lane, at) => {
                        let acked = lane_of(&spool.state().borrow(), lane).acked;
                        let frames: Vec<Stored> =
                            all(&spool, lane).await.into_iter().filter(|f| f.header.seq > acked).collect();
                        if let Some(frame) = frames.get(usize::from(at) % frames.len().max(1)) {
                            spool.acked(lane, frame.header.through, frame.hash).await.unwrap();
                            let gone = frames.iter().take_while(|f| f.header.seq <= frame.header.seq);
                            let gone = paths(&gone.cloned().collect::<Vec<_>>()).len();
                            model[lane as usize].drain(..gone);
                        }
                    }
                    Step::Restart => {
                        spool.close().await.unwrap();
                        spool = home.open().await;
                    }
                    Step::NewEpoch => drop(spool.new_epoch("a test").await.unwrap()),
                }
                for lane in Lane::ALL {
                    let acked = lane_of(&spool.state().borrow(), lane).acked;
                    let frames: Vec<Stored> =
                        all(&spool, lane).await.into_iter().filter(|f| f.header.seq > acked).collect();
                    assert_eq!(paths(&frames), model[lane as usize]);
                }
            }
        });
    }
}
