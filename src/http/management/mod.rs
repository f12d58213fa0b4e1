//! The management API: for portals and automation, with bearer tokens.

pub mod gateway;
pub mod metrics;
pub mod systems;

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};

use super::collect::signed_downloads;
use super::docs;
use super::errors::gateway::reshape;
use super::routing::{method_not_allowed, read, read_only, unknown_path};

/// Its routes. What does not exist and what belongs to another organization are both 404, and indistinguishable.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(read_only("/api/systems/{id}/backups", systems::list::list))
        .service(
            web::resource("/api/systems/{id}/backups/{backup_id}")
                .route(web::delete().to(systems::delete::delete))
                .default_service(web::to(|| method_not_allowed("DELETE"))),
        )
        .service(read_only("/api/systems/{id}/backups/{backup_id}/download", systems::link::link))
        .service(read_only("/api/systems/{id}/requests", systems::backup_requests::list))
        .service(
            web::resource("/api/systems/{id}/requests/{request_id}")
                .route(web::delete().to(systems::backup_requests::cancel))
                .default_service(web::to(|| method_not_allowed("DELETE"))),
        )
        .service(signed_downloads::resource())
        .configure(docs::routes)
        .service(read_only("/metrics", metrics::metrics))
        .service(
            web::scope("/backup")
                .wrap(from_fn(reshape))
                .service(
                    web::resource("/{siteId}")
                        .route(read().to(gateway::list::list))
                        .route(web::post().to(gateway::request_backup::request_backup))
                        .default_service(web::to(|| method_not_allowed("GET, HEAD, POST"))),
                )
                .service(read_only("/{siteId}/{filename}", gateway::show::show))
                .default_service(web::to(unknown_path)),
        )
        .default_service(web::to(unknown_path));
}
