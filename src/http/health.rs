//! `GET /api/health` asks the database and the store; `GET /api/health/live` only itself.

use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use serde::Serialize;
use serde_json::json;
use tokio::time::timeout;

use super::AppState;
use super::envelope;
use crate::db::{Lane, settings};

/// How long a dependency may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// The route needs no credential: it must not be a way to keep the database busy.
const CACHED_FOR: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Serialize)]
pub struct Health {
    database: &'static str,
    store: &'static str,
}

/// The last answer.
#[derive(Default)]
pub struct Cache(Mutex<Option<(Instant, Health)>>);

const UP: &str = "up";
const DOWN: &str = "down";

pub async fn health(state: Data<AppState>) -> HttpResponse {
    let health = look(&state).await;
    let fine = health.database == UP && health.store == UP;
    let (status, message) =
        if fine { (StatusCode::OK, "healthy") } else { (StatusCode::SERVICE_UNAVAILABLE, "unhealthy") };
    envelope::answer(status, message, health)
}

pub async fn live() -> HttpResponse {
    envelope::answer(StatusCode::OK, "alive", json!({}))
}

async fn look(state: &AppState) -> Health {
    let cached = *state.health.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((at, health)) = cached
        && at.elapsed() < CACHED_FOR
    {
        return health;
    }
    let vault = &state.vault;
    let ping = vault.db.run(Lane::Reads, PATIENCE, settings::ping);
    let (database, store) = tokio::join!(ping, timeout(PATIENCE, vault.store.check()));
    let health = Health {
        database: match database {
            Ok(()) if state.ready.load(Ordering::Relaxed) => UP,
            Ok(()) => "being prepared",
            Err(_) => DOWN,
        },
        store: if matches!(store, Ok(Ok(()))) { UP } else { DOWN },
    };
    *state.health.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), health));
    health
}
