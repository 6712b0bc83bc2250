//! One agent's session: hears what its link brings, asks the pure machine, stores, acknowledges.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use certus_protocol::frame::Header;
use certus_protocol::ids::{ContentHash, Epoch, Lane, Seq, SourceId};
use certus_protocol::message::{GoodbyeReason, LedgerReport, Message};
use certus_protocol::session::HubSession;
use certus_protocol::session::hub::{Action, Peer, Stored};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Receive;
use super::link::{Frame, Heard, Link};
use crate::limits;
use crate::raw::LaneId;
use crate::receipts::Stands;

/// Acks are told together; each waits so long at the most.
const ACK_DELAY: Duration = Duration::from_millis(4);
const TICK: Duration = Duration::from_secs(1);
/// An agent that asks for receipts sooner than this after the last is passed over.
const RECEIPTS_APART: Duration = Duration::from_millis(50);
/// After so many frames the cursor is moved.
const CURSOR_EVERY: u64 = 256;

struct Session<'a> {
    receive: &'a Receive,
    peer: Peer,
    machine: HubSession,
    link: Link,
    stored: u64,
    stores: JoinSet<(Header, ContentHash, Stored)>,
    held: HashSet<SourceId>,
    remembered: Vec<(Lane, Seq)>,
    /// Through where each lane is receipted, and when the last receipt was given.
    receipted: BTreeMap<Lane, Seq>,
    receipts_given: Option<Instant>,
    ack_due: Option<Instant>,
    ended: Option<GoodbyeReason>,
}

/// Serves a session to its end.
pub(super) async fn run(
    receive: &Receive,
    link: Link,
    peer: Peer,
    stop: CancellationToken,
) -> Result<(), String> {
    let began = Instant::now();
    let mut session = Session {
        receive,
        machine: HubSession::new(peer.clone(), 0),
        peer,
        link,
        stored: 0,
        stores: JoinSet::new(),
        held: HashSet::new(),
        remembered: Vec::new(),
        receipted: BTreeMap::new(),
        receipts_given: None,
        ack_due: None,
        ended: None,
    };
    receive.metrics.session_opened();
    let outcome = session.converse(&stop, began).await;
    receive.metrics.session_closed();
    while session.stores.join_next().await.is_some() {}
    session.remember(0).await;
    if let Some(reason) = session.ended {
        tracing::info!(agent.id = %session.peer.agent, ?reason, "a session ended");
    }
    session.link.close().await;
    outcome
}

impl Session<'_> {
    async fn converse(&mut self, stop: &CancellationToken, began: Instant) -> Result<(), String> {
        let mut ticks = tokio::time::interval(TICK);
        while self.ended.is_none() {
            let room = self.stores.len() < limits::STORES_IN_FLIGHT;
            let ack_due = self.ack_due;
            tokio::select! {
                () = stop.cancelled() => {
                    self.flush_acks().await?;
                    let actions = self.machine.stop();
                    self.act(actions, None).await?;
                }
                Some(stored) = self.stores.join_next(), if !self.stores.is_empty() => {
                    let (header, hash, outcome) = stored.map_err(|error| error.to_string())?;
                    self.stored(&header, hash, outcome).await?;
                }
                () = sleep_until(ack_due), if ack_due.is_some() => self.flush_acks().await?,
                next = self.link.heard.recv(), if room => self.heard(next.unwrap_or(Heard::Gone)).await?,
                _ = ticks.tick() => {
                    let actions = self.machine.tick(began.elapsed().as_millis() as u64);
                    self.act(actions, None).await?;
                }
            }
        }
        Ok(())
    }

    async fn heard(&mut self, heard: Heard) -> Result<(), String> {
        match heard {
            Heard::Message(message) => {
                let actions = self.machine.message(message);
                self.act(actions, None).await
            }
            Heard::Frame(frame) => {
                let actions = self.machine.frame(&frame.header, frame.hash);
                self.act(actions, Some(frame)).await
            }
            Heard::Wrong(what) => {
                self.receive.metrics.frame_refused();
                let actions = self.machine.damaged(&what);
                self.act(actions, None).await
            }
            Heard::Gone => {
                self.ended = Some(GoodbyeReason::Shutdown);
                Ok(())
            }
        }
    }

    async fn act(&mut self, actions: Vec<Action>, mut frame: Option<Frame>) -> Result<(), String> {
        let mut actions = std::collections::VecDeque::from(actions);
        while let Some(action) = actions.pop_front() {
            match action {
                Action::Send(message) => {
                    if matches!(message, Message::Nack(_)) {
                        self.receive.metrics.frame_refused();
                    }
                    self.link.say(message).await?;
                }
                Action::Load(epoch) => match self.receive.known(&self.peer, epoch).await {
                    Ok(Some(known)) => {
                        actions.extend(self.machine.known(known));
                        actions.extend(self.last_receipts(epoch).await?);
                    }
                    Ok(None) => {
                        tracing::warn!(agent.id = %self.peer.agent, "an agent with a valid certificate is not registered");
                        actions
                            .extend(self.machine.damaged("this agent is not registered here; enrol again"));
                    }
                    Err(error) => return Err(error.to_string()),
                },
                Action::Store => {
                    if let Some(frame) = frame.take() {
                        self.store(frame).await?;
                    }
                }
                Action::Drop => frame = None,
                Action::Receipt(report) => actions.extend(self.receipts(report).await?),
                Action::End(reason) => self.ended = Some(reason),
            }
        }
        Ok(())
    }

    /// Repeats what was receipted last, which the agent answers with what its ledger holds there.
    async fn last_receipts(&mut self, epoch: Epoch) -> Result<Vec<Action>, String> {
        if !self.machine.is_open() {
            return Ok(Vec::new());
        }
        let last = self.receive.receipts.last(&self.peer.tenant, self.peer.agent, epoch).await;
        let last = last.map_err(|error| error.to_string())?;
        self.receipted = last.iter().map(|last| (last.statement.lane, Seq(last.statement.through))).collect();
        Ok(last.into_iter().map(|last| Action::Send(Message::Receipt(last))).collect())
    }

    /// Signs for every lane that went on since the last receipt.
    async fn receipts(&mut self, report: LedgerReport) -> Result<Vec<Action>, String> {
        if self.receipts_given.is_some_and(|given| given.elapsed() < RECEIPTS_APART) {
            return Ok(Vec::new());
        }
        self.receipts_given = Some(Instant::now());
        let stands = Lane::ALL.into_iter().filter_map(|lane| {
            let (through, hash) = self.machine.through(lane)?;
            let before = self.receipted.get(&lane).copied().unwrap_or(Seq::ZERO);
            (through > before).then_some(Stands { lane, through, hash })
        });
        let stands: Vec<Stands> = stands.collect();
        let (tenant, agent, epoch) = (self.peer.tenant.clone(), self.peer.agent, self.machine.epoch());
        let of = LaneId { tenant, agent, epoch, lane: Lane::Bulk };
        let (receipts, metrics) = (&self.receive.receipts, &self.receive.metrics);
        receipts.compare(&of, report, metrics).await.map_err(|error| error.to_string())?;
        let signed =
            receipts.sign(&of, &stands, report.head, metrics).await.map_err(|error| error.to_string())?;
        self.receipted.extend(stands.iter().map(|stands| (stands.lane, stands.through)));
        Ok(signed.into_iter().map(|receipt| Action::Send(Message::Receipt(receipt))).collect())
    }

    async fn store(&mut self, frame: Frame) -> Result<(), String> {
        self.receive.hold(&frame.header, &mut self.held).await.map_err(|error| error.to_string())?;
        let receive = self.receive.clone();
        self.stores.spawn(async move {
            let Frame { header, hash, bytes, held } = frame;
            let outcome = receive.store(&header, hash, bytes).await;
            drop(held);
            (header, hash, outcome)
        });
        Ok(())
    }

    async fn stored(&mut self, header: &Header, hash: ContentHash, outcome: Stored) -> Result<(), String> {
        let actions = self.machine.stored(header, hash, outcome);
        self.act(actions, None).await?;
        if outcome == Stored::Durable {
            self.stored += 1;
            if self.stored == limits::FRAMES_BEFORE_GROWTH {
                self.link.grow();
            }
            self.receive.queue.publish(LaneId::of(header)).await;
            self.ack_due.get_or_insert_with(|| Instant::now() + ACK_DELAY);
        }
        Ok(())
    }

    async fn flush_acks(&mut self) -> Result<(), String> {
        self.ack_due = None;
        let actions = self.machine.acks();
        self.act(actions, None).await?;
        self.remember(CURSOR_EVERY).await;
        Ok(())
    }

    /// Moves cursors that are more than `lag` frames behind. A failure costs a longer listing later, nothing else.
    async fn remember(&mut self, lag: u64) {
        for lane in Lane::ALL {
            let Some((through, hash)) = self.machine.through(lane) else { continue };
            let last = self.remembered.iter().position(|(name, _)| *name == lane);
            let behind = through.0 - last.map_or(0, |at| self.remembered[at].1.0);
            if behind <= lag || through == Seq::ZERO {
                continue;
            }
            let id = LaneId {
                tenant: self.peer.tenant.clone(),
                agent: self.peer.agent,
                epoch: self.machine.epoch(),
                lane,
            };
            if let Err(error) = self.receive.remember(&id, through, hash).await {
                tracing::warn!(%error, "a cursor could not be moved");
            }
            match last {
                Some(at) => self.remembered[at].1 = through,
                None => self.remembered.push((lane, through)),
            }
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
