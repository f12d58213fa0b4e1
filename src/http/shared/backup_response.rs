//! The response with the bytes of a backup: for the appliance, for signed URLs and for the gateway.

use std::convert::Infallible;

use actix_web::body::SizedStream;
use actix_web::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderValue,
    IF_NONE_MATCH, IF_RANGE, RANGE, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use futures_util::stream;
use serde_json::json;
use utoipa::PartialSchema as _;

use crate::backups::{Backup, Reader};
use crate::domain::range::ByteRange;
use crate::http::app_state::AppState;
use crate::http::connections;
use crate::http::envelope::NOT_CACHED;
use crate::http::errors::ApiError;
use crate::http::headers::conditional::{if_none_match, if_range_allows};
use crate::http::headers::digest::repr_digest;
use crate::http::headers::range::{self, ResolvedRange};
use crate::http::openapi::responses::{Body, Responses};
use crate::http::openapi::schemas::Binary;

/// Responds with the bytes of the backup, or with the part that `Range` requests. Browsers save it as `filename`.
pub async fn respond_with_backup(
    request: &HttpRequest,
    state: &AppState,
    row: &Backup,
    filename: &str,
    reader: Reader,
) -> Result<HttpResponse, ApiError> {
    let etag = format!("\"{}\"", hex::encode(row.sha256));
    let header = |name| request.headers().get(name).map(HeaderValue::as_bytes);
    if header(IF_NONE_MATCH).is_some_and(|list| if_none_match(list, &etag)) {
        let mut response = HttpResponseBuilder::new(StatusCode::NOT_MODIFIED);
        add_common_headers(&mut response, row, &etag);
        return Ok(response.finish());
    }
    let part = match requested_range(request, row, &etag) {
        ResolvedRange::Whole => None,
        ResolvedRange::Part(part) => Some(part),
        ResolvedRange::Unsatisfiable => return Err(ApiError::RangeNotSatisfiable { size: row.size }),
    };
    let (status, length) = match part {
        None => (StatusCode::OK, row.size),
        Some(part) => (StatusCode::PARTIAL_CONTENT, part.size()),
    };
    let mut response = HttpResponseBuilder::new(status);
    add_common_headers(&mut response, row, &etag);
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
    let body = state.vault.open_download(row, part, reader).await?;
    connections::abort_response_when(request, body.revoked());
    Ok(response.body(SizedStream::new(length, body)))
}

/// Resolves `Range`, which counts for `GET` only (RFC 9110, 14.2), and only if `If-Range` agrees.
fn requested_range(request: &HttpRequest, row: &Backup, etag: &str) -> ResolvedRange {
    let header = |name| request.headers().get(name).map(HeaderValue::as_bytes);
    if request.method() == Method::GET && if_range_allows(header(IF_RANGE), etag) {
        range::resolve(header(RANGE), row.size)
    } else {
        ResolvedRange::Whole
    }
}

/// Adds the headers of every response about this backup, with or without a body.
fn add_common_headers(response: &mut HttpResponseBuilder, row: &Backup, etag: &str) {
    response
        .insert_header((ETAG, etag))
        .insert_header((ACCEPT_RANGES, "bytes"))
        .insert_header(("Repr-Digest", repr_digest(&row.sha256)))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((CACHE_CONTROL, NOT_CACHED));
}

/// Describes the response of [`respond_with_backup`]. `alternatives` are the other bodies that the same operation returns with 200.
pub fn describe_backup_response(alternatives: &[Body]) -> Responses {
    let common = ["ETag", "Accept-Ranges", "Repr-Digest", "X-Content-Type-Options", "Cache-Control"];
    let named = [&common[..], &["Content-Disposition"]].concat();
    let part = [&named[..], &["Content-Range"]].concat();
    let body = ("application/octet-stream", Binary::schema(), json!("(the ciphertext)"));
    let whole = [std::slice::from_ref(&body), alternatives].concat();
    // The alternatives have none of these headers.
    let headers = if alternatives.is_empty() { &named[..] } else { &[] };
    Responses::default()
        .other(200, "The backup, as it was uploaded.", whole, headers)
        .other(206, "The part that `Range` requests.", [body], &part)
        .other(304, "The client's copy is current (`If-None-Match`).", None, &common)
}
