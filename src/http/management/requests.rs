//! `POST /backup/{siteId}` and `/api/systems/{id}/requests`: asking an appliance for a backup, and what became of it.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::super::AppState;
use super::super::address::RemoteAddr;
use super::super::bearer::{Allowed, Create};
use super::super::envelope;
use super::super::error::ApiError;
use crate::backups::{BackupRequest, ReadError};
use crate::domain::ids::BackupId;
use crate::domain::request::RequestState;

#[derive(Serialize)]
struct Line {
    id: Uuid,
    state: RequestState,
    requested_by: String,
    requested_at: String,
    expires_at: String,
    /// When the appliance was given it.
    seen_at: Option<String>,
    ended_at: Option<String>,
    /// What fulfilled it.
    backup_id: Option<BackupId>,
}

impl From<BackupRequest> for Line {
    fn from(request: BackupRequest) -> Self {
        let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        Self {
            id: request.id,
            state: request.state,
            requested_by: request.requested_by,
            requested_at: time(request.requested_at),
            expires_at: time(request.expires_at),
            seen_at: request.seen_at.map(time),
            ended_at: request.ended_at.map(time),
            backup_id: request.backup_id,
        }
    }
}

/// The gateway's way to ask. Whoever asks while a request is pending joins it.
pub async fn ask(
    Allowed { caller, .. }: Allowed<Create>,
    RemoteAddr(remote_addr): RemoteAddr,
    site: Path<String>,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let system = state.vault.managed(&caller, &site).await?;
    state.vault.request_backup(system.id(), Some(system.org()), system.sub(), remote_addr).await?;
    Ok(HttpResponse::Accepted().json(json!({ "message": "Backup requested" })))
}

pub async fn list(
    Allowed { caller, .. }: Allowed<Create>,
    id: Path<String>,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let system = state.vault.managed(&caller, &id).await?;
    let found = state.vault.requests_of(system.id()).await?;
    let requests: Vec<Line> = found.into_iter().map(Line::from).collect();
    Ok(envelope::answer(StatusCode::OK, "requests listed", json!({ "requests": requests })))
}

/// One that was cancelled before is cancelled.
pub async fn cancel(
    Allowed { caller, .. }: Allowed<Create>,
    RemoteAddr(remote_addr): RemoteAddr,
    ids: Path<(String, String)>,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let (system, request) = ids.into_inner();
    let system = state.vault.managed(&caller, &system).await.map_err(no_request)?;
    let id = Uuid::try_parse(&request).map_err(|_| ApiError::RequestNotFound)?;
    match state.vault.cancel_request(system.id(), id, system.sub(), remote_addr).await.map_err(ApiError::from)
    {
        Ok(()) | Err(ApiError::RequestEnded { state: RequestState::Cancelled }) => {}
        // The system was found.
        Err(ApiError::SystemNotFound) => return Err(ApiError::RequestNotFound),
        Err(error) => return Err(error),
    }
    Ok(envelope::answer(StatusCode::OK, "request cancelled", json!({ "id": id })))
}

/// A system that is not there has no requests.
fn no_request(error: ReadError) -> ApiError {
    match error {
        ReadError::NoSystem => ApiError::RequestNotFound,
        error => error.into(),
    }
}
