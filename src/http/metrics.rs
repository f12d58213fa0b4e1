//! `GET /metrics`, for Prometheus: on this machine, or with a token.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse};

use super::bearer::{Admin, Allowed};
use super::error::ApiError;
use super::{AppState, docs};

/// Metrics for Prometheus
///
/// From this machine no token is needed, unless a proxy forwards the request.
#[utoipa::path(
    get, path = "/metrics", tag = "Health", operation_id = "metrics",
    responses(docs::manage::Metrics),
    security((), ("bearer" = ["backup:admin"])),
)]
pub async fn metrics(request: HttpRequest, state: Data<AppState>) -> Result<HttpResponse, ApiError> {
    if !is_local(&request) {
        Allowed::<Admin>::extract(&request).await?;
    }
    let busy = state.vault.db.used();
    let text = state.metrics.render(state.vault.live.ids().len(), &busy).map_err(|error| {
        log::error!("render the metrics: {error}");
        ApiError::Unavailable { details: "metrics" }
    })?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(text))
}

/// From this machine, and not through a proxy on it.
fn is_local(request: &HttpRequest) -> bool {
    let forwarded = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
    let through_a_proxy = forwarded.iter().any(|name| request.headers().contains_key(*name));
    !through_a_proxy && request.peer_addr().is_some_and(|peer| peer.ip().to_canonical().is_loopback())
}
