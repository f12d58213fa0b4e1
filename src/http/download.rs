//! `GET` and `HEAD /api/systems/backups/{id}`; and [`give`], which answers with a backup's bytes on every route that
//! does.

use std::convert::Infallible;

use actix_web::body::SizedStream;
use actix_web::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderValue,
    IF_NONE_MATCH, IF_RANGE, RANGE, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use futures_util::stream;

use super::delete::parse_id;
use super::envelope::NOT_CACHED;
use super::error::ApiError;
use super::remote_addr::RemoteAddr;
use super::{AppState, connection, docs};
use crate::auth::basic::SystemIdentity;
use crate::backups::{Backup, Reader};
use crate::domain::conditional::{if_none_match, if_range_allows};
use crate::domain::digest::repr_digest;
use crate::domain::range::{self, ByteRange, ResolvedRange};

/// Download a backup
///
/// The bytes as they were uploaded, or a part of them. A connection that breaks is an error, never a
/// short answer; what is missing can be fetched with `Range`.
#[utoipa::path(
    get, path = "/api/systems/backups/{id}", tag = "Backups", operation_id = "downloadBackup",
    params(
        docs::collect::OneBackup,
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

/// Answers with the backup's bytes, or with the part that `Range` asks for, to be saved as `filename`.
pub async fn give(
    request: &HttpRequest,
    state: &AppState,
    row: &Backup,
    filename: &str,
    reader: Reader,
) -> Result<HttpResponse, ApiError> {
    let etag = format!("\"{}\"", hex::encode(row.sha256));
    let asked = |name| request.headers().get(name).map(HeaderValue::as_bytes);
    if asked(IF_NONE_MATCH).is_some_and(|list| if_none_match(list, &etag)) {
        let mut response = HttpResponseBuilder::new(StatusCode::NOT_MODIFIED);
        describe(&mut response, row, &etag);
        return Ok(response.finish());
    }
    let part = match requested(request, row, &etag) {
        ResolvedRange::Whole => None,
        ResolvedRange::Part(part) => Some(part),
        ResolvedRange::Unsatisfiable => return Err(ApiError::Range { size: row.size }),
    };
    let (status, length) = match part {
        None => (StatusCode::OK, row.size),
        Some(part) => (StatusCode::PARTIAL_CONTENT, part.size()),
    };
    let mut response = HttpResponseBuilder::new(status);
    describe(&mut response, row, &etag);
    response.insert_header((CONTENT_TYPE, "application/octet-stream"));
    response.insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{filename}\"")));
    if let Some(ByteRange { first, last }) = part {
        response.insert_header((CONTENT_RANGE, format!("bytes {first}-{last}/{}", row.size)));
    }
    if request.method() == Method::HEAD {
        state.vault.check_object(row).await?;
        let nothing = stream::empty::<Result<Bytes, Infallible>>();
        return Ok(response.body(SizedStream::new(length, nothing)));
    }
    let body = state.vault.open(row, part, reader).await?;
    connection::end_with(request, body.revoked());
    Ok(response.body(SizedStream::new(length, body)))
}

/// `Range` counts for `GET` only (RFC 9110, 14.2), and only if `If-Range` agrees.
fn requested(request: &HttpRequest, row: &Backup, etag: &str) -> ResolvedRange {
    let asked = |name| request.headers().get(name).map(HeaderValue::as_bytes);
    if request.method() == Method::GET && if_range_allows(asked(IF_RANGE), etag) {
        range::resolve(asked(RANGE), row.size)
    } else {
        ResolvedRange::Whole
    }
}

/// The headers that every answer about a backup's bytes has, with or without them.
fn describe(response: &mut HttpResponseBuilder, row: &Backup, etag: &str) {
    response
        .insert_header((ETAG, etag))
        .insert_header((ACCEPT_RANGES, "bytes"))
        .insert_header(("Repr-Digest", repr_digest(&row.sha256)))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((CACHE_CONTROL, NOT_CACHED));
}
