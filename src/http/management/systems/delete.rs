//! `DELETE /api/systems/{id}/backups/{backup_id}`: deletes a backup of a system.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use utoipa::IntoResponses;

use super::backup_not_found;
use crate::domain::ids::BackupId;
use crate::http::app_state::AppState;
use crate::http::envelope;
use crate::http::errors::ApiError;
use crate::http::extractors::bearer::{Authorized, DeleteScope};
use crate::http::extractors::remote_addr::RemoteAddr;
use crate::http::headers::unsupported::{conditional_delete, refuse_conditional_delete};
use crate::http::openapi::common_errors::bearer_auth_errors;
use crate::http::openapi::responses::{ResponseMap, Responses};
use crate::http::shared::deleted::Deleted;

/// Delete a backup of a system
///
/// Deletes the backup at once. It cannot be restored.
#[utoipa::path(
    delete, path = "/api/systems/{id}/backups/{backup_id}", operation_id = "deleteSystemBackup",
    params(
        ("id" = String, Path, description = "The system\'s id.", format = "uuid",
            example = "018f3a5c-7b1e-7c3d-9a2b-0123456789ab"),
        ("backup_id" = String, Path, description = "The backup's id, from the list.",
            example = "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8.gpg"),
    ),
    responses(DeleteResponses),
    security(("bearer" = ["backup:delete"])),
)]
pub async fn delete_backup(
    Authorized { caller, .. }: Authorized<DeleteScope>,
    RemoteAddr(remote_addr): RemoteAddr,
    ids: Path<(String, String)>,
    request: HttpRequest,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let (system, backup) = ids.into_inner();
    let system = state.vault.find_visible_system(&caller, &system).await.map_err(backup_not_found)?;
    let id = BackupId::parse(&backup).map_err(|_| ApiError::NotFound)?;
    refuse_conditional_delete(request.headers())?;
    state.vault.delete_visible_backup(&system, id, remote_addr).await?;
    Ok(envelope::respond(StatusCode::OK, "backup deleted", Deleted { id }))
}

struct DeleteResponses;

impl IntoResponses for DeleteResponses {
    fn responses() -> ResponseMap {
        let errors = [ApiError::NotFound, conditional_delete()];
        Responses::default()
            .json(200, "The backup is deleted.", "backup deleted", &Deleted::example(), &[])
            .errors(bearer_auth_errors("backup:delete").chain(errors))
            .into()
    }
}
