//! What the two ends of a connection's service tell each other: the stream below the library, and the middleware above.

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

/// A connection's request, and the answer to it. Handlers find it in the connection's data.
#[derive(Default)]
pub struct Exchange {
    answering: Cell<bool>,
    last: Cell<bool>,
    malformed_body: Cell<Option<MalformedRequest>>,
    /// Of the connection's task, while it waits for the answer.
    waiting: RefCell<Option<Waker>>,
}

impl Exchange {
    /// Why the request's body ended before its end, if that is not because the client is gone.
    pub fn malformed_body(&self) -> Option<MalformedRequest> {
        self.malformed_body.get()
    }

    /// The connection is closed after this answer: what comes behind the request is not looked at.
    pub(super) fn close_afterwards(&self) {
        self.last.set(true);
    }

    pub(super) fn begin(&self) {
        self.answering.set(true);
    }

    pub(super) fn is_answering(&self) -> bool {
        self.answering.get()
    }

    pub(super) fn is_last(&self) -> bool {
        self.last.get()
    }

    pub(super) fn break_body(&self, error: MalformedRequest) {
        self.malformed_body.set(Some(error));
    }

    /// The answer has been encoded.
    pub(super) fn end(&self) {
        self.answering.set(false);
        if let Some(waiting) = self.waiting.take() {
            waiting.wake();
        }
    }

    /// Has the connection's task woken when the answer has been encoded.
    pub(super) fn wake_when_answered(&self, context: &Context<'_>) {
        self.waiting.replace(Some(context.waker().clone()));
    }
}

/// Ends the exchange when it is dropped: with the response's body, when the library has encoded all of it.
struct ResponseGuard(Rc<Exchange>);

impl Drop for ResponseGuard {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// The middleware around all that make a response: the next request may be read when the answer of this one has been encoded.
pub async fn one_request_at_a_time(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let Some(exchange) = request.conn_data::<Rc<Exchange>>().cloned() else {
        return next.call(request).await;
    };
    let answering = ResponseGuard(Rc::clone(&exchange));
    let asked_to_close = request.head().connection_type() == ConnectionType::Close;
    let settle = |head: &mut ResponseHead| {
        if exchange.malformed_body().is_some() {
            head.set_connection_type(ConnectionType::Close);
        }
        if asked_to_close || head.connection_type() == ConnectionType::Close {
            exchange.close_afterwards();
        }
    };
    let body = |body| GuardedBody::boxed(body, answering);
    match next.call(request).await {
        Ok(mut response) => {
            settle(response.response_mut().head_mut());
            Ok(response.map_body(|_, answer| body(answer)))
        }
        // The library makes an answer of an error as well, which the next request must not overtake either.
        Err(error) => {
            let mut response = error.error_response();
            settle(response.head_mut());
            Err(InternalError::from_response(error, response.map_body(|_, answer| body(answer))).into())
        }
    }
}
