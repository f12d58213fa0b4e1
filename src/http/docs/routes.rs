//! The addresses of the documentation.

use actix_web::Route;
use actix_web::guard::{Any, Get, Head};
use actix_web::web::{self, ServiceConfig};

use super::super::error::method_not_allowed;
use super::own;

/// All of them, for the management listener.
pub fn routes(config: &mut ServiceConfig) {
    let read = || web::route().guard(Any(Get()).or(Head()));
    let mut page = |path: &str, route: Route| {
        let other = web::to(|| method_not_allowed("GET, HEAD"));
        config.service(web::resource(path).route(route).default_service(other));
    };
    page("/openapi.json", read().to(own::openapi));
    page("/llms.txt", read().to(own::llms));
    page("/docs", read().to(own::index));
    page("/docs/reference", read().to(own::reference));
    page("/docs/errors", read().to(own::errors));
    page("/docs/errors/{code}", read().to(own::error));
    page("/docs/style.css", read().to(own::style));
    page("/docs/{guide}.md", read().to(own::source));
    page("/docs/{guide}", read().to(own::page));
    let other = web::to(|| method_not_allowed("POST"));
    config.service(web::resource("/mcp").route(web::post().to(own::mcp)).default_service(other));
}
