//! Lets the pages of a portal call the management API from a browser (Cross-Origin Resource Sharing, Fetch Standard 3.2).
//!
//! Only the operator's list of origins is allowed. Every answer to their pages has the headers, errors too: without them a
//! browser hides from the page why a request failed. Credentials mode is off: a token goes in a header that the page sets,
//! and no browser adds it by itself. So a page of an allowed origin can do nothing without a token.
//!
//! The collect API is for appliances. Its listener allows only what both listeners serve: downloads with a signed URL.

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap,
    HeaderValue, ORIGIN, VARY,
};
use actix_web::middleware::Next;
use actix_web::web::Data;

use crate::http::api::Api;
use crate::http::app_state::AppState;

/// The methods of the management API.
const METHODS: &str = "GET, HEAD, POST, DELETE";
/// The headers of requests that its operations read, as far as browsers ask for them.
const REQUEST_HEADERS: &str =
    "Authorization, Content-Type, Range, If-Range, If-None-Match, X-Download, X-View";
/// The headers of responses that a page may read.
const RESPONSE_HEADERS: &str = "Accept-Ranges, Allow, Content-Disposition, Content-Length, Content-Range, ETag, \
                                Location, Repr-Digest, Retry-After, WWW-Authenticate";
/// How long a browser may remember that a request is allowed, in seconds: the longest that Chromium accepts.
const MAX_AGE: &str = "7200";

/// The middleware around the routes of both APIs.
pub async fn allow_origins(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let state = request.app_data::<Data<AppState>>().cloned();
    let api = request.app_data::<Api>().copied();
    let Some(origins) = state.as_ref().map(|state| &state.cors_origins).filter(|origins| !origins.is_empty())
    else {
        return next.call(request).await;
    };
    if !api.is_some_and(|api| is_for_pages(api, request.path())) {
        return next.call(request).await;
    }
    let allowed = allowed_origin(origins, request.headers());
    let is_preflight =
        request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if is_preflight && allowed.is_some() {
        request.into_response(HttpResponse::NoContent().finish())
    } else {
        next.call(request).await?
    };
    let headers = response.headers_mut();
    // Caches must not give one origin the answer to another, nor to none.
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = allowed {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if is_preflight {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(REQUEST_HEADERS));
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
        } else {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(RESPONSE_HEADERS));
        }
    }
    Ok(response)
}

/// Whether a portal's pages need this path. `/metrics` and `/mcp` are not among them: they answer some requests without a
/// credential, by the address that these come from.
fn is_for_pages(api: Api, path: &str) -> bool {
    match api {
        Api::Collect => path.starts_with("/api/downloads/"),
        Api::Management => {
            path.starts_with("/api/") || path.starts_with("/backup/") || path == "/openapi.json"
        }
    }
}

/// The origin of the page that sends the request, if it is in the list.
fn allowed_origin(origins: &[String], headers: &HeaderMap) -> Option<HeaderValue> {
    let mut lines = headers.get_all(ORIGIN);
    let line = lines.next().filter(|_| lines.next().is_none())?;
    origins.iter().any(|origin| origin.as_bytes() == line.as_bytes()).then(|| line.clone())
}
