//! `/backup/{siteId}`: the gateway API. A site is a system, and a file is a backup, named by its id.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, X_CONTENT_TYPE_OPTIONS};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use chrono::SecondsFormat;
use serde::Serialize;

use super::super::AppState;
use super::super::address::RemoteAddr;
use super::super::bearer::{Allowed, View};
use super::super::download::give;
use super::super::error::ApiError;
use crate::backups::Backup;
use crate::domain::ids::BackupId;
use crate::domain::size;

/// A backup as the list has it. Times are in UTC.
#[derive(Serialize)]
struct File {
    filename: BackupId,
    /// For people; see `bytes`.
    size: String,
    date: String,
    time: String,
    created_at: String,
}

/// The same with what is known beyond it.
#[derive(Serialize)]
struct Details {
    #[serde(flatten)]
    file: File,
    bytes: u64,
    sha256: String,
    mimetype: String,
    /// What the appliance called it.
    original_filename: String,
}

impl From<&Backup> for File {
    fn from(row: &Backup) -> Self {
        Self {
            filename: row.id,
            size: size::human(row.size),
            date: row.uploaded_at.format("%Y-%m-%d").to_string(),
            time: row.uploaded_at.format("%H:%M:%S").to_string(),
            created_at: row.uploaded_at.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        }
    }
}

pub async fn list(
    Allowed { caller, .. }: Allowed<View>,
    site: Path<String>,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let system = state.vault.managed(&caller, &site).await?;
    let rows = state.vault.list_managed(&system).await?;
    let files: Vec<File> = rows.iter().map(File::from).collect();
    Ok(HttpResponse::Ok().json(files))
}

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
    if is_true(request.headers(), "x-view") && request.method() == Method::GET {
        let text = state.vault.open_text(&row, reader).await?.ok_or(ApiError::NotText)?;
        let mut response = HttpResponseBuilder::new(StatusCode::OK);
        response
            .insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"))
            .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((CACHE_CONTROL, "private, no-store"));
        return Ok(response.body(text));
    }
    let details = Details {
        file: File::from(&row),
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
