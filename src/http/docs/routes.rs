//! The routes of the documentation. They are not described in the OpenAPI document: it is about the two APIs.

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, Resource};

use super::assets::{self, Asset};
use super::handlers;
use crate::http::routing::{method_not_allowed, read_only};

/// The routes of the documentation, for the management listener.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(read_only("/", handlers::root))
        .service(read_only("/openapi.json", handlers::openapi))
        .service(read_only("/llms.txt", handlers::llms))
        .service(read_only("/docs", handlers::index))
        .service(read_only("/docs/search", handlers::search_page))
        .service(read_only("/docs/search.json", handlers::search_json))
        .service(read_only("/docs/reference", handlers::reference))
        .service(read_only("/docs/errors", handlers::error_codes))
        .service(read_only("/docs/errors/{code}", handlers::error_code))
        .service(asset("/docs/style.css", || &assets::STYLE))
        .service(asset("/docs/docs.js", || &assets::SCRIPT))
        .service(asset("/docs/inter.woff2", || &assets::FONT))
        .service(asset("/docs/icon.svg", || &assets::ICON))
        .service(read_only("/docs/{guide}.md", handlers::guide_as_markdown))
        .service(read_only("/docs/{guide}", handlers::guide))
        .service(
            web::resource("/mcp")
                .route(web::post().to(handlers::mcp))
                .default_service(web::to(|| method_not_allowed("POST"))),
        );
}

fn asset(path: &str, of: fn() -> &'static Asset) -> Resource {
    read_only(path, move |request: HttpRequest| async move { handlers::asset(&request, of()) })
}
