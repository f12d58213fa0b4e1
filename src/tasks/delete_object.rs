//! Deletes an object, with retries: for the tasks that clean up.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::domain::object_key::ObjectKey;
use crate::store::BlobStore;

const ATTEMPTS: u32 = 3;
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// Deletes an object in at most [`ATTEMPTS`] attempts.
pub(super) async fn delete_object(store: &dyn BlobStore, key: &str) -> Result<(), String> {
    let key = ObjectKey::parse(key).map_err(|_| format!("{key:?} is no object key"))?;
    let mut pause = Duration::from_millis(100);
    for attempt in 1.. {
        let error = match timeout(ATTEMPT_TIMEOUT, store.delete(&key)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the store does not answer".to_owned(),
        };
        if attempt == ATTEMPTS {
            return Err(error);
        }
        sleep(pause).await;
        pause *= 2;
    }
    Ok(())
}
