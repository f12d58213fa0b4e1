//! `GET` and `HEAD /api/downloads/{id}`: downloads with a signed URL, which need no other credential.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse, Resource};
use serde::Deserialize;
use utoipa::IntoResponses;

use super::backup_id_path::BackupIdPath;
use super::backup_response::{describe_backup_response, respond_with_backup};
use crate::backups::{ResolvedLink, SignedLink};
use crate::domain::ids::BackupId;
use crate::http::app_state::AppState;
use crate::http::errors::ApiError;
use crate::http::extractors::remote_addr::RemoteAddr;
use crate::http::openapi::common_errors::unavailable;
use crate::http::openapi::responses::ResponseMap;
use crate::http::routing::read_only;

#[derive(Deserialize)]
struct Parameters {
    expires: u64,
    signature: String,
}

/// The URL of a signed download. `base_url` has no slash at its end.
pub fn signed_url(base_url: &str, link: &SignedLink) -> String {
    let SignedLink { backup, expires, signature } = link;
    format!("{base_url}/api/downloads/{backup}?expires={expires}&signature={}", hex::encode(signature))
}

/// The route of signed downloads. Both listeners serve it: which of them a client can reach is the operator's choice.
pub fn resource() -> Resource {
    read_only("/api/downloads/{id}", follow_link)
}

/// Download a backup with a signed URL
///
/// For backups in the local store. The URL for a backup in a bucket leads to the bucket's S3 server. Both listeners
/// serve this path.
#[utoipa::path(
    get, path = "/api/downloads/{id}", operation_id = "followLink",
    params(
        BackupIdPath,
        ("expires" = u64, Query, description = "Part of the signed URL.", example = 1_775_960_400),
        ("signature" = String, Query, description = "Part of the signed URL.", example = "0123456789abcdef"),
        ("Range" = Option<String>, Header, description = "A single range of bytes.", example = "bytes=0-1023"),
        ("If-Range" = Option<String>, Header, description = "The `ETag` of the backup that `Range` refers to."),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the client's copy."),
    ),
    responses(SignedDownloadResponses),
)]
pub async fn follow_link(
    RemoteAddr(remote_addr): RemoteAddr,
    id: Path<String>,
    request: HttpRequest,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    // Whatever is wrong with the URL, the error is the same.
    let link = parse(&id, request.query_string()).ok_or(ApiError::InvalidLink)?;
    let ResolvedLink { row, filename, reader } = state.vault.resolve_link(&link, remote_addr).await?;
    respond_with_backup(&request, &state, &row, filename.as_str(), reader).await
}

fn parse(id: &str, query: &str) -> Option<SignedLink> {
    let backup = BackupId::parse(id).ok()?;
    let Query(Parameters { expires, signature }) = Query::from_query(query).ok()?;
    Some(SignedLink { backup, expires, signature: hex::decode(signature).ok()? })
}

struct SignedDownloadResponses;

impl IntoResponses for SignedDownloadResponses {
    fn responses() -> ResponseMap {
        let errors = [
            ApiError::InvalidLink,
            ApiError::NotFound,
            ApiError::RangeNotSatisfiable { size: 82_944 },
            ApiError::TooManyDownloads,
            unavailable("database"),
            unavailable("object store"),
            ApiError::Damaged,
        ];
        describe_backup_response(&[]).errors(errors).into()
    }
}
