//! `GET /api/health` asks the database and the store; `GET /api/health/live` only itself.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use serde_json::json;

use super::AppState;
use super::envelope;

pub async fn health(state: Data<AppState>) -> HttpResponse {
    let health = state.vault.health().await;
    let (status, message) = if health.is_fine() {
        (StatusCode::OK, "healthy")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "unhealthy")
    };
    envelope::answer(status, message, health)
}

pub async fn live() -> HttpResponse {
    envelope::answer(StatusCode::OK, "alive", json!({}))
}
