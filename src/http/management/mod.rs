//! The management API: for portals and automation, with bearer tokens.

pub mod gateway;
pub mod requests;
pub mod systems;

use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};

use super::error::{method_not_allowed, unknown_path};
use super::{docs, gateway_error, metrics, signed_downloads};

/// Its routes. What is not there, or not the caller's, is 404 in the same way.
pub fn routes(config: &mut ServiceConfig) {
    let head = || web::method(Method::HEAD);
    config
        .service(
            web::resource("/api/systems/{id}/backups")
                .route(web::get().to(systems::list))
                .route(head().to(systems::list))
                .default_service(web::to(|| method_not_allowed("GET, HEAD"))),
        )
        .service(
            web::resource("/api/systems/{id}/backups/{backup_id}")
                .route(web::delete().to(systems::delete))
                .default_service(web::to(|| method_not_allowed("DELETE"))),
        )
        .service(
            web::resource("/api/systems/{id}/backups/{backup_id}/download")
                .route(web::get().to(systems::link))
                .route(head().to(systems::link))
                .default_service(web::to(|| method_not_allowed("GET, HEAD"))),
        )
        .service(
            web::resource("/api/systems/{id}/requests")
                .route(web::get().to(requests::list))
                .route(head().to(requests::list))
                .default_service(web::to(|| method_not_allowed("GET, HEAD"))),
        )
        .service(
            web::resource("/api/systems/{id}/requests/{request_id}")
                .route(web::delete().to(requests::cancel))
                .default_service(web::to(|| method_not_allowed("DELETE"))),
        )
        .configure(signed_downloads)
        .configure(docs::routes)
        .service(
            web::resource("/metrics")
                .route(web::get().to(metrics::metrics))
                .route(head().to(metrics::metrics))
                .default_service(web::to(|| method_not_allowed("GET, HEAD"))),
        )
        .service(
            web::scope("/backup")
                .wrap(from_fn(gateway_error::reshape))
                .service(
                    web::resource("/{siteId}")
                        .route(web::get().to(gateway::list))
                        .route(head().to(gateway::list))
                        .route(web::post().to(requests::ask))
                        .default_service(web::to(|| method_not_allowed("GET, HEAD, POST"))),
                )
                .service(
                    web::resource("/{siteId}/{filename}")
                        .route(web::get().to(gateway::show))
                        .route(head().to(gateway::show))
                        .default_service(web::to(|| method_not_allowed("GET, HEAD"))),
                )
                .default_service(web::to(unknown_path)),
        )
        .default_service(web::to(unknown_path));
}
