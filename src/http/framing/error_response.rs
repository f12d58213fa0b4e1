//! The response to a malformed head. The library's own response would have no body.

use std::time::SystemTime;

use actix_web::ResponseError;
use actix_web::body::MessageBody;
use actix_web::http::StatusCode;
use actix_web::http::header::HttpDate;
use actix_web::web::Bytes;

use super::malformed::MalformedRequest;
use crate::http::errors::ApiError;

impl From<MalformedRequest> for ApiError {
    fn from(error: MalformedRequest) -> Self {
        match error.status() {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Self::HeadTooLarge,
            _ => Self::field(error.key(), error.message(), ""),
        }
    }
}

/// Returns the bytes of the response.
pub(super) fn encode(error: MalformedRequest) -> Bytes {
    let response = ApiError::from(error).error_response();
    let status = response.status();
    let body = response.into_body().try_into_bytes().unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         date: {}\r\n\r\n",
        body.len(),
        HttpDate::from(SystemTime::now())
    );
    [head.as_bytes(), &body].concat().into()
}
