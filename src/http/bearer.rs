//! Bearer tokens, before anything else is looked at: who calls, and whether the route's scope is theirs.

use std::marker::PhantomData;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use actix_web_httpauth::headers::authorization::{Bearer, Scheme};

use super::AppState;
use super::error::ApiError;
use crate::domain::caller::{Caller, Scope};
use crate::tokens::TokenError;

/// The scope of a route, as a type.
pub trait Needs: 'static {
    const SCOPE: Scope;
}

/// `backup:view`.
pub struct View;
/// `backup:create`.
pub struct Create;
/// `backup:delete`.
pub struct Delete;

impl Needs for View {
    const SCOPE: Scope = Scope::View;
}

impl Needs for Create {
    const SCOPE: Scope = Scope::Create;
}

impl Needs for Admin {
    const SCOPE: Scope = Scope::Admin;
}

impl Needs for Delete {
    const SCOPE: Scope = Scope::Delete;
}

/// `backup:admin`.
pub struct Admin;

/// A caller who has the route's scope.
pub struct Allowed<S> {
    pub caller: Caller,
    scope: PhantomData<S>,
}

impl<S: Needs> FromRequest for Allowed<S> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let token = token(request.headers());
        let state = request.app_data::<Data<AppState>>().cloned();
        Box::pin(async move {
            let state = state.ok_or(ApiError::Unavailable { details: "service" })?;
            // Without keys no token is good.
            let tokens = state.tokens.as_ref().ok_or(ApiError::InvalidToken)?;
            let token = token.ok_or(ApiError::InvalidToken)?;
            let caller = tokens.verify(token.token()).await?;
            if !caller.may(S::SCOPE) {
                log::debug!("{} has no scope {}", caller.sub(), S::SCOPE.as_str());
                return Err(ApiError::InsufficientScope { needed: S::SCOPE.as_str() });
            }
            Ok(Self { caller, scope: PhantomData })
        })
    }
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Invalid(why) => {
                log::debug!("a token was refused: {why}");
                Self::InvalidToken
            }
            // A good token must not be thrown away for it: this is our trouble, not the client's.
            TokenError::NoKeys => {
                // That they can't be read was said when it was tried.
                log::debug!("{error}");
                Self::Unavailable { details: "token keys" }
            }
        }
    }
}

/// The token of the one `Authorization` header.
fn token(headers: &HeaderMap) -> Option<Bearer> {
    let mut lines = headers.get_all(AUTHORIZATION);
    let line = lines.next().filter(|_| lines.next().is_none())?;
    // A scheme's name is matched without case (RFC 9110, 11.1), which the parser does not do.
    let (scheme, token) = line.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return None;
    }
    let line = HeaderValue::from_str(&format!("Bearer {}", token.trim())).ok()?;
    Bearer::parse(&line).ok()
}
