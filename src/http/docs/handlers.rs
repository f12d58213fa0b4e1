//! The handlers of the documentation itself.

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};

use super::{document, error_pages, guides, llms, own, page as html, reference as operations};
use crate::http::app_state::AppState;

/// `Cache-Control` of what changes only with the program.
pub const PUBLIC: &str = "public, max-age=300";
/// `Cache-Control` of what repeats the client's `Host`: from a shared cache others would get the addresses of a host
/// that somebody made up.
pub const PRIVATE: &str = "private, max-age=300";
/// A page runs no script and loads nothing from elsewhere.
const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// The headers of all pages; `cached` is their `Cache-Control`.
pub const fn page_headers(cached: &'static str) -> [(&'static str, &'static str); 4] {
    [
        ("Content-Security-Policy", POLICY),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", cached),
    ]
}

fn answer(status: StatusCode, media_type: &str, cached: &'static str, body: String) -> HttpResponse {
    let mut response = HttpResponseBuilder::new(status);
    response.insert_header((CONTENT_TYPE, media_type));
    for header in page_headers(cached) {
        response.insert_header(header);
    }
    response.body(body)
}

pub const HTML: &str = "text/html; charset=utf-8";
pub const MARKDOWN: &str = "text/markdown; charset=utf-8";
pub const CSS: &str = "text/css; charset=utf-8";
pub const PLAIN: &str = "text/plain; charset=utf-8";

fn html_page(body: Option<String>) -> HttpResponse {
    match body {
        Some(body) => answer(StatusCode::OK, HTML, PUBLIC, body),
        None => answer(StatusCode::NOT_FOUND, HTML, PUBLIC, html::not_found()),
    }
}

/// The OpenAPI document
///
/// OpenAPI 3.1, of both listeners.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "Documentation",
    operation_id = "openapi",
    responses(own::Document)
)]
pub async fn openapi(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    let document = document::json(&state.addresses.base_urls(&request));
    answer(StatusCode::OK, "application/json", PRIVATE, document.to_string())
}

/// An index for AI tools
///
/// The format of llmstxt.org.
#[utoipa::path(get, path = "/llms.txt", tag = "Documentation", operation_id = "llms", responses(own::Text))]
pub async fn llms(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    answer(StatusCode::OK, PLAIN, PRIVATE, llms::text(&state.addresses.base_urls(&request)))
}

/// The documentation for people
#[utoipa::path(get, path = "/docs", tag = "Documentation", operation_id = "docs", responses(own::Page))]
pub async fn index(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    answer(StatusCode::OK, HTML, PRIVATE, html::index(&state.addresses.base_urls(&request)))
}

/// All operations of both APIs, for people
#[utoipa::path(
    get,
    path = "/docs/reference",
    tag = "Documentation",
    operation_id = "reference",
    responses(own::Page)
)]
pub async fn reference(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    let document = document::json(&state.addresses.base_urls(&request));
    answer(StatusCode::OK, HTML, PRIVATE, operations::page(&document))
}

/// All error codes of the gateway API
#[utoipa::path(
    get,
    path = "/docs/errors",
    tag = "Documentation",
    operation_id = "errorCodes",
    responses(own::FixedPage)
)]
pub async fn errors() -> HttpResponse {
    html_page(Some(error_pages::index()))
}

/// What an error code means
///
/// Where the `doc_url` of an error leads.
#[utoipa::path(
    get, path = "/docs/errors/{code}", tag = "Documentation", operation_id = "errorCode",
    params(("code" = String, Path, description = "The `code` of an error.")),
    responses(own::FoundPage),
)]
pub async fn error(code: Path<String>) -> HttpResponse {
    html_page(error_pages::page(&code))
}

/// A guide
#[utoipa::path(
    get, path = "/docs/{guide}", tag = "Documentation", operation_id = "guide",
    params(("guide" = String, Path, description = "The name of a guide, from `/docs` or `/llms.txt`.")),
    responses(own::FoundPage),
)]
pub async fn page(name: Path<String>) -> HttpResponse {
    html_page(guides::page(&name))
}

/// A guide as Markdown
#[utoipa::path(
    get, path = "/docs/{guide}.md", tag = "Documentation", operation_id = "guideMarkdown",
    params(("guide" = String, Path, description = "The name of a guide.")),
    responses(own::Source),
)]
pub async fn source(name: Path<String>) -> HttpResponse {
    match guides::source(&name) {
        Some(markdown) => answer(StatusCode::OK, MARKDOWN, PUBLIC, markdown),
        None => html_page(None),
    }
}

/// How the pages look
#[utoipa::path(
    get,
    path = "/docs/style.css",
    tag = "Documentation",
    operation_id = "style",
    responses(own::Style)
)]
pub async fn style() -> HttpResponse {
    answer(StatusCode::OK, CSS, PUBLIC, html::STYLE.to_owned())
}

/// The same documentation for AI tools: MCP
///
/// Model Context Protocol, streamable HTTP, stateless and read-only: each request is answered with one
/// JSON document.
#[utoipa::path(
    post, path = "/mcp", tag = "Documentation", operation_id = "mcp",
    request_body(content = serde_json::Value, content_type = "application/json", description = "JSON-RPC 2.0.",
        example = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" })),
    responses(own::Rpc),
)]
pub async fn mcp(request: HttpRequest, body: Payload, mcp: Data<super::Mcp>) -> HttpResponse {
    mcp.answer(&request, body).await
}
