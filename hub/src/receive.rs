//! Receiving: frames to `raw/`, then the ack. Nothing is looked into here but headers and hashes.
//!
//! What is acknowledged is durable; what is durable gets processed (the sweeper sees to it). A session follows the pure machine
//! in `certus_protocol::session`; this file gives it what the store and the connection say.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use certus_protocol::frame::Header;
use certus_protocol::ids::{ContentHash, Epoch, Generation, Lane, Seq, SourceId};
use certus_protocol::message::LaneResume;
use certus_protocol::session::hub::{Known, Peer, Stored};
use serde::{Deserialize, Serialize};

use crate::authority::{AgentState, agent_key};
use crate::clock::Clock;
use crate::events::Metrics;
use crate::objects::{Condition, Key, Objects, Put};
use crate::queue::Queue;
use crate::raw::{self, LaneId};
use crate::receipts::Receipts;
use crate::state::{self, StateError};

mod link;
pub mod quic;
mod session;
pub mod tcp;

/// What receiving works with.
#[derive(Clone)]
pub struct Receive {
    /// Where frames go.
    pub objects: Arc<dyn Objects>,
    /// Who is told that there is work.
    pub queue: Arc<dyn Queue>,
    /// Signs what is stored.
    pub receipts: Arc<Receipts>,
    /// For reports.
    pub clock: Arc<dyn Clock>,
    /// Counts.
    pub metrics: Arc<Metrics>,
}

/// How far a lane is received and processed; a small object, changed lazily.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Received without a hole through here, at the least.
    pub received: u64,
    /// Hash of that frame.
    pub hash: ContentHash,
    /// Processed through here.
    pub processed: u64,
}

impl Default for Cursor {
    fn default() -> Self {
        Self { received: 0, hash: ContentHash([0; 32]), processed: 0 }
    }
}

/// Where a lane's cursor stands.
///
/// # Errors
/// Never for parsed names.
pub fn cursor_key(lane: &LaneId) -> Result<Key, StateError> {
    Ok(Key::new(format!("state/cursors/{}", lane.path()))?)
}

/// Who held a source, in order; the place in the list, from 1, is the generation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SourceState {
    /// Agent and epoch.
    pub holders: Vec<(certus_protocol::ids::AgentId, u32)>,
    /// The source's name, from its frames.
    #[serde(default)]
    pub name: String,
}

/// Where a source's state stands.
///
/// # Errors
/// Never for parsed names.
pub fn source_key(tenant: &certus_protocol::ids::Tenant, source: &SourceId) -> Result<Key, StateError> {
    Ok(Key::new(format!("state/sources/{tenant}/{source}"))?)
}

impl SourceState {
    /// The generation of this holder.
    pub fn generation(&self, agent: certus_protocol::ids::AgentId, epoch: Epoch) -> Option<Generation> {
        let place = self.holders.iter().position(|holder| *holder == (agent, epoch.0));
        place.map(|place| Generation(place as u32 + 1))
    }
}

impl Receive {
    /// What is known of an agent that comes with `epoch`; a higher epoch than before is remembered.
    pub(crate) async fn known(&self, peer: &Peer, epoch: Epoch) -> Result<Option<Known>, StateError> {
        let now_ms = self.clock.now_ms();
        let key = agent_key(&peer.tenant, peer.agent)?;
        let agent = state::update::<AgentState>(&self.objects, &key, |there| {
            there.map(|there| AgentState { epoch: there.epoch.max(epoch.0), seen_ms: Some(now_ms), ..there })
        })
        .await?;
        let Some(agent) = agent else { return Ok(None) };
        let mut lanes = Vec::new();
        if agent.epoch == epoch.0 {
            for lane in Lane::ALL {
                let id = LaneId { tenant: peer.tenant.clone(), agent: peer.agent, epoch, lane };
                let (through, hash) = self.resume(&id).await?;
                lanes.push(LaneResume { lane, through, hash });
            }
        }
        let program = env!("CARGO_PKG_VERSION").to_owned();
        Ok(Some(Known { epoch_min: Epoch(agent.epoch), lanes, now_ms, program }))
    }

    /// Through where a lane is stored without a hole: its cursor, then one listing after it.
    async fn resume(&self, lane: &LaneId) -> Result<(Seq, ContentHash), StateError> {
        let key = cursor_key(lane)?;
        let there =
            state::update::<Cursor>(&self.objects, &key, |there| Some(there.unwrap_or_default())).await?;
        let cursor = there.unwrap_or_default();
        let (mut through, mut hash) = (Seq(cursor.received), cursor.hash);
        let prefix = format!("raw/{}/", lane.path());
        let mut after = lane.key(through)?;
        loop {
            let keys = self.objects.list(&prefix, Some(&after), 256).await?;
            let Some(last) = keys.last().cloned() else { break };
            for key in &keys {
                if raw::seq_of(key) != Some(through.next()) {
                    return Ok((through, hash));
                }
                let Some(object) = self.objects.get(key).await? else { return Ok((through, hash)) };
                let Ok((header, original)) = raw::original(&object.bytes) else { return Ok((through, hash)) };
                (through, hash) = (header.through, original);
            }
            after = last;
        }
        self.remember(lane, through, hash).await?;
        Ok((through, hash))
    }

    /// Moves the cursor's received end; lazily, since the listing finds what it does not say.
    pub(crate) async fn remember(
        &self,
        lane: &LaneId,
        through: Seq,
        hash: ContentHash,
    ) -> Result<(), StateError> {
        state::update::<Cursor>(&self.objects, &cursor_key(lane)?, |there| {
            let there = there.unwrap_or_default();
            (there.received < through.0).then_some(Cursor { received: through.0, hash, ..there })
        })
        .await?;
        Ok(())
    }

    /// Puts a frame into `raw/` unless it is there.
    pub(crate) async fn store(&self, header: &Header, hash: ContentHash, bytes: Bytes) -> Stored {
        let outcome = self.try_store(header, hash, bytes).await;
        outcome.unwrap_or_else(|error| {
            tracing::warn!(agent.id = %header.agent, %error, "a frame could not be stored");
            Stored::Failed
        })
    }

    async fn try_store(
        &self,
        header: &Header,
        hash: ContentHash,
        bytes: Bytes,
    ) -> Result<Stored, StateError> {
        let key = LaneId::of(header).key(header.seq)?;
        let length = bytes.len() as u64;
        if let Put::Written(_) = self.objects.put(&key, bytes, Condition::Absent).await? {
            self.metrics.frames_stored(1, length);
            return Ok(Stored::Durable);
        }
        let Some(there) = self.objects.get(&key).await? else { return Ok(Stored::Failed) };
        match raw::original(&there.bytes) {
            Ok((_, original)) if original == hash => Ok(Stored::Durable),
            _ => Ok(Stored::Different),
        }
    }

    /// Enters the agent's epoch as holder of a source, once a session and source.
    pub(crate) async fn hold(&self, header: &Header, held: &mut HashSet<SourceId>) -> Result<(), StateError> {
        if held.contains(&header.source) || header.source == SourceId([0; 16]) {
            return Ok(());
        }
        let holder = (header.agent, header.epoch.0);
        let key = source_key(&header.tenant, &header.source)?;
        state::update::<SourceState>(&self.objects, &key, |there| {
            let mut there = there.unwrap_or_default();
            if there.holders.contains(&holder) {
                return None;
            }
            there.holders.push(holder);
            Some(there)
        })
        .await?;
        held.insert(header.source);
        Ok(())
    }
}
