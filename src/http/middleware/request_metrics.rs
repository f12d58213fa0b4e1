//! Counts and times each request for the metrics, by route and status.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use actix_web::HttpMessage;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};
use futures_util::StreamExt;

use crate::http::api::Api;
use crate::http::app_state::AppState;
use crate::telemetry::{Metrics, RequestLabels};

/// A response's body that reports to the metrics when it is dropped, whether it was sent or aborted.
struct MeasuredBody {
    body: BoxBody,
    metrics: Metrics,
    request: RequestLabels,
    status: u16,
    sent: u64,
    started: Instant,
}

impl Drop for MeasuredBody {
    fn drop(&mut self) {
        self.metrics.answered(&self.request, self.status, self.sent, self.started.elapsed());
    }
}

impl MessageBody for MeasuredBody {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_next(context);
        if let Poll::Ready(Some(Ok(chunk))) = &polled {
            self.sent += chunk.len() as u64;
        }
        polled
    }
}

/// The middleware around every route.
pub async fn record_request_metrics(
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let Some(state) = request.app_data::<Data<AppState>>().cloned() else { return next.call(request).await };
    let started = Instant::now();
    let metrics = state.vault.metrics.clone();
    let labels = RequestLabels {
        api: request.app_data::<Api>().map_or("none", Api::name),
        method: method_name(request.method()),
        route: request.match_pattern().unwrap_or_else(|| "none".to_owned()),
    };
    let payload = request.take_payload();
    if !matches!(payload, Payload::None) {
        let received = metrics.received(&labels);
        let counted = payload.inspect(move |chunk| {
            if let Ok(chunk) = chunk {
                received(chunk.len() as u64);
            }
        });
        request.set_payload(Payload::Stream { payload: Box::pin(counted) });
    }
    let response = next.call(request).await?;
    let status = response.status().as_u16();
    Ok(response.map_body(|_, body| {
        BoxBody::new(MeasuredBody { body, metrics, request: labels, status, sent: 0, started })
    }))
}

/// The method's name from a fixed set: clients may invent methods, and the metrics must not grow with them.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
