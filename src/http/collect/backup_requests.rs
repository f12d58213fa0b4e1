//! How an appliance learns that a backup is requested, and how it says that nothing has changed:
//! `GET /api/systems/backups/requests`, `POST /api/systems/backups/unchanged`, and `X-Backup-Requested` on all other
//! answers.

use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::{Data, Query};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use chrono::DateTime;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::basic::SystemIdentity;
use crate::backups::BackupRequest;
use crate::http::app_state::AppState;
use crate::http::errors::ApiError;
use crate::http::errors::data::Empty;
use crate::http::openapi::examples::example_id;
use crate::http::{docs, envelope};

/// Seconds.
const LONGEST_WAIT: u64 = 60;

/// What the appliance is asked for.
#[derive(Serialize, ToSchema)]
pub struct Requests {
    pub requests: Vec<OpenRequest>,
}

/// One request for a backup.
#[derive(Serialize, ToSchema)]
pub struct OpenRequest {
    /// It need not be sent along: the next backup fulfils every request that is open.
    #[schema(value_type = String, format = "uuid")]
    id: Uuid,
    #[schema(format = DateTime)]
    requested_at: String,
    #[schema(format = DateTime)]
    expires_at: String,
}

impl OpenRequest {
    /// For the documentation.
    pub fn example() -> Self {
        let at = |seconds| envelope::time(DateTime::from_timestamp(seconds, 0).unwrap_or_default());
        Self { id: example_id().uuid(), requested_at: at(1_775_986_200), expires_at: at(1_776_072_600) }
    }
}

impl From<BackupRequest> for OpenRequest {
    fn from(request: BackupRequest) -> Self {
        Self {
            id: request.id,
            requested_at: envelope::time(request.requested_at),
            expires_at: envelope::time(request.expires_at),
        }
    }
}

/// Ask what backups are asked for
///
/// With `wait`, the answer comes as soon as there is a request that the appliance was not told before, or that is asked
/// again, or when that time is over. It lists all that are open, also those that were told before. While one is open,
/// every other authenticated answer carries `X-Backup-Requested: ID`.
#[utoipa::path(
    get, path = "/api/systems/backups/requests", tag = "Requests", operation_id = "listRequests",
    params(
        ("wait" = Option<u64>, Query, description = "Seconds to wait for a request.", minimum = 0, maximum = 60),
    ),
    responses(docs::collect::Requested),
    security(("basic" = [])),
)]
pub async fn requests(
    who: SystemIdentity,
    request: HttpRequest,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let wait = wait(request.query_string())?;
    let found = if request.method() == Method::HEAD {
        // HEAD gives the appliance nothing, so it has seen nothing.
        state.vault.open_backup_requests(&who).await?
    } else {
        state.vault.wait_for_backup_requests(&who, wait).await?
    };
    let requests = found.into_iter().map(OpenRequest::from).collect();
    Ok(envelope::answer(StatusCode::OK, "requests listed", Requests { requests }))
}

/// Say that nothing has changed
///
/// Instead of uploading the same configuration again. It costs no slot of the rate limit and keeps the system fresh
/// for support staff; a request for a backup stays open.
#[utoipa::path(
    post, path = "/api/systems/backups/unchanged", tag = "Requests", operation_id = "noteUnchanged",
    responses(docs::collect::Unchanged),
    security(("basic" = [])),
)]
pub async fn unchanged(who: SystemIdentity, state: Data<AppState>) -> Result<HttpResponse, ApiError> {
    state.vault.note_unchanged(&who).await?;
    Ok(envelope::answer(StatusCode::OK, "noted as unchanged", Empty {}))
}

/// How long to wait for a request: the parameter `wait`, in whole seconds; 0 if it is missing.
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

/// The middleware that puts `X-Backup-Requested` on the answers to a system that has authenticated itself.
pub async fn announce_request(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let state = request.app_data::<Data<AppState>>().cloned();
    let mut response = next.call(request).await?;
    let who = response.request().extensions().get::<SystemIdentity>().cloned();
    if let Some((state, who)) = state.zip(who)
        && let Some(id) = state.vault.authenticator.pending_backup_request(&who).await
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
