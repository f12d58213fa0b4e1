//! `/mcp`: passes requests from actix-web to the library of the Model Context Protocol, and its responses back. It is
//! stateless: each request has one JSON response. A web page can make a browser on the operator's machine send requests
//! to a server on loopback, so `Host` and `Origin` must be this service's (the library refuses others with 403).

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Bytes, Payload};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use http_body_util::{BodyExt as _, Full};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::time::timeout;

use super::document;
use super::site::Documentation;
use super::tools::Tools;
use crate::http::base_urls::{ApiAddress, ApiAddresses};
use crate::http::envelope;
use crate::http::errors::data::Empty;
use crate::http::headers::host;

/// The largest request body, in bytes: more than any question about this documentation needs.
const MAX_BODY: usize = 8 * 1024;
/// The time in which a request has to be read and answered. The shutdown of the service waits that long.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// An error that is found before the library sees the request.
type McpError = (StatusCode, &'static str);
const TIMEOUT: McpError = (StatusCode::REQUEST_TIMEOUT, "request timeout");
const TOO_LARGE: McpError = (StatusCode::PAYLOAD_TOO_LARGE, "question too large");
const MALFORMED: McpError = (StatusCode::BAD_REQUEST, "not a whole question");

/// The protocol's server.
#[derive(Clone)]
pub struct Mcp(StreamableHttpService<Tools, NeverSessionManager>);

impl Mcp {
    pub fn new(addresses: &ApiAddresses, site: Arc<Documentation>) -> Self {
        // The library refuses all other hosts, so every client that reads these URLs can use them.
        let urls = addresses.base_urls_for(None);
        // Made for the first question: it is some MiB, and most services are never asked.
        let tools = OnceLock::new();
        let make = move || Tools::new(Arc::clone(&site), Arc::new(document::json(&urls)));
        let (hosts, origins) = allowed(&addresses.management);
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_json_response(true)
            .with_sse_keep_alive(None)
            .with_max_request_body_bytes(MAX_BODY)
            .with_allowed_hosts(hosts)
            .with_allowed_origins(origins)
            .enforce_origin_validation();
        Self(StreamableHttpService::new(move || Ok(tools.get_or_init(&make).clone()), Arc::default(), config))
    }

    /// Responds to one request.
    pub async fn respond(&self, request: &HttpRequest, body: Payload) -> HttpResponse {
        let response = timeout(REQUEST_TIMEOUT, self.handle(request, body)).await;
        response.unwrap_or_else(|_| error_response(TIMEOUT))
    }

    async fn handle(&self, request: &HttpRequest, body: Payload) -> HttpResponse {
        let Ok(body) = body.to_bytes_limited(MAX_BODY).await else {
            return error_response(TOO_LARGE);
        };
        let converted = body.ok().and_then(|body| convert(request, body));
        let Some(converted) = converted else { return error_response(MALFORMED) };
        let (head, body) = self.0.handle(converted).await.into_parts();
        let status = StatusCode::from_u16(head.status.as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponseBuilder::new(status);
        for (name, value) in &head.headers {
            response.append_header((name.as_str(), value.as_bytes()));
        }
        let Ok(body) = body.collect().await;
        let body = body.to_bytes();
        if !body.is_empty() && !head.headers.contains_key("content-type") {
            response.insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"));
        }
        response.body(body)
    }
}

fn error_response((status, message): McpError) -> HttpResponse {
    envelope::respond(status, message, Empty {})
}

/// Converts the request to the library's type.
fn convert(request: &HttpRequest, body: Bytes) -> Option<http::Request<Full<Bytes>>> {
    let mut converted =
        http::Request::builder().method(request.method().as_str()).uri(request.uri().to_string());
    for (name, value) in request.headers() {
        converted = converted.header(name.as_str(), value.as_bytes());
    }
    converted.body(Full::new(body)).ok()
}

/// The allowed values of `Host` and `Origin`: those of this machine and of the public URL.
fn allowed(api: &ApiAddress) -> (Vec<String>, Vec<String>) {
    let mut names = host::local_names(api);
    let mut origins: Vec<String> =
        names.iter().map(|name| format!("{}://{name}:{}", api.scheme(), api.listen.port())).collect();
    if let Some((scheme, authority)) = api.public_url.as_deref().and_then(|url| url.split_once("://")) {
        let port = if scheme == "https" { 443 } else { 80 };
        let with_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        origins.push(if with_port {
            format!("{scheme}://{authority}")
        } else {
            format!("{scheme}://{authority}:{port}")
        });
        names.push(authority.to_owned());
    }
    (names, origins)
}
