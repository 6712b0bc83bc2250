//! From `raw/` to what can be searched: verify → privacy scan → quarantine │ normalise → chunk → golden → index → findings.
//!
//! A lane is worked on from its processed cursor, in order. Every stage may be repeated: outputs are named by document and
//! version, a newer one is never replaced by an older one, and the cursor moves last.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use certus_protocol::envelope::{BodyV1, Envelope};
use certus_protocol::ids::{Seq, SourceId, Version};
use certus_sanitizer::{Policy, Profile, PseudonymKey, Sanitizer};
use tokio_util::sync::CancellationToken;

use crate::authority;
use crate::clock::Clock;
use crate::erasure;
use crate::events::Metrics;
use crate::findings;
use crate::golden::{self, Golden, Origin};
use crate::index::{Index, IndexError, Record};
use crate::limits;
use crate::objects::{Key, Objects};
use crate::quarantine::{Quarantine, QuarantineError};
use crate::queue::Queue;
use crate::raw::{self, Content, LaneId, Raw};
use crate::receive::{Cursor, SourceState, cursor_key, source_key};
use crate::state::{self, StateError};

pub mod chunk;
mod normalise;
mod privacy;

/// How often everything is looked through for work that nobody announced.
const SWEEP: Duration = Duration::from_secs(5);

/// What the pipeline works with.
pub struct Pipeline {
    /// Where everything lies.
    pub objects: Arc<dyn Objects>,
    /// What makes it findable.
    pub index: Arc<dyn Index>,
    /// Where work is announced.
    pub queue: Arc<dyn Queue>,
    /// Where what the second scan found is held.
    pub quarantine: Quarantine,
    /// For reports.
    pub clock: Arc<dyn Clock>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    scanners: BTreeMap<&'static str, Sanitizer>,
}

/// Why a frame could not be processed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// The store's: retry.
    #[error(transparent)]
    State(#[from] StateError),
    /// The index's: retry.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The quarantine's: retry.
    #[error(transparent)]
    Quarantine(#[from] QuarantineError),
    /// The findings': retry.
    #[error(transparent)]
    Findings(#[from] findings::FindingsError),
    /// The frame's own: set aside.
    #[error("frame: {0}")]
    Frame(String),
}

impl From<crate::objects::ObjectsError> for PipelineError {
    fn from(error: crate::objects::ObjectsError) -> Self {
        Self::State(error.into())
    }
}

/// What one frame brought.
#[derive(Default)]
struct Brought {
    goldens: Vec<Golden>,
    manifests: Vec<(SourceId, Version, Vec<certus_protocol::ids::DocumentId>)>,
}

impl Pipeline {
    /// A pipeline; the second scan's rules are compiled here.
    ///
    /// # Errors
    /// The rules can't be compiled: nothing may be let through unscanned.
    #[expect(clippy::too_many_arguments, reason = "the seams, each once")]
    pub fn new(
        objects: Arc<dyn Objects>,
        index: Arc<dyn Index>,
        queue: Arc<dyn Queue>,
        quarantine: Quarantine,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, certus_sanitizer::RulesError> {
        // The second scan only looks; its key makes no pseudonym.
        let key = PseudonymKey::from_bytes(authority::random());
        let scanner = |profile: Profile| {
            Sanitizer::new(&Policy::from(profile), key.clone()).map(|sanitizer| (profile.as_str(), sanitizer))
        };
        let scanners = Profile::ALL.into_iter().map(scanner).collect::<Result<_, _>>()?;
        Ok(Self { objects, index, queue, quarantine, clock, metrics, scanners })
    }

    /// Works until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        let mut attempts: BTreeMap<LaneId, (Seq, u32)> = BTreeMap::new();
        let mut sweeps = tokio::time::interval(SWEEP);
        loop {
            let lane = tokio::select! {
                () = stop.cancelled() => return,
                _ = sweeps.tick() => {
                    if let Err(error) = self.sweep().await {
                        tracing::warn!(%error, "the sweep failed; it is tried again");
                    }
                    continue;
                }
                lane = self.queue.take() => lane,
            };
            match self.advance(&lane, &mut attempts).await {
                Ok(true) => self.queue.publish(lane).await,
                Ok(false) => {}
                // The sweep brings the lane back.
                Err(error) => {
                    tracing::warn!(tenant = %lane.tenant, agent.id = %lane.agent, %error, "a lane could not be processed")
                }
            }
        }
    }

    /// Announces every lane that has frames past its processed cursor.
    async fn sweep(&self) -> Result<(), PipelineError> {
        let mut after = None;
        loop {
            let keys = self.objects.list("state/cursors/", after.as_ref(), 1_000).await?;
            for key in &keys {
                let lane = key.as_str().strip_prefix("state/cursors/").and_then(LaneId::parse);
                let cursor = state::read::<Cursor>(&self.objects, key).await?;
                let (Some(lane), Some(cursor)) = (lane, cursor) else { continue };
                let from = lane.key(Seq(cursor.processed))?;
                let prefix = format!("raw/{}/", lane.path());
                if !self.objects.list(&prefix, Some(&from), 1).await?.is_empty() {
                    self.queue.publish(lane).await;
                }
            }
            match keys.last() {
                Some(last) if keys.len() == 1_000 => after = Some(last.clone()),
                _ => return Ok(()),
            }
        }
    }

    /// Processes what stands past the lane's cursor, as much as one index commit takes in; `true`: there may be more.
    async fn advance(
        &self,
        lane: &LaneId,
        attempts: &mut BTreeMap<LaneId, (Seq, u32)>,
    ) -> Result<bool, PipelineError> {
        let key = cursor_key(lane)?;
        let cursor = state::read::<Cursor>(&self.objects, &key).await?.unwrap_or_default();
        let from = lane.key(Seq(cursor.processed))?;
        let prefix = format!("raw/{}/", lane.path());
        let keys = self.objects.list(&prefix, Some(&from), limits::BATCH_FRAMES).await?;
        let (mut through, mut bytes, mut frames) = (Seq(cursor.processed), 0, 0);
        let mut brought = Brought::default();
        for raw_key in &keys {
            // A hole is filled by a later frame or by a gap; nothing behind it counts before.
            if raw::seq_of(raw_key) != Some(through.next()) || bytes >= limits::BATCH_BYTES {
                break;
            }
            let Some(object) = self.objects.get(raw_key).await? else { break };
            bytes += object.bytes.len();
            match self.frame(raw_key, &object.bytes, &mut brought).await {
                Ok(end) => through = end,
                Err(error) => {
                    let Some(end) = self
                        .failed(raw_key, &object.bytes, &error, attempts.entry(lane.clone()).or_default())
                        .await?
                    else {
                        break;
                    };
                    through = end;
                }
            }
            frames += 1;
        }
        if frames == 0 {
            return Ok(false);
        }
        let documents = self.publish(lane, brought).await?;
        state::update::<Cursor>(&self.objects, &key, |there| {
            let there = there.unwrap_or_default();
            (there.processed < through.0).then_some(Cursor { processed: through.0, ..there })
        })
        .await?;
        attempts.remove(lane);
        self.metrics.processed(frames, documents);
        Ok(true)
    }

    /// Verifies one frame and brings its envelopes to documents; answers the last number it stands for.
    async fn frame(&self, key: &Key, bytes: &[u8], brought: &mut Brought) -> Result<Seq, PipelineError> {
        let raw = raw::open(bytes).map_err(|error| PipelineError::Frame(error.to_string()))?;
        let Content::Data { source_name, envelopes } = &raw.content else { return Ok(raw.header.through) };
        let generation = self.generation(&raw, source_name).await?;
        for (index, envelope) in envelopes {
            if erasure::is_erased(&self.objects, key, *index).await? {
                continue;
            }
            let version = Version::new(generation, raw.header.seq, *index)
                .map_err(|error| PipelineError::Frame(error.to_string()))?;
            self.envelope((&raw, source_name), (*index, envelope), version, brought).await?;
        }
        Ok(raw.header.through)
    }

    async fn envelope(
        &self,
        (raw, source_name): (&Raw, &str),
        (index, envelope): (usize, &Envelope),
        version: Version,
        brought: &mut Brought,
    ) -> Result<(), PipelineError> {
        let header = &raw.header;
        let origin = Origin {
            agent: header.agent,
            epoch: header.epoch.0,
            lane: header.lane as u8,
            seq: header.seq.0,
            index,
        };
        let (resource, content) = match &envelope.body {
            BodyV1::Part { .. } | BodyV1::Abort { .. } => return Ok(()),
            BodyV1::Tombstone { .. } => {
                brought.goldens.push(Golden { document: envelope.document, version, origin, content: None });
                return Ok(());
            }
            BodyV1::SnapshotEnd { entries, .. } => {
                let documents = entries.iter().map(|(document, _)| *document).collect();
                brought.manifests.push((header.source, version, documents));
                return Ok(());
            }
            BodyV1::Whole { resource, content } => (resource, content.clone()),
            BodyV1::LastPart { resource, .. } => {
                let Some(content) = normalise::joined(&self.objects, header, envelope).await? else {
                    tracing::warn!(agent.id = %header.agent, seq = header.seq.0, "parts do not make up their resource; dropped");
                    return Ok(());
                };
                (resource, content)
            }
        };
        let hits = privacy::hits(&self.scanners, resource, &content)
            .map_err(|error| PipelineError::Frame(error.to_string()))?;
        if !hits.is_empty() && !self.quarantine.released(&header.tenant, envelope.document, version).await? {
            let held = crate::quarantine::Held {
                tenant: header.tenant.to_string(),
                frame: LaneId::of(header).key(header.seq)?.as_str().to_owned(),
                index,
                document: envelope.document,
                version,
                path: resource.path.clone(),
                source: header.source,
                source_name: source_name.to_owned(),
                hits,
                held_ms: self.clock.now_ms(),
            };
            self.quarantine.hold(&held).await?;
            self.metrics.quarantined();
            return Ok(());
        }
        let content = normalise::content(header.source, source_name, resource, &content);
        brought.goldens.push(Golden { document: envelope.document, version, origin, content: Some(content) });
        Ok(())
    }

    /// Makes everything derived anew from `raw/`; answers how many frames were processed.
    ///
    /// # Errors
    /// See [`PipelineError`]; it may be begun again.
    pub async fn rebuild(&self, tenant: Option<&certus_protocol::ids::Tenant>) -> Result<u64, PipelineError> {
        let prefix = tenant.map_or("state/cursors/".to_owned(), |tenant| format!("state/cursors/{tenant}/"));
        let keys = self.objects.list(&prefix, None, usize::MAX).await?;
        let lanes: Vec<LaneId> = keys
            .iter()
            .filter_map(|key| key.as_str().strip_prefix("state/cursors/").and_then(LaneId::parse))
            .collect();
        let mut tenants: Vec<&certus_protocol::ids::Tenant> = lanes.iter().map(|lane| &lane.tenant).collect();
        tenants.dedup();
        for tenant in tenants {
            self.index.clear(tenant).await?;
            for derived in ["golden", "state/findings"] {
                for key in self.objects.list(&format!("{derived}/{tenant}/"), None, usize::MAX).await? {
                    self.objects.delete(&key).await?;
                }
            }
        }
        let mut frames = 0;
        let mut attempts = BTreeMap::new();
        for lane in &lanes {
            let key = cursor_key(lane)?;
            state::update::<Cursor>(&self.objects, &key, |there| {
                there.map(|there| Cursor { processed: 0, ..there })
            })
            .await?;
            while self.advance(lane, &mut attempts).await? {}
            let cursor = state::read::<Cursor>(&self.objects, &key).await?.unwrap_or_default();
            frames += cursor.processed;
            tracing::info!(lane = %lane.path(), frames = cursor.processed, "a lane was processed again");
        }
        Ok(frames)
    }

    /// Processes the one envelope of an entry that a person let pass.
    ///
    /// # Errors
    /// See [`PipelineError`].
    pub async fn again(&self, held: &crate::quarantine::Held) -> Result<(), PipelineError> {
        let key = Key::new(held.frame.clone())?;
        let frame_error = |what: &str| PipelineError::Frame(what.to_owned());
        let object = self.objects.get(&key).await?.ok_or_else(|| frame_error("the frame is gone"))?;
        let raw = raw::open(&object.bytes).map_err(|error| PipelineError::Frame(error.to_string()))?;
        let Content::Data { source_name, envelopes } = &raw.content else { return Ok(()) };
        let mut brought = Brought::default();
        for (index, envelope) in envelopes.iter().filter(|(index, _)| *index == held.index) {
            self.envelope((&raw, source_name), (*index, envelope), held.version, &mut brought).await?;
        }
        self.publish(&LaneId::of(&raw.header), brought).await?;
        Ok(())
    }

    /// The agent's turn at the source; the source's name is kept beside it.
    async fn generation(
        &self,
        raw: &Raw,
        source_name: &str,
    ) -> Result<certus_protocol::ids::Generation, PipelineError> {
        let header = &raw.header;
        let holder = (header.agent, header.epoch.0);
        let state = state::update::<SourceState>(
            &self.objects,
            &source_key(&header.tenant, &header.source)?,
            |there| {
                let mut there = there.unwrap_or_default();
                let before = there.clone();
                if !there.holders.contains(&holder) {
                    there.holders.push(holder);
                }
                if !source_name.is_empty() {
                    source_name.clone_into(&mut there.name);
                }
                (there != before).then_some(there)
            },
        )
        .await?;
        let generation = state.and_then(|state| state.generation(header.agent, header.epoch));
        generation.ok_or_else(|| PipelineError::Frame("the source has no holder".to_owned()))
    }

    /// Writes golden, index and findings; answers how many versions were new.
    async fn publish(&self, lane: &LaneId, mut brought: Brought) -> Result<u64, PipelineError> {
        for (source, version, documents) in std::mem::take(&mut brought.manifests) {
            brought.goldens.extend(self.missing(lane, source, version, &documents).await?);
        }
        let mut records = Vec::new();
        for golden in &brought.goldens {
            if golden::put_if_newer(&self.objects, &lane.tenant, golden).await? {
                records.push(record(golden));
            }
        }
        let count = records.len() as u64;
        if !records.is_empty() {
            self.index.write(&lane.tenant, records).await?;
        }
        for golden in &brought.goldens {
            findings::take(&self.objects, &lane.tenant, golden).await?;
        }
        Ok(count)
    }

    /// Deletions of the source's documents that a snapshot does not name.
    async fn missing(
        &self,
        lane: &LaneId,
        source: SourceId,
        version: Version,
        documents: &[certus_protocol::ids::DocumentId],
    ) -> Result<Vec<Golden>, PipelineError> {
        let prefix = format!("golden/{}/", lane.tenant);
        let mut gone = Vec::new();
        let mut after: Option<Key> = None;
        loop {
            let keys = self.objects.list(&prefix, after.as_ref(), 1_000).await?;
            for key in &keys {
                let id = key.as_str().strip_prefix(&prefix).and_then(|id| id.parse().ok());
                let Some(id) = id.filter(|id| !documents.contains(id)) else { continue };
                let Some(there) = golden::get(&self.objects, &lane.tenant, &id).await? else { continue };
                if there.version < version
                    && there.content.as_ref().is_some_and(|content| content.source == source)
                {
                    gone.push(Golden { version, content: None, ..there });
                }
            }
            match keys.last() {
                Some(last) if keys.len() == 1_000 => after = Some(last.clone()),
                _ => return Ok(gone),
            }
        }
    }

    /// A frame failed: tries it again later, or, the last time, sets it aside and answers the number to go on after.
    async fn failed(
        &self,
        key: &Key,
        bytes: &[u8],
        error: &PipelineError,
        entry: &mut (Seq, u32),
    ) -> Result<Option<Seq>, PipelineError> {
        let seq = raw::seq_of(key).unwrap_or_default();
        if entry.0 != seq {
            *entry = (seq, 0);
        }
        entry.1 += 1;
        let own = matches!(error, PipelineError::Frame(_));
        if !own || entry.1 < limits::ATTEMPTS_MAX {
            tracing::warn!(frame = %key, %error, attempt = entry.1, "a frame could not be processed");
            return Ok(None);
        }
        tracing::error!(frame = %key, %error, "a frame is set aside");
        self.metrics.failed();
        let name = Key::new(format!("state/failed/{key}"))?;
        let text = error.to_string();
        state::update::<String>(&self.objects, &name, |_| Some(text.clone())).await?;
        Ok(Some(raw::original(bytes).map_or(seq, |(header, _)| header.through)))
    }
}

/// What the index keeps of a document's version.
pub fn record(golden: &Golden) -> Record {
    let content = golden.content.as_ref().map(|content| crate::index::Content {
        source: content.source,
        source_name: content.source_name.clone(),
        kind: content.kind.clone(),
        path: content.path.clone(),
        reference: content.reference.clone(),
        language: content.language.clone(),
        media_type: content.media_type.clone(),
        modified_ms: content.modified_ms,
        chunks: chunk::chunks(&content.text),
    });
    Record { document: golden.document, version: golden.version, content }
}
