//! What the ledger says of a frame: a row for each resource in it.

use std::collections::BTreeMap;

use certus_protocol::envelope::{BodyV1 as EnvelopeBody, Envelope, ResourceV1};
use certus_protocol::frame::{self, BodyV1, FrameError};
use certus_protocol::ids::{ContentHash, DocumentId};
use certus_protocol::ledger::{FrameRow, ResourceRow, What};

use crate::spool::Stored;

pub(super) fn of(stored: &Stored, at_ms: i64) -> Result<FrameRow, FrameError> {
    let (header, body) = frame::open(&stored.bytes)?;
    let (source_name, resources) = match body {
        BodyV1::Data { source_name, envelopes } => {
            (source_name, envelopes.into_iter().map(resource_row).collect())
        }
        BodyV1::Gap { reason } => {
            let gap = plain(What::Gap, DocumentId([0; 16]));
            (String::new(), vec![ResourceRow { path: reason, ..gap }])
        }
    };
    Ok(FrameRow {
        at_ms,
        epoch: header.epoch.0,
        lane: header.lane,
        seq: header.seq.0,
        through: (header.through != header.seq).then_some(header.through.0),
        frame: stored.hash,
        bytes: stored.bytes.len() as u64,
        source: header.source,
        source_name,
        key_id: header.key_id,
        policy: header.policy,
        resources,
    })
}

fn resource_row(envelope: Envelope) -> ResourceRow {
    let id = envelope.document;
    match envelope.body {
        EnvelopeBody::Whole { resource, content } => described(What::Whole, id, resource, content.len()),
        EnvelopeBody::LastPart { resource, content, .. } => {
            described(What::LastPart, id, resource, content.len())
        }
        EnvelopeBody::Part { content, .. } => ResourceRow {
            hash: Some(ContentHash::of(&content)),
            size: content.len() as u64,
            ..plain(What::Part, id)
        },
        EnvelopeBody::Abort { .. } => plain(What::Abort, id),
        EnvelopeBody::Tombstone { path } => ResourceRow { path, ..plain(What::Tombstone, id) },
        EnvelopeBody::SnapshotEnd { .. } => plain(What::SnapshotEnd, id),
    }
}

fn described(what: What, document: DocumentId, resource: ResourceV1, size: usize) -> ResourceRow {
    let mut by_type: BTreeMap<String, u64> = BTreeMap::new();
    for count in resource.redactions {
        *by_type.entry(count.type_name).or_default() += u64::from(count.count);
    }
    ResourceRow {
        path: resource.path,
        hash: Some(resource.hash),
        size: size as u64,
        redactions: by_type.into_iter().collect(),
        ..plain(what, document)
    }
}

fn plain(what: What, document: DocumentId) -> ResourceRow {
    ResourceRow { what, document, path: String::new(), hash: None, size: 0, redactions: Vec::new() }
}
