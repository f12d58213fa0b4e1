//! Bearer tokens: the caller, and whether the token has the scope that the route needs. The token is checked before anything
//! else in the request.

use std::marker::PhantomData;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use actix_web_httpauth::headers::authorization::Bearer;

use crate::auth::bearer::TokenError;
use crate::domain::caller::{Caller, Scope};
use crate::http::access_log;
use crate::http::app_state::AppState;
use crate::http::errors::ApiError;
use crate::http::headers::authorization::{credential, is_sent};

/// A type that represents a scope, so that a handler's signature says which scope it needs.
pub trait RequiredScope: 'static {
    const SCOPE: Scope;
}

/// `backup:view`.
pub struct ViewScope;

impl RequiredScope for ViewScope {
    const SCOPE: Scope = Scope::View;
}

/// `backup:create`.
pub struct CreateScope;

impl RequiredScope for CreateScope {
    const SCOPE: Scope = Scope::Create;
}

/// `backup:delete`.
pub struct DeleteScope;

impl RequiredScope for DeleteScope {
    const SCOPE: Scope = Scope::Delete;
}

/// `system:manage`.
pub struct ManageSystemsScope;

impl RequiredScope for ManageSystemsScope {
    const SCOPE: Scope = Scope::ManageSystems;
}

/// `org:manage`.
pub struct ManageOrgsScope;

impl RequiredScope for ManageOrgsScope {
    const SCOPE: Scope = Scope::ManageOrgs;
}

/// `backup:admin`.
pub struct AdminScope;

impl RequiredScope for AdminScope {
    const SCOPE: Scope = Scope::Admin;
}

/// The caller, whose token has scope `S`. As a handler's parameter, this type refuses all other requests with 401 or 403.
pub struct Authorized<S> {
    pub caller: Caller,
    scope: PhantomData<S>,
}

impl<S: RequiredScope> FromRequest for Authorized<S> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let is_sent = is_sent(request.headers());
        let token = credential::<Bearer>(request.headers(), "Bearer");
        let state = request.app_data::<Data<AppState>>().cloned();
        let request = request.clone();
        Box::pin(async move {
            let state = state.ok_or(ApiError::Unavailable { details: "service" })?;
            let missing = if is_sent {
                ApiError::RefusedToken { description: "expected Bearer with a token" }
            } else {
                ApiError::InvalidToken
            };
            let token = token.ok_or(missing)?;
            // Without keys no token can be verified.
            let tokens = state.tokens.as_ref().ok_or(ApiError::RefusedToken { description: UNVERIFIED })?;
            let caller = tokens.verify(token.token()).await?;
            access_log::note_caller(&request, &caller);
            if !caller.may(S::SCOPE) {
                log::debug!("{} has no scope {}", caller.sub(), S::SCOPE.as_str());
                return Err(ApiError::InsufficientScope { needed: S::SCOPE.as_str() });
            }
            Ok(Self { caller, scope: PhantomData })
        })
    }
}

/// What a client learns of a token that no key has signed: nothing about keys and settings.
const UNVERIFIED: &str = "the token cannot be verified";

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Invalid(why) => {
                log::debug!("a token was refused: {why}");
                Self::RefusedToken { description: UNVERIFIED }
            }
            // The identity provider has issued the token, so whoever sends it may know what is in it.
            TokenError::Unsuitable(why) => {
                log::debug!("a token was refused: {why}");
                Self::RefusedToken { description: why }
            }
            // Not 401, which would make a client discard a valid token: the failure is the service's.
            TokenError::NoKeys => {
                // The reason was logged when the keys could not be read.
                log::debug!("{error}");
                Self::Unavailable { details: "token keys" }
            }
        }
    }
}
