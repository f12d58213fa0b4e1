//! The HTTP APIs. `collect/mod.rs` has the routes of the collect API on one screen, `management/mod.rs` those of the
//! management API, and `docs/routes.rs` those of the documentation. A handler turns a request into a call of a use case,
//! and its result into a response; it knows nothing of SQL or of stores. Beside each handler stand the types of its
//! response bodies and its OpenAPI description.
//!
//! The way of a request, from the socket to the handler:
//! * [`server`] builds the servers of the two listeners, and [`listener_drain`] closes a listener without losing a request
//! * [`connections`] - from `accept` to the first byte of HTTP ([`tls`]), and timeouts for clients that don't read
//! * [`framing`] passes to the HTTP library one request at a time, and answers malformed ones
//! * [`middleware`] - around every route; [`access_log`] - the line of each request in the log
//! * [`extractors`] - the caller's identity and address; [`headers`] - what header values mean
//! * [`collect`], [`management`], [`docs`] - routes and handlers; [`shared`] - what both APIs use
//! * [`errors`] - the table from errors to status codes; [`envelope`] - the shape of JSON responses
//! * [`openapi`] - describes responses from the values that handlers respond with

mod access_log;
mod api;
mod app_state;
mod base_urls;
mod collect;
mod connections;
mod docs;
mod envelope;
pub mod errors;
mod extractors;
mod framing;
mod guarded_body;
pub mod headers;
mod listener_drain;
mod log_limit;
mod management;
mod middleware;
mod openapi;
mod routing;
mod server;
mod shared;
mod tls;

pub use api::Api;
pub use app_state::AppState;
pub use base_urls::{ApiAddress, ApiAddresses};
pub use connections::ResponseTimeouts;
pub use docs::Documentation;
pub use listener_drain::ListenerDrain;
pub use server::{ApiServer, ServerSettings, serve};
pub use tls::Certificates;
