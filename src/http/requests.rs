//! What an appliance is asked for, and what it has to say instead of a backup:
//! `GET /api/systems/backups/requests`, `POST /api/systems/backups/unchanged`, and the header on all other answers.

use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::{Data, Query};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::AppState;
use super::envelope;
use super::error::ApiError;
use crate::backups::{BackupRequest, SystemIdentity};

const LONGEST_WAIT: u64 = 60;

#[derive(Serialize)]
struct Requests {
    requests: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    id: Uuid,
    requested_at: String,
    expires_at: String,
}

impl From<BackupRequest> for Line {
    fn from(request: BackupRequest) -> Self {
        let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        Self {
            id: request.id,
            requested_at: time(request.requested_at),
            expires_at: time(request.expires_at),
        }
    }
}

pub async fn requests(
    who: SystemIdentity,
    request: HttpRequest,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let wait = wait(request.query_string())?;
    let found = if request.method() == Method::HEAD {
        // Nothing is given to the appliance, so it has seen nothing.
        state.vault.open_requests(&who).await?
    } else {
        state.vault.wait_for_requests(&who, wait).await?
    };
    let requests = found.into_iter().map(Line::from).collect();
    Ok(envelope::answer(StatusCode::OK, "requests listed", Requests { requests }))
}

pub async fn unchanged(who: SystemIdentity, state: Data<AppState>) -> Result<HttpResponse, ApiError> {
    state.vault.note_unchanged(&who).await?;
    Ok(envelope::answer(StatusCode::OK, "noted as unchanged", json!({})))
}

/// How long to wait for a request: `wait` in whole seconds, 0 if it is not there.
fn wait(query: &str) -> Result<Duration, ApiError> {
    let wrong = |value: &str| {
        let shown: String = value.chars().take(100).collect();
        ApiError::field("wait", "must be a whole number of seconds from 0 to 60", shown)
    };
    let pairs = Query::<Vec<(String, String)>>::from_query(query).map_err(|_| wrong(query))?;
    let mut values = pairs.iter().filter(|(name, _)| name == "wait").map(|(_, value)| value.as_str());
    let Some(value) = values.next() else { return Ok(Duration::ZERO) };
    if let Some(second) = values.next() {
        return Err(wrong(second));
    }
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = value.parse().ok().filter(|&seconds| digits && seconds <= LONGEST_WAIT);
    seconds.map(Duration::from_secs).ok_or_else(|| wrong(value))
}

/// The middleware that puts `X-Backup-Requested` on what a system is answered, once it is known who it is.
pub async fn tell_requested(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let state = request.app_data::<Data<AppState>>().cloned();
    let mut response = next.call(request).await?;
    let who = response.request().extensions().get::<SystemIdentity>().cloned();
    if let Some((state, who)) = state.zip(who)
        && let Some(id) = state.vault.authenticator.requested(&who).await
        && let Ok(value) = HeaderValue::from_str(&id.to_string())
    {
        response.headers_mut().insert(HeaderName::from_static("x-backup-requested"), value);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_a_whole_number_of_seconds_up_to_a_minute() {
        let right =
            [("", 0), ("wait=0", 0), ("wait=1", 1), ("wait=60", 60), ("x=wait&wait=7", 7), ("Wait=9", 0)];
        for (query, seconds) in right {
            assert_eq!(wait(query).ok(), Some(Duration::from_secs(seconds)), "{query}");
        }
        for query in [
            "wait=61",
            "wait=-1",
            "wait=+1",
            "wait=%2B1",
            "wait=",
            "wait",
            "wait=1.5",
            "wait=1s",
            "wait= 1",
            "wait=1&wait=2",
        ] {
            assert!(wait(query).is_err(), "{query}");
        }
        assert!(wait("wait=99999999999999999999999").is_err());
    }
}
