//! `/api/systems/{id}/backups`: a system's backups, for a portal.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::http::{Method, StatusCode};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use serde::Serialize;
use serde_json::json;

use super::super::address::RemoteAddr;
use super::super::bearer::{Allowed, Delete, View};
use super::super::envelope::{self, Metadata};
use super::super::error::ApiError;
use super::super::{AppState, links, origin};
use crate::backups::{Backup, Link, ReadError};
use crate::domain::ids::BackupId;

#[derive(Serialize)]
struct Listed {
    backups: Vec<Metadata>,
    quota_used_bytes: u64,
    slots_used: usize,
}

pub async fn list(
    Allowed { caller, .. }: Allowed<View>,
    id: Path<String>,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let system = state.vault.managed(&caller, &id).await?;
    let rows = state.vault.list_managed(&system).await?;
    let data = Listed {
        quota_used_bytes: rows.iter().map(|row| row.size).sum(),
        slots_used: rows.len(),
        backups: rows.into_iter().map(Metadata::from).collect(),
    };
    Ok(envelope::answer(StatusCode::OK, "backups listed", data))
}

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
        // Nobody gets an address by it.
        return Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "private, no-store")).finish());
    }
    let (link, expires_in_seconds) = state.vault.link(&system, &row, remote_addr).await?;
    let download_url = match link {
        Link::Store(url) => url,
        Link::Own(signed) => links::address(&origin::of(&request, state.places.collect.public_url.as_deref()), &signed),
    };
    let mut response = HttpResponseBuilder::new(StatusCode::OK);
    response.insert_header((CACHE_CONTROL, "private, no-store"));
    let data = json!({ "download_url": download_url, "expires_in_seconds": expires_in_seconds });
    Ok(envelope::finish(response, StatusCode::OK, "download address made", data))
}

pub async fn delete(
    Allowed { caller, .. }: Allowed<Delete>,
    RemoteAddr(remote_addr): RemoteAddr,
    ids: Path<(String, String)>,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let (system, backup) = ids.into_inner();
    let system = state.vault.managed(&caller, &system).await.map_err(no_backup)?;
    let id = BackupId::parse(&backup).map_err(|_| ApiError::NotFound)?;
    state.vault.delete_managed(&system, id, remote_addr).await?;
    Ok(envelope::answer(StatusCode::OK, "backup deleted", json!({ "id": id })))
}

/// A system that is not there has no backups: the same answer as of one that is.
fn no_backup(error: ReadError) -> ApiError {
    match error {
        ReadError::NoSystem => ApiError::NotFound,
        error => error.into(),
    }
}
