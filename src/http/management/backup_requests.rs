//! `POST /backup/{siteId}` and `/api/systems/{id}/requests`: asking an appliance for a backup, and what became of it.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use chrono::DateTime;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::backups::{BackupRequest, BackupRequestError, ReadError};
use crate::domain::backup_request::BackupRequestState;
use crate::domain::ids::BackupId;
use crate::http::app_state::AppState;
use crate::http::docs;
use crate::http::envelope;
use crate::http::errors::ApiError;
use crate::http::extractors::bearer::{Allowed, Create};
use crate::http::extractors::client_address::RemoteAddr;
use crate::http::openapi::examples::example_id;

/// What a system was asked for.
#[derive(Serialize, ToSchema)]
pub struct SystemRequests {
    requests: Vec<SystemRequest>,
}

/// A request for a backup, and what has become of it.
#[derive(Serialize, ToSchema)]
pub struct SystemRequest {
    #[schema(value_type = String, format = "uuid")]
    id: Uuid,
    /// `pending`, `seen` by the appliance, `fulfilled` by a stored backup, `expired` or `cancelled`.
    #[schema(value_type = String, pattern = "^(pending|seen|fulfilled|expired|cancelled)$", example = "fulfilled")]
    state: BackupRequestState,
    /// The `sub` of the token that asked first, or `operator`.
    requested_by: String,
    #[schema(format = DateTime)]
    requested_at: String,
    #[schema(format = DateTime)]
    expires_at: String,
    /// When the appliance was given it.
    #[schema(format = DateTime)]
    seen_at: Option<String>,
    /// When it was fulfilled, cancelled, or found to have expired.
    #[schema(format = DateTime)]
    ended_at: Option<String>,
    /// What fulfilled it; it may have been pruned since.
    #[schema(value_type = Option<String>)]
    backup_id: Option<BackupId>,
}

/// What the gateway says.
#[derive(Serialize, ToSchema)]
pub struct BackupRequested {
    #[schema(example = "Backup requested")]
    message: &'static str,
}

/// What was cancelled.
#[derive(Serialize, ToSchema)]
pub struct Cancelled {
    #[schema(value_type = String, format = "uuid")]
    id: Uuid,
}

/// For the documentation.
impl SystemRequests {
    pub fn example() -> Self {
        let at = |seconds| envelope::time(DateTime::from_timestamp(seconds, 0).unwrap_or_default());
        let request = SystemRequest {
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

/// For the documentation.
impl BackupRequested {
    pub fn example() -> Self {
        Self { message: "Backup requested" }
    }
}

/// For the documentation.
impl Cancelled {
    pub fn example() -> Self {
        Self { id: example_id().uuid() }
    }
}

impl From<BackupRequest> for SystemRequest {
    fn from(request: BackupRequest) -> Self {
        Self {
            id: request.id,
            state: request.state,
            requested_by: request.requested_by,
            requested_at: envelope::time(request.requested_at),
            expires_at: envelope::time(request.expires_at),
            seen_at: request.seen_at.map(envelope::time),
            ended_at: request.ended_at.map(envelope::time),
            backup_id: request.backup_id,
        }
    }
}

/// Ask for a backup
///
/// The appliance learns of it within seconds if it waits for requests, else with its next call, and the next backup
/// that it stores fulfils it. Whoever asks while a request is pending joins it.
#[utoipa::path(
    post, path = "/backup/{siteId}", tag = "Gateway", operation_id = "requestSiteBackup",
    params(("siteId" = String, Path, description = "The system's id.", format = "uuid")),
    responses(docs::manage::Ask),
    security(("bearer" = ["backup:create"])),
)]
pub async fn ask(
    Allowed { caller, .. }: Allowed<Create>,
    RemoteAddr(remote_addr): RemoteAddr,
    site: Path<String>,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let system = state.vault.managed(&caller, &site).await?;
    state.vault.request_backup(system.id(), Some(system.org()), system.sub(), remote_addr).await?;
    Ok(HttpResponse::Accepted().json(BackupRequested { message: "Backup requested" }))
}

/// List a system's requests
///
/// The newest hundred, whatever became of them, newest first.
#[utoipa::path(
    get, path = "/api/systems/{id}/requests", tag = "Systems", operation_id = "listSystemRequests",
    params(("id" = String, Path, description = "The system's id.", format = "uuid")),
    responses(docs::manage::Requests),
    security(("bearer" = ["backup:create"])),
)]
pub async fn list(
    Allowed { caller, .. }: Allowed<Create>,
    id: Path<String>,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let system = state.vault.managed(&caller, &id).await?;
    let found = state.vault.backup_requests_of(system.id()).await?;
    let requests = found.into_iter().map(SystemRequest::from).collect();
    Ok(envelope::answer(StatusCode::OK, "requests listed", SystemRequests { requests }))
}

/// Cancel a request
///
/// One that was cancelled before is cancelled; what has ended otherwise stays as it is.
#[utoipa::path(
    delete, path = "/api/systems/{id}/requests/{request_id}", tag = "Systems", operation_id = "cancelSystemRequest",
    params(
        ("id" = String, Path, description = "The system's id.", format = "uuid"),
        ("request_id" = String, Path, description = "The request's id, from the list.", format = "uuid"),
    ),
    responses(docs::manage::Cancel),
    security(("bearer" = ["backup:create"])),
)]
pub async fn cancel(
    Allowed { caller, .. }: Allowed<Create>,
    RemoteAddr(remote_addr): RemoteAddr,
    ids: Path<(String, String)>,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let (system, request) = ids.into_inner();
    let system = state.vault.managed(&caller, &system).await.map_err(no_request)?;
    let id = Uuid::try_parse(&request).map_err(|_| ApiError::RequestNotFound)?;
    match state.vault.cancel_backup_request(system.id(), id, system.sub(), remote_addr).await {
        Ok(()) | Err(BackupRequestError::Ended(BackupRequestState::Cancelled)) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(envelope::answer(StatusCode::OK, "request cancelled", Cancelled { id }))
}

/// A request of a system that the caller does not see is answered as an unknown request of one that they do.
fn no_request(error: ReadError) -> ApiError {
    match error {
        ReadError::NoSystem => ApiError::RequestNotFound,
        error => error.into(),
    }
}
