//! Errors under `/backup` have the gateway's shape: `{type, code, message, doc_url}`.
//!
//! Handlers answer with the same errors as everywhere; on the way out they get this shape.

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use super::AppState;
use super::error::ApiError;

/// One kind of error, as `code` names it and as its page explains it. Codes are promises: they stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ErrorCode {
    pub code: &'static str,
    pub status: u16,
    /// The broad category, `type` in the answer.
    pub kind: &'static str,
    pub title: &'static str,
    pub explanation: &'static str,
}

/// All of them.
pub const ERROR_CODES: &[ErrorCode] = &[
    UNAUTHORIZED,
    INSUFFICIENT_SCOPE,
    NOT_FOUND,
    METHOD_NOT_ALLOWED,
    INVALID_REQUEST,
    SITE_SUSPENDED,
    UNSUPPORTED_MEDIA,
    RANGE_NOT_SATISFIABLE,
    SERVICE_UNAVAILABLE,
    BACKUP_DAMAGED,
];

const UNAUTHORIZED: ErrorCode = ErrorCode {
    code: "unauthorized",
    status: 401,
    kind: "authentication_error",
    title: "The token is missing or not valid",
    explanation: "Send `Authorization: Bearer TOKEN` with a token that was issued for this service, has not expired, \
        and says in `org` to which organization its bearer belongs. Why a token is refused stands in the service's log \
        (at level debug), not in the answer.",
};

const INSUFFICIENT_SCOPE: ErrorCode = ErrorCode {
    code: "insufficient_scope",
    status: 403,
    kind: "permission_error",
    title: "The token does not permit this",
    explanation: "The token is good, but its `scope` (or `permissions`) lacks the one that the route needs: \
        `backup:view`, `backup:create` or `backup:delete`. The `WWW-Authenticate` header names it. `backup:admin` does \
        not replace it.",
};

const NOT_FOUND: ErrorCode = ErrorCode {
    code: "not_found",
    status: 404,
    kind: "invalid_request_error",
    title: "There is no such site or backup",
    explanation: "The id is unknown, malformed, or belongs to another organization: the answer is the same. A backup \
        that was listed before may have been pruned or deleted since.",
};

const METHOD_NOT_ALLOWED: ErrorCode = ErrorCode {
    code: "method_not_allowed",
    status: 405,
    kind: "invalid_request_error",
    title: "The path does not take this method",
    explanation: "The `Allow` header lists those that it takes.",
};

const INVALID_REQUEST: ErrorCode = ErrorCode {
    code: "invalid_request",
    status: 400,
    kind: "invalid_request_error",
    title: "The request can't be understood",
    explanation: "A header or a parameter has a value that it can't have.",
};

const SITE_SUSPENDED: ErrorCode = ErrorCode {
    code: "site_suspended",
    status: 409,
    kind: "invalid_request_error",
    title: "The site is suspended",
    explanation: "Its appliance is not let in at the moment, so it could not answer a request for a backup. What it has \
        stored before can be listed and fetched.",
};

const UNSUPPORTED_MEDIA: ErrorCode = ErrorCode {
    code: "unsupported_media",
    status: 415,
    kind: "invalid_request_error",
    title: "The backup can't be shown as text",
    explanation: "`X-View: true` shows backups that are UTF-8 text of at most 1 MiB. Encrypted ones are not: fetch the \
        bytes with `X-Download: true`.",
};

const RANGE_NOT_SATISFIABLE: ErrorCode = ErrorCode {
    code: "range_not_satisfiable",
    status: 416,
    kind: "invalid_request_error",
    title: "The backup has no such part",
    explanation: "The `Range` header asks for bytes beyond the end; `Content-Range` says how many there are.",
};

const SERVICE_UNAVAILABLE: ErrorCode = ErrorCode {
    code: "service_unavailable",
    status: 500,
    kind: "api_error",
    title: "The service can't answer right now",
    explanation: "Its database, its object store or the keys for tokens are out of reach. Nothing was changed, or it is \
        not known whether it was; the same request may be sent again after the seconds in `Retry-After`.",
};

const BACKUP_DAMAGED: ErrorCode = ErrorCode {
    code: "backup_damaged",
    status: 500,
    kind: "api_error",
    title: "The stored backup is damaged",
    explanation: "The backup is in the books, but its bytes are missing or not what they were. Other backups of the \
        site are not affected. Tell whoever operates the service.",
};

/// An error of the gateway API.
#[derive(Serialize, ToSchema)]
pub struct GatewayError {
    /// The broad category.
    #[serde(rename = "type")]
    #[schema(example = "invalid_request_error")]
    kind: &'static str,
    /// Which error it is; `doc_url` explains it.
    #[schema(example = "not_found")]
    code: &'static str,
    /// For people.
    message: String,
    #[schema(format = "uri")]
    doc_url: String,
}

/// Status and body of an error, with pages at this origin.
pub fn reshaped(error: &ApiError, origin: &str) -> (u16, GatewayError) {
    let ErrorCode { code, status, kind, .. } = code_of(error);
    let doc_url = format!("{origin}/docs/errors/{code}");
    (status, GatewayError { kind, code, message: error.to_string(), doc_url })
}

/// What an error is called here.
fn code_of(error: &ApiError) -> ErrorCode {
    match error.status_code() {
        StatusCode::UNAUTHORIZED => UNAUTHORIZED,
        StatusCode::FORBIDDEN => INSUFFICIENT_SCOPE,
        StatusCode::NOT_FOUND => NOT_FOUND,
        StatusCode::METHOD_NOT_ALLOWED => METHOD_NOT_ALLOWED,
        StatusCode::CONFLICT => SITE_SUSPENDED,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => UNSUPPORTED_MEDIA,
        StatusCode::RANGE_NOT_SATISFIABLE => RANGE_NOT_SATISFIABLE,
        status if status.is_client_error() => INVALID_REQUEST,
        _ if matches!(error, ApiError::Damaged) => BACKUP_DAMAGED,
        _ => SERVICE_UNAVAILABLE,
    }
}

fn answer(request: &HttpRequest, error: &ApiError) -> HttpResponse {
    let state = request.app_data::<Data<AppState>>();
    let origin = state.map(|state| state.addresses.base_urls(request).management).unwrap_or_default();
    let (status, body) = reshaped(error, &origin);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponseBuilder::new(status);
    error.add_headers(&mut response);
    response.json(body)
}

/// The middleware around the gateway's routes.
pub async fn reshape(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let response = next.call(request).await?;
    let error = response.response().error().and_then(actix_web::Error::as_error::<ApiError>);
    let Some(reshaped) = error.map(|error| answer(response.request(), error)) else { return Ok(response) };
    Ok(response.into_response(reshaped))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_is_listed_once_and_explained() {
        for (index, code) in ERROR_CODES.iter().enumerate() {
            assert!(ERROR_CODES[..index].iter().all(|other| other.code != code.code), "{}", code.code);
            assert!(code.code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", code.code);
            assert!(StatusCode::from_u16(code.status).is_ok_and(|status| status.as_u16() >= 400));
            assert!(
                !code.title.is_empty() && !code.explanation.is_empty() && !code.explanation.contains("  ")
            );
        }
    }

    #[test]
    fn errors_have_the_code_of_what_the_client_can_do() {
        for (error, code) in [
            (ApiError::InvalidToken, "unauthorized"),
            (ApiError::InsufficientScope { needed: "backup:view" }, "insufficient_scope"),
            (ApiError::NotFound, "not_found"),
            (ApiError::SystemNotFound, "not_found"),
            (ApiError::UnknownPath, "not_found"),
            (ApiError::MethodNotAllowed { allow: "GET" }, "method_not_allowed"),
            (ApiError::Suspended, "site_suspended"),
            (ApiError::NotText, "unsupported_media"),
            (ApiError::Range { size: 1 }, "range_not_satisfiable"),
            (ApiError::field("x", "y", "z"), "invalid_request"),
            (ApiError::Unavailable { details: "database" }, "service_unavailable"),
            (ApiError::Damaged, "backup_damaged"),
        ] {
            assert_eq!(code_of(&error).code, code, "{error}");
            assert!(ERROR_CODES.contains(&code_of(&error)));
        }
    }
}
