//! `POST /v1/search`.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use certus_protocol::ids::SourceId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::{Caller, MaySearch};
use super::{ApiState, Problem, cursor};
use crate::index::{IndexError, Query};
use crate::limits;

const LIMIT_DEFAULT: usize = 20;

/// What to search for.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchRequest {
    /// Words and `"phrases"`; empty finds all that the filters leave.
    #[serde(default)]
    query: String,
    /// `lexical`; others are not there yet.
    #[serde(default)]
    mode: Option<String>,
    /// Hits at the most, 1 to 1000.
    #[serde(default)]
    limit: Option<usize>,
    /// Where an earlier answer ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
    /// What hits must be.
    #[serde(default)]
    filters: Filters,
}

/// What hits must be.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct Filters {
    /// Of one of these sources, by id or name.
    source: Vec<String>,
    /// Under this path.
    path_prefix: Option<String>,
    /// In one of these languages.
    language: Vec<String>,
    /// Of one of these kinds.
    kind: Vec<String>,
}

/// What was found.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SearchAnswer {
    /// Documents that match.
    total: u64,
    /// The best of them, best first.
    hits: Vec<SearchHit>,
    /// Matching documents by value.
    facets: Vec<SearchFacet>,
    /// For the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// A document found.
#[derive(Debug, Serialize, ToSchema)]
struct SearchHit {
    document: String,
    path: String,
    source: String,
    source_name: String,
    kind: String,
    reference: String,
    language: String,
    score: f32,
    line_start: u32,
    line_end: u32,
    highlights: Vec<Highlight>,
}

/// A piece of text, and whether it matched.
#[derive(Debug, Serialize, ToSchema)]
struct Highlight {
    text: String,
    matched: bool,
}

/// Counts of one field.
#[derive(Debug, Serialize, ToSchema)]
struct SearchFacet {
    field: &'static str,
    values: Vec<FacetValue>,
}

/// One value's count.
#[derive(Debug, Serialize, ToSchema)]
struct FacetValue {
    value: String,
    count: u64,
}

/// Finds documents.
#[utoipa::path(post, path = "/v1/search", request_body = SearchRequest, security(("key" = [])),
    responses((status = 200, body = SearchAnswer), (status = 400, body = Problem), (status = 401, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn search(
    caller: Caller<MaySearch>,
    State(state): State<ApiState>,
    request: Result<Json<SearchRequest>, JsonRejection>,
) -> Result<Json<SearchAnswer>, Problem> {
    let Json(request) = request?;
    let unprocessable = |detail: String| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
    match request.mode.as_deref() {
        None | Some("lexical") => {}
        Some(mode @ ("semantic" | "hybrid")) => {
            return Err(unprocessable(format!("mode {mode:?} is not there yet; use \"lexical\"")));
        }
        Some(mode) => {
            return Err(unprocessable(format!("mode {mode:?} is none of lexical, semantic, hybrid")));
        }
    }
    let limit = request.limit.unwrap_or(LIMIT_DEFAULT);
    if limit == 0 || limit > limits::HITS_MAX {
        return Err(unprocessable(format!("limit must be 1 to {}", limits::HITS_MAX)));
    }
    let question = question(&request)?;
    let after = request
        .cursor
        .as_deref()
        .map(|text| cursor::open(&state.cursor_key, &caller.tenant, &question, text))
        .transpose()?;
    let query = Query {
        text: request.query,
        sources: sources(&caller, &request.filters.source)?,
        path_prefix: request.filters.path_prefix,
        languages: request.filters.language,
        kinds: request.filters.kind,
        limit,
        after,
    };
    let answer = state.index.search(&caller.tenant, &query).await.map_err(|error| match error {
        IndexError::Query(what) => unprocessable(format!("query: {what}")),
        other @ IndexError::Engine(_) => Problem::internal(&other),
    })?;
    let next = answer
        .next
        .map(|next| cursor::seal(&state.cursor_key, &caller.tenant, &question, &next))
        .transpose()?;
    Ok(Json(SearchAnswer {
        total: answer.total,
        hits: answer.hits.into_iter().map(shown).collect(),
        facets: answer
            .facets
            .into_iter()
            .map(|facet| SearchFacet {
                field: facet.field,
                values: facet.values.into_iter().map(|(value, count)| FacetValue { value, count }).collect(),
            })
            .collect(),
        cursor: next,
    }))
}

/// What a cursor is bound to: everything asked but the page.
fn question(request: &SearchRequest) -> Result<String, Problem> {
    let plain = SearchRequest { cursor: None, limit: None, ..request.clone() };
    serde_json::to_string(&plain).map_err(|error| Problem::internal(&error))
}

/// Ids of sources named by id or by name; a name that no source has is its own id's, which finds nothing.
fn sources(caller: &Caller<MaySearch>, names: &[String]) -> Result<Vec<SourceId>, Problem> {
    let id = |name: &String| {
        name.parse::<SourceId>()
            .ok()
            .or_else(|| name.parse().ok().map(|name| SourceId::derive(&caller.tenant, &name)))
    };
    names
        .iter()
        .map(|name| {
            id(name).ok_or_else(|| {
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "a source's name must be 1 to 256 bytes")
            })
        })
        .collect()
}

fn shown(hit: crate::index::Hit) -> SearchHit {
    let chunk = hit.content.chunks.first();
    SearchHit {
        document: hit.document.to_string(),
        source: hit.content.source.to_string(),
        line_start: chunk.map_or(0, |chunk| chunk.line_start),
        line_end: chunk.map_or(0, |chunk| chunk.line_end),
        path: hit.content.path,
        source_name: hit.content.source_name,
        kind: hit.content.kind,
        reference: hit.content.reference,
        language: hit.content.language,
        score: hit.score,
        highlights: hit.highlights.into_iter().map(|(text, matched)| Highlight { text, matched }).collect(),
    }
}
