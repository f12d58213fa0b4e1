//! `/backup/{siteId}`: the gateway API. A site is a system, and a file is a backup, named by its id.

use actix_web::body::SizedStream;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, X_CONTENT_TYPE_OPTIONS};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use serde::Serialize;
use utoipa::ToSchema;

use crate::backups::Backup;
use crate::domain::ids::BackupId;
use crate::domain::size;
use crate::http::app_state::AppState;
use crate::http::collect::backup_bytes::give;
use crate::http::envelope::{self, NOT_CACHED};
use crate::http::errors::ApiError;
use crate::http::extractors::bearer::{Allowed, View};
use crate::http::extractors::client_address::RemoteAddr;
use crate::http::openapi::examples::example_id;
use crate::http::{connections, docs};

/// A backup as the gateway lists it. Times are in UTC.
#[derive(Serialize, ToSchema)]
pub struct SiteBackup {
    /// The backup's id.
    #[schema(value_type = String, example = "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8.gpg")]
    filename: BackupId,
    /// For people; see `bytes`.
    #[schema(example = "81.0 KiB")]
    size: String,
    #[schema(format = Date)]
    date: String,
    #[schema(example = "02:15:00")]
    time: String,
    #[schema(format = DateTime)]
    created_at: String,
}

/// All that is known of a backup.
#[derive(Serialize, ToSchema)]
pub struct SiteBackupDetails {
    #[serde(flatten)]
    file: SiteBackup,
    bytes: u64,
    /// In hex.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    sha256: String,
    mimetype: String,
    /// What the appliance called it.
    original_filename: String,
}

impl From<&Backup> for SiteBackup {
    fn from(row: &Backup) -> Self {
        Self {
            filename: row.id,
            size: size::human(row.size),
            date: row.uploaded_at.format("%Y-%m-%d").to_string(),
            time: row.uploaded_at.format("%H:%M:%S").to_string(),
            created_at: envelope::time(row.uploaded_at),
        }
    }
}

/// For the documentation.
impl SiteBackup {
    pub fn example() -> Self {
        Self {
            filename: example_id(),
            size: size::human(82_944),
            date: "2026-04-12".to_owned(),
            time: "02:15:00".to_owned(),
            created_at: "2026-04-12T02:15:00Z".to_owned(),
        }
    }
}

/// For the documentation.
impl SiteBackupDetails {
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

/// List a site's backups
#[utoipa::path(
    get, path = "/backup/{siteId}", tag = "Gateway", operation_id = "listSiteBackups",
    params(("siteId" = String, Path, description = "The system's id.", format = "uuid")),
    responses(docs::manage::Files),
    security(("bearer" = ["backup:view"])),
)]
pub async fn list(
    Allowed { caller, .. }: Allowed<View>,
    site: Path<String>,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let system = state.vault.managed(&caller, &site).await?;
    let rows = state.vault.list_managed(&system).await?;
    let files: Vec<SiteBackup> = rows.iter().map(SiteBackup::from).collect();
    Ok(HttpResponse::Ok().json(files))
}

/// Show a site's backup, or fetch it
///
/// What is known of it; with `X-Download: true` the bytes; with `X-View: true` the text, if it is UTF-8 of at most
/// 1 MiB.
#[utoipa::path(
    get, path = "/backup/{siteId}/{filename}", tag = "Gateway", operation_id = "showSiteBackup",
    params(
        ("siteId" = String, Path, description = "The system's id.", format = "uuid"),
        ("filename" = String, Path, description = "The backup's id: `filename` in the list."),
        ("X-Download" = Option<bool>, Header, description = "The bytes, rather than what is known of them."),
        ("X-View" = Option<bool>, Header, description = "The text."),
        ("Range" = Option<String>, Header, description = "One range of bytes, with `X-Download`."),
        ("If-Range" = Option<String>, Header, description = "The `ETag` that the part has to fit."),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of what the client has."),
    ),
    responses(docs::manage::Show),
    security(("bearer" = ["backup:view"])),
)]
pub async fn show(
    Allowed { caller, .. }: Allowed<View>,
    RemoteAddr(remote_addr): RemoteAddr,
    ids: Path<(String, String)>,
    request: HttpRequest,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let (site, filename) = ids.into_inner();
    let system = state.vault.managed(&caller, &site).await?;
    let row = state.vault.find_managed(&system, &filename).await?;
    let reader = system.reader(remote_addr);
    if is_true(request.headers(), "x-download") {
        return give(&request, &state, &row, system.name_of(&row).as_str(), reader).await;
    }
    if is_true(request.headers(), "x-view") {
        // HEAD hands nothing out, so there is no download to record.
        let handed_out = request.method() == Method::GET;
        let text = state.vault.open_text(&row, reader, handed_out).await?.ok_or(ApiError::NotText)?;
        connections::end_with(&request, text.revoked());
        let mut response = HttpResponseBuilder::new(StatusCode::OK);
        response
            .insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"))
            .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((CACHE_CONTROL, NOT_CACHED));
        return Ok(response.body(SizedStream::new(row.size, text)));
    }
    let details = SiteBackupDetails {
        file: SiteBackup::from(&row),
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
