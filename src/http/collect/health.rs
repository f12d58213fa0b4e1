//! `GET /api/health` looks whether the database commits and the store can be written to; `GET /api/health/live` only itself.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::app_state::AppState;
use crate::http::errors::data::Empty;
use crate::http::{docs, envelope};

/// What was found: `up`, `down`, or `being prepared`.
#[derive(Serialize, ToSchema)]
pub struct Dependencies {
    #[schema(example = "up")]
    pub database: &'static str,
    #[schema(example = "up")]
    pub store: &'static str,
}

/// Ask whether the service can do its work
///
/// Commits a transaction that changes nothing, and writes to the object store, at most once a second.
#[utoipa::path(
    get,
    path = "/api/health",
    tag = "Health",
    operation_id = "health",
    responses(docs::collect::Health)
)]
pub async fn health(state: Data<AppState>) -> HttpResponse {
    let health = state.vault.health().await;
    let (status, message) = if health.is_fine() {
        (StatusCode::OK, "healthy")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "unhealthy")
    };
    envelope::answer(status, message, Dependencies { database: health.database, store: health.store })
}

/// Ask whether the process is alive
///
/// Asks nothing else. For a watchdog: a process is not restarted because its database is away.
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
