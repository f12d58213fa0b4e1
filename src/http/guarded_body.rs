//! A response body that owns a guard until it is dropped: when its last chunk has been sent, or when the response ends.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::Bytes;

/// A body, and a guard that is dropped together with it.
pub(super) struct GuardedBody<T> {
    body: BoxBody,
    _guard: T,
}

impl<T: Unpin + 'static> GuardedBody<T> {
    /// Returns the body with the guard.
    pub(super) fn boxed(body: BoxBody, guard: T) -> BoxBody {
        BoxBody::new(Self { body, _guard: guard })
    }
}

impl<T: Unpin> MessageBody for GuardedBody<T> {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}
