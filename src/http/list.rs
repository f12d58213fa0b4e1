//! `GET /api/systems/backups`.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use serde::Serialize;

use super::AppState;
use super::envelope::{self, Metadata};
use super::error::ApiError;
use crate::backups::SystemIdentity;

#[derive(Serialize)]
struct Backups {
    backups: Vec<Metadata>,
}

pub async fn list(who: SystemIdentity, state: Data<AppState>) -> Result<HttpResponse, ApiError> {
    let rows = state.vault.list(&who).await?;
    let backups = rows.into_iter().map(Metadata::from).collect();
    Ok(envelope::answer(StatusCode::OK, "backups listed", Backups { backups }))
}
