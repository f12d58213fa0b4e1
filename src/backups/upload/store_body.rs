//! Streams the body of an upload into the store, within timeouts.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::body_receiver::BodyReceiver;
use super::body_stream::{BodyProgress, body_for_store};
use crate::backups::error::Outage;
use crate::backups::{UploadError, Vault};
use crate::db::accounting::Admission;
use crate::store::{BodySummary, ObjectMetadata, PutError};

/// The longest time that a store may take to handle a chunk before it polls for the next one.
const STORE_STALL_TIMEOUT: Duration = Duration::from_secs(15);
/// How long after the last byte the store may take to finish: well below the 30 s within which the client receives its answer.
pub(super) const STORE_TIMEOUT: Duration = Duration::from_secs(18);

impl Vault {
    /// Streams the body into the store. Returns the summary of the body, and when its last byte arrived.
    pub(super) async fn store_body(
        &self,
        admission: &Admission,
        receiver: BodyReceiver,
    ) -> Result<(BodySummary, Instant), UploadError> {
        let length = receiver.length;
        let metadata = object_metadata(admission);
        let (body, BodyProgress { mut outcome, watchdog }) = body_for_store(receiver);
        let mut put = pin!(self.store.put(&admission.object_key, length, &metadata, body));
        let mut stored = None;
        let received_body = loop {
            tokio::select! {
                biased;
                // Closed if the store dropped the body. The result of the put then has the cause, and is checked below.
                body = &mut outcome => break body.unwrap_or(Err(UploadError::Interrupted)),
                result = &mut put, if stored.is_none() => match result {
                    // The store failed before the end of the body.
                    Err(error @ PutError::Store(_)) => return Err(error.into()),
                    result => stored = Some(result),
                },
                () = watchdog.expired(STORE_STALL_TIMEOUT) => {
                    return Err(store_error(&"it stopped taking the body"));
                }
            }
        };
        // Wait for the store after a failed body as well: it cleans up before it returns.
        let last_byte = received_body.as_ref().map_or_else(|_| Instant::now(), |(_, at)| *at);
        let stored = match stored {
            Some(result) => Ok(result),
            None => timeout_at(last_byte + STORE_TIMEOUT, &mut put).await,
        };
        // An error of the store takes precedence: it is the cause, and the interrupted body its effect.
        if let Ok(Err(error @ PutError::Store(_))) = stored {
            return Err(error.into());
        }
        let (body, _) = received_body?;
        match stored {
            Ok(Ok(size)) if size == body.size => Ok((body, last_byte)),
            Ok(Ok(size)) => Err(store_error(&format!("it kept {size} of {} bytes", body.size))),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(out_of_time()),
        }
    }
}

/// Returns what is kept with the object of an upload.
pub(super) fn object_metadata(admission: &Admission) -> ObjectMetadata {
    ObjectMetadata {
        filename: admission.filename.as_str().to_owned(),
        mimetype: admission.mimetype.as_str().to_owned(),
        system_id: admission.system_id,
        sha256: None,
    }
}

/// Returns the error of a store that has not finished in time.
pub(super) fn out_of_time() -> UploadError {
    store_error(&"it did not finish in time")
}

/// Returns an error of the store that the store itself did not report.
fn store_error(cause: &impl ToString) -> UploadError {
    UploadError::Unavailable(Outage::store(cause))
}
