//! Measures each request, for the metrics (by route and status) and for the access log.

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

use crate::http::access_log::AccessLine;
use crate::http::api::Api;
use crate::http::app_state::AppState;
use crate::http::extractors::remote_addr::RemoteAddr;
use crate::telemetry::{Metrics, RequestLabels};

/// A response's body that reports to the metrics and to the access log when it is dropped, whether it was sent or aborted.
struct MeasuredBody {
    body: BoxBody,
    metrics: Metrics,
    request: RequestLabels,
    status: u16,
    sent: u64,
    started: Instant,
    line: Option<AccessLine>,
}

impl Drop for MeasuredBody {
    fn drop(&mut self) {
        if let Some(line) = &mut self.line {
            line.sent = self.sent;
        }
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
pub async fn record_request(
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let Some(state) = request.app_data::<Data<AppState>>().cloned() else { return next.call(request).await };
    let started = Instant::now();
    let metrics = state.vault.metrics.clone();
    // If the client disconnects before the response, the future is dropped, and the line is logged without a status.
    let mut line = AccessLine::start(&request, || RemoteAddr::from_http_request(request.request()).0);
    let labels = RequestLabels {
        api: request.app_data::<Api>().map_or("none", Api::name),
        method: method_name(request.method()),
        route: request.match_pattern().unwrap_or_else(|| "none".to_owned()),
    };
    let payload = request.take_payload();
    if !matches!(payload, Payload::None) {
        let received = metrics.received(&labels);
        let for_line = line.as_ref().map(AccessLine::received);
        let counted = payload.inspect(move |chunk| {
            let Ok(chunk) = chunk else { return };
            received(chunk.len() as u64);
            if let Some(bytes) = &for_line {
                bytes.set(bytes.get() + chunk.len() as u64);
            }
        });
        request.set_payload(Payload::Stream { payload: Box::pin(counted) });
    }
    let response = match next.call(request).await {
        Ok(response) => response,
        Err(error) => {
            if let Some(line) = &mut line {
                line.status = Some(error.as_response_error().status_code());
            }
            return Err(error);
        }
    };
    if let Some(line) = &mut line {
        line.respond(response.status(), response.request());
    }
    let status = response.status().as_u16();
    Ok(response.map_body(|_, body| {
        BoxBody::new(MeasuredBody { body, metrics, request: labels, status, sent: 0, started, line })
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
