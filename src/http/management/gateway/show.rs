//! `GET /backup/{siteId}/{filename}`: the metadata of a backup, its bytes, or its text.

use actix_web::body::SizedStream;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, X_CONTENT_TYPE_OPTIONS};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use serde::Serialize;
use serde_json::json;
use utoipa::{IntoResponses, ToSchema};

use super::list::SiteBackup;
use crate::http::app_state::AppState;
use crate::http::connections;
use crate::http::envelope::NOT_CACHED;
use crate::http::errors::ApiError;
use crate::http::extractors::bearer::{Authorized, ViewScope};
use crate::http::extractors::remote_addr::RemoteAddr;
use crate::http::openapi::common_errors::bearer_auth_errors;
use crate::http::openapi::responses::ResponseMap;
use crate::http::openapi::schemas::{schema_ref, text};
use crate::http::shared::backup_response::{describe_backup_response, respond_with_backup};

/// The metadata of a backup.
#[derive(Serialize, ToSchema)]
pub struct SiteBackupDetails {
    #[serde(flatten)]
    file: SiteBackup,
    /// The size in bytes.
    #[schema(value_type = i64, minimum = 1, example = 82944)]
    bytes: u64,
    /// SHA-256 of the bytes, in hex.
    #[schema(
        pattern = "^[0-9a-f]{64}$",
        example = "3a7bd3e2360a3d29eea436fcfb7e44c735d117c42d1c1835420b6b9942dd4f1b"
    )]
    sha256: String,
    /// The `Content-Type` of the upload.
    #[schema(example = "application/octet-stream")]
    mimetype: String,
    /// The name that the appliance sent.
    #[schema(example = "backup-2026-04-12.tar.gz.gpg")]
    original_filename: String,
}

impl SiteBackupDetails {
    /// An example for the documentation.
    pub fn example() -> Self {
        Self {
            file: SiteBackup::example(),
            bytes: 82_944,
            sha256: "3a7bd3e2360a3d29eea436fcfb7e44c735d117c42d1c1835420b6b9942dd4f1b".to_owned(),
            mimetype: "application/octet-stream".to_owned(),
            original_filename: "backup-2026-04-12.tar.gz.gpg".to_owned(),
        }
    }
}

/// Show or download a backup of a site
///
/// Returns the metadata of the backup. With `X-Download: true` returns the bytes; with `X-View: true` returns the text, if
/// the backup is UTF-8 text of at most 1 MiB.
#[utoipa::path(
    get, path = "/backup/{siteId}/{filename}", operation_id = "showSiteBackup",
    params(
        ("siteId" = String, Path, description = "The system\'s id.", format = "uuid",
            example = "018f3a5c-7b1e-7c3d-9a2b-0123456789ab"),
        ("filename" = String, Path, description = "The backup's id: `filename` in the list.",
            example = "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8.gpg"),
        ("X-Download" = Option<bool>, Header, description = "Return the bytes instead of the metadata."),
        ("X-View" = Option<bool>, Header, description = "Return the text instead of the metadata."),
        ("Range" = Option<String>, Header, description = "A single range of bytes, with `X-Download`."),
        ("If-Range" = Option<String>, Header, description = "The `ETag` of the backup that `Range` refers to."),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the client's copy."),
    ),
    responses(ShowResponses),
    security(("bearer" = ["backup:view"])),
)]
pub async fn show_backup(
    Authorized { caller, .. }: Authorized<ViewScope>,
    RemoteAddr(remote_addr): RemoteAddr,
    ids: Path<(String, String)>,
    request: HttpRequest,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let (site, filename) = ids.into_inner();
    let system = state.vault.find_visible_system(&caller, &site).await?;
    let row = state.vault.find_visible_backup(&system, &filename).await?;
    let reader = system.reader(remote_addr);
    if is_true(request.headers(), "x-download") {
        return respond_with_backup(&request, &state, &row, system.download_filename(&row).as_str(), reader)
            .await;
    }
    if is_true(request.headers(), "x-view") {
        // The response to HEAD has no body, so no download is recorded.
        let records_download = request.method() == Method::GET;
        let text = state.vault.open_text(&row, reader, records_download).await?.ok_or(ApiError::NotText)?;
        connections::abort_response_when(&request, text.revoked());
        let mut response = HttpResponseBuilder::new(StatusCode::OK);
        response
            .insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"))
            .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((CACHE_CONTROL, NOT_CACHED));
        return Ok(response.body(SizedStream::new(row.size, text)));
    }
    let details = SiteBackupDetails {
        file: SiteBackup::new(row.id, row.size, row.uploaded_at),
        bytes: row.size,
        sha256: hex::encode(row.sha256),
        mimetype: row.mimetype,
        original_filename: row.filename,
    };
    Ok(HttpResponse::Ok().json(details))
}

fn is_true(headers: &HeaderMap, name: &str) -> bool {
    headers.get(name).is_some_and(|value| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"true"))
}

struct ShowResponses;

impl IntoResponses for ShowResponses {
    fn responses() -> ResponseMap {
        let errors = [
            ApiError::NotFound,
            ApiError::NotText,
            ApiError::RangeNotSatisfiable { size: 82_944 },
            ApiError::TooManyDownloads,
            ApiError::Damaged,
        ];
        let details = schema_ref::<SiteBackupDetails>();
        describe_backup_response(&[
            ("application/json", details, json!(SiteBackupDetails::example())),
            ("text/plain; charset=utf-8", text(), json!("hostname fw-01")),
        ])
        .gateway_errors(bearer_auth_errors("backup:view").chain(errors))
        .into()
    }
}
