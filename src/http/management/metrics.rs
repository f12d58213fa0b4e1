//! `GET /metrics`: metrics for Prometheus, without a token from this machine, otherwise with one.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use serde_json::json;
use utoipa::IntoResponses;

use crate::http::app_state::AppState;
use crate::http::base_urls::ApiAddress;
use crate::http::errors::ApiError;
use crate::http::extractors::bearer::{AdminScope, Authorized};
use crate::http::headers::host;
use crate::http::openapi::common_errors::unavailable;
use crate::http::openapi::responses::{ResponseMap, Responses};
use crate::http::openapi::schemas::text;
use crate::telemetry::GaugeValues;

/// The `Cache-Control` of the metrics: their values change all the time.
const CACHE_POLICY: &str = "no-store";

/// Metrics for Prometheus
///
/// A request from the service's own machine needs no token if its `Host` is `localhost`, a loopback address or the
/// listener's address, and no proxy has forwarded it.
#[utoipa::path(
    get, path = "/metrics", operation_id = "metrics",
    responses(MetricsResponses),
    security((), ("bearer" = ["backup:admin"])),
)]
pub async fn show_metrics(request: HttpRequest, state: Data<AppState>) -> Result<HttpResponse, ApiError> {
    if !is_local(&request, &state.addresses.management) {
        Authorized::<AdminScope>::extract(&request).await?;
    }
    let values = GaugeValues {
        uploads_open: state.vault.live.ids().len(),
        downloads_open: state.vault.downloads.count(),
        systems_waiting: state.vault.waiters.count(),
        connections: state.vault.db.used(),
    };
    let failed = |error| {
        log::error!("could not render the metrics: {error}");
        ApiError::Unavailable { details: "metrics" }
    };
    // Without the database there are no such numbers, and the rest is needed all the more.
    let systems = state.fleet.system_numbers().await;
    let systems = systems.map(|numbers| numbers.render()).transpose().map_err(failed)?;
    let text = state.vault.metrics.render(&values).map_err(failed)? + &systems.unwrap_or_default();
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"))
        .insert_header((CACHE_CONTROL, CACHE_POLICY))
        .body(text))
}

/// Whether the request comes from this machine, not through a proxy on it, and not from a web page that uses DNS
/// rebinding.
fn is_local(request: &HttpRequest, api: &ApiAddress) -> bool {
    let forwarded = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
    let through_a_proxy = forwarded.iter().any(|name| request.headers().contains_key(*name));
    let from_loopback = request.peer_addr().is_some_and(|peer| peer.ip().to_canonical().is_loopback());
    from_loopback && !through_a_proxy && host::names_this_machine(request, api)
}

struct MetricsResponses;

impl IntoResponses for MetricsResponses {
    fn responses() -> ResponseMap {
        let sample = "# TYPE strongroom_uploads_open gauge\nstrongroom_uploads_open 3\n";
        let body = ("text/plain; version=0.0.4; charset=utf-8", text(), json!(sample));
        let errors = [
            ApiError::InvalidToken,
            ApiError::InsufficientScope { needed: "backup:admin" },
            unavailable("metrics"),
            unavailable("token keys"),
        ];
        Responses::default()
            .other(200, "All metrics of this process.", [body], &[])
            .with_headers(&[("Cache-Control", CACHE_POLICY)])
            .errors(errors)
            .into()
    }
}
