//! `GET /api/systems/backups`.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use serde::Serialize;
use utoipa::ToSchema;

use super::metadata::Metadata;
use crate::auth::basic::SystemIdentity;
use crate::http::app_state::AppState;
use crate::http::docs;
use crate::http::envelope;
use crate::http::errors::ApiError;

/// The backups of one system, newest first.
#[derive(Serialize, ToSchema)]
pub struct Backups {
    pub backups: Vec<Metadata>,
}

/// List backups
///
/// All backups of the system whose credential this is, newest first. No other can be asked for.
#[utoipa::path(
    get, path = "/api/systems/backups", tag = "Backups", operation_id = "listBackups",
    responses(docs::collect::List),
    security(("basic" = [])),
)]
pub async fn list(who: SystemIdentity, state: Data<AppState>) -> Result<HttpResponse, ApiError> {
    let rows = state.vault.list(&who).await?;
    let backups = rows.into_iter().map(Metadata::from).collect();
    Ok(envelope::answer(StatusCode::OK, "backups listed", Backups { backups }))
}
