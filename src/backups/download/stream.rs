//! The bytes of a download. They end early, with an error, when the authorization is withdrawn.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::open_downloads::DownloadPermit;
use crate::backups::DownloadError;
use crate::store::ObjectBody;

/// The bytes of a download under way.
pub struct DownloadStream {
    body: ObjectBody,
    end: Pin<Box<WaitForCancellationFutureOwned>>,
    permit: DownloadPermit,
}

impl DownloadStream {
    pub(super) fn new(body: ObjectBody, permit: DownloadPermit) -> Self {
        Self { body, end: Box::pin(permit.revoked.clone().cancelled_owned()), permit }
    }

    /// Returns a token that is cancelled when the download has to end, even while its bytes are not read.
    pub fn revoked(&self) -> CancellationToken {
        self.permit.revoked.clone()
    }
}

impl Stream for DownloadStream {
    type Item = Result<Bytes, DownloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.end.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(DownloadError::Revoked)));
        }
        self.body.as_mut().poll_next(context).map_err(DownloadError::Store)
    }
}
