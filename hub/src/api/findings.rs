//! `GET /v1/findings` and `GET /v1/findings/{id}`.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::auth::{Caller, MayReadFindings};
use super::{ApiState, Problem, cursor};
use crate::findings::{self, Finding};

const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: usize = 1_000;

/// Which findings.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct FindingsQuery {
    /// `open`, `fixed` or `reopened`.
    state: Option<String>,
    /// `error`, `warning`, `note` or `none`.
    level: Option<String>,
    /// `critical`, `high`, `medium` or `low`.
    severity: Option<String>,
    /// The rule's id.
    rule: Option<String>,
    /// The tool's name.
    tool: Option<String>,
    /// Under this path.
    path_prefix: Option<String>,
    /// At the most, 1 to 1000.
    limit: Option<usize>,
    /// Where an earlier answer ended.
    cursor: Option<String>,
}

/// Some findings.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FindingsAnswer {
    /// How many match.
    total: usize,
    findings: Vec<Finding>,
    /// For the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// Lists findings.
#[utoipa::path(get, path = "/v1/findings", params(FindingsQuery), security(("key" = [])),
    responses((status = 200, body = FindingsAnswer), (status = 400, body = Problem), (status = 401, body = Problem)))]
pub(super) async fn list(
    caller: Caller<MayReadFindings>,
    State(state): State<ApiState>,
    query: Result<Query<FindingsQuery>, QueryRejection>,
) -> Result<Json<FindingsAnswer>, Problem> {
    let Query(query) = query?;
    let limit = query.limit.unwrap_or(LIMIT_DEFAULT);
    if limit == 0 || limit > LIMIT_MAX {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            format!("limit must be 1 to {LIMIT_MAX}"),
        ));
    }
    let plain = FindingsQuery { cursor: None, limit: None, ..query.clone() };
    let question = serde_json::to_string(&plain).map_err(|error| Problem::internal(&error))?;
    let after: Option<String> = query
        .cursor
        .as_deref()
        .map(|text| cursor::open(&state.cursor_key, &caller.tenant, &question, text))
        .transpose()?;
    let all =
        findings::all(&state.objects, &caller.tenant).await.map_err(|error| Problem::internal(&error))?;
    let matching: Vec<Finding> = all.into_iter().filter(|finding| query.matches(finding)).collect();
    let total = matching.len();
    let from = after.map_or(0, |after| {
        matching.iter().position(|finding| finding.id == after).map_or(total, |at| at + 1)
    });
    let page: Vec<Finding> = matching.into_iter().skip(from).take(limit).collect();
    let more = from + page.len() < total;
    let cursor = page
        .last()
        .filter(|_| more)
        .map(|last| cursor::seal(&state.cursor_key, &caller.tenant, &question, &last.id))
        .transpose()?;
    Ok(Json(FindingsAnswer { total, findings: page, cursor }))
}

/// Reads one finding.
#[utoipa::path(get, path = "/v1/findings/{id}", params(("id" = String, Path, description = "The finding's id")), security(("key" = [])),
    responses((status = 200, body = Finding), (status = 401, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn one(
    caller: Caller<MayReadFindings>,
    State(state): State<ApiState>,
    Path(id): Path<String>,
) -> Result<Json<Finding>, Problem> {
    let all =
        findings::all(&state.objects, &caller.tenant).await.map_err(|error| Problem::internal(&error))?;
    let found = all.into_iter().find(|finding| finding.id == id);
    found.map(Json).ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "there is no such finding"))
}

impl FindingsQuery {
    fn matches(&self, finding: &Finding) -> bool {
        let is =
            |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|wanted| wanted == value);
        let under = |prefix: &String| {
            finding.result.locations.iter().any(|place| place.path.starts_with(prefix.as_str()))
        };
        is(&self.state, finding.state)
            && is(&self.level, &finding.result.level)
            && is(&self.severity, &finding.result.severity)
            && is(&self.rule, &finding.result.rule)
            && is(&self.tool, &finding.result.tool)
            && self.path_prefix.as_ref().is_none_or(under)
    }
}
