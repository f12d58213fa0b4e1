//! The response with a backup's bytes, on every route that has one.

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

use crate::backups::{Backup, Reader};
use crate::domain::range::ByteRange;
use crate::http::app_state::AppState;
use crate::http::connections;
use crate::http::envelope::NOT_CACHED;
use crate::http::errors::ApiError;
use crate::http::headers::conditional::{if_none_match, if_range_allows};
use crate::http::headers::digest::repr_digest;
use crate::http::headers::range::{self, ResolvedRange};
use crate::http::openapi::answers::{Answers, Body, binary};
use serde_json::json;

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
    connections::end_with(request, body.revoked());
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

/// The bytes of a backup, whoever gets them; or something else in their api.
pub fn bytes(instead: &[Body]) -> Answers {
    let about = ["ETag", "Accept-Ranges", "Repr-Digest", "X-Content-Type-Options", "Cache-Control"];
    let named = [&about[..], &["Content-Disposition"]].concat();
    let part = [&named[..], &["Content-Range"]].concat();
    let body = ("application/octet-stream", binary(), json!("(the ciphertext)"));
    let whole = [std::slice::from_ref(&body), instead].concat();
    // What comes instead has none of these headers.
    let headers = if instead.is_empty() { &named[..] } else { &[] };
    Answers::default()
        .other(200, "The backup, as it was uploaded.", whole, headers)
        .other(206, "The part that was asked for with `Range`.", [body], &part)
        .other(304, "The client has these bytes (`If-None-Match`).", None, &about)
}
