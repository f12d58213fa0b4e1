//! State that the stream (below actix-http) and the middleware (above it) share about the request being answered.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};

use actix_web::body::BoxBody;
use actix_web::dev::{ResponseHead, ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::ConnectionType;
use actix_web::middleware::Next;

use super::malformed::MalformedRequest;
use crate::http::guarded_body::GuardedBody;

/// The current request of a connection and the response to it. Handlers find it in the connection's data.
#[derive(Default)]
pub struct Exchange {
    responding: Cell<bool>,
    last: Cell<bool>,
    malformed_body: Cell<Option<MalformedRequest>>,
    /// Wakes the connection's task, which waits for the response.
    waiting: RefCell<Option<Waker>>,
}

impl Exchange {
    /// The error, if the request's body is malformed; the client is then still connected. `None` if the body is complete or
    /// the client has disconnected.
    pub fn malformed_body(&self) -> Option<MalformedRequest> {
        self.malformed_body.get()
    }

    /// Marks the response as the connection's last one: what follows the request is discarded.
    pub(super) fn close_afterwards(&self) {
        self.last.set(true);
    }

    pub(super) fn begin(&self) {
        self.responding.set(true);
    }

    pub(super) fn is_responding(&self) -> bool {
        self.responding.get()
    }

    pub(super) fn is_last(&self) -> bool {
        self.last.get()
    }

    pub(super) fn set_malformed_body(&self, error: MalformedRequest) {
        self.malformed_body.set(Some(error));
    }

    /// Ends the exchange, because the response has been encoded.
    pub(super) fn end(&self) {
        self.responding.set(false);
        if let Some(waiting) = self.waiting.take() {
            waiting.wake();
        }
    }

    /// Wakes the connection's task when the response has been encoded.
    pub(super) fn wake_when_encoded(&self, context: &Context<'_>) {
        self.waiting.replace(Some(context.waker().clone()));
    }
}

/// Ends the exchange when this guard is dropped. The response's body owns the guard, and the library drops the body when it
/// has encoded all of it.
struct ResponseGuard(Rc<Exchange>);

impl Drop for ResponseGuard {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// The outermost middleware: the next request may be read when the response to this one has been encoded.
pub async fn one_request_at_a_time(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let Some(exchange) = request.conn_data::<Rc<Exchange>>().cloned() else {
        return next.call(request).await;
    };
    let responding = ResponseGuard(Rc::clone(&exchange));
    let client_closes = request.head().connection_type() == ConnectionType::Close;
    let set_connection_type = |head: &mut ResponseHead| {
        if exchange.malformed_body().is_some() {
            head.set_connection_type(ConnectionType::Close);
        }
        if client_closes || head.connection_type() == ConnectionType::Close {
            exchange.close_afterwards();
        }
    };
    let body = |body| GuardedBody::boxed(body, responding);
    match next.call(request).await {
        Ok(mut response) => {
            set_connection_type(response.response_mut().head_mut());
            Ok(response.map_body(|_, answer| body(answer)))
        }
        // The library turns an error into a response, too. The next request must not overtake that response either.
        Err(error) => {
            let mut response = error.error_response();
            set_connection_type(response.head_mut());
            Err(InternalError::from_response(error, response.map_body(|_, answer| body(answer))).into())
        }
    }
}
