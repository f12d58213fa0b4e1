//! The OpenAPI document of both APIs, made from the descriptions beside the handlers.

mod chapters;
mod components;
mod generators;
mod methods;
mod operations;
mod text;

use std::sync::LazyLock;

use serde_json::Value;
use utoipa::OpenApi as _;
use utoipa::openapi::security::{Http, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi, ServerBuilder};

use super::samples;
use crate::http::base_urls::BaseUrls;
use crate::http::collect::{backup_requests, delete, download, health, heartbeat, list, unchanged, upload};
use crate::http::management::fleet::{self, events, organizations, usage};
use crate::http::management::{gateway, metrics, systems};
use crate::http::shared::signed_downloads;

use methods::METHODS;
pub use operations::operations;
pub use text::text;

/// The operations of the collect API.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Strongroom",
        description = "The vault for a fleet's encrypted configuration backups. Appliances send their backups to the \
                       collect API with Basic auth. Portals and automation use the management API, which has a listener \
                       of its own, with bearer tokens. Each path names its server.\n\nWherever `GET` works, `HEAD` works, \
                       too: the same status and headers without the body.\n\nThe service rejects malformed HTTP \
                       requests (400) and requests whose head is too large (431) in the collect API's format, on every \
                       path. It answers a request whose head arrives too slowly with 408 and an empty body.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    paths(
        upload::upload_backup,
        list::list_backups,
        download::download_backup,
        delete::delete_backup,
        backup_requests::list_open_backup_requests,
        unchanged::report_unchanged,
        heartbeat::acknowledge_heartbeat,
        signed_downloads::follow_link,
        health::check_health,
        health::check_liveness,
    )
)]
struct Collect;

/// The operations of the management API.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    fleet::systems::erasure::destroy_system,
    fleet::systems::list::list_systems,
    fleet::systems::add::add_system,
    fleet::systems::totals::total_systems,
    fleet::systems::export::export_systems,
    fleet::systems::show::show_system,
    fleet::systems::change::change_system,
    fleet::systems::rotate_secret::rotate_secret,
    systems::list::list_backups,
    systems::link::create_link,
    systems::delete::delete_backup,
    systems::backup_requests::list_backup_requests,
    systems::backup_requests::cancel_backup_request,
    organizations::list::list_organizations,
    organizations::show::show_organization,
    organizations::add::add_organization,
    organizations::change::change_organization,
    usage::month::show_usage,
    usage::trend::show_trend,
    events::list::list_events,
    events::list::list_system_events,
    gateway::list::list_backups,
    gateway::show::show_backup,
    gateway::request_backup::request_backup,
    metrics::show_metrics,
))]
struct Management;

/// The documents of both APIs, without servers.
static COLLECT: LazyLock<OpenApi> = LazyLock::new(|| with_schemas(in_chapters(Collect::openapi())));
static MANAGEMENT: LazyLock<OpenApi> = LazyLock::new(|| in_chapters(Management::openapi()));

fn in_chapters(mut api: OpenApi) -> OpenApi {
    chapters::add_tags(&mut api);
    generators::remove_null_from_parameters(&mut api);
    api
}

/// Adds what both APIs use.
fn with_schemas(mut api: OpenApi) -> OpenApi {
    components::add_schemas(&mut api);
    generators::merge_flattened(&mut api);
    let components = api.components.get_or_insert_default();
    components.security_schemes.insert("basic".to_owned(), basic().into());
    components.security_schemes.insert("bearer".to_owned(), bearer().into());
    api
}

/// The document for a client that reaches the APIs at these URLs.
pub fn document(urls: &BaseUrls) -> OpenApi {
    let mut document = serve_at(&COLLECT, &urls.collect, "Collect API");
    document.merge(serve_at(&MANAGEMENT, &urls.management, "Management API"));
    // Both listeners serve signed downloads.
    if let Some(item) = document.paths.paths.get_mut("/api/downloads/{id}") {
        item.servers.clone_from(&document.servers);
    }
    document
}

/// The document as a JSON value, with samples of requests to these URLs. [`text`] makes its text.
pub fn json(urls: &BaseUrls) -> Value {
    let mut document = serde_json::to_value(document(urls)).unwrap_or_default();
    for (path, item) in document["paths"].as_object_mut().into_iter().flatten() {
        let server = item["servers"][0]["url"].as_str().unwrap_or_default().to_owned();
        for method in METHODS {
            let Some(operation) = item.get_mut(method) else { continue };
            operation["x-codeSamples"] = samples::of(&server, path, method, operation);
        }
    }
    document
}

fn serve_at(api: &OpenApi, url: &str, name: &str) -> OpenApi {
    let mut api = api.clone();
    let server = ServerBuilder::new().url(url).description(Some(name)).build();
    for item in api.paths.paths.values_mut() {
        item.servers = Some(vec![server.clone()]);
    }
    api.servers = Some(vec![server]);
    api
}

fn basic() -> SecurityScheme {
    let text = "The system key and the system secret of an appliance.";
    let scheme: Http = HttpBuilder::new().scheme(HttpAuthScheme::Basic).description(Some(text)).build();
    SecurityScheme::Http(scheme)
}

fn bearer() -> SecurityScheme {
    let text = "A JWT from the identity provider. Its `scope` (or `permissions`) contains the scope that the operation \
                needs: `backup:view`, `backup:create`, `backup:delete`, `system:manage` or `org:manage`. Its `org` is \
                the organization to whose systems it gives access. With `backup:admin` as well it gives access to the \
                systems of every organization.";
    let scheme =
        HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").description(Some(text));
    SecurityScheme::Http(scheme.build())
}
