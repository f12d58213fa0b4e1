//! The HTTP APIs. This file has the routes of the collect API on one screen; `management/mod.rs` has those of the
//! management API. Handlers turn a request into a call of a use case, and its result into a response; they know
//! nothing of SQL or of stores.

mod authorization;
mod base_urls;
mod bearer;
mod body_claims;
mod connection;
mod delete;
mod docs;
mod download;
mod drain;
mod early;
mod envelope;
mod error;
pub mod error_codes;
mod error_data;
mod framing;
mod gateway_error;
mod health;
mod holding;
mod hosts;
mod identity;
mod links;
mod list;
mod log_limit;
mod management;
mod measure;
mod metrics;
mod outage_log;
mod paths;
mod remote_addr;
mod requests;
mod server;
mod tls;
mod upload;

use std::sync::Arc;

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, Handler, Resource, Responder, Route, guard};
use ipnet::IpNet;

pub use base_urls::{ApiAddress, ApiAddresses};
pub use connection::Limits as AnswerLimits;
pub use drain::Drain;
pub use server::{Api, Served, ServerSettings, serve};
pub use tls::Certificates;

use crate::auth::bearer::TokenVerifier;
use crate::backups::Vault;
use error::{method_not_allowed, unknown_path};

/// What the handlers share.
pub struct AppState {
    pub vault: Arc<Vault>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// `None`: there are no keys, so every token is refused.
    pub tokens: Option<TokenVerifier>,
    /// Where clients reach both APIs.
    pub addresses: ApiAddresses,
}

/// The collect API. No route ever redirects: clients would follow with their secret.
fn collect_api(config: &mut ServiceConfig) {
    config
        .service(
            web::resource("/api/systems/backups")
                .wrap(from_fn(requests::announce_request))
                .route(web::post().to(upload::upload))
                .route(read().to(list::list))
                .default_service(web::to(|| method_not_allowed("GET, HEAD, POST"))),
        )
        // Before `{id}`, which would match these two.
        .service(read_only("/api/systems/backups/requests", requests::requests))
        .service(
            web::resource("/api/systems/backups/unchanged")
                .wrap(from_fn(requests::announce_request))
                .route(web::post().to(requests::unchanged))
                .default_service(web::to(|| method_not_allowed("POST"))),
        )
        .service(
            web::resource("/api/systems/backups/{id}")
                .wrap(from_fn(requests::announce_request))
                .route(read().to(download::download))
                .route(web::delete().to(delete::delete))
                .default_service(web::to(|| method_not_allowed("DELETE, GET, HEAD"))),
        )
        .service(read_only("/api/health", health::health))
        .service(read_only("/api/health/live", health::live))
        .service(signed_downloads())
        .default_service(web::to(unknown_path));
}

/// On both listeners: which of them a client can reach is the operator's choice.
fn signed_downloads() -> Resource {
    read_only("/api/downloads/{id}", links::follow)
}

/// A route for `GET` and `HEAD`, which is answered in the same way without its body.
fn read() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// A path that can only be read.
fn read_only<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::resource(path).route(read().to(handler)).default_service(web::to(|| method_not_allowed("GET, HEAD")))
}
