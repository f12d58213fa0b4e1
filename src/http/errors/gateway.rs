//! Errors under `/backup` have the gateway's shape: `{type, code, message, doc_url}`.
//!
//! The gateway's handlers return [`ApiError`]s like all other handlers. A middleware converts them to this shape.

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use super::api_error::ApiError;
use super::gateway_codes::{
    BACKUP_DAMAGED, ErrorCode, INSUFFICIENT_SCOPE, INVALID_REQUEST, METHOD_NOT_ALLOWED, NOT_FOUND,
    RANGE_NOT_SATISFIABLE, SERVICE_UNAVAILABLE, SITE_SUSPENDED, TOO_MANY_DOWNLOADS, UNAUTHORIZED,
    UNSUPPORTED_MEDIA,
};
use crate::http::app_state::AppState;

/// An error of the gateway API.
#[derive(Serialize, ToSchema)]
pub struct GatewayError {
    /// The broad category.
    #[serde(rename = "type")]
    #[schema(example = "invalid_request_error")]
    kind: &'static str,
    /// The error's code; `doc_url` leads to its explanation.
    #[schema(example = "not_found")]
    code: &'static str,
    /// What is wrong, for people.
    #[schema(example = "system not found")]
    message: String,
    /// The page that explains the code.
    #[schema(format = "uri", example = "https://manage.example.net/docs/errors/not_found")]
    doc_url: String,
}

/// Status and body of an error. `base_url` is that of the documentation pages, to which `doc_url` leads.
pub fn reshaped(error: &ApiError, base_url: &str) -> (u16, GatewayError) {
    let ErrorCode { code, status, kind, .. } = gateway_code(error);
    let doc_url = format!("{base_url}/docs/errors/{code}");
    (status, GatewayError { kind, code, message: error.to_string(), doc_url })
}

/// The gateway's code for an error.
fn gateway_code(error: &ApiError) -> ErrorCode {
    match error.status_code() {
        StatusCode::UNAUTHORIZED => UNAUTHORIZED,
        StatusCode::FORBIDDEN => INSUFFICIENT_SCOPE,
        StatusCode::NOT_FOUND => NOT_FOUND,
        StatusCode::METHOD_NOT_ALLOWED => METHOD_NOT_ALLOWED,
        StatusCode::CONFLICT => SITE_SUSPENDED,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => UNSUPPORTED_MEDIA,
        StatusCode::RANGE_NOT_SATISFIABLE => RANGE_NOT_SATISFIABLE,
        StatusCode::TOO_MANY_REQUESTS => TOO_MANY_DOWNLOADS,
        status if status.is_client_error() => INVALID_REQUEST,
        _ if matches!(error, ApiError::Damaged) => BACKUP_DAMAGED,
        _ => SERVICE_UNAVAILABLE,
    }
}

fn reshaped_response(request: &HttpRequest, error: &ApiError) -> HttpResponse {
    let state = request.app_data::<Data<AppState>>();
    let base_url = state.map(|state| state.addresses.base_urls(request).management).unwrap_or_default();
    let (status, body) = reshaped(error, &base_url);
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
    let Some(reshaped) = error.map(|error| reshaped_response(response.request(), error)) else {
        return Ok(response);
    };
    Ok(response.into_response(reshaped))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::errors::gateway_codes::ERROR_CODES;

    #[test]
    fn errors_have_the_gateway_code_what_the_client_can_do() {
        for (error, code) in [
            (ApiError::InvalidToken, "unauthorized"),
            (ApiError::InsufficientScope { needed: "backup:view" }, "insufficient_scope"),
            (ApiError::NotFound, "not_found"),
            (ApiError::SystemNotFound, "not_found"),
            (ApiError::UnknownPath, "not_found"),
            (ApiError::MethodNotAllowed { allow: "GET" }, "method_not_allowed"),
            (ApiError::Suspended, "site_suspended"),
            (ApiError::NotText, "unsupported_media"),
            (ApiError::RangeNotSatisfiable { size: 1 }, "range_not_satisfiable"),
            (ApiError::TooManyDownloads, "too_many_downloads"),
            (ApiError::field("x", "y", "z"), "invalid_request"),
            (ApiError::Unavailable { details: "database" }, "service_unavailable"),
            (ApiError::Damaged, "backup_damaged"),
        ] {
            assert_eq!(gateway_code(&error).code, code, "{error}");
            assert!(ERROR_CODES.contains(&gateway_code(&error)));
        }
    }
}
