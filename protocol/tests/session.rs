//! Both machines against each other, through a link that delays, repeats and cuts, over a store that fails
//! now and then: whatever is acknowledged is stored, nothing is stored as anything else, and in
//! the end everything is.

use std::collections::{BTreeMap, VecDeque};

use certus_protocol::envelope::{BodyV1 as Envelope, EnvelopeV1};
use certus_protocol::frame::{self, BodyV1, Packed, Place};
use certus_protocol::ids::{
    AgentId, ContentHash, DocumentId, Epoch, KeyId, Lane, PolicyHash, Seq, SourceId, Tenant,
};
use certus_protocol::message::{Hello, LaneResume, Message};
use certus_protocol::session::agent::{self, Ending, LaneStart};
use certus_protocol::session::hub::{self, Known, Peer, Stored};
use certus_protocol::session::{AgentSession, HubSession};
use proptest::prelude::*;

const AGENT: AgentId = AgentId([7; 16]);

fn tenant() -> Tenant {
    "acme".parse().expect("a valid tenant")
}

/// The agent's disk.
#[derive(Default)]
struct Spool {
    epoch: u32,
    lanes: BTreeMap<Lane, Vec<Packed>>,
    acked: BTreeMap<Lane, u64>,
}

impl Spool {
    fn new() -> Self {
        Self { epoch: 1, ..Self::default() }
    }

    fn push(&mut self, lane: Lane, text: &str) {
        let epoch = Epoch(self.epoch);
        let frames = self.lanes.entry(lane).or_default();
        let previous = frames.last().map_or(ContentHash([0; 32]), |packed| packed.hash);
        frames.push(packed(epoch, lane, frames.len() as u64 + 1, previous, text));
    }

    fn last(&self, lane: Lane) -> Seq {
        Seq(self.lanes.get(&lane).map_or(0, |frames| frames.len() as u64))
    }

    fn starts(&self) -> Vec<LaneStart> {
        let start = |lane| LaneStart {
            lane,
            acked: Seq(self.acked.get(&lane).copied().unwrap_or(0)),
            last: self.last(lane),
        };
        Lane::ALL.into_iter().map(start).collect()
    }

    fn hash_at(&self, lane: Lane, seq: Seq) -> Option<ContentHash> {
        self.lanes.get(&lane)?.get(seq.0.checked_sub(1)? as usize).map(|packed| packed.hash)
    }

    /// A new epoch with what was not acknowledged.
    fn renumber(&mut self, at_least: Epoch) {
        self.epoch = at_least.0.max(self.epoch + 1);
        let old = std::mem::take(&mut self.lanes);
        let acked = std::mem::take(&mut self.acked);
        for (lane, frames) in old {
            let keep = acked.get(&lane).copied().unwrap_or(0) as usize;
            for packed in frames.into_iter().skip(keep) {
                let (_, body) = frame::open(&packed.bytes).expect("own frames open");
                self.push(lane, &text_of(&body));
            }
        }
    }
}

fn packed(epoch: Epoch, lane: Lane, seq: u64, previous: ContentHash, text: &str) -> Packed {
    let place = Place {
        tenant: tenant(),
        agent: AGENT,
        epoch,
        lane,
        seq: Seq(seq),
        through: Seq(seq),
        source: SourceId([3; 16]),
        key_id: KeyId([1; 8]),
        policy: PolicyHash([2; 16]),
        previous,
    };
    let envelope =
        EnvelopeV1 { document: DocumentId([9; 16]), body: Envelope::Tombstone { path: text.to_owned() } };
    let body = BodyV1::Data { source_name: "docs".to_owned(), envelopes: vec![envelope] };
    frame::pack(place, &body).expect("a small frame packs")
}

fn text_of(body: &BodyV1) -> String {
    let BodyV1::Data { envelopes, .. } = body else { panic!("only data was packed") };
    let Envelope::Tombstone { path } = &envelopes[0].body else { panic!("only tombstones were packed") };
    path.clone()
}

/// The hub's disk.
#[derive(Default)]
struct Raw {
    frames: BTreeMap<(Epoch, Lane, Seq), (ContentHash, String)>,
    epoch_min: u32,
}

impl Raw {
    fn known(&self, epoch: Epoch) -> Known {
        let lane = |lane| {
            let mut resume = LaneResume { lane, through: Seq::ZERO, hash: ContentHash([0; 32]) };
            while let Some((hash, _)) = self.frames.get(&(epoch, lane, resume.through.next())) {
                resume = LaneResume { lane, through: resume.through.next(), hash: *hash };
            }
            resume
        };
        Known {
            epoch_min: Epoch(self.epoch_min.max(1)),
            lanes: Lane::ALL.into_iter().map(lane).collect(),
            now_ms: 0,
            program: "test".to_owned(),
        }
    }

    fn put(&mut self, packed: &Packed) -> Stored {
        let key = (packed.header.epoch, packed.header.lane, packed.header.seq);
        let (_, body) = frame::open(&packed.bytes).expect("frames arrive whole");
        match self.frames.get(&key) {
            Some((hash, _)) if *hash == packed.hash => Stored::Durable,
            Some(_) => Stored::Different,
            None => {
                self.frames.insert(key, (packed.hash, text_of(&body)));
                Stored::Durable
            }
        }
    }
}

/// What the world does next.
#[derive(Debug, Clone)]
enum Step {
    Spool(bool, u8),
    AgentSends,
    HubReads,
    AgentReads,
    StoreEnds(u8, bool),
    Acks,
    Repeat,
    Cut,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (any::<bool>(), 1..4u8).prop_map(|(bulk, count)| Step::Spool(bulk, count)),
        6 => Just(Step::AgentSends),
        6 => Just(Step::HubReads),
        4 => Just(Step::AgentReads),
        6 => (any::<u8>(), prop::bool::weighted(0.9)).prop_map(|(which, works)| Step::StoreEnds(which, works)),
        2 => Just(Step::Acks),
        1 => Just(Step::Repeat),
        1 => Just(Step::Cut),
    ]
}

struct World {
    spool: Spool,
    raw: Raw,
    link: Option<Link>,
    made: Vec<(Lane, String)>,
    now: u64,
}

struct Link {
    agent: AgentSession,
    hub: HubSession,
    up: VecDeque<Message>,
    frames: BTreeMap<Lane, VecDeque<Packed>>,
    down: VecDeque<Message>,
    storing: Vec<Packed>,
}

impl World {
    fn new() -> Self {
        Self { spool: Spool::new(), raw: Raw::default(), link: None, made: Vec::new(), now: 0 }
    }

    fn link(&mut self) -> &mut Link {
        if self.link.is_none() {
            let hello = Hello {
                wire_min: 0,
                wire_max: 0,
                agent: AGENT,
                tenant: "acme".to_owned(),
                epoch: Epoch(self.spool.epoch),
                key_id: KeyId([1; 8]),
                policy: PolicyHash([2; 16]),
                program: String::new(),
                now_ms: 0,
            };
            let (agent, actions) = AgentSession::new(hello, &self.spool.starts(), self.now);
            let hub = HubSession::new(Peer { tenant: tenant(), agent: AGENT }, self.now);
            let mut link = Link {
                agent,
                hub,
                up: VecDeque::new(),
                frames: BTreeMap::new(),
                down: VecDeque::new(),
                storing: Vec::new(),
            };
            for action in actions {
                let agent::Action::Send(message) = action else { panic!("a session begins with Hello") };
                link.up.push_back(message);
            }
            self.link = Some(link);
        }
        self.link.as_mut().expect("just made")
    }

    fn step(&mut self, step: &Step) {
        self.now += 1;
        self.link();
        match step {
            Step::Spool(bulk, count) => self.spool_more(*bulk, *count),
            Step::AgentSends => self.agent_sends(),
            Step::HubReads => self.hub_reads(),
            Step::AgentReads => self.agent_reads(),
            Step::StoreEnds(which, works) => self.store_ends(*which, *works),
            Step::Acks => {
                let actions = self.link().hub.acks();
                self.hub_does(actions, None);
            }
            Step::Repeat => self.repeat(),
            Step::Cut => self.link = None,
        }
    }

    fn spool_more(&mut self, bulk: bool, count: u8) {
        let lane = if bulk { Lane::Bulk } else { Lane::Interactive };
        for _ in 0..count {
            let text = format!("item {}", self.made.len());
            self.spool.push(lane, &text);
            self.made.push((lane, text));
        }
        let last = self.spool.last(lane);
        self.link().agent.spooled(lane, last);
    }

    fn agent_sends(&mut self) {
        let now = self.now;
        let Some(next) = self.link().agent.next(|_| true) else { return };
        let packed = self.spool.lanes[&next.lane][next.after.0 as usize].clone();
        let link = self.link();
        link.agent.sent(next.lane, packed.header.through, packed.bytes.len() as u64, now);
        link.frames.entry(next.lane).or_default().push_back(packed);
    }

    /// The newest frame of a lane travels once more, as after a rewind.
    fn repeat(&mut self) {
        for frames in self.link().frames.values_mut() {
            if let Some(packed) = frames.back().cloned() {
                frames.push_back(packed);
            }
        }
    }

    fn hub_reads(&mut self) {
        if let Some(message) = self.link().up.pop_front() {
            let actions = self.link().hub.message(message);
            return self.hub_does(actions, None);
        }
        if !self.link().hub.is_open() {
            return;
        }
        let lane = self.link().frames.iter().find(|(_, frames)| !frames.is_empty()).map(|(lane, _)| *lane);
        let Some(lane) = lane else { return };
        let packed = self.link().frames.get_mut(&lane).and_then(VecDeque::pop_front).expect("not empty");
        let actions = self.link().hub.frame(&packed.header, packed.hash);
        self.hub_does(actions, Some(packed));
    }

    fn hub_does(&mut self, actions: Vec<hub::Action>, frame: Option<Packed>) {
        for action in actions {
            match action {
                hub::Action::Load(epoch) => {
                    let known = self.raw.known(epoch);
                    let actions = self.link().hub.known(known);
                    self.hub_does(actions, None);
                }
                hub::Action::Send(message) => self.link().down.push_back(message),
                hub::Action::Store => {
                    let packed = frame.clone().expect("only frames are stored");
                    self.link().storing.push(packed);
                }
                hub::Action::Drop | hub::Action::Receipt(_) | hub::Action::End(_) => {}
            }
        }
    }

    fn store_ends(&mut self, which: u8, works: bool) {
        let count = self.link().storing.len();
        if count == 0 {
            return;
        }
        let packed = self.link().storing.remove(which as usize % count);
        let outcome = if works { self.raw.put(&packed) } else { Stored::Failed };
        let actions = self.link().hub.stored(&packed.header, packed.hash, outcome);
        self.hub_does(actions, None);
    }

    fn agent_reads(&mut self) {
        let now = self.now;
        let Some(message) = self.link().down.pop_front() else { return };
        let actions = self.link().agent.message(message, now);
        self.agent_does(actions);
    }

    fn agent_does(&mut self, actions: Vec<agent::Action>) {
        for action in actions {
            match action {
                agent::Action::Send(message) => self.link().up.push_back(message),
                agent::Action::Acked(ack) => {
                    if self.spool.hash_at(ack.lane, ack.through) != Some(ack.hash) {
                        let actions = self.link().agent.mismatched(ack.lane, "hash");
                        return self.agent_does(actions);
                    }
                    for seq in 1..=ack.through.0 {
                        let key = (Epoch(self.spool.epoch), ack.lane, Seq(seq));
                        let own = self.spool.hash_at(ack.lane, Seq(seq));
                        assert_eq!(
                            self.raw.frames.get(&key).map(|(hash, _)| *hash),
                            own,
                            "acked but not stored"
                        );
                    }
                    let acked = self.spool.acked.entry(ack.lane).or_default();
                    *acked = ack.through.0.max(*acked);
                }
                agent::Action::Pause(_) | agent::Action::PolicyExpected(_) | agent::Action::Receipted(_) => {}
                agent::Action::End(Ending::NewEpoch { at_least, .. }) => {
                    self.spool.renumber(at_least);
                    self.link = None;
                    return;
                }
                agent::Action::End(_) => {
                    self.link = None;
                    return;
                }
            }
        }
    }

    /// Everything works from now on: in the end all that was made is stored, in order.
    fn settle(&mut self) {
        for _ in 0..(200 + 40 * self.made.len()) {
            for step in
                [Step::AgentSends, Step::HubReads, Step::StoreEnds(0, true), Step::Acks, Step::AgentReads]
            {
                self.step(&step);
            }
        }
        let unacked =
            |lane: &Lane| self.spool.last(*lane).0 - self.spool.acked.get(lane).copied().unwrap_or(0);
        assert_eq!(Lane::ALL.iter().map(unacked).sum::<u64>(), 0, "not everything was acknowledged");
    }

    fn stored(&self, lane: Lane) -> Vec<String> {
        let of_lane = self.raw.frames.iter().filter(|((_, l, _), _)| *l == lane);
        of_lane.map(|(_, (_, text))| text.clone()).collect()
    }

    fn made(&self, lane: Lane) -> Vec<String> {
        self.made.iter().filter(|(l, _)| *l == lane).map(|(_, text)| text.clone()).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn honest_ends_store_everything_once_and_in_order(steps in prop::collection::vec(step(), 1..300)) {
        let mut world = World::new();
        steps.iter().for_each(|step| world.step(step));
        world.settle();
        prop_assert_eq!(world.spool.epoch, 1, "an honest agent never needs a new epoch");
        for lane in Lane::ALL {
            prop_assert_eq!(world.stored(lane), world.made(lane));
        }
    }

    #[test]
    fn a_spool_restored_from_a_snapshot_loses_nothing(
        before in prop::collection::vec(step(), 1..100),
        after in prop::collection::vec(step(), 1..100),
        more in 1..5u8,
    ) {
        let mut world = World::new();
        before.iter().for_each(|step| world.step(step));
        let snapshot = Spool {
            epoch: world.spool.epoch,
            lanes: world.spool.lanes.clone(),
            acked: world.spool.acked.clone(),
        };
        after.iter().for_each(|step| world.step(step));
        world.settle();
        world.spool = snapshot;
        world.link = None;
        // While offline the restored agent numbers other data with the same numbers.
        world.spool.push(Lane::Bulk, "after the restore");
        world.made.push((Lane::Bulk, "after the restore".to_owned()));
        world.spool_more(true, more);
        world.settle();
        let stored = world.stored(Lane::Bulk);
        for text in world.made(Lane::Bulk) {
            prop_assert!(stored.contains(&text), "{} is missing", text);
        }
    }
}

#[test]
fn a_frame_for_another_agent_ends_the_session_and_is_not_stored() {
    let mut hub = HubSession::new(Peer { tenant: tenant(), agent: AgentId([8; 16]) }, 0);
    let hello = Hello {
        wire_min: 1,
        wire_max: 1,
        agent: AgentId([8; 16]),
        tenant: "acme".to_owned(),
        epoch: Epoch(1),
        key_id: KeyId([1; 8]),
        policy: PolicyHash([2; 16]),
        program: String::new(),
        now_ms: 0,
    };
    assert_eq!(hub.message(Message::Hello(hello.clone())), vec![hub::Action::Load(Epoch(1))]);
    hub.known(Raw::default().known(Epoch(1)));
    let forged = packed(Epoch(1), Lane::Bulk, 1, ContentHash([0; 32]), "forged");
    let actions = hub.frame(&forged.header, forged.hash);
    assert!(!actions.contains(&hub::Action::Store));
    assert!(actions.iter().any(|action| matches!(action, hub::Action::End(_))));

    let mut hub = HubSession::new(Peer { tenant: tenant(), agent: AGENT }, 0);
    let actions = hub.message(Message::Hello(hello));
    assert!(
        actions.iter().any(|action| matches!(action, hub::Action::End(_))),
        "Hello and certificate differ"
    );
}

#[test]
fn an_epoch_below_the_lowest_is_refused_and_left() {
    let mut world = World::new();
    world.raw.epoch_min = 5;
    world.spool.push(Lane::Bulk, "one");
    world.made.push((Lane::Bulk, "one".to_owned()));
    world.settle();
    assert_eq!(world.spool.epoch, 5);
    assert_eq!(world.stored(Lane::Bulk), ["one"]);
}

#[test]
fn silence_ends_both_ends() {
    let mut world = World::new();
    let link = world.link();
    assert!(link.agent.tick(30_000).is_empty());
    assert!(matches!(link.agent.tick(30_001).last(), Some(agent::Action::End(Ending::Reconnect(_)))));
    assert!(link.hub.tick(10_000).is_empty());
    assert!(matches!(link.hub.tick(10_001).last(), Some(hub::Action::End(_))));
}
