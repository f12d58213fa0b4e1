//! The management API: for portals and automation, with bearer tokens.

pub mod gateway;
pub mod requests;
pub mod systems;

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};

use super::error::{method_not_allowed, unknown_path};
use super::{docs, gateway_error, metrics, read, read_only, signed_downloads};

/// Its routes. What does not exist and what is not the caller's are 404 in the same way.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(read_only("/api/systems/{id}/backups", systems::list))
        .service(
            web::resource("/api/systems/{id}/backups/{backup_id}")
                .route(web::delete().to(systems::delete))
                .default_service(web::to(|| method_not_allowed("DELETE"))),
        )
        .service(read_only("/api/systems/{id}/backups/{backup_id}/download", systems::link))
        .service(read_only("/api/systems/{id}/requests", requests::list))
        .service(
            web::resource("/api/systems/{id}/requests/{request_id}")
                .route(web::delete().to(requests::cancel))
                .default_service(web::to(|| method_not_allowed("DELETE"))),
        )
        .service(signed_downloads())
        .configure(docs::routes)
        .service(read_only("/metrics", metrics::metrics))
        .service(
            web::scope("/backup")
                .wrap(from_fn(gateway_error::reshape))
                .service(
                    web::resource("/{siteId}")
                        .route(read().to(gateway::list))
                        .route(web::post().to(requests::ask))
                        .default_service(web::to(|| method_not_allowed("GET, HEAD, POST"))),
                )
                .service(read_only("/{siteId}/{filename}", gateway::show))
                .default_service(web::to(unknown_path)),
        )
        .default_service(web::to(unknown_path));
}
