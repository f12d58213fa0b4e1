//! `GET /api/health` checks whether the database commits, the store can be written to and the background tasks run;
//! `GET /api/health/live` only says that the process answers.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use crate::backups::Health;
use crate::http::app_state::AppState;
use crate::http::envelope;
use crate::http::errors::data::Empty;
use crate::http::openapi::responses::{ResponseMap, Responses};

/// What the check found.
#[derive(Serialize, ToSchema)]
#[schema(as = Health)]
pub struct Dependencies {
    /// Whether the database commits: `up`, `down` or `being prepared`.
    #[schema(example = "up")]
    pub database: &'static str,
    /// Whether the object store can be written to: `up`, `down` or `being prepared`.
    #[schema(example = "up")]
    pub store: &'static str,
    /// The background tasks that can't do their work; left out if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, example = json!(["purge"]))]
    pub tasks: Vec<&'static str>,
}

/// Check whether the service is healthy
///
/// Commits a transaction that changes nothing, and writes to the object store, at most once a second. `degraded`: backups are
/// stored, and a background task can't do its work.
#[utoipa::path(get, path = "/api/health", operation_id = "health", responses(HealthResponses))]
pub async fn check_health(state: Data<AppState>) -> HttpResponse {
    let health = state.vault.health().await;
    let (status, message) = match (health.dependencies_are_up(), health.tasks.is_empty()) {
        (true, true) => (StatusCode::OK, "healthy"),
        // A load balancer must not take the process out of service: it stores backups.
        (true, false) => (StatusCode::OK, "degraded"),
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy"),
    };
    let Health { database, store, tasks } = health;
    envelope::respond(status, message, Dependencies { database, store, tasks })
}

struct HealthResponses;

impl IntoResponses for HealthResponses {
    fn responses() -> ResponseMap {
        let up = Dependencies { database: "up", store: "up", tasks: vec![] };
        let down = Dependencies { database: "up", store: "down", tasks: vec![] };
        let healthy = "Backups can be stored. If a background task fails, the message is `degraded`, and `tasks` names it.";
        Responses::default()
            .json(200, healthy, "healthy", &up, &[])
            .json(
                503,
                "At least one of them cannot be written to; `data` says which.",
                "unhealthy",
                &down,
                &[],
            )
            .into()
    }
}

/// Check whether the process responds
///
/// Checks nothing else. For a watchdog: a restart does not help against a database that is down.
#[utoipa::path(get, path = "/api/health/live", operation_id = "live", responses(LiveResponses))]
pub async fn check_liveness() -> HttpResponse {
    envelope::respond(StatusCode::OK, "alive", Empty {})
}

struct LiveResponses;

impl IntoResponses for LiveResponses {
    fn responses() -> ResponseMap {
        Responses::default().json(200, "The process responds.", "alive", &Empty {}, &[]).into()
    }
}
