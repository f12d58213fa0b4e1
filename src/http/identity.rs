//! Basic auth, before anything else is looked at.

use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use actix_web_httpauth::extractors::basic::BasicAuth;

use super::AppState;
use super::error::ApiError;
use crate::backups::SystemIdentity;

impl FromRequest for SystemIdentity {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let credential = BasicAuth::from_request(request, payload);
        let state = request.app_data::<Data<AppState>>().cloned();
        Box::pin(async move {
            let credential = credential.await.map_err(|_| ApiError::Unauthorized)?;
            let state = state.ok_or(ApiError::Unavailable { details: "service" })?;
            let secret = credential.password().unwrap_or_default();
            let identity = state.vault.authenticator.authenticate(credential.user_id(), secret).await?;
            identity.ok_or(ApiError::Unauthorized)
        })
    }
}
