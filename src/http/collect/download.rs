//! `GET` and `HEAD /api/systems/backups/{id}`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::backup_bytes::give;
use super::backup_id::{OneBackup, parse_id};
use crate::auth::basic::SystemIdentity;
use crate::backups::Reader;
use crate::http::app_state::AppState;
use crate::http::docs;
use crate::http::errors::ApiError;
use crate::http::extractors::client_address::RemoteAddr;

/// Download a backup
///
/// The bytes as they were uploaded, or a part of them. A connection that breaks is an error, never a
/// short answer; what is missing can be fetched with `Range`.
#[utoipa::path(
    get, path = "/api/systems/backups/{id}", tag = "Backups", operation_id = "downloadBackup",
    params(
        OneBackup,
        ("Range" = Option<String>, Header, description = "One range of bytes.", example = "bytes=0-1023"),
        ("If-Range" = Option<String>, Header, description = "The `ETag` that the part has to fit."),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of what the client has."),
    ),
    responses(docs::collect::Download),
    security(("basic" = [])),
)]
pub async fn download(
    who: SystemIdentity,
    RemoteAddr(remote_addr): RemoteAddr,
    id: Path<String>,
    request: HttpRequest,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let row = state.vault.find(&who, parse_id(&id)?).await?;
    give(&request, &state, &row, &row.filename, Reader::system(&who, remote_addr)).await
}
