//! Erasure is real: what is erased stands neither in `raw/` nor in anything derived from it, and does not come back.
//!
//! First the intent is written under `state/erasures/`, which processing and rebuilding consult; then the frame is replaced by a
//! stub, then everything derived is deleted. A crash in between leaves the intent, and erasing again finishes it.

use std::sync::Arc;

use bytes::Bytes;
use certus_protocol::envelope::BodyV1;
use certus_protocol::ids::{DocumentId, Seq, Tenant};

use crate::findings;
use crate::golden;
use crate::index::{Index, IndexError};
use crate::objects::{Condition, Key, Objects, ObjectsError, Put};
use crate::quarantine::Held;
use crate::raw::{self, Content, LaneId};
use crate::state::{self, StateError};

/// Why something could not be erased yet; the intent stands, erase again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErasureError {
    /// The store's.
    #[error(transparent)]
    State(#[from] StateError),
    /// The index's.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The frame can't be read.
    #[error("frame {0} can't be opened to erase from it")]
    Frame(String),
}

impl From<ObjectsError> for ErasureError {
    fn from(error: ObjectsError) -> Self {
        Self::State(error.into())
    }
}

/// Whether an envelope of a frame is, or is about to be, erased.
///
/// # Errors
/// The store's.
pub async fn is_erased(objects: &Arc<dyn Objects>, frame: &Key, index: usize) -> Result<bool, StateError> {
    let erased: Option<Vec<usize>> = state::read(objects, &intent_key(frame)?).await?;
    Ok(erased.is_some_and(|erased| erased.contains(&index)))
}

/// Erases what is held: its envelope, and the parts that it is made up of, and what was derived from it.
///
/// # Errors
/// See [`ErasureError`].
pub async fn erase(
    objects: &Arc<dyn Objects>,
    index: &Arc<dyn Index>,
    tenant: &Tenant,
    held: &Held,
) -> Result<(), ErasureError> {
    let frame = Key::new(held.frame.clone())?;
    for (frame, envelopes) in holders(objects, &frame, held.index, held.document).await? {
        erase_from(objects, &frame, &envelopes).await?;
    }
    let derived = golden::get(objects, tenant, &held.document).await?;
    if derived.is_some_and(|golden| golden.version == held.version) {
        objects.delete(&golden::key(tenant, &held.document)?).await?;
        index.erase(tenant, &[held.document]).await?;
    }
    findings::erase(objects, tenant, held.document, held.version).await?;
    Ok(())
}

/// The frames that hold the resource, with the envelopes that do.
async fn holders(
    objects: &Arc<dyn Objects>,
    frame: &Key,
    index: usize,
    document: DocumentId,
) -> Result<Vec<(Key, Vec<usize>)>, ErasureError> {
    let unreadable = || ErasureError::Frame(frame.to_string());
    let Some(object) = objects.get(frame).await? else { return Ok(Vec::new()) };
    let raw = raw::open(&object.bytes).map_err(|_| unreadable())?;
    let mut holders = vec![(frame.clone(), vec![index])];
    let Content::Data { envelopes, .. } = &raw.content else { return Ok(holders) };
    let attempt =
        envelopes.iter().find(|(at, _)| *at == index).and_then(|(_, envelope)| match envelope.body {
            BodyV1::LastPart { attempt, .. } => Some(attempt),
            _ => None,
        });
    let lane = LaneId::of(&raw.header);
    let mut seq = attempt.unwrap_or(raw.header.seq.next());
    while seq <= raw.header.seq {
        let key = lane.key(seq)?;
        let Some(object) = objects.get(&key).await? else { break };
        let part = raw::open(&object.bytes).map_err(|_| unreadable())?;
        if let Content::Data { envelopes, .. } = &part.content {
            let of_try =
                |body: &BodyV1| matches!(body, BodyV1::Part { attempt: of, .. } if Some(*of) == attempt);
            let parts: Vec<usize> = envelopes
                .iter()
                .filter(|(_, envelope)| envelope.document == document && of_try(&envelope.body))
                .map(|(at, _)| *at)
                .collect();
            if !parts.is_empty() {
                holders.push((key, parts));
            }
        }
        seq = Seq(part.header.through.0 + 1);
    }
    Ok(holders)
}

async fn erase_from(
    objects: &Arc<dyn Objects>,
    frame: &Key,
    envelopes: &[usize],
) -> Result<(), ErasureError> {
    state::update::<Vec<usize>>(objects, &intent_key(frame)?, |there| {
        let mut all = there.unwrap_or_default();
        all.extend_from_slice(envelopes);
        all.sort_unstable();
        all.dedup();
        Some(all)
    })
    .await?;
    let unreadable = |_| ErasureError::Frame(frame.to_string());
    loop {
        let Some(object) = objects.get(frame).await? else { return Ok(()) };
        let raw = raw::open(&object.bytes).map_err(unreadable)?;
        if envelopes.iter().all(|index| raw.erased.contains(index)) {
            return Ok(());
        }
        let stub = raw::stub(&raw, envelopes).map_err(unreadable)?;
        if let Put::Written(_) = objects.put(frame, Bytes::from(stub), Condition::Match(object.tag)).await? {
            return Ok(());
        }
    }
}

fn intent_key(frame: &Key) -> Result<Key, StateError> {
    Ok(Key::new(format!("state/erasures/{frame}"))?)
}
