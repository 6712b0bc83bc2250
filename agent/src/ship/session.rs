//! One session: carries out what the pure machine decides, between a link and the spool.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::PoisonError;
use std::time::Duration;

use certus_protocol::ids::{Epoch, Lane, Seq};
use certus_protocol::message::{self, Ack, Hello, Message};
use certus_protocol::session::AgentSession;
use certus_protocol::session::agent::{Action, Ending, LaneStart, Next};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::link::{Health, Link, Transport};
use super::quic::ConnectError;
use super::receipts::{ReceiptError, Receipting};
use super::route::Transports;
use super::{Ship, ShipError, start};
use crate::ledger::LedgerError;
use crate::spool::{SpoolError, State, Stored};

/// Bytes read from the spool at once; part of the agent's memory budget.
const READ_BYTES_MAX: u64 = 2 << 20;
const TICK: Duration = Duration::from_secs(1);
/// QUIC that lets nothing come for so long while the hub owes an answer is doubted.
const DOUBT: Duration = Duration::from_secs(3);
/// How long what is under way may take before another transport takes over.
const SETTLE: Duration = Duration::from_secs(2);
/// How long a session that is to end waits for the receipt of what was acknowledged.
const LAST_RECEIPT: Duration = Duration::from_secs(1);
/// Over so many packets it is judged whether QUIC loses too much.
const JUDGED_PACKETS: u64 = 200;
/// Of a hundred packets, so many may be lost.
const LOST_PERCENT_MAX: u64 = 20;

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
    /// Go on by another transport at once.
    Switch(Transport),
    /// QUIC loses too much: go on without it.
    Lossy,
}

/// What greeting the hub led to.
#[expect(clippy::large_enum_variant, reason = "there is one, for a moment")]
pub(super) enum Greeted<'a> {
    /// It welcomed the agent.
    Open(Session<'a>),
    /// It did not; this is its answer.
    Ended(SessionEnd),
}

/// Why a session could not go on.
pub(super) enum Failure {
    /// The spool or the keys: nothing can be sent.
    Ship(ShipError),
    /// The ledger can't be written or the spool not be read: nothing leaves until it can.
    Held(String),
    /// The connection.
    Link(ConnectError),
}

impl From<ShipError> for Failure {
    fn from(error: ShipError) -> Self {
        Self::Ship(error)
    }
}

impl From<SpoolError> for Failure {
    fn from(error: SpoolError) -> Self {
        match error {
            // A disk that can't be read, or no descriptor that is free, may be mended.
            SpoolError::Io(error) => Self::Held(format!("the spool can't be read: {error}")),
            other => Self::Ship(other.into()),
        }
    }
}

impl From<rustls::Error> for Failure {
    fn from(error: rustls::Error) -> Self {
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
            ReceiptError::Wrong(_) => Self::Link(ConnectError::Lost(error.to_string())),
            other => Self::Held(other.to_string()),
        }
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        Self::Link(error)
    }
}

/// A session with its link.
pub(super) struct Session<'a> {
    ship: &'a Ship,
    machine: AgentSession,
    link: Link,
    spool: watch::Receiver<State>,
    epoch: Epoch,
    began: Instant,
    paused_until: Option<Instant>,
    /// Another transport takes over when what is under way is acknowledged, or at this time.
    leaves: Option<Instant>,
    watched: Watched,
    receipts: Receipting,
    /// Set once the session is to end: until when it waits for a receipt.
    stopping: Option<Instant>,
    end: Option<SessionEnd>,
}

/// What was seen of QUIC's health.
struct Watched {
    heard: u64,
    heard_at: Instant,
    judged: Health,
}

type Waiting<'a> = Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

impl<'a> Session<'a> {
    /// Says Hello on a new link and waits for the hub's answer.
    ///
    /// # Errors
    /// The link is of no use.
    pub(super) async fn greet(ship: &'a Ship, link: Link) -> Result<Greeted<'a>, Failure> {
        let (mut session, hello) = Self::begin(ship, link);
        let outcome = session.until_open(hello).await;
        match (outcome, session.end.take()) {
            (Ok(()), None) => Ok(Greeted::Open(session)),
            (Ok(()), Some(end)) => {
                session.link.close().await;
                Ok(Greeted::Ended(end))
            }
            (Err(failure), _) => {
                session.link.close().await;
                Err(failure)
            }
        }
    }

    async fn until_open(&mut self, hello: Vec<Action>) -> Result<(), Failure> {
        self.act(hello).await?;
        let mut ticks = tokio::time::interval(TICK);
        while self.end.is_none() && !self.machine.is_open() {
            tokio::select! {
                message = self.link.messages.recv() => self.heard(message).await?,
                _ = ticks.tick() => {
                    let actions = self.machine.tick(self.now_ms());
                    self.act(actions).await?;
                }
            }
        }
        Ok(())
    }

    /// What carries it.
    pub(super) fn transport(&self) -> Transport {
        self.link.transport
    }

    /// Runs it to its end. `probe` is how long to wait before QUIC is tried while TCP carries.
    ///
    /// # Errors
    /// Nothing can be sent any more.
    pub(super) async fn run(
        mut self,
        probe: Duration,
        stop: &CancellationToken,
    ) -> Result<SessionEnd, ShipError> {
        let outcome = self.converse(probe, stop).await;
        self.link.close().await;
        match outcome {
            Ok(end) => Ok(end),
            Err(Failure::Ship(error)) => Err(error),
            Err(Failure::Held(why)) => Ok(SessionEnd::Held(format!("nothing is sent: {why}"))),
            Err(Failure::Link(error)) => Ok(SessionEnd::Reconnect(error.to_string())),
        }
    }

    /// Ends it before anything was sent.
    pub(super) async fn leave(mut self) {
        let goodbye = self.machine.stop();
        // Whoever is gone need not be told.
        drop(self.act(goodbye).await);
        self.link.close().await;
    }

    async fn converse(&mut self, probe: Duration, stop: &CancellationToken) -> Result<SessionEnd, Failure> {
        self.confirm_rows().await?;
        let mut ticks = tokio::time::interval(TICK);
        let mut other = self.other(probe);
        loop {
            if let Some(end) = self.end.take() {
                return Ok(end);
            }
            if self.may_stop() {
                let actions = self.machine.stop();
                self.act(actions).await?;
                continue;
            }
            let (next, room) = (self.next(), self.room());
            let receipt_due = self.receipts.due();
            tokio::select! {
                biased;
                () = stop.cancelled(), if self.stopping.is_none() => {
                    self.stopping = Some(Instant::now() + LAST_RECEIPT);
                    self.receipts.hurry();
                }
                () = sleep_until(receipt_due) => {
                    let report = self.receipts.report(self.ship).await?;
                    self.act(vec![Action::Send(report)]).await?;
                }
                message = self.link.messages.recv() => self.heard(message).await?,
                changed = self.spool.changed() => {
                    changed.map_err(|_| ShipError::Spool(SpoolError::Closed))?;
                    self.spooled();
                }
                _ = ticks.tick() => {
                    let actions = self.machine.tick(self.now_ms());
                    self.act(actions).await?;
                    self.watch(&mut other);
                    self.tell();
                    self.settle().await?;
                }
                useful = other.as_mut() => {
                    other = Box::pin(std::future::pending());
                    self.other_is(useful);
                }
                () = room, if next.is_none() => {}
                () = std::future::ready(()), if next.is_some() => {
                    if let Some(next) = next {
                        self.send(next).await?;
                    }
                }
            }
        }
    }

    /// What tells that another transport is useful, where this session is to know.
    fn other(&self, probe: Duration) -> Waiting<'a> {
        let ship = self.ship;
        match (self.link.transport, ship.route.transports) {
            (Transport::Tcp, Transports::Auto) => Box::pin(async move {
                start::quic_is_useful(ship, probe).await;
                true
            }),
            _ => Box::pin(std::future::pending()),
        }
    }

    /// Judges QUIC: one that is silent is doubted, one that loses too much is left.
    fn watch(&mut self, other: &mut Waiting<'a>) {
        let (Some(now), Transports::Auto) = (self.link.health(), self.ship.route.transports) else { return };
        if now.received != self.watched.heard || self.machine.is_idle() {
            self.watched.heard = now.received;
            self.watched.heard_at = Instant::now();
        } else if self.is_silent() {
            self.watched.heard_at = Instant::now();
            let ship = self.ship;
            *other = Box::pin(start::is_useful(ship, Transport::Tcp));
        }
        let (sent, lost) = (now.sent - self.watched.judged.sent, now.lost - self.watched.judged.lost);
        if sent >= JUDGED_PACKETS {
            self.watched.judged = now;
            if lost * 100 > sent * LOST_PERCENT_MAX {
                tracing::warn!(sent, lost, "link: QUIC loses too much and is left");
                self.end = Some(SessionEnd::Lossy);
            }
        }
    }

    /// Shows why the bulk lane waits, where it is told to.
    fn tell(&self) {
        let told = self.ship.quiet.told(&*self.ship.clock);
        let paused = told.map(|span| format!("the bulk lane keeps silent from {span} (quiet_hours)"));
        self.ship.link.send_if_modified(|link| {
            let changed = link.paused != paused;
            link.paused = paused;
            changed
        });
    }

    fn is_silent(&self) -> bool {
        self.watched.heard_at.elapsed() >= DOUBT
    }

    /// The answer to whether another transport is useful.
    fn other_is(&mut self, useful: bool) {
        match self.link.transport {
            Transport::Tcp if useful => self.leaves = Some(Instant::now() + SETTLE),
            // It was asked since QUIC was silent; it may have come back meanwhile.
            Transport::Quic
                if useful && self.link.health().is_some_and(|h| h.received == self.watched.heard) =>
            {
                tracing::info!("link: QUIC is silent, TLS over TCP is not");
                self.end = Some(SessionEnd::Switch(Transport::Tcp));
            }
            _ => {}
        }
    }

    /// Leaves TCP for QUIC once nothing is under way.
    async fn settle(&mut self) -> Result<(), Failure> {
        let Some(at_last) = self.leaves else { return Ok(()) };
        if self.machine.is_idle() || Instant::now() >= at_last {
            tracing::info!("link: QUIC is useful again");
            let goodbye = self.machine.stop();
            self.act(goodbye).await?;
            self.end = Some(SessionEnd::Switch(Transport::Quic));
        }
        Ok(())
    }

    fn begin(ship: &'a Ship, link: Link) -> (Self, Vec<Action>) {
        let mut spool = ship.spool.state();
        let state = spool.borrow_and_update().clone();
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
        let now = Instant::now();
        let session = Self {
            ship,
            machine,
            link,
            spool,
            epoch: state.epoch,
            began: now,
            paused_until: None,
            leaves: None,
            watched: Watched { heard: 0, heard_at: now, judged: Health::default() },
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

    fn may_send(&self) -> bool {
        self.leaves.is_none()
            && self.stopping.is_none()
            && self.paused_until.is_none_or(|until| until <= Instant::now())
    }

    /// What can be handed to a lane's queue now.
    fn next(&self) -> Option<Next> {
        if !self.may_send() {
            return None;
        }
        let quiet = self.ship.quiet.now(&*self.ship.clock);
        self.machine.next(|lane| {
            let room = self.link.lanes.get(&lane).is_some_and(|queue| queue.capacity() > 0);
            room && !(lane == Lane::Bulk && quiet)
        })
    }

    /// Resolves when a lane's queue that was full takes more; only this task fills them.
    fn room(&self) -> impl Future<Output = ()> + use<> {
        let wanted = Lane::ALL.map(|lane| {
            let queue = self.link.lanes.get(&lane).filter(|queue| queue.capacity() == 0);
            queue.filter(|_| self.may_send() && self.machine.next(|one| one == lane).is_some()).cloned()
        });
        async move {
            let [first, second] = wanted.map(async |queue| match queue {
                // A queue that is closed belongs to a connection that is gone: its reader says why.
                Some(queue) if queue.reserve().await.is_ok() => {}
                _ => std::future::pending().await,
            });
            tokio::select! {
                () = first => {}
                () = second => {}
            }
        }
    }

    async fn heard(&mut self, message: Option<Result<Message, ConnectError>>) -> Result<(), Failure> {
        let message = message.ok_or_else(|| ConnectError::Lost("it was closed".to_owned()))??;
        if let Message::Welcome(welcome) = &message {
            self.ship.link.send_modify(|link| {
                link.clock_offset_ms = Some(welcome.now_ms - self.ship.clock.now_ms());
            });
            for lane in &welcome.lanes {
                self.receipts.acked(lane.lane, lane.through.0);
            }
        }
        let actions = self.machine.message(message, self.now_ms());
        self.act(actions).await
    }

    fn spooled(&mut self) {
        let state = self.spool.borrow_and_update();
        if state.epoch != self.epoch {
            self.end = Some(SessionEnd::Reconnect("the spool began a new epoch".to_owned()));
            return;
        }
        for lane in &state.lanes {
            self.machine.spooled(lane.lane, lane.last);
        }
    }

    async fn act(&mut self, actions: Vec<Action>) -> Result<(), Failure> {
        let mut actions = VecDeque::from(actions);
        while let Some(action) = actions.pop_front() {
            match action {
                Action::Send(message) => self.link.say(message).await?,
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

    async fn send(&mut self, next: Next) -> Result<(), Failure> {
        let lane = next.lane;
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
        frames.truncate(next.frames_max);
        if frames.first().is_none_or(|first| first.header.seq != next.after.next()) {
            let actions =
                self.machine.mismatched(lane, "frames that the hub asks for are no longer kept here");
            return self.act(actions).await;
        }
        let frames = self.record(frames).await?;
        for frame in &frames {
            self.machine.sent(lane, frame.header.through, frame.bytes.len() as u64, self.now_ms());
        }
        let bytes = frames.iter().map(|frame| frame.bytes.len() as u64).sum::<u64>();
        self.ship.link.send_modify(|link| {
            link.frames_sent += frames.len() as u64;
            link.bytes_sent += bytes;
        });
        let group = frames.into_iter().map(|frame| frame.bytes).collect();
        if let Some(queue) = self.link.lanes.get(&lane) {
            // There was room, and only this task fills the queue; a closed one has its reader say why.
            drop(queue.try_send(group));
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
