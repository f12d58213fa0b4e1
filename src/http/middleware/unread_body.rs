//! Makes sure that the client receives a response that is sent before the request's body was read.
//!
//! If the connection were closed with unread bytes in its socket, the kernel would reset it and the client would lose the
//! response. So this middleware reads and discards up to 64 KiB of an unread body, if these bytes are available at once,
//! and the connection is kept. If there is more, the response says `Connection: close`, and its body owns the request's
//! payload until it is flushed: then the server sees that the payload is unfinished, and continues to read for
//! `client_disconnect_timeout` before it closes the connection. The middleware must set the header, not the server: if the
//! whole body has arrived by then, the server would keep the connection, although all further bytes on it are discarded
//! ([`crate::http::framing::one_request_at_a_time`] goes by the header).

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::HttpMessage;
use actix_web::body::BoxBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::ConnectionType;
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::task::yield_now;

use crate::http::guarded_body::GuardedBody;

/// The most bytes of an unread body that are read and discarded.
const MAX_DRAINED: usize = 64 * 1024;
/// How many times the middleware lets the server read more. The server reads in steps of half of [`MAX_DRAINED`].
const MAX_YIELDS: usize = 4;

/// The request's payload, shared by the handler and this middleware.
#[derive(Clone)]
struct SharedPayload(Rc<RefCell<Body>>);

struct Body {
    payload: Payload,
    ended: bool,
}

impl Stream for SharedPayload {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut body = self.0.borrow_mut();
        if body.ended {
            return Poll::Ready(None);
        }
        let item = Pin::new(&mut body.payload).poll_next(context);
        body.ended = matches!(item, Poll::Ready(None | Some(Err(_))));
        item
    }
}

impl SharedPayload {
    fn ended(&self) -> bool {
        self.0.borrow().ended
    }

    /// Discards what is available at once. It does not wait for a client that sends slowly.
    async fn drain(&mut self) {
        let (mut drained, mut yields) = (0, 0);
        while !self.ended() && drained <= MAX_DRAINED {
            match futures_util::poll!(self.next()) {
                Poll::Ready(Some(Ok(chunk))) => drained += chunk.len(),
                Poll::Ready(_) => {}
                Poll::Pending if yields < MAX_YIELDS => {
                    yields += 1;
                    yield_now().await;
                }
                Poll::Pending => return,
            }
        }
    }
}

/// The middleware around every route.
pub async fn deliver_early_response(
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let payload = request.take_payload();
    if matches!(payload, Payload::None) {
        return next.call(request).await;
    }
    let mut shared = SharedPayload(Rc::new(RefCell::new(Body { payload, ended: false })));
    request.set_payload(Payload::Stream { payload: Box::pin(shared.clone()) });
    let mut response = next.call(request).await?;
    shared.drain().await;
    if shared.ended() {
        return Ok(response);
    }
    response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    Ok(response.map_body(|_, body| GuardedBody::boxed(body, shared)))
}
