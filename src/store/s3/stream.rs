//! Streams a body of known length: one request, nothing gathered. The connection's own task takes chunk after chunk from
//! the body, so that a byte changes threads once between the client's connection and the engine's. At most a chunk and a
//! connection's buffer are in flight.

use std::io;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use rusoto_core::ByteStream;
use rusoto_s3::{PutObjectRequest, S3};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Duration, sleep};

use super::call_error::CallError;
use super::calls::require_e_tag;
use super::metadata::user_metadata;
use super::put_context::{FINISH_TIMEOUTS, PutContext, PutFailure};
use crate::store::{PutBody, PutError, StoreError, Watchdog};

/// The call itself has no limit: [`STALL_TIMEOUT`] holds until the body's end, and then [`FINISH_TIMEOUTS`].
const UNLIMITED: Duration = Duration::from_secs(366 * 86_400);
/// The longest time in which the engine may read no bytes.
const STALL_TIMEOUT: Duration = Duration::from_secs(15);

struct StreamProgress {
    /// Runs until the body's end.
    watchdog: Watchdog,
    /// `true`: the connection has received all bytes; `false`: it never will. Unset: this is not decided yet.
    complete: OnceLock<bool>,
    /// Notified when the connection has received all bytes.
    ended: Notify,
}

impl StreamProgress {
    /// Returns whether the connection may receive the last bytes, which is not so after the put was closed.
    fn try_complete(&self) -> bool {
        *self.complete.get_or_init(|| true)
    }

    /// Returns whether the connection has received the last bytes. If not, it never will, although its task may live a little
    /// longer.
    fn close(&self) -> bool {
        *self.complete.get_or_init(|| false)
    }
}

pub(super) async fn run(
    put: PutContext,
    body: StreamedBody,
    result: &mut oneshot::Sender<Result<(), StoreError>>,
) -> Result<(), PutFailure> {
    let progress = Arc::clone(&body.progress);
    let request = PutObjectRequest {
        bucket: put.client.bucket.clone(),
        key: put.key.to_string(),
        content_type: Some(put.metadata.mimetype.clone()),
        metadata: Some(user_metadata(&put.metadata)),
        body: Some(body.into_stream()),
        ..PutObjectRequest::default()
    };
    let client = put.client.unpooled.clone();
    let name = format!("PutObject {}", put.key);
    let call = put.client.call(&name, UNLIMITED, async move {
        let stored = client.put_object(request).await?;
        require_e_tag(stored.e_tag)
    });
    let mut call = std::pin::pin!(call);
    let answer = tokio::select! {
        answer = &mut call => answer.map(drop),
        () = async { progress.ended.notified().await; sleep(FINISH_TIMEOUTS.total).await } => {
            Err(CallError::timed_out(FINISH_TIMEOUTS.total))
        }
        () = progress.watchdog.expired(STALL_TIMEOUT) => Err(CallError::timed_out(STALL_TIMEOUT)),
        // The put is aborted. Dropping the call cuts off an unfinished body. If the engine has the whole body, it may store
        // the object at any moment, so wait for its answer.
        () = result.closed() => {
            let maybe_stored = progress.close();
            if maybe_stored {
                let _ = tokio::time::timeout(FINISH_TIMEOUTS.total, &mut call).await;
            }
            return Err(PutFailure { maybe_stored, ..PutFailure::aborted() });
        }
    };
    let complete = progress.close();
    fail_point!("s3.streamed");
    match answer {
        Ok(()) if complete => Ok(()),
        Ok(()) => {
            Err(PutFailure::not_stored(CallError::transient("the engine answered before the body's end")))
        }
        Err(error) => Err(PutFailure { error: Some(error), maybe_stored: complete }),
    }
}

/// A body from which the connection takes its chunks.
pub(super) struct StreamedBody {
    body: PutBody,
    /// The body's declared length in bytes.
    declared: u64,
    /// The number of bytes so far.
    got: u64,
    progress: Arc<StreamProgress>,
    broke: oneshot::Sender<PutError>,
}

impl StreamedBody {
    /// Returns the body, and a receiver of the error that interrupts it. The caller then has to abort the put.
    pub(super) fn new(body: PutBody, declared: u64) -> (Self, oneshot::Receiver<PutError>) {
        let (broke, broken) = oneshot::channel();
        let progress =
            StreamProgress { watchdog: Watchdog::new(), complete: OnceLock::new(), ended: Notify::new() };
        (Self { body, declared, got: 0, progress: Arc::new(progress), broke }, broken)
    }

    fn into_stream(self) -> ByteStream {
        let size = usize::try_from(self.declared).unwrap_or(usize::MAX);
        ByteStream::new_with_size(stream::unfold(Some(self), async |body| body?.next().await), size)
    }

    async fn next(mut self) -> Option<(io::Result<Bytes>, Option<Self>)> {
        self.progress.watchdog.pause();
        let aborted = || Some((Err(io::Error::other("the put was aborted")), None));
        match self.next_chunk().await {
            Ok(chunk) if self.got < self.declared => {
                self.progress.watchdog.start();
                Some((Ok(chunk), Some(self)))
            }
            Ok(last) if self.progress.try_complete() => {
                self.progress.ended.notify_one();
                Some((Ok(last), None))
            }
            Ok(_) => aborted(),
            Err(error) => {
                let _ = self.broke.send(error);
                aborted()
            }
        }
    }

    /// Returns the next chunk. The one that completes the declared length waits for the body's end: with it the engine would
    /// have an object.
    async fn next_chunk(&mut self) -> Result<Bytes, PutError> {
        let mut last = None;
        while let Some(item) = self.body.next().await {
            let chunk = item.map_err(|_| PutError::BodyInterrupted)?;
            if chunk.is_empty() {
                continue;
            }
            self.got += chunk.len() as u64;
            if self.got < self.declared {
                return Ok(chunk);
            }
            if self.got > self.declared {
                break;
            }
            last = Some(chunk);
        }
        last.filter(|_| self.got == self.declared)
            .ok_or(PutError::Length { declared: self.declared, got: self.got })
    }
}
