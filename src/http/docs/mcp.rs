//! `/mcp`: passes requests from actix to the library of the Model Context Protocol, and its answers back. It is stateless:
//! each request has one JSON answer. Any web page can make a browser on the operator's machine ask a server on loopback,
//! so `Host` and `ClientNetwork` have to be ours (the library refuses others with 403).

use std::sync::Arc;
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
use super::tools::Tools;
use crate::http::base_urls::{ApiAddress, ApiAddresses};
use crate::http::envelope;
use crate::http::errors::data::Empty;
use crate::http::headers::host;

/// Bytes: more than any question about this documentation has.
const LARGEST: usize = 8 * 1024;
/// The longest that a question and its answer may take together. The service's stop waits for them.
const LONGEST: Duration = Duration::from_secs(30);

/// How we refuse a question ourselves, before the library sees it.
pub type Refusal = (StatusCode, &'static str);
pub const SLOW: Refusal = (StatusCode::REQUEST_TIMEOUT, "request timeout");
pub const LARGE: Refusal = (StatusCode::PAYLOAD_TOO_LARGE, "question too large");
pub const BROKEN: Refusal = (StatusCode::BAD_REQUEST, "not a whole question");

/// The protocol's server.
#[derive(Clone)]
pub struct Mcp(StreamableHttpService<Tools, NeverSessionManager>);

impl Mcp {
    pub fn new(addresses: &ApiAddresses) -> Self {
        // The library refuses all other hosts, so nobody reads these URLs who could not use them.
        let tools = Tools::new(Arc::new(document::json(&addresses.base_urls_for(None))));
        let (hosts, origins) = allowed(&addresses.management);
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_json_response(true)
            .with_sse_keep_alive(None)
            .with_max_request_body_bytes(LARGEST)
            .with_allowed_hosts(hosts)
            .with_allowed_origins(origins)
            .enforce_origin_validation();
        Self(StreamableHttpService::new(move || Ok(tools.clone()), Arc::default(), config))
    }

    /// Answers one request.
    pub async fn answer(&self, request: &HttpRequest, body: Payload) -> HttpResponse {
        let answered = timeout(LONGEST, self.ask(request, body)).await;
        answered.unwrap_or_else(|_| refuse(SLOW))
    }

    async fn ask(&self, request: &HttpRequest, body: Payload) -> HttpResponse {
        let Ok(body) = body.to_bytes_limited(LARGEST).await else {
            return refuse(LARGE);
        };
        let question = body.ok().and_then(|body| convert(request, body));
        let Some(question) = question else { return refuse(BROKEN) };
        let (head, body) = self.0.handle(question).await.into_parts();
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

fn refuse((status, message): Refusal) -> HttpResponse {
    envelope::answer(status, message, Empty {})
}

/// The same request as the type of the other library.
fn convert(request: &HttpRequest, body: Bytes) -> Option<http::Request<Full<Bytes>>> {
    let mut question =
        http::Request::builder().method(request.method().as_str()).uri(request.uri().to_string());
    for (name, value) in request.headers() {
        question = question.header(name.as_str(), value.as_bytes());
    }
    question.body(Full::new(body)).ok()
}

/// The `Host`s and the `ClientNetwork`s that are ours: those of this machine, and of the public URL.
fn allowed(api: &ApiAddress) -> (Vec<String>, Vec<String>) {
    let mut names = host::names(api);
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
