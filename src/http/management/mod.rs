//! The management API: for portals and automation, with bearer tokens.

pub mod fleet;
pub mod gateway;
pub mod metrics;
pub mod systems;

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};

use self::fleet::{events, organizations, usage};
use super::docs;
use super::errors::gateway::reshape;
use super::routing::{get_and_head, method_not_allowed, read_only, unknown_path};
use super::shared::signed_downloads;

/// The routes of the management API. The response is 404, and the same, for what does not exist and for what belongs to
/// another organization.
pub fn routes(config: &mut ServiceConfig) {
    config
        .configure(fleet::routes)
        .service(read_only("/api/systems/{id}/backups", systems::list::list_backups))
        .service(
            web::resource("/api/systems/{id}/backups/{backup_id}")
                .route(web::delete().to(systems::delete::delete_backup))
                .default_service(web::to(|| method_not_allowed("DELETE"))),
        )
        .service(read_only("/api/systems/{id}/backups/{backup_id}/download", systems::link::create_link))
        .service(read_only("/api/systems/{id}/requests", systems::backup_requests::list_backup_requests))
        .service(
            web::resource("/api/systems/{id}/requests/{request_id}")
                .route(web::delete().to(systems::backup_requests::cancel_backup_request))
                .default_service(web::to(|| method_not_allowed("DELETE"))),
        )
        .service(
            web::resource("/api/organizations")
                .route(get_and_head().to(organizations::list::list_organizations))
                .route(web::post().to(organizations::add::add_organization))
                .default_service(web::to(|| method_not_allowed("GET, HEAD, POST"))),
        )
        .service(
            web::resource("/api/organizations/{id}")
                .route(get_and_head().to(organizations::show::show_organization))
                .route(web::patch().to(organizations::change::change_organization))
                .default_service(web::to(|| method_not_allowed("GET, HEAD, PATCH"))),
        )
        .service(read_only("/api/organizations/{id}/usage", usage::month::show_usage))
        .service(read_only("/api/systems/{id}/events", events::list::list_system_events))
        .service(read_only("/api/events", events::list::list_events))
        .service(signed_downloads::resource())
        .configure(docs::routes)
        .service(read_only("/metrics", metrics::show_metrics))
        .service(
            web::scope("/backup")
                .wrap(from_fn(reshape))
                .service(
                    web::resource("/{siteId}")
                        .route(get_and_head().to(gateway::list::list_backups))
                        .route(web::post().to(gateway::request_backup::request_backup))
                        .default_service(web::to(|| method_not_allowed("GET, HEAD, POST"))),
                )
                .service(read_only("/{siteId}/{filename}", gateway::show::show_backup))
                .default_service(web::to(unknown_path)),
        )
        .default_service(web::to(unknown_path));
}
