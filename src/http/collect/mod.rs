//! The collect API: for appliances, with Basic auth.

pub mod backup_requests;
pub mod delete;
pub mod download;
pub mod health;
pub mod heartbeat;
pub mod list;
pub mod unchanged;
pub mod upload;

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};

use super::middleware::backup_requested::add_backup_requested;
use super::routing::{get_and_head, method_not_allowed, read_only, unknown_path};
use super::shared::signed_downloads;

/// The routes of the collect API. None of them redirects: clients would send their secret with the redirected request.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(
            web::resource("/api/systems/backups")
                .wrap(from_fn(add_backup_requested))
                .route(web::post().to(upload::upload_backup))
                .route(get_and_head().to(list::list_backups))
                .default_service(web::to(|| method_not_allowed("GET, HEAD, POST"))),
        )
        // These two come before `{id}`, which would match them.
        .service(read_only("/api/systems/backups/requests", backup_requests::list_open_backup_requests))
        .service(
            web::resource("/api/systems/backups/unchanged")
                .wrap(from_fn(add_backup_requested))
                .route(web::post().to(unchanged::report_unchanged))
                .default_service(web::to(|| method_not_allowed("POST"))),
        )
        .service(
            web::resource("/api/systems/backups/{id}")
                .wrap(from_fn(add_backup_requested))
                .route(get_and_head().to(download::download_backup))
                .route(web::delete().to(delete::delete_backup))
                .default_service(web::to(|| method_not_allowed("DELETE, GET, HEAD"))),
        )
        .service(
            web::resource("/api/systems/heartbeat")
                .wrap(from_fn(add_backup_requested))
                .route(web::post().to(heartbeat::acknowledge_heartbeat))
                .default_service(web::to(|| method_not_allowed("POST"))),
        )
        .service(read_only("/api/health", health::check_health))
        .service(read_only("/api/health/live", health::check_liveness))
        .service(signed_downloads::resource())
        .default_service(web::to(unknown_path));
}
