//! `GET` and `HEAD /api/systems/backups/{id}`: downloads a backup.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use utoipa::IntoResponses;

use crate::auth::basic::SystemIdentity;
use crate::backups::Reader;
use crate::http::app_state::AppState;
use crate::http::errors::ApiError;
use crate::http::extractors::remote_addr::RemoteAddr;
use crate::http::openapi::common_errors::basic_auth_errors;
use crate::http::openapi::responses::ResponseMap;
use crate::http::shared::backup_id_path::{BackupIdPath, invalid_backup_id, parse_backup_id};
use crate::http::shared::backup_response::{describe_backup_response, respond_with_backup};

/// Download a backup
///
/// Returns the bytes as they were uploaded, or a part of them. If the connection breaks, the download is incomplete and
/// never looks complete; the missing part can be requested with `Range`.
#[utoipa::path(
    get, path = "/api/systems/backups/{id}", operation_id = "downloadBackup",
    params(
        BackupIdPath,
        ("Range" = Option<String>, Header, description = "A single range of bytes.", example = "bytes=0-1023"),
        ("If-Range" = Option<String>, Header, description = "The `ETag` of the backup that `Range` refers to."),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the client's copy."),
    ),
    responses(DownloadResponses),
    security(("basic" = [])),
)]
pub async fn download_backup(
    identity: SystemIdentity,
    RemoteAddr(remote_addr): RemoteAddr,
    id: Path<String>,
    request: HttpRequest,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let row = state.vault.find(&identity, parse_backup_id(&id)?).await?;
    let reader = Reader::system(&identity, remote_addr);
    respond_with_backup(&request, &state, &row, &row.filename, reader).await
}

struct DownloadResponses;

impl IntoResponses for DownloadResponses {
    fn responses() -> ResponseMap {
        let errors = [
            invalid_backup_id("backup.zip"),
            ApiError::NotFound,
            ApiError::RangeNotSatisfiable { size: 82_944 },
            ApiError::TooManyDownloads,
            ApiError::Damaged,
        ];
        describe_backup_response(&[]).errors(basic_auth_errors().chain(errors)).with_backup_requested().into()
    }
}
