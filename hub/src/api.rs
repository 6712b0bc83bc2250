//! The HTTP API: routes in one table, a tenant from the key and from nowhere else.

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::events::Metrics;
use crate::index::Index;
use crate::keys::Keys;
use crate::limits;
use crate::objects::Objects;
use crate::quarantine::Quarantine;

mod agents;
mod auth;
mod cursor;
mod documents;
mod findings;
mod problem;
mod quarantine;
mod search;
pub mod serve;

pub use problem::Problem;

/// A request must be answered in this time.
const REQUEST_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);

/// What the handlers work with.
#[derive(Clone)]
pub struct ApiState {
    /// Where everything lies.
    pub objects: Arc<dyn Objects>,
    /// What answers searches.
    pub index: Arc<dyn Index>,
    /// What is held back.
    pub quarantine: Quarantine,
    /// Who may ask.
    pub keys: Keys,
    /// What brings released envelopes through again.
    pub pipeline: Arc<crate::pipeline::Pipeline>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Signs cursors.
    pub cursor_key: Arc<[u8; 32]>,
}

impl FromRef<ApiState> for Keys {
    fn from_ref(state: &ApiState) -> Self {
        state.keys.clone()
    }
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Certus hub", description = "Search, documents, findings and quarantine of what agents sent."),
    modifiers(&Bearer)
)]
struct Described;

struct Bearer;

impl utoipa::Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
        let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
        openapi.components.get_or_insert_default().add_security_scheme("key", scheme);
    }
}

/// All routes.
pub fn router(state: ApiState) -> Router {
    let (router, described) = OpenApiRouter::with_openapi(Described::openapi())
        .routes(routes!(search::search))
        .routes(routes!(documents::document))
        .routes(routes!(agents::sources))
        .routes(routes!(agents::agents))
        .routes(routes!(findings::list))
        .routes(routes!(findings::one))
        .routes(routes!(quarantine::list))
        .routes(routes!(quarantine::release))
        .routes(routes!(quarantine::reject))
        .routes(routes!(health))
        .routes(routes!(ready))
        .routes(routes!(metrics))
        .split_for_parts();
    let described = Arc::new(described.to_pretty_json().unwrap_or_default());
    router
        .route(
            "/openapi.json",
            get(move || async move { ([("content-type", "application/json")], described.as_ref().clone()) }),
        )
        .fallback(|| async {
            Problem::new(StatusCode::NOT_FOUND, "there is no such route; see /openapi.json")
        })
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this route has other methods; see /openapi.json")
        })
        .layer(RequestBodyLimitLayer::new(limits::REQUEST_BYTES_MAX))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, REQUEST_TIMEOUT))
        .with_state(state)
}

/// Whether the process answers.
#[utoipa::path(get, path = "/health", responses((status = 200, description = "It does.")))]
async fn health() -> &'static str {
    "ok\n"
}

/// Whether the hub can serve: its store answers.
#[utoipa::path(get, path = "/ready", responses((status = 200, description = "It can."), (status = 503, description = "It can't now.")))]
async fn ready(axum::extract::State(state): axum::extract::State<ApiState>) -> axum::response::Response {
    match state.objects.list("state/", None, 1).await {
        Ok(_) => "ready\n".into_response(),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the object store does not answer").into_response()
        }
    }
}

/// Counts, in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", responses((status = 200, description = "Counts.")))]
async fn metrics(axum::extract::State(state): axum::extract::State<ApiState>) -> impl IntoResponse {
    ([("content-type", "application/openmetrics-text; version=1.0.0; charset=utf-8")], state.metrics.text())
}
