//! The collect API: for appliances, with Basic auth.

mod backup_id_path;
pub mod backup_metadata;
pub mod backup_requests;
pub mod backup_response;
pub mod delete;
pub mod download;
pub mod health;
pub mod list;
pub mod signed_downloads;
pub mod unchanged;
pub mod upload;

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};

use super::middleware::backup_requested::add_backup_requested;
use super::routing::{method_not_allowed, read, read_only, unknown_path};

/// Its routes. None of them ever redirects: clients would send their secret along.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(
            web::resource("/api/systems/backups")
                .wrap(from_fn(add_backup_requested))
                .route(web::post().to(upload::upload))
                .route(read().to(list::list))
                .default_service(web::to(|| method_not_allowed("GET, HEAD, POST"))),
        )
        // Before `{id}`, which would match these two.
        .service(read_only("/api/systems/backups/requests", backup_requests::list))
        .service(
            web::resource("/api/systems/backups/unchanged")
                .wrap(from_fn(add_backup_requested))
                .route(web::post().to(unchanged::unchanged))
                .default_service(web::to(|| method_not_allowed("POST"))),
        )
        .service(
            web::resource("/api/systems/backups/{id}")
                .wrap(from_fn(add_backup_requested))
                .route(read().to(download::download))
                .route(web::delete().to(delete::delete))
                .default_service(web::to(|| method_not_allowed("DELETE, GET, HEAD"))),
        )
        .service(read_only("/api/health", health::health))
        .service(read_only("/api/health/live", health::live))
        .service(signed_downloads::resource())
        .default_service(web::to(unknown_path));
}
