//! `/api/systems/{id}/requests`: lists and cancels the backup requests of a system.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use chrono::DateTime;
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};
use uuid::Uuid;

use crate::backups::{BackupRequest, BackupRequestError, ReadError};
use crate::domain::backup_request::BackupRequestState;
use crate::domain::ids::BackupId;
use crate::http::app_state::AppState;
use crate::http::envelope;
use crate::http::errors::ApiError;
use crate::http::extractors::bearer::{Authorized, CreateScope};
use crate::http::extractors::remote_addr::RemoteAddr;
use crate::http::openapi::common_errors::bearer_auth_errors;
use crate::http::openapi::examples::example_id;
use crate::http::openapi::responses::{ResponseMap, Responses};
use crate::http::openapi::schemas::BackupRequestStateSchema;

/// The backup requests of a system.
#[derive(Serialize, ToSchema)]
pub struct SystemBackupRequests {
    /// The newest hundred backup requests in all states, newest first.
    requests: Vec<SystemBackupRequest>,
}

/// A backup request and its state.
#[derive(Serialize, ToSchema)]
pub struct SystemBackupRequest {
    /// The id of the backup request.
    #[schema(value_type = String, format = "uuid", example = "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8")]
    id: Uuid,
    #[schema(value_type = BackupRequestStateSchema)]
    state: BackupRequestState,
    /// The `sub` of the token that made the request first, or `operator`.
    #[schema(example = "portal")]
    requested_by: String,
    /// When the backup request was made: RFC 3339, UTC.
    #[schema(format = DateTime, example = "2026-04-12T09:30:00Z")]
    requested_at: String,
    /// When the backup request expires, or has expired: RFC 3339, UTC.
    #[schema(format = DateTime, example = "2026-04-13T09:30:00Z")]
    expires_at: String,
    /// When the appliance received the request.
    #[schema(format = DateTime, example = "2026-04-12T09:30:01Z")]
    seen_at: Option<String>,
    /// When the request was fulfilled, was cancelled, or was found to have expired.
    #[schema(format = DateTime, example = "2026-04-12T09:31:00Z")]
    ended_at: Option<String>,
    /// The backup that fulfilled the request. It may have been pruned since.
    #[schema(value_type = Option<String>, example = "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8.gpg")]
    backup_id: Option<BackupId>,
}

/// The request that was cancelled.
#[derive(Serialize, ToSchema)]
#[schema(as = CancelledBackupRequest)]
pub struct Cancelled {
    /// The id of the cancelled backup request.
    #[schema(value_type = String, format = "uuid", example = "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8")]
    id: Uuid,
}

impl SystemBackupRequests {
    /// An example for the documentation.
    pub fn example() -> Self {
        let at = |seconds| envelope::timestamp(DateTime::from_timestamp(seconds, 0).unwrap_or_default());
        let request = SystemBackupRequest {
            id: example_id().uuid(),
            state: BackupRequestState::Fulfilled,
            requested_by: "portal".to_owned(),
            requested_at: at(1_775_986_200),
            expires_at: at(1_776_072_600),
            seen_at: Some(at(1_775_986_201)),
            ended_at: Some(at(1_775_986_260)),
            backup_id: Some(example_id()),
        };
        Self { requests: vec![request] }
    }
}

impl Cancelled {
    /// An example for the documentation.
    pub fn example() -> Self {
        Self { id: example_id().uuid() }
    }
}

impl From<BackupRequest> for SystemBackupRequest {
    fn from(request: BackupRequest) -> Self {
        Self {
            id: request.id,
            state: request.state,
            requested_by: request.requested_by,
            requested_at: envelope::timestamp(request.requested_at),
            expires_at: envelope::timestamp(request.expires_at),
            seen_at: request.seen_at.map(envelope::timestamp),
            ended_at: request.ended_at.map(envelope::timestamp),
            backup_id: request.backup_id,
        }
    }
}

/// List the backup requests of a system
///
/// Returns the newest hundred requests in all states, newest first.
#[utoipa::path(
    get, path = "/api/systems/{id}/requests", operation_id = "listSystemRequests",
    params(("id" = String, Path, description = "The system\'s id.", format = "uuid",
            example = "018f3a5c-7b1e-7c3d-9a2b-0123456789ab")),
    responses(ListResponses),
    security(("bearer" = ["backup:create"])),
)]
pub async fn list_backup_requests(
    Authorized { caller, .. }: Authorized<CreateScope>,
    id: Path<String>,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let system = state.vault.find_visible_system(&caller, &id).await?;
    let found = state.vault.list_backup_requests(system.id()).await?;
    let requests = found.into_iter().map(SystemBackupRequest::from).collect();
    Ok(envelope::respond(StatusCode::OK, "requests listed", SystemBackupRequests { requests }))
}

/// Cancel a backup request
///
/// Cancelling a cancelled request succeeds. A request that was fulfilled or has expired cannot be cancelled.
#[utoipa::path(
    delete, path = "/api/systems/{id}/requests/{request_id}", operation_id = "cancelSystemRequest",
    params(
        ("id" = String, Path, description = "The system\'s id.", format = "uuid",
            example = "018f3a5c-7b1e-7c3d-9a2b-0123456789ab"),
        ("request_id" = String, Path, description = "The request's id, from the list.", format = "uuid",
            example = "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8"),
    ),
    responses(CancelResponses),
    security(("bearer" = ["backup:create"])),
)]
pub async fn cancel_backup_request(
    Authorized { caller, .. }: Authorized<CreateScope>,
    RemoteAddr(remote_addr): RemoteAddr,
    ids: Path<(String, String)>,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let (system, request) = ids.into_inner();
    let system = state.vault.find_visible_system(&caller, &system).await.map_err(backup_request_not_found)?;
    let id = Uuid::try_parse(&request).map_err(|_| ApiError::BackupRequestNotFound)?;
    match state.vault.cancel_backup_request(system.id(), id, system.sub(), remote_addr).await {
        Ok(()) | Err(BackupRequestError::Ended(BackupRequestState::Cancelled)) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(envelope::respond(StatusCode::OK, "request cancelled", Cancelled { id }))
}

/// Makes the response for a system that the caller may not see the same as for an unknown backup request of a system that
/// the caller may see.
fn backup_request_not_found(error: ReadError) -> ApiError {
    match error {
        ReadError::NoSystem => ApiError::BackupRequestNotFound,
        error => error.into(),
    }
}

struct ListResponses;

impl IntoResponses for ListResponses {
    fn responses() -> ResponseMap {
        Responses::default()
            .json(
                200,
                "The backup requests of the system.",
                "requests listed",
                &SystemBackupRequests::example(),
                &[],
            )
            .errors(bearer_auth_errors("backup:create").chain([ApiError::SystemNotFound]))
            .into()
    }
}

struct CancelResponses;

impl IntoResponses for CancelResponses {
    fn responses() -> ResponseMap {
        let ended = ApiError::BackupRequestEnded { state: BackupRequestState::Fulfilled };
        let cancelled = "The request is cancelled.";
        Responses::default()
            .json(200, cancelled, "request cancelled", &Cancelled::example(), &[])
            .errors(bearer_auth_errors("backup:create").chain([ApiError::BackupRequestNotFound, ended]))
            .into()
    }
}
