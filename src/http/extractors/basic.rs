//! Basic auth: the system that sends the request. The credential is checked before anything else in the request.

use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use actix_web_httpauth::headers::authorization::Basic;

use super::remote_addr::RemoteAddr;
use crate::auth::basic::SystemIdentity;
use crate::backups::ReadError;
use crate::http::access_log;
use crate::http::app_state::AppState;
use crate::http::errors::ApiError;
use crate::http::headers::authorization::{credential, is_sent};

impl FromRequest for SystemIdentity {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let is_sent = is_sent(request.headers());
        let credential = credential::<Basic>(request.headers(), "Basic");
        let RemoteAddr(remote_addr) = RemoteAddr::from_http_request(request);
        let state = request.app_data::<Data<AppState>>().cloned();
        let request = request.clone();
        Box::pin(async move {
            let missing = if is_sent { ApiError::MalformedCredential } else { ApiError::Unauthorized };
            let credential = credential.ok_or(missing)?;
            let state = state.ok_or(ApiError::Unavailable { details: "service" })?;
            let secret = credential.password().unwrap_or_default();
            let authenticator = &state.vault.authenticator;
            let identity = authenticator.authenticate(credential.user_id(), secret, remote_addr).await;
            let identity = identity.map_err(ReadError::from)?.ok_or(ApiError::WrongCredential)?;
            access_log::note_system(&request, &identity);
            // The middleware `add_backup_requested` reads the identity, to know which system the response is for.
            request.extensions_mut().insert(identity.clone());
            Ok(identity)
        })
    }
}
