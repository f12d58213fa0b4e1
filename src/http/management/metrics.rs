//! `GET /metrics`, for Prometheus: on this machine, or with a token.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse};

use crate::http::app_state::AppState;
use crate::http::base_urls::ApiAddress;
use crate::http::docs;
use crate::http::errors::ApiError;
use crate::http::extractors::bearer::{Admin, Allowed};
use crate::http::headers::host;
use crate::telemetry::GaugeValues;

/// They are true for a moment.
pub const CACHED: &str = "no-store";

/// Metrics for Prometheus
///
/// From this machine no token is needed, if its `Host` is `localhost`, a loopback address or the address that is
/// listened on, and no proxy forwards the request.
#[utoipa::path(
    get, path = "/metrics", tag = "Health", operation_id = "metrics",
    responses(docs::manage::Metrics),
    security((), ("bearer" = ["backup:admin"])),
)]
pub async fn metrics(request: HttpRequest, state: Data<AppState>) -> Result<HttpResponse, ApiError> {
    if !is_local(&request, &state.addresses.management) {
        Allowed::<Admin>::extract(&request).await?;
    }
    let values = GaugeValues {
        uploads_open: state.vault.live.ids().len(),
        downloads_open: state.vault.downloads.count(),
        systems_waiting: state.vault.waiters.count(),
        connections: state.vault.db.used(),
    };
    let text = state.vault.metrics.render(&values).map_err(|error| {
        log::error!("render the metrics: {error}");
        ApiError::Unavailable { details: "metrics" }
    })?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"))
        .insert_header((CACHE_CONTROL, CACHED))
        .body(text))
}

/// From this machine, and neither through a proxy on it nor by a web page that took its address for a name.
fn is_local(request: &HttpRequest, api: &ApiAddress) -> bool {
    let forwarded = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
    let through_a_proxy = forwarded.iter().any(|name| request.headers().contains_key(*name));
    let from_here = request.peer_addr().is_some_and(|peer| peer.ip().to_canonical().is_loopback());
    from_here && !through_a_proxy && host::asked_for_here(request, api)
}
