//! `DELETE /api/systems/backups/{id}`: deletes a backup.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use utoipa::IntoResponses;

use crate::auth::basic::SystemIdentity;
use crate::http::app_state::AppState;
use crate::http::envelope;
use crate::http::errors::ApiError;
use crate::http::extractors::remote_addr::RemoteAddr;
use crate::http::headers::unsupported::{conditional_delete, refuse_conditional_delete};
use crate::http::openapi::common_errors::basic_auth_errors;
use crate::http::openapi::responses::{ResponseMap, Responses};
use crate::http::shared::backup_id_path::{BackupIdPath, invalid_backup_id, parse_backup_id};
use crate::http::shared::deleted::Deleted;

/// Delete a backup
///
/// Deletes the backup at once. It cannot be restored. Deleting it again is answered with 404: it is gone.
#[utoipa::path(
    delete, path = "/api/systems/backups/{id}", operation_id = "deleteBackup",
    params(BackupIdPath),
    responses(DeleteResponses),
    security(("basic" = [])),
)]
pub async fn delete_backup(
    identity: SystemIdentity,
    RemoteAddr(remote_addr): RemoteAddr,
    id: Path<String>,
    request: HttpRequest,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let id = parse_backup_id(&id)?;
    refuse_conditional_delete(request.headers())?;
    state.vault.delete(&identity, id, remote_addr).await?;
    Ok(envelope::respond(StatusCode::OK, "backup deleted", Deleted { id }))
}

struct DeleteResponses;

impl IntoResponses for DeleteResponses {
    fn responses() -> ResponseMap {
        let errors = [invalid_backup_id("backup.zip"), conditional_delete(), ApiError::NotFound];
        Responses::default()
            .json(200, "The backup is deleted.", "backup deleted", &Deleted::example(), &[])
            .errors(basic_auth_errors().chain(errors))
            .with_backup_requested()
            .into()
    }
}
