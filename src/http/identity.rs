//! Basic auth, before anything else is looked at.

use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use actix_web_httpauth::headers::authorization::{Basic, Scheme};

use super::AppState;
use super::error::ApiError;
use super::remote_addr::RemoteAddr;
use crate::backups::SystemIdentity;

impl FromRequest for SystemIdentity {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let credential = credential(request.headers());
        let RemoteAddr(from) = RemoteAddr::of(request);
        let state = request.app_data::<Data<AppState>>().cloned();
        let request = request.clone();
        Box::pin(async move {
            let credential = credential.ok_or(ApiError::Unauthorized)?;
            let state = state.ok_or(ApiError::Unavailable { details: "service" })?;
            let secret = credential.password().unwrap_or_default();
            let authenticator = &state.vault.authenticator;
            let identity = authenticator.authenticate(credential.user_id(), secret, from).await?;
            let identity = identity.ok_or(ApiError::Unauthorized)?;
            // For what every answer to it has to say.
            request.extensions_mut().insert(identity.clone());
            Ok(identity)
        })
    }
}

/// The credential of the one `Authorization` header.
fn credential(headers: &HeaderMap) -> Option<Basic> {
    let mut lines = headers.get_all(AUTHORIZATION);
    let line = lines.next().filter(|_| lines.next().is_none())?;
    // A scheme's name is matched without case (RFC 9110, 11.1), which the parser does not do.
    let (scheme, token) = line.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let line = HeaderValue::from_str(&format!("Basic {}", token.trim())).ok()?;
    Basic::parse(&line).ok()
}
