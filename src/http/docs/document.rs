//! The OpenAPI document of both listeners, made from what stands beside each handler.

use std::sync::LazyLock;

use serde_json::Value;
use utoipa::OpenApi as _;
use utoipa::openapi::security::{Http, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi, PathItem, ServerBuilder};

use super::handlers;
use crate::http::base_urls::BaseUrls;
use crate::http::collect::metadata;
use crate::http::collect::{backup_requests, delete, download, health, list, signed_downloads, upload};
use crate::http::errors::data::{
    DependencyDown, Empty, ErrorKind, FieldError, MaxBytes, RequestStateNow, RetryAfter, ValidationFailed,
};
use crate::http::errors::gateway as gateway_error;
use crate::http::management::metrics;
use crate::http::management::{backup_requests as manage_requests, gateway, systems};

/// What appliances use.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Strongroom",
        description = "The vault for a fleet's encrypted configuration backups. Appliances send their backups to the \
                       collect API with Basic auth; portals and automation use the management API, on a listener of \
                       its own, with bearer tokens. Each path names its server.\n\nA request that is not well-formed \
                       HTTP (400), or whose head is too large (431), is answered in the collect API's form before any \
                       operation sees it, and one whose head comes too slowly (408) with an empty body.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    tags(
        (name = "Backups", description = "An appliance's own backups."),
        (name = "Requests", description = "Somebody asks for a backup; and what to say instead of one."),
        (name = "Systems", description = "The backups of an organization's systems, for portals."),
        (name = "Gateway", description = "The same in the shape of the backup gateway: a site is a system, a file is a backup."),
        (name = "Health", description = "For monitoring."),
        (name = "Documentation", description = "What you are reading."),
    ),
    paths(
        upload::upload, list::list, download::download, delete::delete, backup_requests::requests, backup_requests::unchanged,
        signed_downloads::follow, health::health, health::live,
    ),
    components(schemas(
        metadata::Metadata, list::Backups, delete::Deleted, health::Dependencies, Empty, ErrorKind, FieldError,
        ValidationFailed, DependencyDown, MaxBytes, RetryAfter, RequestStateNow, backup_requests::Requests, backup_requests::OpenRequest,
    )),
)]
struct Collect;

/// What portals and automation use.
#[derive(utoipa::OpenApi)]
#[openapi(
    paths(
        systems::list,
        systems::link,
        systems::delete,
        gateway::list,
        gateway::show,
        manage_requests::ask,
        manage_requests::list,
        manage_requests::cancel,
        metrics::metrics,
        handlers::openapi,
        handlers::llms,
        handlers::index,
        handlers::reference,
        handlers::errors,
        handlers::error,
        handlers::page,
        handlers::source,
        handlers::style,
        handlers::mcp,
    ),
    components(schemas(
        systems::SystemBackups,
        systems::DownloadAddress,
        gateway::SiteBackup,
        gateway::SiteBackupDetails,
        gateway_error::GatewayError,
        manage_requests::SystemRequests,
        manage_requests::SystemRequest,
        manage_requests::Cancelled,
        manage_requests::BackupRequested,
    ))
)]
struct Management;

/// Both, without servers.
static COLLECT: LazyLock<OpenApi> = LazyLock::new(Collect::openapi);
static MANAGEMENT: LazyLock<OpenApi> = LazyLock::new(Management::openapi);

/// The document for a reader who reaches the listeners at these URLs.
pub fn document(urls: &BaseUrls) -> OpenApi {
    let mut document = serve_at(&COLLECT, &urls.collect, "Collect API");
    document.merge(serve_at(&MANAGEMENT, &urls.management, "Management API"));
    let components = document.components.get_or_insert_default();
    components.security_schemes.insert("basic".to_owned(), basic().into());
    components.security_schemes.insert("bearer".to_owned(), bearer().into());
    // Both listeners serve what signed addresses lead to.
    if let Some(item) = document.paths.paths.get_mut("/api/downloads/{id}") {
        item.servers.clone_from(&document.servers);
    }
    document
}

/// The same as plain JSON, for those who walk through it.
pub fn json(urls: &BaseUrls) -> Value {
    serde_json::to_value(document(urls)).unwrap_or_default()
}

fn serve_at(api: &OpenApi, url: &str, name: &str) -> OpenApi {
    let mut api = api.clone();
    let server = ServerBuilder::new().url(url).description(Some(name)).build();
    for item in api.paths.paths.values_mut() {
        item.servers = Some(vec![server.clone()]);
        add_head(item);
    }
    api.servers = Some(vec![server]);
    api
}

/// Whatever can be asked for with `GET`, can with `HEAD`: the same answer without its body.
fn add_head(item: &mut PathItem) {
    let Some(get) = &item.get else { return };
    let mut head = get.clone();
    head.operation_id = head.operation_id.map(|id| format!("{id}Head"));
    head.summary = head.summary.map(|summary| format!("{summary}: only the headers"));
    for response in head.responses.responses.values_mut() {
        if let utoipa::openapi::RefOr::T(response) = response {
            response.content.clear();
        }
    }
    item.head = Some(head);
}

fn basic() -> SecurityScheme {
    let text = "The system key and the system secret of one appliance.";
    let scheme: Http = HttpBuilder::new().scheme(HttpAuthScheme::Basic).description(Some(text)).build();
    SecurityScheme::Http(scheme)
}

fn bearer() -> SecurityScheme {
    let text = "A JWT of the identity provider. Its `scope` (or `permissions`) has what an operation names: \
                `backup:view`, `backup:create`, `backup:delete`; its `org` says whose systems it is for. With \
                `backup:admin` as well it is for those of every organization.";
    let scheme =
        HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").description(Some(text));
    SecurityScheme::Http(scheme.build())
}
