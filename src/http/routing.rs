//! The building blocks of the route tables.

use std::future::{Ready, ready};

use actix_web::web;
use actix_web::{FromRequest, Handler, HttpResponse, Resource, Responder, Route, guard};

use super::errors::ApiError;

/// A route for `GET` and `HEAD`. `HEAD` gets the same response without its body.
pub fn get_and_head() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// A path that supports `GET` and `HEAD` only.
pub fn read_only<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::resource(path)
        .route(get_and_head().to(handler))
        .default_service(web::to(|| method_not_allowed("GET, HEAD")))
}

/// The handler of all paths that don't exist.
pub async fn unknown_path() -> Result<HttpResponse, ApiError> {
    Err(ApiError::UnknownPath)
}

/// The response to a method that a path does not support; `allow` lists those that it does.
pub fn method_not_allowed(allow: &'static str) -> Ready<Result<HttpResponse, ApiError>> {
    ready(Err(ApiError::MethodNotAllowed { allow }))
}
