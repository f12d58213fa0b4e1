//! The handlers of the documentation.

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};

use super::{document, error_pages, guide_pages, layout, llms, overview, reference};
use crate::http::app_state::AppState;

/// `Cache-Control` of pages that change only with the program.
const PUBLIC: &str = "public, max-age=300";
/// `Cache-Control` of pages that repeat the client's `Host`. A shared cache would send a page with an invented host to
/// other clients.
const PRIVATE: &str = "private, max-age=300";
/// Pages run no script and load nothing from other hosts.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
                                       frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const MARKDOWN: &str = "text/markdown; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

fn respond(status: StatusCode, media_type: &str, cache_control: &'static str, body: String) -> HttpResponse {
    let mut response = HttpResponseBuilder::new(status);
    response
        .insert_header((CONTENT_TYPE, media_type))
        .insert_header(("Content-Security-Policy", CONTENT_SECURITY_POLICY))
        .insert_header(("X-Content-Type-Options", "nosniff"))
        .insert_header(("Referrer-Policy", "no-referrer"))
        .insert_header(("Cache-Control", cache_control));
    response.body(body)
}

fn html_page(body: Option<String>) -> HttpResponse {
    match body {
        Some(body) => respond(StatusCode::OK, HTML, PUBLIC, body),
        None => respond(StatusCode::NOT_FOUND, HTML, PUBLIC, overview::not_found()),
    }
}

/// `/openapi.json`.
pub async fn openapi(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    let document = document::json(&state.addresses.base_urls(&request));
    respond(StatusCode::OK, "application/json", PRIVATE, document::text(&document))
}

/// `/llms.txt`.
pub async fn llms(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    respond(StatusCode::OK, PLAIN, PRIVATE, llms::index(&state.addresses.base_urls(&request)))
}

/// `/docs`.
pub async fn index(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    respond(StatusCode::OK, HTML, PRIVATE, overview::index(&state.addresses.base_urls(&request)))
}

/// `/docs/reference`.
pub async fn reference(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    let document = document::json(&state.addresses.base_urls(&request));
    respond(StatusCode::OK, HTML, PRIVATE, reference::page(&document))
}

/// `/docs/errors`.
pub async fn error_codes() -> HttpResponse {
    html_page(Some(error_pages::list()))
}

/// `/docs/errors/{code}`.
pub async fn error_code(code: Path<String>) -> HttpResponse {
    html_page(error_pages::page(&code))
}

/// `/docs/{guide}`.
pub async fn guide(name: Path<String>) -> HttpResponse {
    html_page(guide_pages::page(&name))
}

/// `/docs/{guide}.md`.
pub async fn guide_as_markdown(name: Path<String>) -> HttpResponse {
    match guide_pages::markdown(&name) {
        Some(markdown) => respond(StatusCode::OK, MARKDOWN, PUBLIC, markdown),
        None => html_page(None),
    }
}

/// `/docs/style.css`.
pub async fn style() -> HttpResponse {
    respond(StatusCode::OK, CSS, PUBLIC, layout::STYLE.to_owned())
}

/// `/mcp`.
pub async fn mcp(request: HttpRequest, body: Payload, mcp: Data<super::Mcp>) -> HttpResponse {
    mcp.respond(&request, body).await
}
