//! `DELETE /api/systems/backups/{id}`: deletes a backup.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use super::backup_id_path::{BackupIdPath, invalid_backup_id, parse_backup_id};
use crate::auth::basic::SystemIdentity;
use crate::domain::ids::BackupId;
use crate::http::app_state::AppState;
use crate::http::envelope;
use crate::http::errors::ApiError;
use crate::http::extractors::client_address::ClientAddress;
use crate::http::headers::unsupported::{conditional_delete, refuse_conditional_delete};
use crate::http::openapi::common_errors::basic_auth_errors;
use crate::http::openapi::examples::example_id;
use crate::http::openapi::responses::{ResponseMap, Responses};

/// The backup that was deleted.
#[derive(Serialize, ToSchema)]
pub struct Deleted {
    #[schema(value_type = String, example = "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8.gpg")]
    pub id: BackupId,
}

impl Deleted {
    /// For the documentation.
    pub fn example() -> Self {
        Self { id: example_id() }
    }
}

/// Delete a backup
///
/// Deletes the backup at once. It cannot be restored. Deleting it again is answered with 404: it is gone.
#[utoipa::path(
    delete, path = "/api/systems/backups/{id}", tag = "Backups", operation_id = "deleteBackup",
    params(BackupIdPath),
    responses(DeleteResponses),
    security(("basic" = [])),
)]
pub async fn delete(
    identity: SystemIdentity,
    ClientAddress(remote_addr): ClientAddress,
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
