//! `GET` and `HEAD /api/downloads/{id}`: signed addresses, which need no other authentication.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse, Resource};
use serde::Deserialize;

use super::backup_bytes::give;
use super::backup_id::OneBackup;
use crate::backups::{ResolvedLink, SignedLink};
use crate::domain::ids::BackupId;
use crate::http::app_state::AppState;
use crate::http::docs;
use crate::http::errors::ApiError;
use crate::http::routing::read_only;

#[derive(Deserialize)]
struct Parameters {
    expires: u64,
    signature: String,
}

/// The address of a signed download.
pub fn address(origin: &str, signed: &SignedLink) -> String {
    let SignedLink { backup, expires, signature } = signed;
    format!("{origin}/api/downloads/{backup}?expires={expires}&signature={}", hex::encode(signature))
}

/// On both listeners: which of them a client can reach is the operator's choice.
pub fn resource() -> Resource {
    read_only("/api/downloads/{id}", follow)
}

/// Fetch a backup by a signed address
///
/// Of the local store; an address that was given out for a bucket leads to its engine. Both listeners serve it.
#[utoipa::path(
    get, path = "/api/downloads/{id}", tag = "Backups", operation_id = "followLink",
    params(
        OneBackup,
        ("expires" = u64, Query, description = "Part of the address."),
        ("signature" = String, Query, description = "Part of the address."),
        ("Range" = Option<String>, Header, description = "One range of bytes.", example = "bytes=0-1023"),
        ("If-Range" = Option<String>, Header, description = "The `ETag` that the part has to fit."),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of what the client has."),
    ),
    responses(docs::manage::Follow),
)]
pub async fn follow(
    id: Path<String>,
    request: HttpRequest,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    // Whatever is wrong with an address: it is not one of ours.
    let signed = parse(&id, request.query_string()).ok_or(ApiError::BadLink)?;
    let ResolvedLink { row, filename, reader } = state.vault.resolve_link(&signed).await?;
    give(&request, &state, &row, filename.as_str(), reader).await
}

fn parse(id: &str, query: &str) -> Option<SignedLink> {
    let backup = BackupId::parse(id).ok()?;
    let Query(Parameters { expires, signature }) = Query::from_query(query).ok()?;
    Some(SignedLink { backup, expires, signature: hex::decode(signature).ok()? })
}
