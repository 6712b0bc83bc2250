//! `GET /v1/documents/{id}`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use certus_protocol::ids::{DocumentId, Lane};
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::{Caller, MaySearch};
use super::{ApiState, Problem};
use crate::golden;

/// A document's newest version.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Document {
    document: String,
    path: String,
    source: String,
    source_name: String,
    kind: String,
    reference: String,
    language: String,
    media_type: String,
    /// Length of the sanitized content, in bytes.
    size: u64,
    /// BLAKE3 of the sanitized content.
    hash: String,
    /// Unix milliseconds, as the source says.
    modified_ms: Option<i64>,
    attributes: Vec<Attribute>,
    redactions: Vec<RedactionCount>,
    origin: Provenance,
    text: String,
}

/// A further fact.
#[derive(Debug, Serialize, ToSchema)]
struct Attribute {
    name: String,
    value: String,
}

/// What was taken out before it left the customer's network.
#[derive(Debug, Serialize, ToSchema)]
struct RedactionCount {
    rule: String,
    type_name: String,
    count: u32,
}

/// The frame that brought it; the agent's ledger has a row with the same numbers.
#[derive(Debug, Serialize, ToSchema)]
struct Provenance {
    agent: String,
    epoch: u32,
    lane: &'static str,
    seq: u64,
}

/// Reads a document.
#[utoipa::path(get, path = "/v1/documents/{id}", params(("id" = String, Path, description = "The document's id")), security(("key" = [])),
    responses((status = 200, body = Document), (status = 401, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn document(
    caller: Caller<MaySearch>,
    State(state): State<ApiState>,
    Path(id): Path<String>,
) -> Result<Json<Document>, Problem> {
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "there is no such document");
    let id: DocumentId = id.parse().map_err(|_| unknown())?;
    let golden =
        golden::get(&state.objects, &caller.tenant, &id).await.map_err(|error| Problem::internal(&error))?;
    let golden = golden.ok_or_else(unknown)?;
    let content = golden.content.ok_or_else(unknown)?;
    let lane = Lane::from_byte(golden.origin.lane).map_or("", Lane::as_str);
    let attribute = |(name, value)| Attribute { name, value };
    let redaction = |(rule, type_name, count)| RedactionCount { rule, type_name, count };
    Ok(Json(Document {
        document: id.to_string(),
        path: content.path,
        source: content.source.to_string(),
        source_name: content.source_name,
        kind: content.kind,
        reference: content.reference,
        language: content.language,
        media_type: content.media_type,
        size: content.size,
        hash: content.hash.to_string(),
        modified_ms: content.modified_ms,
        attributes: content.attributes.into_iter().map(attribute).collect(),
        redactions: content.redactions.into_iter().map(redaction).collect(),
        origin: Provenance {
            agent: golden.origin.agent.to_string(),
            epoch: golden.origin.epoch,
            lane,
            seq: golden.origin.seq,
        },
        text: content.text,
    }))
}
