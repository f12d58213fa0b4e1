//! The body of an upload as the store reads it. The last chunk is withheld until length and digests are verified, so that a
//! bad upload never becomes an object.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures_util::stream;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::body_receiver::{BodyItem, BodyReceiver};
use crate::backups::UploadError;
use crate::domain::body_rate::BodyRateCheck;
use crate::store::{BodyInterrupted, BodyMeter, BodySummary, PutBody, Watchdog};

/// The summary of a received body and the arrival time of its last byte; or why the body can't be stored.
type ReceivedBody = Result<(BodySummary, Instant), UploadError>;

/// Reports the progress of the body to the caller of the store.
pub(super) struct BodyProgress {
    /// Sent at the end of the body; closed without a value if the store drops the body before.
    pub outcome: oneshot::Receiver<ReceivedBody>,
    pub watchdog: Watchdog,
}

/// Returns the body for the store. The body ends without an error only if the [`ReceivedBody`] is `Ok`.
///
/// All work on a chunk is done when the store polls for it, so that a fast body does not change threads more often than
/// necessary.
pub(super) fn body_for_store(receiver: BodyReceiver) -> (PutBody, BodyProgress) {
    let (result, outcome) = oneshot::channel();
    let watchdog = Watchdog::new();
    let progress = BodyProgress { outcome, watchdog: watchdog.clone() };
    let rate = BodyRateCheck::new(receiver.limits.min_rate);
    let body = BodyStream { receiver, meter: BodyMeter::new(), rate, withheld: None, result };
    let body = stream::unfold(Some(body), move |body| {
        let watchdog = watchdog.clone();
        async move {
            watchdog.pause();
            let next = body?.next().await;
            watchdog.start();
            next
        }
    });
    (Box::pin(body), progress)
}

struct BodyStream {
    receiver: BodyReceiver,
    meter: BodyMeter,
    rate: BodyRateCheck,
    /// The previous chunk, which may be the last one.
    withheld: Option<Bytes>,
    result: oneshot::Sender<ReceivedBody>,
}

impl BodyStream {
    async fn next(mut self) -> Option<(Result<Bytes, BodyInterrupted>, Option<Self>)> {
        loop {
            let received = match self.receive().await {
                Ok(BodyItem::Chunk(chunk)) => match self.withheld.replace(chunk) {
                    Some(previous) => return Some((Ok(previous), Some(self))),
                    None => continue,
                },
                Ok(BodyItem::End(at)) => self.receiver.verify(self.meter).map(|summary| (summary, at)),
                Err(error) => Err(error),
            };
            let last = match (&received, self.withheld) {
                (Ok(_), Some(last)) => Ok(last),
                _ => Err(BodyInterrupted),
            };
            fail_point!("upload.received");
            // The result of an aborted upload has no receiver.
            let _ = self.result.send(received);
            return Some((last, None));
        }
    }

    /// Receives the next item; checks, counts and hashes a chunk.
    async fn receive(&mut self) -> Result<BodyItem, UploadError> {
        let item = self.receiver.receive(&mut self.rate).await?;
        if let BodyItem::Chunk(chunk) = &item {
            self.receiver.reserve_up_to(self.meter.count() + chunk.len() as u64).await?;
            self.meter.push(chunk);
            self.receiver.received.store(self.meter.count(), Ordering::Relaxed);
            if let Some(check) = &mut self.receiver.damage {
                check.push(chunk);
            }
            fail_point!("upload.chunk");
        }
        Ok(item)
    }
}
