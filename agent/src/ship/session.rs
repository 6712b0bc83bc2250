//! One session: carries out what the pure machine decides, between a connection and the spool.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use certus_protocol::ids::{Epoch, Lane, Seq};
use certus_protocol::limits;
use certus_protocol::message::{self, Ack, Decoded, Hello, Message};
use certus_protocol::session::AgentSession;
use certus_protocol::session::agent::{Action, Ending, LaneStart, Next};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::quic::{ConnectError, Connected};
use super::receipts::{ReceiptError, Receipting};
use super::{Ship, ShipError};
use crate::ledger::LedgerError;
use crate::spool::{SpoolError, State, Stored};

/// Frames of a lane that wait for the connection.
const LANE_QUEUE_FRAMES: usize = 4;
/// Bytes read from the spool at once; part of the agent's memory budget.
const READ_BYTES_MAX: u64 = 2 << 20;
const TICK: Duration = Duration::from_millis(500);
/// How long a session that is to end waits for the receipt of what was acknowledged.
const LAST_RECEIPT: Duration = Duration::from_secs(1);

/// How a session ended.
pub(super) enum SessionEnd {
    /// Connect again after a while.
    Reconnect(String),
    /// Nothing may leave; try again after a while.
    Held(String),
    /// Connecting again won't help before a person has done something.
    Refused(String),
    /// Begin a new epoch first.
    NewEpoch {
        /// The lowest that will do.
        at_least: Epoch,
        /// Why.
        reason: String,
    },
}

struct Session<'a> {
    ship: &'a Ship,
    machine: AgentSession,
    control: quinn::SendStream,
    lanes: BTreeMap<Lane, mpsc::Sender<Bytes>>,
    epoch: Epoch,
    began: Instant,
    paused_until: Option<Instant>,
    receipts: Receipting,
    /// Set once the session is to end: until when it waits for a receipt.
    stopping: Option<Instant>,
    end: Option<SessionEnd>,
}

/// Runs one session to its end.
pub(super) async fn run(
    ship: &Ship,
    connected: Connected,
    stop: &CancellationToken,
    backoff: &mut Backoff,
) -> Result<SessionEnd, ShipError> {
    let mut writers = JoinSet::new();
    let outcome = converse(ship, &connected, stop, backoff, &mut writers).await;
    writers.shutdown().await;
    let reason = connected.connection.close_reason();
    connected.close().await;
    match outcome {
        Ok(end) => Ok(end),
        Err(Failure::Ship(error)) => Err(error),
        Err(Failure::Held(why)) => Ok(SessionEnd::Held(format!("nothing is sent: {why}"))),
        Err(Failure::Link(text)) => {
            // The hub's verdict on a certificate arrives as the reason of the close.
            let text =
                reason.map_or(text, |error| ConnectError::from_connection(&ship.hub, &error).to_string());
            Ok(SessionEnd::Reconnect(text))
        }
    }
}

enum Failure {
    Ship(ShipError),
    /// The ledger can't be written.
    Held(String),
    Link(String),
}

impl From<ShipError> for Failure {
    fn from(error: ShipError) -> Self {
        Self::Ship(error)
    }
}

impl From<SpoolError> for Failure {
    fn from(error: SpoolError) -> Self {
        Self::Ship(error.into())
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        Self::Held(error.to_string())
    }
}

impl From<ReceiptError> for Failure {
    fn from(error: ReceiptError) -> Self {
        match error {
            ReceiptError::Wrong(_) => Self::Link(error.to_string()),
            other => Self::Held(other.to_string()),
        }
    }
}

fn link(error: impl std::fmt::Display) -> Failure {
    Failure::Link(format!("the connection was lost: {error}"))
}

async fn converse(
    ship: &Ship,
    connected: &Connected,
    stop: &CancellationToken,
    backoff: &mut Backoff,
    writers: &mut JoinSet<()>,
) -> Result<SessionEnd, Failure> {
    let (control, receive) = connected.connection.open_bi().await.map_err(link)?;
    let (messages_in, mut messages) = mpsc::channel(16);
    writers.spawn(read_messages(receive, messages_in));
    let mut state = ship.spool.state();
    let (mut session, hello) = Session::begin(ship, control, &state.borrow_and_update().clone());
    session.act(hello).await?;
    let mut ticks = tokio::time::interval(TICK);
    loop {
        if let Some(end) = session.end.take() {
            return Ok(end);
        }
        if session.machine.is_open() && session.lanes.is_empty() {
            session.confirm_rows().await?;
            session.lanes = open_lanes(connected, writers).await?;
            backoff.reset();
        }
        if session.may_stop() {
            let actions = session.machine.stop();
            session.act(actions).await?;
            continue;
        }
        let next = session.ready();
        let receipt_due = session.receipts.due();
        tokio::select! {
            biased;
            () = stop.cancelled(), if session.stopping.is_none() => {
                session.stopping = Some(Instant::now() + LAST_RECEIPT);
                session.receipts.hurry();
            }
            () = sleep_until(receipt_due) => {
                let report = session.receipts.report(ship).await?;
                session.act(vec![Action::Send(report)]).await?;
            }
            message = messages.recv() => {
                let message = message.ok_or_else(|| Failure::Link("the hub closed the connection".to_owned()))?;
                session.heard(message.map_err(Failure::Link)?).await?;
            }
            changed = state.changed() => {
                changed.map_err(|_| Failure::Link("the spool was closed".to_owned()))?;
                session.spooled(&mut state);
            }
            _ = ticks.tick() => {
                let actions = session.machine.tick(session.now_ms());
                session.act(actions).await?;
            }
            sent = session.lane_ready(next) => {
                if let Some((next, permit_lane)) = sent {
                    session.send(next, permit_lane).await?;
                }
            }
        }
    }
}

impl<'a> Session<'a> {
    fn begin(ship: &'a Ship, control: quinn::SendStream, state: &State) -> (Self, Vec<Action>) {
        let hello = Hello {
            wire_min: message::WIRE_VERSION_MIN,
            wire_max: message::WIRE_VERSION_MAX,
            agent: ship.identity.agent,
            tenant: ship.identity.tenant.to_string(),
            epoch: state.epoch,
            key_id: ship.key_id,
            policy: ship.policy,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            now_ms: ship.clock.now_ms(),
        };
        let start = |lane: Lane| {
            let known = state.lanes.iter().find(|known| known.lane == lane);
            LaneStart {
                lane,
                acked: known.map_or(Seq::ZERO, |known| known.acked),
                last: known.map_or(Seq::ZERO, |known| known.last),
            }
        };
        let (machine, actions) = AgentSession::new(hello, &Lane::ALL.map(start), 0);
        let session = Self {
            ship,
            machine,
            control,
            lanes: BTreeMap::new(),
            epoch: state.epoch,
            began: Instant::now(),
            paused_until: None,
            receipts: Receipting::new(),
            stopping: None,
            end: None,
        };
        (session, actions)
    }

    fn now_ms(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    /// Whether the session is to end and no receipt is waited for any more.
    fn may_stop(&self) -> bool {
        let waits = self.machine.is_open() && self.receipts.is_behind();
        self.stopping.is_some_and(|until| !waits || until <= Instant::now())
    }

    fn ready(&self) -> Option<Next> {
        let paused = self.paused_until.is_some_and(|until| until > Instant::now()) || self.stopping.is_some();
        if paused { None } else { self.machine.next() }
    }

    /// Resolves when `next` can be handed to its lane's writer; never without one.
    async fn lane_ready(&self, next: Option<Next>) -> Option<(Next, Lane)> {
        let Some(next) = next else { return std::future::pending().await };
        let queue = self.lanes.get(&next.lane)?;
        // Only this task fills the queue, so that the place found here is still there when it is used.
        queue.reserve().await.ok().map(|_| (next, next.lane))
    }

    async fn heard(&mut self, message: Message) -> Result<(), Failure> {
        if let Message::Welcome(welcome) = &message {
            let offset = welcome.now_ms - self.ship.clock.now_ms();
            tracing::info!(hub = %self.ship.hub, clock.offset_ms = offset, "link: connected");
            self.ship.link.send_modify(|link| {
                link.connected = true;
                link.problem = None;
                link.clock_offset_ms = Some(offset);
                link.sessions += 1;
            });
            for lane in &welcome.lanes {
                self.receipts.acked(lane.lane, lane.through.0);
            }
        }
        let actions = self.machine.message(message, self.now_ms());
        self.act(actions).await
    }

    fn spooled(&mut self, state: &mut watch::Receiver<State>) {
        let state = state.borrow_and_update();
        if state.epoch != self.epoch {
            let reason = "the spool began a new epoch".to_owned();
            self.end = Some(SessionEnd::Reconnect(reason));
            return;
        }
        for lane in &state.lanes {
            self.machine.spooled(lane.lane, lane.last);
        }
    }

    async fn act(&mut self, actions: Vec<Action>) -> Result<(), Failure> {
        let mut actions = std::collections::VecDeque::from(actions);
        while let Some(action) = actions.pop_front() {
            match action {
                Action::Send(message) => self.control.write_all(&message.encode()).await.map_err(link)?,
                Action::Acked(ack) => {
                    if let Some(why) = self.acked(ack).await? {
                        actions = self.machine.mismatched(ack.lane, &why).into();
                    }
                }
                Action::Receipted(receipt) => self.receipts.keep(self.ship, receipt).await?,
                Action::Pause(ms) => self.paused_until = Some(Instant::now() + Duration::from_millis(ms)),
                Action::PolicyExpected(policy) => {
                    tracing::warn!(expected = %policy.expected, "the hub expects another policy than this agent's");
                }
                Action::End(ending) => {
                    self.end = Some(match ending {
                        Ending::Reconnect(reason) => SessionEnd::Reconnect(reason),
                        Ending::Refused(reason) => SessionEnd::Refused(reason),
                        Ending::NewEpoch { at_least, reason } => SessionEnd::NewEpoch { at_least, reason },
                    });
                }
            }
        }
        Ok(())
    }

    /// Tells the spool; `Some` says why its own data differ.
    async fn acked(&mut self, ack: Ack) -> Result<Option<String>, Failure> {
        self.receipts.acked(ack.lane, ack.through.0);
        match self.ship.spool.acked(ack.lane, ack.through, ack.hash).await {
            Ok(()) => Ok(None),
            Err(error @ SpoolError::AckMismatch { .. }) => Ok(Some(error.to_string())),
            Err(other) => Err(other.into()),
        }
    }

    async fn send(&mut self, next: Next, lane: Lane) -> Result<(), Failure> {
        let bytes_max = next.bytes_max.min(READ_BYTES_MAX) as usize;
        let mut frames = match self.ship.spool.frames(lane, next.after, bytes_max).await {
            Err(damaged @ SpoolError::Damaged { .. }) => {
                let actions = self.machine.mismatched(lane, &damaged.to_string());
                return self.act(actions).await;
            }
            other => other?,
        };
        // The index shows frames a moment before they are durable.
        frames.retain(|frame| frame.header.through <= next.last);
        frames.truncate(next.frames_max.min(LANE_QUEUE_FRAMES));
        if frames.first().is_none_or(|first| first.header.seq != next.after.next()) {
            let actions =
                self.machine.mismatched(lane, "frames that the hub asks for are no longer kept here");
            return self.act(actions).await;
        }
        let frames = self.record(frames).await?;
        let Some(queue) = self.lanes.get(&lane).cloned() else { return Ok(()) };
        for frame in frames {
            let bytes = frame.bytes.len() as u64;
            // A writer that is gone means a connection that is gone: its reader says why.
            if queue.send(frame.bytes).await.is_err() {
                return Err(Failure::Link("the connection was lost while sending".to_owned()));
            }
            self.machine.sent(lane, frame.header.through, bytes, self.now_ms());
            self.ship.link.send_modify(|link| {
                link.frames_sent += 1;
                link.bytes_sent += bytes;
            });
        }
        Ok(())
    }

    /// Writes what is about to leave into the ledger, durably.
    async fn record(&self, frames: Vec<Stored>) -> Result<Vec<Stored>, Failure> {
        let ledger = self.ship.ledger.clone();
        let recorded = tokio::task::spawn_blocking(move || {
            let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
            ledger.record(&frames).map(|()| frames)
        });
        let recorded = recorded.await.map_err(|error| Failure::Held(error.to_string()))?;
        Ok(recorded?)
    }

    /// Where the ledger's last row of a lane is about another frame than the spool has under its number, as after a
    /// restored snapshot, what is sent again is recorded again. Frames are chained: the last one stands for all before it.
    async fn confirm_rows(&self) -> Result<(), Failure> {
        for lane in Lane::ALL {
            let recorded =
                self.ship.ledger.lock().unwrap_or_else(PoisonError::into_inner).recorded(self.epoch, lane);
            let Some(recorded) = recorded else { continue };
            let found = self.ship.spool.frames(lane, Seq(recorded.seq - 1), 1).await;
            let same =
                found.is_ok_and(|found| found.first().is_some_and(|frame| frame.hash == recorded.frame));
            if !same {
                self.ship.ledger.lock().unwrap_or_else(PoisonError::into_inner).forget(self.epoch, lane);
            }
        }
        Ok(())
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

async fn open_lanes(
    connected: &Connected,
    writers: &mut JoinSet<()>,
) -> Result<BTreeMap<Lane, mpsc::Sender<Bytes>>, Failure> {
    let mut lanes = BTreeMap::new();
    for lane in Lane::ALL {
        let stream = connected.connection.open_uni().await.map_err(link)?;
        // Interactive goes first wherever both have something to send.
        let priority = if lane == Lane::Interactive { 1 } else { 0 };
        stream.set_priority(priority).map_err(link)?;
        let (sender, receiver) = mpsc::channel(LANE_QUEUE_FRAMES);
        writers.spawn(write_frames(stream, receiver));
        lanes.insert(lane, sender);
    }
    Ok(lanes)
}

async fn write_frames(mut stream: quinn::SendStream, mut frames: mpsc::Receiver<Bytes>) {
    while let Some(frame) = frames.recv().await {
        if let Err(error) = stream.write_chunk(frame).await {
            tracing::debug!(%error, "a lane's stream ended");
            return;
        }
    }
}

async fn read_messages(mut stream: quinn::RecvStream, out: mpsc::Sender<Result<Message, String>>) {
    let mut buffer = BytesMut::new();
    loop {
        let outcome = match message::decode(&buffer) {
            Ok(Decoded::Message(message, used)) => {
                buffer.advance(used);
                Ok(message)
            }
            Ok(Decoded::Ignored(used)) => {
                buffer.advance(used);
                continue;
            }
            Ok(Decoded::Need(_)) => match stream.read_chunk(limits::MESSAGE_BYTES_MAX, true).await {
                Ok(Some(chunk)) => {
                    buffer.extend_from_slice(&chunk.bytes);
                    continue;
                }
                Ok(None) => Err("the hub closed the connection".to_owned()),
                Err(error) => Err(format!("the connection was lost: {error}")),
            },
            Err(error) => Err(format!("the hub sent what is no message: {error}")),
        };
        let failed = outcome.is_err();
        if out.send(outcome).await.is_err() || failed {
            return;
        }
    }
}
