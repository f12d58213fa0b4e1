//! `/api/systems/{id}/backups`: a system's backups, for a portal.

use actix_web::http::header::{CACHE_CONTROL, ContentType};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use serde::Serialize;
use utoipa::ToSchema;

use crate::backups::{Backup, Link, ReadError};
use crate::domain::ids::BackupId;
use crate::http::app_state::AppState;
use crate::http::collect::delete::Deleted;
use crate::http::collect::metadata::Metadata;
use crate::http::collect::signed_downloads;
use crate::http::docs;
use crate::http::envelope::{self, NOT_CACHED};
use crate::http::errors::ApiError;
use crate::http::extractors::bearer::{Allowed, Delete, View};
use crate::http::extractors::client_address::RemoteAddr;
use crate::http::headers::unsupported::refuse_conditions;
use crate::http::openapi::examples::example_id;

/// The backups of one system, and what they take of its limits.
#[derive(Serialize, ToSchema)]
pub struct SystemBackups {
    backups: Vec<Metadata>,
    /// The bytes of all these backups.
    quota_used_bytes: u64,
    /// How many they are.
    slots_used: usize,
}

/// Where a backup can be fetched without a credential.
#[derive(Serialize, ToSchema)]
pub struct DownloadAddress {
    #[schema(format = "uri")]
    download_url: String,
    /// How long it holds.
    #[schema(minimum = 1)]
    expires_in_seconds: u64,
}

/// For the documentation.
impl SystemBackups {
    pub fn example() -> Self {
        Self { backups: vec![Metadata::example()], quota_used_bytes: 82_944, slots_used: 1 }
    }
}

/// For the documentation.
impl DownloadAddress {
    pub fn example() -> Self {
        let path = format!("/api/downloads/{}", example_id());
        let download_url =
            format!("https://collect.example.net{path}?expires=1775960400&signature=0123456789abcdef");
        Self { download_url, expires_in_seconds: 300 }
    }
}

/// List a system's backups
#[utoipa::path(
    get, path = "/api/systems/{id}/backups", tag = "Systems", operation_id = "listSystemBackups",
    params(("id" = String, Path, description = "The system's id.", format = "uuid")),
    responses(docs::manage::List),
    security(("bearer" = ["backup:view"])),
)]
pub async fn list(
    Allowed { caller, .. }: Allowed<View>,
    id: Path<String>,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let system = state.vault.managed(&caller, &id).await?;
    let rows = state.vault.list_managed(&system).await?;
    let data = SystemBackups {
        quota_used_bytes: rows.iter().map(|row| row.size).sum(),
        slots_used: rows.len(),
        backups: rows.into_iter().map(Metadata::from).collect(),
    };
    Ok(envelope::answer(StatusCode::OK, "backups listed", data))
}

/// Make an address for a download
///
/// For a browser, or whoever else has no token. It is signed, and holds for some minutes.
#[utoipa::path(
    get, path = "/api/systems/{id}/backups/{backup_id}/download", tag = "Systems", operation_id = "linkSystemBackup",
    params(
        ("id" = String, Path, description = "The system's id.", format = "uuid"),
        ("backup_id" = String, Path, description = "The backup's id, from the list."),
    ),
    responses(docs::manage::Link),
    security(("bearer" = ["backup:view"])),
)]
pub async fn link(
    Allowed { caller, .. }: Allowed<View>,
    RemoteAddr(remote_addr): RemoteAddr,
    ids: Path<(String, String)>,
    request: HttpRequest,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let (system, backup) = ids.into_inner();
    let system = state.vault.managed(&caller, &system).await.map_err(no_backup)?;
    let row: Backup = state.vault.find_managed(&system, &backup).await?;
    if request.method() == Method::HEAD {
        // HEAD gives no address out, so none is signed and nothing is recorded.
        state.vault.check_object(&row).await?;
        let mut response = HttpResponse::Ok();
        response.insert_header((CACHE_CONTROL, NOT_CACHED)).content_type(ContentType::json());
        return Ok(response.finish());
    }
    let (link, expires_in_seconds) = state.vault.link(&system, &row, remote_addr).await?;
    let download_url = match link {
        Link::Store(url) => url,
        Link::Own(signed) => signed_downloads::address(&state.addresses.downloads(&request), &signed),
    };
    let mut response = HttpResponseBuilder::new(StatusCode::OK);
    response.insert_header((CACHE_CONTROL, NOT_CACHED));
    let data = DownloadAddress { download_url, expires_in_seconds };
    Ok(envelope::finish(response, StatusCode::OK, "download address made", data))
}

/// Delete a system's backup
///
/// At once and for good.
#[utoipa::path(
    delete, path = "/api/systems/{id}/backups/{backup_id}", tag = "Systems", operation_id = "deleteSystemBackup",
    params(
        ("id" = String, Path, description = "The system's id.", format = "uuid"),
        ("backup_id" = String, Path, description = "The backup's id, from the list."),
    ),
    responses(docs::manage::Delete),
    security(("bearer" = ["backup:delete"])),
)]
pub async fn delete(
    Allowed { caller, .. }: Allowed<Delete>,
    RemoteAddr(remote_addr): RemoteAddr,
    ids: Path<(String, String)>,
    request: HttpRequest,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let (system, backup) = ids.into_inner();
    let system = state.vault.managed(&caller, &system).await.map_err(no_backup)?;
    let id = BackupId::parse(&backup).map_err(|_| ApiError::NotFound)?;
    refuse_conditions(request.headers())?;
    state.vault.delete_managed(&system, id, remote_addr).await?;
    Ok(envelope::answer(StatusCode::OK, "backup deleted", Deleted::of(id)))
}

/// A backup of a system that the caller does not see is answered as an unknown backup of one that they do.
fn no_backup(error: ReadError) -> ApiError {
    match error {
        ReadError::NoSystem => ApiError::NotFound,
        error => error.into(),
    }
}
