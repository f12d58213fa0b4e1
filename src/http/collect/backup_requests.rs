//! `GET /api/systems/backups/requests`: an appliance lists its open backup requests, or waits for one (long poll).

use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use chrono::DateTime;
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};
use uuid::Uuid;

use crate::auth::basic::SystemIdentity;
use crate::backups::BackupRequest;
use crate::http::app_state::AppState;
use crate::http::envelope;
use crate::http::errors::ApiError;
use crate::http::openapi::common_errors::basic_auth_errors;
use crate::http::openapi::examples::example_id;
use crate::http::openapi::responses::{ResponseMap, Responses};

/// The longest wait, in seconds.
const MAX_WAIT: u64 = 60;
const INVALID_WAIT: &str = "must be a whole number of seconds from 0 to 60";

/// The open backup requests of a system.
#[derive(Serialize, ToSchema)]
pub struct OpenBackupRequests {
    /// The open backup requests, oldest first.
    pub requests: Vec<OpenBackupRequest>,
}

/// An open backup request.
#[derive(Serialize, ToSchema)]
pub struct OpenBackupRequest {
    /// The id of the backup request. The appliance need not send it back: the next stored backup fulfils every open request.
    #[schema(value_type = String, format = "uuid", example = "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8")]
    id: Uuid,
    /// When the backup request was made: RFC 3339, UTC.
    #[schema(format = DateTime, example = "2026-04-12T09:30:00Z")]
    requested_at: String,
    /// When the backup request expires unless a backup fulfils it: RFC 3339, UTC.
    #[schema(format = DateTime, example = "2026-04-13T09:30:00Z")]
    expires_at: String,
}

impl OpenBackupRequest {
    /// An example for the documentation.
    pub fn example() -> Self {
        let at = |seconds| envelope::timestamp(DateTime::from_timestamp(seconds, 0).unwrap_or_default());
        Self { id: example_id().uuid(), requested_at: at(1_775_986_200), expires_at: at(1_776_072_600) }
    }
}

impl From<BackupRequest> for OpenBackupRequest {
    fn from(request: BackupRequest) -> Self {
        Self {
            id: request.id,
            requested_at: envelope::timestamp(request.requested_at),
            expires_at: envelope::timestamp(request.expires_at),
        }
    }
}

/// List open backup requests
///
/// With `wait`, the response comes as soon as there is a request that the appliance has not seen yet or that was repeated,
/// and at the latest when the wait is over. It lists all open requests, including those that the appliance has seen. While
/// a request is open, every other authenticated response has the header `X-Backup-Requested: ID`.
#[utoipa::path(
    get, path = "/api/systems/backups/requests", operation_id = "listRequests",
    params(
        ("wait" = Option<u64>, Query, description = "Seconds to wait for a request.", minimum = 0, maximum = 60),
    ),
    responses(ListResponses),
    security(("basic" = [])),
)]
pub async fn list_open_backup_requests(
    identity: SystemIdentity,
    request: HttpRequest,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let wait = parse_wait(request.query_string())?;
    let found = if request.method() == Method::HEAD {
        // The response to HEAD has no body, so the requests don't count as seen.
        state.vault.list_open_backup_requests(&identity).await?
    } else {
        state.vault.wait_for_backup_requests(&identity, wait).await?
    };
    let requests = found.into_iter().map(OpenBackupRequest::from).collect();
    Ok(envelope::respond(StatusCode::OK, "requests listed", OpenBackupRequests { requests }))
}

/// Parses the parameter `wait`: whole seconds; 0 if it is missing.
fn parse_wait(query: &str) -> Result<Duration, ApiError> {
    let invalid = |value: &str| {
        let excerpt: String = value.chars().take(100).collect();
        ApiError::field("wait", INVALID_WAIT, excerpt)
    };
    let pairs = Query::<Vec<(String, String)>>::from_query(query).map_err(|_| invalid(query))?;
    let mut values = pairs.iter().filter(|(name, _)| name == "wait").map(|(_, value)| value.as_str());
    let Some(value) = values.next() else { return Ok(Duration::ZERO) };
    if let Some(second) = values.next() {
        return Err(invalid(second));
    }
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = value.parse().ok().filter(|&seconds| digits && seconds <= MAX_WAIT);
    seconds.map(Duration::from_secs).ok_or_else(|| invalid(value))
}

struct ListResponses;

impl IntoResponses for ListResponses {
    fn responses() -> ResponseMap {
        let example = OpenBackupRequests { requests: vec![OpenBackupRequest::example()] };
        let listed = "All open requests; none if the wait ended without one.";
        Responses::default()
            .json(200, listed, "requests listed", &example, &[])
            .errors(basic_auth_errors().chain([ApiError::field("wait", INVALID_WAIT, "90")]))
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_a_whole_number_of_seconds_up_to_a_minute() {
        let right =
            [("", 0), ("wait=0", 0), ("wait=1", 1), ("wait=60", 60), ("x=wait&wait=7", 7), ("Wait=9", 0)];
        for (query, seconds) in right {
            assert_eq!(parse_wait(query).ok(), Some(Duration::from_secs(seconds)), "{query}");
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
            assert!(parse_wait(query).is_err(), "{query}");
        }
        assert!(parse_wait("wait=99999999999999999999999").is_err());
    }
}
