//! The handlers of the documentation.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION};
use actix_web::web::{Data, Path, Payload, Query};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};

use super::assets::Asset;
use super::search::{self, SearchQuery};
use super::{document, error_pages, guide_pages, llms, overview, reference};
use crate::http::app_state::AppState;
use crate::http::headers::conditional::if_none_match;

/// `Cache-Control` of pages that change only with the program.
const PUBLIC: &str = "public, max-age=300";
/// `Cache-Control` of pages that repeat the client's `Host`. A shared cache would send a page with an invented host to
/// other clients.
const PRIVATE: &str = "private, max-age=300";
/// `Cache-Control` of a file whose URL contains the hash of its content.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// Pages run one script, which is ours, and load nothing from other hosts.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
                                       font-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; \
                                       frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const MARKDOWN: &str = "text/markdown; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

fn builder(status: StatusCode, media_type: &str, cache_control: &'static str) -> HttpResponseBuilder {
    let mut response = HttpResponseBuilder::new(status);
    response
        .insert_header((CONTENT_TYPE, media_type))
        .insert_header(("Content-Security-Policy", CONTENT_SECURITY_POLICY))
        .insert_header(("X-Content-Type-Options", "nosniff"))
        .insert_header(("Referrer-Policy", "no-referrer"))
        .insert_header(("Cache-Control", cache_control));
    response
}

fn respond(status: StatusCode, media_type: &str, cache_control: &'static str, body: String) -> HttpResponse {
    builder(status, media_type, cache_control).body(body)
}

fn html_page(state: &AppState, body: Option<String>) -> HttpResponse {
    match body {
        Some(body) => respond(StatusCode::OK, HTML, PUBLIC, body),
        None => respond(StatusCode::NOT_FOUND, HTML, PUBLIC, overview::not_found(&state.documentation)),
    }
}

/// `/`: leads people to the documentation.
pub async fn root() -> HttpResponse {
    builder(StatusCode::PERMANENT_REDIRECT, PLAIN, PUBLIC).insert_header((LOCATION, "/docs")).body("/docs\n")
}

/// `/openapi.json`.
pub async fn openapi(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    let document = document::json(&state.addresses.base_urls(&request));
    respond(StatusCode::OK, JSON, PRIVATE, document::text(&document))
}

/// `/llms.txt`.
pub async fn llms(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    let index = llms::index(&state.documentation, &state.addresses.base_urls(&request));
    respond(StatusCode::OK, PLAIN, PRIVATE, index)
}

/// `/docs`.
pub async fn index(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    let page = overview::index(&state.documentation, &state.addresses.base_urls(&request));
    respond(StatusCode::OK, HTML, PRIVATE, page)
}

/// `/docs/reference`.
pub async fn reference(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    let document = document::json(&state.addresses.base_urls(&request));
    respond(StatusCode::OK, HTML, PRIVATE, reference::page(&state.documentation, &document))
}

/// `/docs/errors`.
pub async fn error_codes(state: Data<AppState>) -> HttpResponse {
    html_page(&state, Some(error_pages::list(&state.documentation)))
}

/// `/docs/errors/{code}`.
pub async fn error_code(code: Path<String>, state: Data<AppState>) -> HttpResponse {
    html_page(&state, error_pages::page(&state.documentation, &code))
}

/// `/docs/{guide}`.
pub async fn guide(name: Path<String>, state: Data<AppState>) -> HttpResponse {
    html_page(&state, guide_pages::page(&state.documentation, &name))
}

/// `/docs/{guide}.md`.
pub async fn guide_as_markdown(name: Path<String>, state: Data<AppState>) -> HttpResponse {
    match state.documentation.markdown(&name) {
        Some(markdown) => respond(StatusCode::OK, MARKDOWN, PUBLIC, markdown),
        None => html_page(&state, None),
    }
}

/// `/docs/search`.
pub async fn search_page(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    let page = search::page(&state.documentation, &query(&request));
    respond(StatusCode::OK, HTML, PUBLIC, page)
}

/// `/docs/search.json`.
pub async fn search_json(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    let found = state.documentation.search.json(&query(&request));
    respond(StatusCode::OK, JSON, PUBLIC, found.to_string())
}

/// The query of a search. A malformed one is an empty one.
fn query(request: &HttpRequest) -> search::Query {
    let sent = Query::<SearchQuery>::from_query(request.query_string()).map(Query::into_inner);
    search::Query::new(&sent.unwrap_or_default().q)
}

/// A file that pages load.
pub fn asset(request: &HttpRequest, asset: &'static Asset) -> HttpResponse {
    let is_current = request.query_string().strip_prefix("v=") == Some(asset.version.as_str());
    let cache_control = if is_current { IMMUTABLE } else { PUBLIC };
    let etag = asset.etag();
    let known =
        request.headers().get(IF_NONE_MATCH).is_some_and(|value| if_none_match(value.as_bytes(), &etag));
    let status = if known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
    let mut response = builder(status, asset.media_type, cache_control);
    response.insert_header((ETAG, etag));
    if known { response.finish() } else { response.body(asset.content.as_slice()) }
}

/// `/mcp`.
pub async fn mcp(request: HttpRequest, body: Payload, mcp: Data<super::Mcp>) -> HttpResponse {
    mcp.respond(&request, body).await
}
