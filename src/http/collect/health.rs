//! `GET /api/health` checks whether the database commits, the store can be written to and the background tasks run;
//! `GET /api/health/live` only says that the process answers.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use serde::Serialize;
use utoipa::ToSchema;

use crate::backups::Health;
use crate::http::app_state::AppState;
use crate::http::errors::data::Empty;
use crate::http::{docs, envelope};

/// What the check found. A dependency is `up`, `down` or `being prepared`.
#[derive(Serialize, ToSchema)]
pub struct Dependencies {
    #[schema(example = "up")]
    pub database: &'static str,
    #[schema(example = "up")]
    pub store: &'static str,
    /// The background tasks that can't do their work; left out if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, example = json!(["purge"]))]
    pub tasks: Vec<&'static str>,
}

/// Ask whether the service can do its work
///
/// Commits a transaction that changes nothing, and writes to the object store, at most once a second. `degraded`: backups are
/// stored, and a background task can't do its work.
#[utoipa::path(
    get,
    path = "/api/health",
    tag = "Health",
    operation_id = "health",
    responses(docs::collect::Health)
)]
pub async fn health(state: Data<AppState>) -> HttpResponse {
    let health = state.vault.health().await;
    let (status, message) = match (health.dependencies_are_up(), health.tasks.is_empty()) {
        (true, true) => (StatusCode::OK, "healthy"),
        // A load balancer must not take the process out of service: it stores backups.
        (true, false) => (StatusCode::OK, "degraded"),
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy"),
    };
    let Health { database, store, tasks } = health;
    envelope::answer(status, message, Dependencies { database, store, tasks })
}

/// Ask whether the process is alive
///
/// Checks nothing else. For a watchdog: a restart does not help against a database that is down.
#[utoipa::path(
    get,
    path = "/api/health/live",
    tag = "Health",
    operation_id = "live",
    responses(docs::collect::Live)
)]
pub async fn live() -> HttpResponse {
    envelope::answer(StatusCode::OK, "alive", Empty {})
}
