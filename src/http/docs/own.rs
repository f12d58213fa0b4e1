//! The handlers of the documentation itself.

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use serde_json::json;
use utoipa::IntoResponses;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use super::super::AppState;
use super::answers::{Answers, Body, text};
use super::mcp::{BROKEN, LARGE, Refusal, SLOW};
use super::{errors, guides, llms, openapi as document, page as html, reference as operations};

/// It may be kept for a while: it changes with the program.
const PUBLIC: &str = "public, max-age=300";
/// The same of what repeats the client's `Host`, by which a cache that others share could be made to give them
/// the addresses of another host.
const PRIVATE: &str = "private, max-age=300";
/// Nothing runs and nothing comes from elsewhere.
const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// What all pages have, with what may keep them.
const fn headers(cached: &'static str) -> [(&'static str, &'static str); 4] {
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
    for header in headers(cached) {
        response.insert_header(header);
    }
    response.body(body)
}

const HTML: &str = "text/html; charset=utf-8";
const MARKDOWN: &str = "text/markdown; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

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
    responses(Document)
)]
pub async fn openapi(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    let document = document::json(&state.addresses.base_urls(&request));
    answer(StatusCode::OK, "application/json", PRIVATE, document.to_string())
}

/// An index for AI tools
///
/// The format of llmstxt.org.
#[utoipa::path(get, path = "/llms.txt", tag = "Documentation", operation_id = "llms", responses(Text))]
pub async fn llms(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    answer(StatusCode::OK, PLAIN, PRIVATE, llms::text(&state.addresses.base_urls(&request)))
}

/// The documentation for people
#[utoipa::path(get, path = "/docs", tag = "Documentation", operation_id = "docs", responses(Page))]
pub async fn index(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    answer(StatusCode::OK, HTML, PRIVATE, html::index(&state.addresses.base_urls(&request)))
}

/// All operations of both APIs, for people
#[utoipa::path(
    get,
    path = "/docs/reference",
    tag = "Documentation",
    operation_id = "reference",
    responses(Page)
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
    responses(FixedPage)
)]
pub async fn errors() -> HttpResponse {
    html_page(Some(errors::index()))
}

/// What an error code means
///
/// Where the `doc_url` of an error leads.
#[utoipa::path(
    get, path = "/docs/errors/{code}", tag = "Documentation", operation_id = "errorCode",
    params(("code" = String, Path, description = "The `code` of an error.")),
    responses(FoundPage),
)]
pub async fn error(code: Path<String>) -> HttpResponse {
    html_page(errors::page(&code))
}

/// A guide
#[utoipa::path(
    get, path = "/docs/{guide}", tag = "Documentation", operation_id = "guide",
    params(("guide" = String, Path, description = "The name of a guide, from `/docs` or `/llms.txt`.")),
    responses(FoundPage),
)]
pub async fn page(name: Path<String>) -> HttpResponse {
    html_page(guides::page(&name))
}

/// A guide as Markdown
#[utoipa::path(
    get, path = "/docs/{guide}.md", tag = "Documentation", operation_id = "guideMarkdown",
    params(("guide" = String, Path, description = "The name of a guide.")),
    responses(Source),
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
    responses(Style)
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
    responses(Rpc),
)]
pub async fn mcp(request: HttpRequest, body: Payload, mcp: Data<super::Mcp>) -> HttpResponse {
    mcp.answer(&request, body).await
}

type Responses = std::collections::BTreeMap<String, utoipa::openapi::RefOr<utoipa::openapi::Response>>;

fn html(answers: Answers, status: u16, description: &str) -> Answers {
    answers.other(status, description, [(HTML, text(), json!("<!doctype html>..."))], &[])
}

/// What we say of a request before the protocol's library sees it.
fn ours((status, message): Refusal) -> Body {
    let error = json!({ "code": status.as_u16(), "message": message, "data": {} });
    ("application/json", object(), error)
}

/// What the library says of one that it does not take.
fn theirs(message: &str) -> Body {
    (PLAIN, text(), json!(message))
}

fn object() -> Schema {
    ObjectBuilder::new().schema_type(Type::Object).build().into()
}

macro_rules! answers {
    ($($name:ident: $answers:expr;)+) => {$(
        struct $name;

        impl IntoResponses for $name {
            fn responses() -> Responses {
                $answers.into()
            }
        }
    )+};
}

answers! {
    Document: Answers::default()
        .other(200, "The document.", [("application/json", object(), json!({ "openapi": "3.1.0" }))], &[])
        .all_with(&headers(PRIVATE));
    Text: Answers::default()
        .other(200, "The index.", [(PLAIN, text(), json!("# Strongroom"))], &[])
        .all_with(&headers(PRIVATE));
    Page: html(Answers::default(), 200, "The page.").all_with(&headers(PRIVATE));
    FixedPage: html(Answers::default(), 200, "The page.").all_with(&headers(PUBLIC));
    FoundPage: html(html(Answers::default(), 200, "The page."), 404, "No such page.").all_with(&headers(PUBLIC));
    Source: html(
        Answers::default().other(200, "The guide.", [(MARKDOWN, text(), json!("# A guide"))], &[]),
        404, "No such guide.",
    ).all_with(&headers(PUBLIC));
    Style: Answers::default()
        .other(200, "A style sheet.", [(CSS, text(), json!("body {}"))], &[])
        .all_with(&headers(PUBLIC));
    Rpc: Answers::default()
        .other(200, "The answer to a request.", Some(("application/json", object(),
            json!({ "jsonrpc": "2.0", "id": 1, "result": {} }))), &[])
        .other(202, "A notification: there is no answer.", None, &[])
        .other(400, "Not a whole question, or of a version of the protocol that is not known.",
            [ours(BROKEN), theirs("Bad Request: Unsupported MCP-Protocol-Version: 1999-01-01")], &[])
        .other(403, "A `Host` or an `Origin` that is not ours.",
            [theirs("Forbidden: Host header is not allowed")], &[])
        .other(406, "`Accept` has to name `application/json` and `text/event-stream`.",
            [theirs("Not Acceptable: Client must accept both application/json and text/event-stream")], &[])
        .other(408, "The question came too slowly.", [ours(SLOW)], &[])
        .other(413, "Larger than any question that can be asked here.", [ours(LARGE)], &[])
        .other(415, "Not JSON-RPC.",
            [theirs("Unsupported Media Type: Content-Type must be application/json")], &[]);
}
