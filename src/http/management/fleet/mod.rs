//! The fleet: systems and organizations, for those who manage them.

pub mod events;
pub mod organizations;
pub mod systems;
pub mod usage;

use actix_web::web::{self, ServiceConfig};

use crate::http::routing::{get_and_head, method_not_allowed, read_only};

/// The routes of the fleet. Paths with a fixed word come before those with an id.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(
            web::resource("/api/systems")
                .route(get_and_head().to(systems::list::list_systems))
                .route(web::post().to(systems::add::add_system))
                .default_service(web::to(|| method_not_allowed("GET, HEAD, POST"))),
        )
        .service(read_only("/api/systems/totals", systems::totals::total_systems))
        .service(read_only("/api/systems/trend", usage::trend::show_trend))
        .service(read_only("/api/systems/export", systems::export::export_systems))
        .service(
            web::resource("/api/systems/{id}")
                .route(get_and_head().to(systems::show::show_system))
                .route(web::patch().to(systems::change::change_system))
                .route(web::delete().to(systems::erasure::destroy_system))
                .default_service(web::to(|| method_not_allowed("GET, HEAD, PATCH, DELETE"))),
        )
        .service(
            web::resource("/api/systems/{id}/rotate-secret")
                .route(web::post().to(systems::rotate_secret::rotate_secret))
                .default_service(web::to(|| method_not_allowed("POST"))),
        );
}
