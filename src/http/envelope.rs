//! The shape of JSON responses: `{"code", "message", "data"}`.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, HttpResponseBuilder};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

/// `Cache-Control` of responses for one client only: a backup, or a URL with which anybody could download it.
pub const NOT_CACHED: &str = "private, no-store";

#[derive(Serialize)]
struct Envelope<'a, T> {
    code: u16,
    message: &'a str,
    data: T,
}

/// Finishes a response, which may have headers already, with the envelope around `data`.
pub fn finish<T: Serialize>(
    mut response: HttpResponseBuilder,
    status: StatusCode,
    message: &str,
    data: T,
) -> HttpResponse {
    response.json(Envelope { code: status.as_u16(), message, data })
}

/// A response with this status and the envelope around `data`.
pub fn respond<T: Serialize>(status: StatusCode, message: &str, data: T) -> HttpResponse {
    finish(HttpResponseBuilder::new(status), status, message, data)
}

/// A time in the format of the APIs: RFC 3339, UTC, with a `Z`.
pub fn timestamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
