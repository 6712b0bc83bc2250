//! From sanitized bytes to text, and from parts to a whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use certus_protocol::envelope::{BodyV1, Envelope, ResourceV1};
use certus_protocol::frame::Header;
use certus_protocol::ids::{ContentHash, Seq, SourceId};
use certus_sanitizer::decode::Encoding;

use crate::golden::GoldenContent;
use crate::objects::Objects;
use crate::raw::{self, Content, LaneId};
use crate::state::StateError;

/// The whole resource whose last part `envelope` is, read from the frames of its try; `None` where they don't make it up.
pub(super) async fn joined(
    objects: &Arc<dyn Objects>,
    header: &Header,
    envelope: &Envelope,
) -> Result<Option<Vec<u8>>, StateError> {
    let BodyV1::LastPart { attempt, index: last, resource, content } = &envelope.body else {
        return Ok(None);
    };
    let lane = LaneId::of(header);
    let mut parts: BTreeMap<u32, Vec<u8>> = BTreeMap::from([(*last, content.clone())]);
    let mut seq = *attempt;
    while seq <= header.seq && (parts.len() as u64) <= u64::from(*last) {
        let Some(object) = objects.get(&lane.key(seq)?).await? else { return Ok(None) };
        let Ok(raw) = raw::open(&object.bytes) else { return Ok(None) };
        seq = raw.header.through.next();
        let Content::Data { envelopes, .. } = raw.content else { continue };
        for (_, other) in envelopes.into_iter().filter(|(_, other)| other.document == envelope.document) {
            if let BodyV1::Part { attempt: of, index, content } = other.body
                && of == *attempt
            {
                parts.insert(index, content);
            }
        }
    }
    let whole: Vec<u8> = parts.into_values().flatten().collect();
    let fits = whole.len() as u64 == resource.size && ContentHash::of(&whole) == resource.hash;
    Ok((fits && seq > Seq::ZERO).then_some(whole))
}

/// What golden keeps of a resource.
pub(super) fn content(
    source: SourceId,
    source_name: &str,
    resource: &ResourceV1,
    bytes: &[u8],
) -> GoldenContent {
    let counted =
        |r: &certus_protocol::envelope::RedactionCountV1| (r.rule.clone(), r.type_name.clone(), r.count);
    GoldenContent {
        source,
        source_name: source_name.to_owned(),
        kind: resource.kind.as_str().to_owned(),
        path: resource.path.clone(),
        reference: resource.reference.clone(),
        media_type: resource.media_type.clone(),
        language: resource.language.clone(),
        size: resource.size,
        hash: resource.hash,
        modified_ms: resource.modified_ms,
        attributes: resource.attributes.clone(),
        redactions: resource.redactions.iter().map(counted).collect(),
        text: text(bytes),
    }
}

/// The text of sanitized bytes, whatever they are spelt in.
pub(super) fn text(bytes: &[u8]) -> String {
    let decoded = Encoding::detect(bytes).decode(bytes);
    decoded.unwrap_or_else(|| {
        String::from_utf8_lossy(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)).into_owned()
    })
}
