//! A body of known length, streamed: one request, nothing gathered. At most a
//! chunk with the caller, one in the channel and a connection's buffer are in flight.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::stream;
use rusoto_core::ByteStream;
use rusoto_s3::{PutObjectRequest, S3};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Duration, sleep};

use super::engine::tagged;
use super::facts::metadata;
use super::put::{FINISH, Failure, Feed, Job};
use super::trouble::Trouble;
use crate::store::StoreError;

/// No limit of the call's own: the caller watches that the engine takes something, and
/// [`FINISH`] begins with the body's end.
const UNLIMITED: Duration = Duration::from_secs(366 * 86_400);

#[derive(Default)]
struct Progress {
    /// All bytes have been handed to the connection.
    complete: AtomicBool,
    /// And that is the body's end.
    ended: Notify,
}

pub(super) async fn run(
    job: Job,
    length: u64,
    tell: &mut oneshot::Sender<Result<(), StoreError>>,
) -> Result<(), Failure> {
    let progress = Arc::new(Progress::default());
    let request = PutObjectRequest {
        bucket: job.engine.bucket.clone(),
        key: job.key.to_string(),
        content_type: Some(job.about.mimetype.clone()),
        metadata: Some(metadata(&job.about)),
        body: Some(body(job.feed, length, Arc::clone(&progress))),
        ..PutObjectRequest::default()
    };
    let client = job.engine.fresh.clone();
    let call = job.engine.call(UNLIMITED, async move {
        let stored = client.put_object(request).await?;
        tagged(stored.e_tag)
    });
    let mut call = std::pin::pin!(call);
    let answer = tokio::select! {
        answer = &mut call => answer.map(drop),
        () = async { progress.ended.notified().await; sleep(FINISH.total).await } => {
            Err(Trouble::late(FINISH.total))
        }
        // Given up. A body that is on its way is cut off, by dropping the call; what the engine has
        // all of may become an object at any moment, so its answer is waited for.
        () = tell.closed() => {
            if progress.complete.load(Ordering::Acquire) {
                let _ = tokio::time::timeout(FINISH.total, &mut call).await;
            }
            let maybe_stored = progress.complete.load(Ordering::Acquire);
            return Err(Failure { maybe_stored, ..Failure::given_up() });
        }
    };
    let complete = progress.complete.load(Ordering::Acquire);
    fail_point!("s3.streamed");
    match answer {
        Ok(()) if complete => Ok(()),
        Ok(()) => Err(Failure::clean(Trouble::passing("the engine answered before the body's end"))),
        Err(trouble) => Err(Failure { trouble: Some(trouble), maybe_stored: complete }),
    }
}

fn body(feed: mpsc::Receiver<Feed>, length: u64, progress: Arc<Progress>) -> ByteStream {
    let next = move |(mut feed, left): (mpsc::Receiver<Feed>, u64)| {
        let progress = Arc::clone(&progress);
        async move {
            if left == 0 {
                return None;
            }
            match feed.recv().await {
                Some(Feed::Chunk(chunk)) => {
                    let left = left.saturating_sub(chunk.len() as u64);
                    if left == 0 {
                        progress.complete.store(true, Ordering::Release);
                        progress.ended.notify_one();
                    }
                    Some((Ok(chunk), (feed, left)))
                }
                Some(Feed::End) | None => {
                    Some((Err(io::Error::other("the body was given up")), (feed, left)))
                }
            }
        }
    };
    let size = usize::try_from(length).unwrap_or(usize::MAX);
    ByteStream::new_with_size(stream::unfold((feed, length), next), size)
}
