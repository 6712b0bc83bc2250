//! The agent's end: what to send next, what an ack allows to forget, when to begin a new epoch.

use std::collections::{BTreeMap, VecDeque};

use super::{ACK_TIMEOUT_MS, REWINDS_MAX, SLOWEST_BYTES_PER_MS};
use crate::ids::{ContentHash, Epoch, Lane, Seq};
use crate::limits;
use crate::message::{
    Ack, Credit, Goodbye, GoodbyeReason, Hello, LaneResume, Message, Nack, NackReason, Policy,
    WIRE_VERSION_MAX, WIRE_VERSION_MIN, Welcome,
};
use crate::receipt::Receipt;

/// What the spool knows of a lane when a session begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneStart {
    /// Which lane.
    pub lane: Lane,
    /// Acknowledged through here.
    pub acked: Seq,
    /// The last frame spooled.
    pub last: Seq,
}

/// What the driver has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Write this to the control stream.
    Send(Message),
    /// The hub has everything through here: tell the spool, which compares the hash; where
    /// it differs, call [`AgentSession::mismatched`].
    Acked(Ack),
    /// Wait so long before [`AgentSession::next`] is asked again, in milliseconds.
    Pause(u64),
    /// Another policy or key is expected; show it.
    PolicyExpected(Policy),
    /// The hub's receipt: check it and keep it in the ledger.
    Receipted(Receipt),
    /// Close the connection, and go on as the ending says.
    End(Ending),
}

/// How a session ended, and how to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Connect again, with back-off.
    Reconnect(String),
    /// Number what is not acknowledged again, in a new epoch of at least this number, then connect again.
    NewEpoch {
        /// The lowest epoch that will do.
        at_least: Epoch,
        /// Why, for people.
        reason: String,
    },
    /// Connecting again won't help before a person has done something.
    Refused(String),
}

/// What may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Next {
    /// In which lane.
    pub lane: Lane,
    /// Frames after this one.
    pub after: Seq,
    /// The last one that is known to be durable.
    pub last: Seq,
    /// So many frames at the most, at least 1.
    pub frames_max: usize,
    /// So many bytes at the most; the first frame may be larger.
    pub bytes_max: u64,
}

#[derive(Debug)]
struct LaneSend {
    acked: Seq,
    sent: Seq,
    last: Seq,
    in_flight: VecDeque<(Seq, u64)>,
    in_flight_bytes: u64,
    rewinds: u32,
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    Greeting,
    Open,
    Ended,
}

/// The agent's end of one session.
#[derive(Debug)]
pub struct AgentSession {
    phase: Phase,
    epoch: Epoch,
    hello: Hello,
    lanes: BTreeMap<Lane, LaneSend>,
    credit: Credit,
    progress_ms: u64,
}

impl AgentSession {
    /// A session that begins now; the first action is to send `hello`.
    pub fn new(mut hello: Hello, lanes: &[LaneStart], now_ms: u64) -> (Self, Vec<Action>) {
        hello.wire_min = WIRE_VERSION_MIN;
        hello.wire_max = WIRE_VERSION_MAX;
        let lane = |start: &LaneStart| {
            assert!(start.acked <= start.last, "a spool never acknowledges what it does not have");
            let send = LaneSend {
                acked: start.acked,
                sent: start.acked,
                last: start.last,
                in_flight: VecDeque::new(),
                in_flight_bytes: 0,
                rewinds: 0,
            };
            (start.lane, send)
        };
        let session = Self {
            phase: Phase::Greeting,
            epoch: hello.epoch,
            hello: hello.clone(),
            lanes: lanes.iter().map(lane).collect(),
            credit: Credit { frames: 0, bytes: 0 },
            progress_ms: now_ms,
        };
        (session, vec![Action::Send(Message::Hello(hello))])
    }

    /// Whether Welcome has come and the session goes on.
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// A message came on the control stream.
    pub fn message(&mut self, message: Message, now_ms: u64) -> Vec<Action> {
        match (&self.phase, message) {
            (Phase::Ended, _) => Vec::new(),
            (_, Message::Goodbye(goodbye)) => self.end(ending_of(goodbye, self.epoch)),
            (Phase::Greeting, Message::Welcome(welcome)) => self.welcome(welcome, now_ms),
            (Phase::Open, Message::Ack(ack)) => self.ack(ack, now_ms),
            (Phase::Open, Message::Nack(nack)) => self.nack(nack),
            (Phase::Open, Message::Credit(credit)) => {
                self.credit = bounded(credit);
                Vec::new()
            }
            (Phase::Open, Message::Policy(policy)) => self.policy(policy),
            (Phase::Open, Message::Receipt(receipt)) => vec![Action::Receipted(receipt)],
            (Phase::Greeting | Phase::Open, other) => {
                self.protocol_error(&format!("unexpected {}", name_of(&other)))
            }
        }
    }

    /// The spool now ends at `last` in `lane`.
    pub fn spooled(&mut self, lane: Lane, last: Seq) {
        if let Some(send) = self.lanes.get_mut(&lane) {
            assert!(last >= send.last, "a lane only grows within an epoch");
            send.last = last;
        }
    }

    /// What may be sent now, in a lane that `can` take more; of two, the interactive one goes first. `None`: wait for a
    /// message, for the spool or for a lane.
    pub fn next(&self, can: impl Fn(Lane) -> bool) -> Option<Next> {
        if self.phase != Phase::Open {
            return None;
        }
        self.lanes.iter().filter(|(lane, _)| can(**lane)).find_map(|(lane, send)| {
            let frames = (self.credit.frames as usize).saturating_sub(send.in_flight.len());
            let bytes = self.credit.bytes.saturating_sub(send.in_flight_bytes);
            let room = frames > 0 && (bytes > 0 || send.in_flight.is_empty());
            (send.sent < send.last && room).then_some(Next {
                lane: *lane,
                after: send.sent,
                last: send.last,
                frames_max: frames,
                bytes_max: bytes,
            })
        })
    }

    /// Whether nothing is under way that was not acknowledged.
    pub fn is_idle(&self) -> bool {
        self.lanes.values().all(|send| send.in_flight.is_empty())
    }

    /// A frame that stands for `seq..=through` was handed to the connection.
    pub fn sent(&mut self, lane: Lane, through: Seq, bytes: u64, now_ms: u64) {
        let Some(send) = self.lanes.get_mut(&lane) else { return };
        assert!(through > send.sent && through <= send.last, "frames are sent in order");
        if send.in_flight.is_empty() {
            self.progress_ms = now_ms;
        }
        send.sent = through;
        send.in_flight.push_back((through, bytes));
        send.in_flight_bytes += bytes;
    }

    /// The spool's own hash differs from what the hub acknowledged, or it no longer has what the hub lacks.
    pub fn mismatched(&mut self, lane: Lane, why: &str) -> Vec<Action> {
        let reason = format!("the hub's {lane} lane and this spool differ: {why}");
        self.end(Ending::NewEpoch { at_least: self.epoch.next(), reason })
    }

    /// Time has passed.
    pub fn tick(&mut self, now_ms: u64) -> Vec<Action> {
        let waiting = self.phase == Phase::Greeting || !self.is_idle();
        // Until the next ack, the first frames of both lanes may still have to go through a narrow link.
        let first = self.lanes.values().filter_map(|send| send.in_flight.front());
        let narrow_ms: u64 = first.map(|(_, bytes)| bytes / SLOWEST_BYTES_PER_MS).sum();
        let silent = now_ms.saturating_sub(self.progress_ms) > ACK_TIMEOUT_MS + narrow_ms;
        if self.phase == Phase::Ended || !waiting || !silent {
            return Vec::new();
        }
        self.goodbye(GoodbyeReason::Silence, Ending::Reconnect("the hub did not answer in time".to_owned()))
    }

    /// The process stops: says goodbye and ends.
    pub fn stop(&mut self) -> Vec<Action> {
        self.goodbye(GoodbyeReason::Shutdown, Ending::Reconnect("stopped".to_owned()))
    }

    fn welcome(&mut self, welcome: Welcome, now_ms: u64) -> Vec<Action> {
        if welcome.wire < self.hello.wire_min || welcome.wire > self.hello.wire_max {
            return self.protocol_error("the hub chose a wire version that was not offered");
        }
        if welcome.epoch_min > self.epoch {
            let reason = "the hub no longer takes this epoch".to_owned();
            return self.end(Ending::NewEpoch { at_least: welcome.epoch_min, reason });
        }
        self.credit = bounded(welcome.credit);
        self.phase = Phase::Open;
        self.progress_ms = now_ms;
        let mut actions = Vec::new();
        for lane in Lane::ALL {
            let nothing = LaneResume { lane, through: Seq::ZERO, hash: ContentHash([0; 32]) };
            let resume = welcome.lanes.iter().find(|resume| resume.lane == lane).unwrap_or(&nothing);
            let Some(send) = self.lanes.get_mut(&lane) else { continue };
            if resume.through > send.last {
                return self.mismatched(lane, "the hub has frames that this spool does not");
            }
            if resume.through > send.acked {
                actions.push(Action::Acked(Ack { lane, through: resume.through, hash: resume.hash }));
            }
            send.acked = resume.through;
            send.sent = resume.through;
        }
        actions
    }

    fn ack(&mut self, ack: Ack, now_ms: u64) -> Vec<Action> {
        let Some(send) = self.lanes.get_mut(&ack.lane) else {
            return self.protocol_error("ack of an unknown lane");
        };
        if ack.through <= send.acked {
            return Vec::new();
        }
        if ack.through > send.last {
            return self.protocol_error("ack of a frame that was never spooled");
        }
        send.acked = ack.through;
        send.sent = send.sent.max(ack.through);
        send.rewinds = 0;
        while send.in_flight.front().is_some_and(|(seq, _)| *seq <= ack.through) {
            if let Some((_, bytes)) = send.in_flight.pop_front() {
                send.in_flight_bytes -= bytes;
            }
        }
        self.progress_ms = now_ms;
        vec![Action::Acked(ack)]
    }

    fn nack(&mut self, nack: Nack) -> Vec<Action> {
        match nack.reason {
            NackReason::Fork => {
                let reason = format!("the hub has another frame {} in lane {}", nack.seq, nack.lane);
                self.end(Ending::NewEpoch { at_least: self.epoch.next(), reason })
            }
            NackReason::NotYours => {
                self.end(Ending::Refused(format!("the hub refused this agent's frames: {}", nack.detail)))
            }
            NackReason::Retry => self.rewind(nack.lane, 1_000),
            NackReason::OutOfOrder | NackReason::Damaged => self.rewind(nack.lane, 0),
        }
    }

    fn rewind(&mut self, lane: Lane, pause_ms: u64) -> Vec<Action> {
        let Some(send) = self.lanes.get_mut(&lane) else {
            return self.protocol_error("nack of an unknown lane");
        };
        send.rewinds += 1;
        send.sent = send.acked;
        send.in_flight.clear();
        send.in_flight_bytes = 0;
        if send.rewinds > REWINDS_MAX {
            return self
                .end(Ending::Reconnect(format!("the hub refuses frames of lane {lane} again and again")));
        }
        if pause_ms == 0 { Vec::new() } else { vec![Action::Pause(pause_ms * u64::from(send.rewinds))] }
    }

    fn policy(&mut self, policy: Policy) -> Vec<Action> {
        if policy.expected == self.hello.policy && policy.key_id == self.hello.key_id {
            return Vec::new();
        }
        vec![Action::PolicyExpected(policy)]
    }

    fn protocol_error(&mut self, what: &str) -> Vec<Action> {
        self.goodbye(
            GoodbyeReason::Protocol,
            Ending::Reconnect(format!("the hub broke the protocol: {what}")),
        )
    }

    fn goodbye(&mut self, reason: GoodbyeReason, ending: Ending) -> Vec<Action> {
        if self.phase == Phase::Ended {
            return Vec::new();
        }
        let mut actions = vec![Action::Send(Message::Goodbye(Goodbye { reason, detail: String::new() }))];
        actions.extend(self.end(ending));
        actions
    }

    fn end(&mut self, ending: Ending) -> Vec<Action> {
        self.phase = Phase::Ended;
        vec![Action::End(ending)]
    }
}

fn bounded(credit: Credit) -> Credit {
    Credit {
        frames: credit.frames.min(limits::WINDOW_FRAMES_MAX as u32),
        bytes: credit.bytes.min(limits::WINDOW_BYTES_MAX),
    }
}

fn ending_of(goodbye: Goodbye, epoch: Epoch) -> Ending {
    let said = |what: &str| if goodbye.detail.is_empty() { what.to_owned() } else { goodbye.detail.clone() };
    match goodbye.reason {
        GoodbyeReason::Shutdown => Ending::Reconnect(said("the hub stops")),
        GoodbyeReason::Silence => Ending::Reconnect(said("the hub heard nothing for too long")),
        GoodbyeReason::Protocol => Ending::Reconnect(said("the hub says that the protocol was broken")),
        GoodbyeReason::Epoch => Ending::NewEpoch { at_least: epoch.next(), reason: said("epoch refused") },
        GoodbyeReason::Version | GoodbyeReason::UnknownMessage => {
            Ending::Refused(said("the hub speaks another version of the protocol: update the older side"))
        }
        GoodbyeReason::Identity => {
            Ending::Refused(said("the hub does not accept this certificate: enrol again"))
        }
        GoodbyeReason::Key => Ending::Refused(said("the hub knows the sources under another pseudonym key")),
    }
}

fn name_of(message: &Message) -> &'static str {
    match message {
        Message::Hello(_) => "Hello",
        Message::Welcome(_) => "Welcome",
        Message::Ack(_) => "Ack",
        Message::Nack(_) => "Nack",
        Message::Credit(_) => "Credit",
        Message::Policy(_) => "Policy",
        Message::Goodbye(_) => "Goodbye",
        Message::Receipt(_) => "Receipt",
        Message::Ledger(_) => "Ledger",
    }
}
