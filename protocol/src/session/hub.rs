//! The hub's end: which frames to store, what to acknowledge, whom to send away.

use std::collections::BTreeMap;

use super::HELLO_TIMEOUT_MS;
use crate::frame::Header;
use crate::ids::{AgentId, ContentHash, Epoch, Lane, Seq, Tenant};
use crate::limits;
use crate::message::{
    Ack, Credit, Goodbye, GoodbyeReason, Hello, LaneResume, LedgerReport, Message, Nack, NackReason,
    WIRE_VERSION_MAX, WIRE_VERSION_MIN, Welcome,
};

/// Who the certificate says that the peer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its tenant.
    pub tenant: Tenant,
    /// Its id.
    pub agent: AgentId,
}

/// What the store knows of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The lowest epoch that is accepted.
    pub epoch_min: Epoch,
    /// For each lane of the epoch asked for, through where it is stored without a hole.
    pub lanes: Vec<LaneResume>,
    /// The hub's clock, Unix milliseconds.
    pub now_ms: i64,
    /// The hub's version.
    pub program: String,
}

/// What the driver has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Look up what is known of this agent in this epoch, then call [`HubSession::known`].
    Load(Epoch),
    /// Write this to the control stream.
    Send(Message),
    /// Put the frame just given into `raw/` unless it is there, then call [`HubSession::stored`].
    Store,
    /// Forget the frame just given; it stands before one that is missing, and will come again.
    Drop,
    /// The agent told how its ledger stands: compare it with what was receipted, then sign anew.
    Receipt(LedgerReport),
    /// Close the connection.
    End(GoodbyeReason),
}

/// What the store did with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It is durable, now or since earlier, with the same hash.
    Durable,
    /// Another frame stands under its number.
    Different,
    /// The store does not answer.
    Failed,
}

#[derive(Debug)]
struct LaneReceive {
    /// Stored without a hole, and the hash of the frame that ends there.
    through: Seq,
    hash: ContentHash,
    /// Given to the store or stored, in order, and the hash of the frame that ends there.
    taken: Seq,
    taken_hash: ContentHash,
    /// Stored, but after one that is not: by first seq, the last seq and hash.
    ahead: BTreeMap<Seq, (Seq, ContentHash)>,
    acked: Seq,
    /// The number for which a nack was sent and nothing came since.
    refused: Option<Seq>,
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    Waiting,
    Loading,
    Open,
    Ended,
}

/// The hub's end of one session.
#[derive(Debug)]
pub struct HubSession {
    phase: Phase,
    peer: Peer,
    epoch: Epoch,
    lanes: BTreeMap<Lane, LaneReceive>,
    credit: Credit,
    began_ms: u64,
}

impl HubSession {
    /// A session that begins now with a peer whose certificate was verified.
    pub fn new(peer: Peer, now_ms: u64) -> Self {
        let credit = Credit { frames: limits::WINDOW_FRAMES_MAX as u32, bytes: limits::WINDOW_BYTES_MAX };
        Self {
            phase: Phase::Waiting,
            peer,
            epoch: Epoch::FIRST,
            lanes: BTreeMap::new(),
            credit,
            began_ms: now_ms,
        }
    }

    /// The epoch that the agent named; meaningful once the session is open.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Whether Welcome was sent and the session goes on.
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// A message came on the control stream.
    pub fn message(&mut self, message: Message) -> Vec<Action> {
        match (&self.phase, message) {
            (Phase::Ended, _) => Vec::new(),
            (_, Message::Goodbye(goodbye)) => {
                self.phase = Phase::Ended;
                vec![Action::End(goodbye.reason)]
            }
            (Phase::Waiting, Message::Hello(hello)) => self.hello(&hello),
            (Phase::Open, Message::Ledger(report)) => vec![Action::Receipt(report)],
            _ => self.goodbye(GoodbyeReason::Protocol, "message out of turn"),
        }
    }

    /// What [`Action::Load`] asked for.
    pub fn known(&mut self, known: Known) -> Vec<Action> {
        if self.phase != Phase::Loading {
            return Vec::new();
        }
        if self.epoch < known.epoch_min {
            let detail =
                format!("epoch {} is over, the lowest accepted is {}", self.epoch.0, known.epoch_min.0);
            return self.goodbye(GoodbyeReason::Epoch, &detail);
        }
        for lane in Lane::ALL {
            let nothing = LaneResume { lane, through: Seq::ZERO, hash: ContentHash([0; 32]) };
            let resume = known.lanes.iter().find(|resume| resume.lane == lane).unwrap_or(&nothing);
            let receive = LaneReceive {
                through: resume.through,
                hash: resume.hash,
                taken: resume.through,
                taken_hash: resume.hash,
                ahead: BTreeMap::new(),
                acked: resume.through,
                refused: None,
            };
            self.lanes.insert(lane, receive);
        }
        self.phase = Phase::Open;
        vec![Action::Send(Message::Welcome(Welcome {
            wire: WIRE_VERSION_MAX,
            epoch_min: known.epoch_min,
            lanes: known.lanes,
            credit: self.credit,
            now_ms: known.now_ms,
            program: known.program,
        }))]
    }

    /// A frame came whose body has the hash that its header names; `hash` is the frame's own.
    pub fn frame(&mut self, header: &Header, hash: ContentHash) -> Vec<Action> {
        if self.phase != Phase::Open {
            return if self.phase == Phase::Ended {
                Vec::new()
            } else {
                self.goodbye(GoodbyeReason::Protocol, "frame before Hello")
            };
        }
        if header.tenant != self.peer.tenant || header.agent != self.peer.agent {
            return self.not_yours(header);
        }
        if header.epoch != self.epoch {
            return self.goodbye(GoodbyeReason::Protocol, "frame of another epoch than the session's");
        }
        let Some(lane) = self.lanes.get_mut(&header.lane) else {
            return self.goodbye(GoodbyeReason::Protocol, "frame of an unknown lane");
        };
        if header.through <= lane.taken {
            // Sent again after an ack was lost, or after a rewind: the store compares.
            return vec![Action::Store];
        }
        if header.seq > lane.taken.next() {
            let missing = lane.taken.next();
            if lane.refused == Some(missing) {
                return vec![Action::Drop];
            }
            lane.refused = Some(missing);
            return vec![nack(header.lane, missing, NackReason::OutOfOrder), Action::Drop];
        }
        if header.seq != lane.taken.next() || header.previous != lane.taken_hash {
            return vec![nack(header.lane, header.seq, NackReason::Fork), Action::Drop];
        }
        lane.taken = header.through;
        lane.taken_hash = hash;
        lane.refused = None;
        vec![Action::Store]
    }

    /// Bytes came that are no frame.
    pub fn damaged(&mut self, what: &str) -> Vec<Action> {
        self.goodbye(GoodbyeReason::Protocol, what)
    }

    /// What the store did with a frame; stores may end in any order.
    pub fn stored(&mut self, header: &Header, hash: ContentHash, outcome: Stored) -> Vec<Action> {
        let Some(lane) = self.lanes.get_mut(&header.lane) else { return Vec::new() };
        match outcome {
            Stored::Durable => {
                if header.seq > lane.through {
                    lane.ahead.insert(header.seq, (header.through, hash));
                }
                while let Some((through, hash)) = lane.ahead.remove(&lane.through.next()) {
                    lane.through = through;
                    lane.hash = hash;
                }
                if lane.through > lane.taken {
                    // A copy of a frame whose first store failed was stored after all.
                    lane.taken = lane.through;
                    lane.taken_hash = lane.hash;
                    lane.refused = None;
                }
                Vec::new()
            }
            Stored::Different => vec![nack(header.lane, header.seq, NackReason::Fork)],
            Stored::Failed if header.seq > lane.through => {
                // What was taken after it stays in the store; it is compared when it comes again.
                lane.taken = lane.through;
                lane.taken_hash = lane.hash;
                let again = lane.through.next();
                if lane.refused == Some(again) {
                    return Vec::new();
                }
                lane.refused = Some(again);
                vec![nack(header.lane, again, NackReason::Retry)]
            }
            Stored::Failed => Vec::new(),
        }
    }

    /// Acks for everything that became durable since the last call; call it at least every few milliseconds.
    pub fn acks(&mut self) -> Vec<Action> {
        if self.phase != Phase::Open {
            return Vec::new();
        }
        let due = self.lanes.iter_mut().filter(|(_, lane)| lane.through > lane.acked);
        due.map(|(name, lane)| {
            lane.acked = lane.through;
            Action::Send(Message::Ack(Ack { lane: *name, through: lane.through, hash: lane.hash }))
        })
        .collect()
    }

    /// Through where a lane is stored without a hole, and the hash of the frame that ends there.
    pub fn through(&self, lane: Lane) -> Option<(Seq, ContentHash)> {
        self.lanes.get(&lane).map(|lane| (lane.through, lane.hash))
    }

    /// Time has passed.
    pub fn tick(&mut self, now_ms: u64) -> Vec<Action> {
        let late = now_ms.saturating_sub(self.began_ms) > HELLO_TIMEOUT_MS;
        if self.phase == Phase::Waiting && late {
            return self.goodbye(GoodbyeReason::Silence, "no Hello came");
        }
        Vec::new()
    }

    /// The process stops.
    pub fn stop(&mut self) -> Vec<Action> {
        if self.phase == Phase::Ended { Vec::new() } else { self.goodbye(GoodbyeReason::Shutdown, "") }
    }

    fn hello(&mut self, hello: &Hello) -> Vec<Action> {
        if hello.wire_min > WIRE_VERSION_MAX || hello.wire_max < WIRE_VERSION_MIN {
            let detail = format!(
                "the agent speaks wire versions {} to {}, this hub {WIRE_VERSION_MIN} to {WIRE_VERSION_MAX}",
                hello.wire_min, hello.wire_max
            );
            return self.goodbye(GoodbyeReason::Version, &detail);
        }
        if hello.agent != self.peer.agent || hello.tenant != self.peer.tenant.as_str() {
            return self
                .goodbye(GoodbyeReason::Identity, "certificate and Hello name different agents or tenants");
        }
        if hello.epoch < Epoch::FIRST {
            return self.goodbye(GoodbyeReason::Protocol, "epoch 0");
        }
        self.epoch = hello.epoch;
        self.phase = Phase::Loading;
        vec![Action::Load(hello.epoch)]
    }

    fn not_yours(&mut self, header: &Header) -> Vec<Action> {
        let mut actions = vec![nack(header.lane, header.seq, NackReason::NotYours), Action::Drop];
        actions.extend(
            self.goodbye(
                GoodbyeReason::Identity,
                "a frame names another agent or tenant than the certificate",
            ),
        );
        actions
    }

    fn goodbye(&mut self, reason: GoodbyeReason, detail: &str) -> Vec<Action> {
        self.phase = Phase::Ended;
        let goodbye = Goodbye { reason, detail: detail.to_owned() };
        vec![Action::Send(Message::Goodbye(goodbye)), Action::End(reason)]
    }
}

fn nack(lane: Lane, seq: Seq, reason: NackReason) -> Action {
    Action::Send(Message::Nack(Nack { lane, seq, reason, detail: String::new() }))
}
