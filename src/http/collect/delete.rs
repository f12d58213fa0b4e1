//! `DELETE /api/systems/backups/{id}`.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::backup_id::{OneBackup, parse_id};
use crate::auth::basic::SystemIdentity;
use crate::domain::ids::BackupId;
use crate::http::app_state::AppState;
use crate::http::errors::ApiError;
use crate::http::extractors::client_address::RemoteAddr;
use crate::http::headers::unsupported::refuse_conditions;
use crate::http::openapi::examples::example_id;
use crate::http::{docs, envelope};

/// What is gone.
#[derive(Serialize, ToSchema)]
pub struct Deleted {
    #[schema(value_type = String, example = "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8.gpg")]
    id: BackupId,
}

impl Deleted {
    pub fn of(id: BackupId) -> Self {
        Self { id }
    }

    /// For the documentation.
    pub fn example() -> Self {
        Self { id: example_id() }
    }
}

/// Delete a backup
///
/// At once and for good. A second time it is 404: it is gone, all is well.
#[utoipa::path(
    delete, path = "/api/systems/backups/{id}", tag = "Backups", operation_id = "deleteBackup",
    params(OneBackup),
    responses(docs::collect::Delete),
    security(("basic" = [])),
)]
pub async fn delete(
    who: SystemIdentity,
    RemoteAddr(remote_addr): RemoteAddr,
    id: Path<String>,
    request: HttpRequest,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let id = parse_id(&id)?;
    refuse_conditions(request.headers())?;
    state.vault.delete(&who, id, remote_addr).await?;
    Ok(envelope::answer(StatusCode::OK, "backup deleted", Deleted { id }))
}
