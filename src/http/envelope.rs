//! Every JSON answer is `{"code", "message", "data"}`.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, HttpResponseBuilder};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

/// `Cache-Control` of what only its receiver may see: a backup, or an address at which anybody could fetch it.
pub const NOT_CACHED: &str = "private, no-store";

#[derive(Serialize)]
struct Envelope<'a, T> {
    code: u16,
    message: &'a str,
    data: T,
}

/// Finishes a response that has headers of its own with the envelope around `data`.
pub fn finish<T: Serialize>(
    mut response: HttpResponseBuilder,
    status: StatusCode,
    message: &str,
    data: T,
) -> HttpResponse {
    response.json(Envelope { code: status.as_u16(), message, data })
}

/// A response of this status with the envelope around `data`.
pub fn answer<T: Serialize>(status: StatusCode, message: &str, data: T) -> HttpResponse {
    finish(HttpResponseBuilder::new(status), status, message, data)
}

/// A time as the APIs show it: RFC 3339, UTC, with a `Z`.
pub fn timestamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
