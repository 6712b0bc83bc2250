//! `GET /v1/quarantine`, and what a person decides of an entry.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::{Caller, MayDecide};
use super::{ApiState, Problem};
use crate::erasure;
use crate::quarantine::{Held, Hit};

const LISTED_MAX: usize = 1_000;

/// What is held back.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Entry {
    id: String,
    document: String,
    path: String,
    source_name: String,
    /// What the second scan found, without values.
    hits: Vec<Hit>,
    /// Unix milliseconds.
    held_ms: i64,
}

/// A person's decision.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Decision {
    /// Why; kept.
    reason: String,
}

/// What became of an entry.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Decided {
    id: String,
    /// `released` or `rejected`.
    outcome: &'static str,
}

/// Lists what the second scan held back.
#[utoipa::path(get, path = "/v1/quarantine", security(("key" = [])), responses((status = 200, body = Vec<Entry>), (status = 401, body = Problem)))]
pub(super) async fn list(
    caller: Caller<MayDecide>,
    State(state): State<ApiState>,
) -> Result<Json<Vec<Entry>>, Problem> {
    let held = state
        .quarantine
        .list(&caller.tenant, None, LISTED_MAX)
        .await
        .map_err(|error| Problem::internal(&error))?;
    let entry = |held: Held| Entry {
        id: held.id(),
        document: held.document.to_string(),
        path: held.path,
        source_name: held.source_name,
        hits: held.hits,
        held_ms: held.held_ms,
    };
    Ok(Json(held.into_iter().map(entry).collect()))
}

/// Lets an entry pass.
#[utoipa::path(post, path = "/v1/quarantine/{id}/release", params(("id" = String, Path, description = "The entry's id")), request_body = Decision,
    security(("key" = [])), responses((status = 200, body = Decided), (status = 401, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn release(
    caller: Caller<MayDecide>,
    State(state): State<ApiState>,
    Path(id): Path<String>,
    decision: Result<Json<Decision>, JsonRejection>,
) -> Result<Json<Decided>, Problem> {
    let reason = reason(decision)?;
    let held = entry(&state, &caller, &id).await?;
    state.quarantine.release(&held, &reason).await.map_err(|error| Problem::internal(&error))?;
    state.pipeline.again(&held).await.map_err(|error| Problem::internal(&error))?;
    tracing::info!(tenant = %caller.tenant, entry = %id, "a quarantined version was released");
    Ok(Json(Decided { id, outcome: "released" }))
}

/// Erases an entry: from `raw/`, and from everything derived.
#[utoipa::path(post, path = "/v1/quarantine/{id}/reject", params(("id" = String, Path, description = "The entry's id")), request_body = Decision,
    security(("key" = [])), responses((status = 200, body = Decided), (status = 401, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn reject(
    caller: Caller<MayDecide>,
    State(state): State<ApiState>,
    Path(id): Path<String>,
    decision: Result<Json<Decision>, JsonRejection>,
) -> Result<Json<Decided>, Problem> {
    reason(decision)?;
    let held = entry(&state, &caller, &id).await?;
    let erased = erasure::erase(&state.objects, &state.index, &caller.tenant, &held).await;
    erased.map_err(|error| Problem::internal(&error))?;
    state.quarantine.forget(&held).await.map_err(|error| Problem::internal(&error))?;
    tracing::info!(tenant = %caller.tenant, entry = %id, "a quarantined version was rejected and erased");
    Ok(Json(Decided { id, outcome: "rejected" }))
}

fn reason(decision: Result<Json<Decision>, JsonRejection>) -> Result<String, Problem> {
    let Json(decision) = decision?;
    if decision.reason.trim().is_empty() || decision.reason.len() > 1_000 {
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "a reason of 1 to 1000 bytes is needed"));
    }
    Ok(decision.reason)
}

async fn entry(state: &ApiState, caller: &Caller<MayDecide>, id: &str) -> Result<Held, Problem> {
    let held = state.quarantine.get(&caller.tenant, id).await.map_err(|error| Problem::internal(&error))?;
    held.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "there is no such entry"))
}
