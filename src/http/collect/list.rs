//! `GET /api/systems/backups`: lists the backups of the authenticated system.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use crate::auth::basic::SystemIdentity;
use crate::http::app_state::AppState;
use crate::http::envelope;
use crate::http::errors::ApiError;
use crate::http::openapi::common_errors::basic_auth_errors;
use crate::http::openapi::responses::{ResponseMap, Responses};
use crate::http::shared::backup_metadata::Metadata;

/// The backups of one system, newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = BackupList)]
pub struct Backups<'a> {
    /// All stored backups of the system.
    pub backups: Vec<Metadata<'a>>,
}

/// List backups
///
/// Returns all backups of the authenticated system, newest first. The backups of other systems are not accessible.
#[utoipa::path(
    get, path = "/api/systems/backups", operation_id = "listBackups",
    responses(ListResponses),
    security(("basic" = [])),
)]
pub async fn list_backups(identity: SystemIdentity, state: Data<AppState>) -> Result<HttpResponse, ApiError> {
    let rows = state.vault.list(&identity).await?;
    let backups = rows.iter().map(Metadata::from).collect();
    Ok(envelope::respond(StatusCode::OK, "backups listed", Backups { backups }))
}

struct ListResponses;

impl IntoResponses for ListResponses {
    fn responses() -> ResponseMap {
        let example = Backups { backups: vec![Metadata::example()] };
        Responses::default()
            .json(200, "All stored backups, newest first.", "backups listed", &example, &[])
            .errors(basic_auth_errors())
            .with_backup_requested()
            .into()
    }
}
