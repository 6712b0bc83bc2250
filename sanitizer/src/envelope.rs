//! From what a source read to envelopes that may leave: every text of them has passed the sanitizer here.

use std::collections::BTreeMap;

use certus_protocol::envelope::{BodyV1, Envelope, KeptV1, RedactionCountV1, ResourceKind, ResourceV1};
use certus_protocol::ids::{ContentHash, DocumentId, Seq, SourceId};
use certus_protocol::limits;

use crate::clean::Clean;
use crate::document::{Format, Kept, Place, Redaction, SanitizeError, Sanitizer, Text};
use crate::learn::Learnt;

/// What kept values may take of an envelope's description; the rest is for paths and attributes.
const KEPT_BYTES_MAX: usize = limits::ENVELOPE_META_BYTES_MAX / 2;
/// What one takes beside its texts.
const KEPT_FIXED_BYTES: usize = 24;

/// A resource as a source read it.
#[derive(Debug, Clone)]
pub struct RawResource<'a> {
    /// Its source.
    pub source: SourceId,
    /// What sort of thing it is.
    pub kind: ResourceKind,
    /// Path within the source.
    pub path: &'a str,
    /// Git object or reference, which is no text of anybody's; else empty.
    pub reference: &'a str,
    /// Media type.
    pub media_type: &'a str,
    /// Language; empty where unknown.
    pub language: &'a str,
    /// Its bytes.
    pub content: &'a [u8],
    /// The form of its bytes.
    pub format: Format,
    /// When it was changed, Unix milliseconds.
    pub modified_ms: Option<i64>,
    /// Further facts, each with where it comes from.
    pub attributes: Vec<(&'static str, String, Place)>,
}

/// A resource that may leave.
#[derive(Debug, Clone)]
pub struct CleanResource {
    /// Its document.
    pub document: DocumentId,
    /// Its envelope, or those of its parts, in order.
    pub envelopes: Vec<Clean<Envelope>>,
    /// How often each type was taken out, paths and attributes included.
    pub redactions: BTreeMap<String, u64>,
    /// Its sanitized path.
    pub path: String,
}

impl Sanitizer {
    /// The document that a path stands for.
    ///
    /// # Errors
    /// See [`SanitizeError`].
    pub fn document_id(
        &self,
        source: &SourceId,
        reference: &str,
        path: &str,
    ) -> Result<(DocumentId, Clean<Text>), SanitizeError> {
        let path = self.path(path)?;
        Ok((DocumentId::derive(source, reference, &path.text), path))
    }

    /// Sanitizes a resource and cuts it into envelopes.
    ///
    /// # Errors
    /// See [`SanitizeError`]; the resource must be held back.
    pub fn resource(&self, raw: &RawResource<'_>, learnt: &Learnt) -> Result<CleanResource, SanitizeError> {
        let (document, path) = self.document_id(&raw.source, raw.reference, raw.path)?;
        let content = self.document_at(raw.path, raw.content, raw.format, learnt)?.into_inner();
        let mut redactions = content.redactions;
        redactions.extend(path.redactions.iter().cloned());
        let mut attributes = Vec::new();
        for (name, value, place) in raw.attributes.iter().take(limits::ATTRIBUTES_MAX) {
            let text = self.string(value, *place)?.into_inner();
            redactions.extend(text.redactions);
            attributes.push(((*name).to_owned(), cut(text.text, limits::ATTRIBUTE_BYTES_MAX)));
        }
        attributes.sort();
        let by_type = redactions.iter().fold(BTreeMap::new(), |mut counts, redaction| {
            *counts.entry(redaction.type_name.clone()).or_default() += 1;
            counts
        });
        let resource = ResourceV1 {
            kind: raw.kind,
            path: path.text.clone(),
            reference: cut(raw.reference.to_owned(), limits::PATH_BYTES_MAX),
            media_type: raw.media_type.to_owned(),
            language: raw.language.to_owned(),
            size: content.bytes.len() as u64,
            hash: ContentHash::of(&content.bytes),
            modified_ms: raw.modified_ms,
            attributes,
            redactions: counted(&redactions),
            kept: kept(&content.kept)?,
            profile: self.policy().label(),
        };
        let envelopes = in_parts(document, resource, content.bytes);
        Ok(CleanResource { document, envelopes, redactions: by_type, path: path.text.clone() })
    }

    /// The deletion of a document that this agent sent before, under the sanitized path that it had then.
    ///
    /// # Errors
    /// See [`SanitizeError`].
    pub fn tombstone_of(&self, document: DocumentId, path: &str) -> Result<Clean<Envelope>, SanitizeError> {
        let path = self.path(path)?.into_inner().text;
        Ok(Clean::new(Envelope { document, body: BodyV1::Tombstone { path } }))
    }

    fn path(&self, path: &str) -> Result<Clean<Text>, SanitizeError> {
        let text = self.string(path, Place::Path)?.into_inner();
        Ok(Clean::new(Text { text: cut(text.text, limits::PATH_BYTES_MAX), ..text }))
    }
}

/// One envelope, or as many parts as the content needs; the spool names their try.
fn in_parts(document: DocumentId, resource: ResourceV1, content: Vec<u8>) -> Vec<Clean<Envelope>> {
    let envelope = |body| Clean::new(Envelope { document, body });
    if content.len() <= limits::ENVELOPE_CONTENT_BYTES_MAX {
        return vec![envelope(BodyV1::Whole { resource, content })];
    }
    let pieces: Vec<&[u8]> = content.chunks(limits::ENVELOPE_CONTENT_BYTES_MAX).collect();
    let last = pieces.len() - 1;
    let attempt = Seq::ZERO;
    let mut parts: Vec<_> = pieces[..last]
        .iter()
        .enumerate()
        .map(|(index, piece)| {
            envelope(BodyV1::Part { attempt, index: index as u32, content: piece.to_vec() })
        })
        .collect();
    let content = pieces[last].to_vec();
    parts.push(envelope(BodyV1::LastPart { attempt, index: last as u32, resource, content }));
    parts
}

fn counted(redactions: &[Redaction]) -> Vec<RedactionCountV1> {
    let mut counts: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for redaction in redactions {
        *counts.entry((&redaction.rule, &redaction.type_name)).or_default() += 1;
    }
    let count = |((rule, type_name), count): ((&str, &str), u32)| RedactionCountV1 {
        rule: rule.to_owned(),
        type_name: type_name.to_owned(),
        count,
    };
    counts.into_iter().take(limits::REDACTION_COUNTS_MAX).map(count).collect()
}

/// What is kept, as long as all of it can be told: the hub takes what it is not told of for a leak.
fn kept(kept: &[Kept]) -> Result<Vec<KeptV1>, SanitizeError> {
    let bytes: usize = kept.iter().map(|kept| KEPT_FIXED_BYTES + kept.rule.len() + kept.reason.len()).sum();
    if kept.len() > limits::KEPT_SPANS_MAX || bytes > KEPT_BYTES_MAX {
        return Err(SanitizeError::Kept(kept.len()));
    }
    let told = |kept: &Kept| KeptV1 {
        start: kept.start as u64,
        end: kept.end as u64,
        rule: kept.rule.clone(),
        reason: kept.reason.to_string(),
    };
    Ok(kept.iter().map(told).collect())
}

/// The text, cut to so many bytes at a character's edge.
fn cut(mut text: String, bytes: usize) -> String {
    if text.len() > bytes {
        let edge = (0..=bytes).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(edge);
    }
    text
}
