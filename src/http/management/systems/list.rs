//! `GET /api/systems/{id}/backups`: lists the backups of a system.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use crate::http::app_state::AppState;
use crate::http::envelope;
use crate::http::errors::ApiError;
use crate::http::extractors::bearer::{Authorized, ViewScope};
use crate::http::openapi::common_errors::bearer_auth_errors;
use crate::http::openapi::responses::{ResponseMap, Responses};
use crate::http::shared::backup_metadata::Metadata;

/// The backups of a system, and how much of its limits they use.
#[derive(Serialize, ToSchema)]
pub struct SystemBackups<'a> {
    /// All stored backups of the system, newest first.
    backups: Vec<Metadata<'a>>,
    /// The total size of these backups, in bytes.
    #[schema(value_type = i64, minimum = 0, example = 82944)]
    quota_used_bytes: u64,
    /// The number of these backups.
    #[schema(value_type = i32, minimum = 0, example = 1)]
    slots_used: usize,
}

/// List the backups of a system
#[utoipa::path(
    get, path = "/api/systems/{id}/backups", operation_id = "listSystemBackups",
    params(("id" = String, Path, description = "The system\'s id.", format = "uuid",
            example = "018f3a5c-7b1e-7c3d-9a2b-0123456789ab")),
    responses(ListResponses),
    security(("bearer" = ["backup:view"])),
)]
pub async fn list_backups(
    Authorized { caller, .. }: Authorized<ViewScope>,
    id: Path<String>,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let system = state.vault.find_visible_system(&caller, &id).await?;
    let rows = state.vault.list_visible_backups(&system).await?;
    let data = SystemBackups {
        quota_used_bytes: rows.iter().map(|row| row.size).sum(),
        slots_used: rows.len(),
        backups: rows.iter().map(Metadata::from).collect(),
    };
    Ok(envelope::respond(StatusCode::OK, "backups listed", data))
}

struct ListResponses;

impl IntoResponses for ListResponses {
    fn responses() -> ResponseMap {
        let example =
            SystemBackups { backups: vec![Metadata::example()], quota_used_bytes: 82_944, slots_used: 1 };
        let listed = "All stored backups of this system, newest first.";
        Responses::default()
            .json(200, listed, "backups listed", &example, &[])
            .errors(bearer_auth_errors("backup:view").chain([ApiError::SystemNotFound]))
            .into()
    }
}
