//! `GET /v1/sources` and `GET /v1/agents`.

use axum::Json;
use axum::extract::State;
use certus_protocol::ids::{Epoch, Lane};
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::{Caller, MayAdminister, MaySearch};
use super::{ApiState, Problem};
use crate::authority::AgentState;
use crate::index::Query;
use crate::raw::LaneId;
use crate::receive::{Cursor, SourceState, cursor_key};
use crate::state;

const LISTED_MAX: usize = 10_000;

/// A source.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Source {
    id: String,
    name: String,
    /// Documents that can be found now.
    documents: u64,
    /// Agents that read it, in order; the last one counts.
    agents: Vec<String>,
}

/// An agent.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Agent {
    id: String,
    label: String,
    /// Unix milliseconds.
    enrolled_ms: i64,
    /// When it was last connected, Unix milliseconds.
    seen_ms: Option<i64>,
    epoch: u32,
    /// How far its frames have come, in this epoch.
    lanes: Vec<LaneProgress>,
}

/// How far a lane has come.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LaneProgress {
    lane: &'static str,
    /// The last frame that went through the pipeline: what it brought can be found.
    processed: u64,
}

/// Lists the tenant's sources.
#[utoipa::path(get, path = "/v1/sources", security(("key" = [])), responses((status = 200, body = Vec<Source>), (status = 401, body = Problem)))]
pub(super) async fn sources(
    caller: Caller<MaySearch>,
    State(state): State<ApiState>,
) -> Result<Json<Vec<Source>>, Problem> {
    let internal = |error: &dyn std::fmt::Display| Problem::internal(error);
    let query = Query { limit: 0, ..Query::default() };
    let answer = state.index.search(&caller.tenant, &query).await.map_err(|error| internal(&error))?;
    let counts: std::collections::HashMap<String, u64> = answer
        .facets
        .into_iter()
        .filter(|facet| facet.field == "source")
        .flat_map(|facet| facet.values)
        .collect();
    let prefix = format!("state/sources/{}/", caller.tenant);
    let mut sources = Vec::new();
    for key in state.objects.list(&prefix, None, LISTED_MAX).await.map_err(|error| internal(&error))? {
        let there: Option<SourceState> =
            state::read(&state.objects, &key).await.map_err(|error| internal(&error))?;
        let Some(there) = there else { continue };
        let id = key.as_str()[prefix.len()..].to_owned();
        let mut agents: Vec<String> = there.holders.iter().map(|(agent, _)| agent.to_string()).collect();
        agents.dedup();
        sources.push(Source {
            documents: counts.get(&id).copied().unwrap_or(0),
            id,
            name: there.name,
            agents,
        });
    }
    Ok(Json(sources))
}

/// Lists the tenant's agents.
#[utoipa::path(get, path = "/v1/agents", security(("key" = [])), responses((status = 200, body = Vec<Agent>), (status = 401, body = Problem)))]
pub(super) async fn agents(
    caller: Caller<MayAdminister>,
    State(state): State<ApiState>,
) -> Result<Json<Vec<Agent>>, Problem> {
    let internal = |error: &dyn std::fmt::Display| Problem::internal(error);
    let prefix = format!("state/agents/{}/", caller.tenant);
    let mut agents = Vec::new();
    for key in state.objects.list(&prefix, None, LISTED_MAX).await.map_err(|error| internal(&error))? {
        let there: Option<AgentState> =
            state::read(&state.objects, &key).await.map_err(|error| internal(&error))?;
        let Some(agent) = there else { continue };
        let mut lanes = Vec::new();
        for lane in Lane::ALL {
            let id =
                LaneId { tenant: caller.tenant.clone(), agent: agent.agent, epoch: Epoch(agent.epoch), lane };
            let key = cursor_key(&id).map_err(|error| internal(&error))?;
            let cursor: Option<Cursor> =
                state::read(&state.objects, &key).await.map_err(|error| internal(&error))?;
            lanes.push(LaneProgress {
                lane: lane.as_str(),
                processed: cursor.map_or(0, |cursor| cursor.processed),
            });
        }
        agents.push(Agent {
            id: agent.agent.to_string(),
            label: agent.label,
            enrolled_ms: agent.enrolled_ms,
            seen_ms: agent.seen_ms,
            epoch: agent.epoch,
            lanes,
        });
    }
    Ok(Json(agents))
}
