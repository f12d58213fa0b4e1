//! `POST /backup/{siteId}`: requests a backup from the appliance of a site.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use serde::Serialize;
use serde_json::json;
use utoipa::{IntoResponses, ToSchema};
use uuid::Uuid;

use crate::http::app_state::AppState;
use crate::http::errors::ApiError;
use crate::http::extractors::bearer::{Authorized, CreateScope};
use crate::http::extractors::remote_addr::RemoteAddr;
use crate::http::openapi::common_errors::bearer_auth_errors;
use crate::http::openapi::examples::example_id;
use crate::http::openapi::responses::{ResponseMap, Responses};
use crate::http::openapi::schemas::schema_ref;

/// The gateway's confirmation, and the id of the backup request.
#[derive(Serialize, ToSchema)]
pub struct BackupRequested {
    /// For people.
    #[schema(example = "Backup requested")]
    message: &'static str,
    /// The backup request that was made or joined. `GET /api/systems/{id}/requests` shows its state.
    #[schema(value_type = String, format = "uuid", example = "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8")]
    request_id: Uuid,
}

impl BackupRequested {
    fn new(request_id: Uuid) -> Self {
        Self { message: "Backup requested", request_id }
    }
}

/// Request a backup
///
/// The appliance learns of the request within seconds if it waits for requests, otherwise with its next call. The next
/// backup that it stores fulfils the request. A request that is made while another one is pending joins that one.
#[utoipa::path(
    post, path = "/backup/{siteId}", operation_id = "requestSiteBackup",
    params(("siteId" = String, Path, description = "The system\'s id.", format = "uuid",
            example = "018f3a5c-7b1e-7c3d-9a2b-0123456789ab")),
    responses(RequestBackupResponses),
    security(("bearer" = ["backup:create"])),
)]
pub async fn request_backup(
    Authorized { caller, .. }: Authorized<CreateScope>,
    RemoteAddr(remote_addr): RemoteAddr,
    site: Path<String>,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let system = state.vault.find_visible_system(&caller, &site).await?;
    let request =
        state.vault.request_backup(system.id(), Some(system.org()), system.sub(), remote_addr).await?;
    Ok(HttpResponse::Accepted().json(BackupRequested::new(request.id)))
}

struct RequestBackupResponses;

impl IntoResponses for RequestBackupResponses {
    fn responses() -> ResponseMap {
        let example = BackupRequested::new(example_id().uuid());
        let requested = ("application/json", schema_ref::<BackupRequested>(), json!(example));
        Responses::default()
            .other(202, "The backup is requested.", [requested], &[])
            .gateway_errors(
                bearer_auth_errors("backup:create").chain([ApiError::SystemNotFound, ApiError::Suspended]),
            )
            .into()
    }
}
