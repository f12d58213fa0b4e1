//! A body of known length, streamed: one request, nothing gathered. The connection's own task takes chunk
//! after chunk from the body, so that between the client's connection and the engine's a byte changes threads
//! once. At most a chunk and a connection's buffer are in flight.

use std::io;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use rusoto_core::ByteStream;
use rusoto_s3::{PutObjectRequest, S3};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Duration, sleep};

use super::engine::tagged;
use super::facts::metadata;
use super::put::{FINISH, Failure, Job};
use super::trouble::Trouble;
use crate::store::{PutBody, PutError, StoreError, Watchdog};

/// No limit of the call's own: [`STALL`] until the body's end, and then [`FINISH`].
const UNLIMITED: Duration = Duration::from_secs(366 * 86_400);
/// Longest time without the engine taking anything.
const STALL: Duration = Duration::from_secs(15);

struct Progress {
    /// Until the body's end.
    watchdog: Watchdog,
    /// Whether the connection has got all bytes, or will never.
    complete: OnceLock<bool>,
    /// It has.
    ended: Notify,
}

impl Progress {
    /// Says whether the connection may have the last bytes: not of a put that is over.
    fn completes(&self) -> bool {
        *self.complete.get_or_init(|| true)
    }

    /// Says whether it has got them. If not, it never will: the connection's task may live a little longer.
    fn is_over(&self) -> bool {
        *self.complete.get_or_init(|| false)
    }
}

pub(super) async fn run(
    job: Job,
    source: Source,
    tell: &mut oneshot::Sender<Result<(), StoreError>>,
) -> Result<(), Failure> {
    let progress = Arc::clone(&source.progress);
    let request = PutObjectRequest {
        bucket: job.engine.bucket.clone(),
        key: job.key.to_string(),
        content_type: Some(job.about.mimetype.clone()),
        metadata: Some(metadata(&job.about)),
        body: Some(source.into_stream()),
        ..PutObjectRequest::default()
    };
    let client = job.engine.fresh.clone();
    let name = format!("PutObject {}", job.key);
    let call = job.engine.call(&name, UNLIMITED, async move {
        let stored = client.put_object(request).await?;
        tagged(stored.e_tag)
    });
    let mut call = std::pin::pin!(call);
    let answer = tokio::select! {
        answer = &mut call => answer.map(drop),
        () = async { progress.ended.notified().await; sleep(FINISH.total).await } => {
            Err(Trouble::late(FINISH.total))
        }
        () = progress.watchdog.expired(STALL) => Err(Trouble::late(STALL)),
        // Given up. A body that is on its way is cut off, by dropping the call; what the engine has
        // all of may become an object at any moment, so its answer is waited for.
        () = tell.closed() => {
            let maybe_stored = progress.is_over();
            if maybe_stored {
                let _ = tokio::time::timeout(FINISH.total, &mut call).await;
            }
            return Err(Failure { maybe_stored, ..Failure::given_up() });
        }
    };
    let complete = progress.is_over();
    fail_point!("s3.streamed");
    match answer {
        Ok(()) if complete => Ok(()),
        Ok(()) => Err(Failure::clean(Trouble::passing("the engine answered before the body's end"))),
        Err(trouble) => Err(Failure { trouble: Some(trouble), maybe_stored: complete }),
    }
}

/// A body as the connection takes it.
pub(super) struct Source {
    body: PutBody,
    /// Bytes that it is said to have.
    declared: u64,
    /// Bytes so far.
    got: u64,
    progress: Arc<Progress>,
    broke: oneshot::Sender<PutError>,
}

impl Source {
    /// And the other end, which hears how the body broke. Then the put is to be given up.
    pub(super) fn new(body: PutBody, declared: u64) -> (Self, oneshot::Receiver<PutError>) {
        let (broke, broken) = oneshot::channel();
        let progress =
            Progress { watchdog: Watchdog::new(), complete: OnceLock::new(), ended: Notify::new() };
        (Self { body, declared, got: 0, progress: Arc::new(progress), broke }, broken)
    }

    fn into_stream(self) -> ByteStream {
        let size = usize::try_from(self.declared).unwrap_or(usize::MAX);
        ByteStream::new_with_size(stream::unfold(Some(self), async |source| source?.next().await), size)
    }

    async fn next(mut self) -> Option<(io::Result<Bytes>, Option<Self>)> {
        self.progress.watchdog.rest();
        let given_up = || Some((Err(io::Error::other("the body was given up")), None));
        match self.take().await {
            Ok(chunk) if self.got < self.declared => {
                self.progress.watchdog.start();
                Some((Ok(chunk), Some(self)))
            }
            Ok(last) if self.progress.completes() => {
                self.progress.ended.notify_one();
                Some((Ok(last), None))
            }
            Ok(_) => given_up(),
            Err(error) => {
                let _ = self.broke.send(error);
                given_up()
            }
        }
    }

    /// What comes next. The chunk that completes the declared length waits for the body's end: with it the
    /// engine would have an object.
    async fn take(&mut self) -> Result<Bytes, PutError> {
        let mut last = None;
        while let Some(item) = self.body.next().await {
            let chunk = item.map_err(|_| PutError::Body)?;
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
