//! `DELETE /api/systems/backups/{id}`.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use serde_json::json;

use super::AppState;
use super::address::RemoteAddr;
use super::envelope;
use super::error::ApiError;
use crate::backups::SystemIdentity;
use crate::domain::ids::BackupId;

pub async fn delete(
    who: SystemIdentity,
    RemoteAddr(remote_addr): RemoteAddr,
    id: Path<String>,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let id = parse_id(&id)?;
    state.vault.delete(&who, id, remote_addr).await?;
    Ok(envelope::answer(StatusCode::OK, "backup deleted", json!({ "id": id })))
}

/// The id in a path.
pub fn parse_id(text: &str) -> Result<BackupId, ApiError> {
    BackupId::parse(text)
        .map_err(|_| ApiError::field("id", "invalid", text.chars().take(100).collect::<String>()))
}
