//! HTTP: the routes on one screen. Handlers turn a request into a call and a result into a
//! response; they know nothing of SQL or of stores.

mod base_urls;
mod bearer;
mod delete;
mod docs;
mod door;
mod download;
mod early;
mod envelope;
mod error;
mod error_data;
pub mod gateway_error;
mod health;
mod hosts;
mod identity;
mod links;
mod list;
mod management;
mod measure;
mod metrics;
mod remote_addr;
mod requests;
mod server;
mod tls;
mod upload;

use std::sync::Arc;

use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use ipnet::IpNet;

pub use base_urls::{ApiAddress, ApiAddresses};
pub use door::Door;
pub use server::{Api, Served, ServerSettings, serve};
pub use tls::Certificates;

use crate::backups::Vault;
use crate::tokens::Tokens;

/// What the handlers share.
pub struct AppState {
    pub vault: Arc<Vault>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// `None`: no token is good.
    pub tokens: Option<Tokens>,
    /// Where clients reach both APIs.
    pub addresses: ApiAddresses,
}

/// The collect API. No route ever redirects: clients follow with their secret.
fn collect_api(config: &mut ServiceConfig) {
    let head = || web::method(Method::HEAD);
    config
        .service(
            web::resource("/api/systems/backups")
                .wrap(from_fn(requests::tell_requested))
                .route(web::post().to(upload::upload))
                .route(web::get().to(list::list))
                .route(head().to(list::list))
                .default_service(web::to(|| error::method_not_allowed("GET, HEAD, POST"))),
        )
        // Before `{id}`, which would match them.
        .service(
            web::resource("/api/systems/backups/requests")
                .route(web::get().to(requests::requests))
                .route(head().to(requests::requests))
                .default_service(web::to(|| error::method_not_allowed("GET, HEAD"))),
        )
        .service(
            web::resource("/api/systems/backups/unchanged")
                .wrap(from_fn(requests::tell_requested))
                .route(web::post().to(requests::unchanged))
                .default_service(web::to(|| error::method_not_allowed("POST"))),
        )
        .service(
            web::resource("/api/systems/backups/{id}")
                .wrap(from_fn(requests::tell_requested))
                .route(web::get().to(download::download))
                .route(head().to(download::download))
                .route(web::delete().to(delete::delete))
                .default_service(web::to(|| error::method_not_allowed("DELETE, GET, HEAD"))),
        )
        .service(
            web::resource("/api/health")
                .route(web::get().to(health::health))
                .route(head().to(health::health))
                .default_service(web::to(|| error::method_not_allowed("GET, HEAD"))),
        )
        .service(
            web::resource("/api/health/live")
                .route(web::get().to(health::live))
                .route(head().to(health::live))
                .default_service(web::to(|| error::method_not_allowed("GET, HEAD"))),
        )
        .configure(signed_downloads)
        .default_service(web::to(error::unknown_path));
}

/// On both listeners: which of them a client can reach is the operator's choice.
fn signed_downloads(config: &mut ServiceConfig) {
    config.service(
        web::resource("/api/downloads/{id}")
            .route(web::get().to(links::follow))
            .route(web::method(Method::HEAD).to(links::follow))
            .default_service(web::to(|| error::method_not_allowed("GET, HEAD"))),
    );
}
