//! The parts that all ways to send an object share.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::call_error::CallError;
use super::calls::CallTimeouts;
use super::client::Client;
use super::part_memory::PartMemory;
use crate::domain::object_key::ObjectKey;
use crate::store::ObjectMetadata;

pub(super) const ACTION: &str = "write the object";
/// The timeouts of all calls between the body's end and the engine's last answer.
pub(super) const FINISH_TIMEOUTS: CallTimeouts =
    CallTimeouts { attempt: Duration::from_secs(10), total: Duration::from_secs(15) };

/// The state of the task that owns a put.
pub(super) struct PutContext {
    pub(super) client: Arc<Client>,
    pub(super) memory: Arc<PartMemory>,
    pub(super) key: ObjectKey,
    pub(super) metadata: ObjectMetadata,
}

/// A message from the caller's future to the task that owns the put.
pub(super) enum PutMessage {
    Chunk(Bytes),
    End,
}

/// A put that did not succeed.
pub(super) struct PutFailure {
    /// `None`: the put was aborted.
    pub(super) error: Option<CallError>,
    /// Whether the engine may have received all of the body.
    pub(super) maybe_stored: bool,
}

impl PutFailure {
    /// The engine has not received all of the body.
    pub(super) fn not_stored(error: CallError) -> Self {
        Self { error: Some(error), maybe_stored: false }
    }

    pub(super) fn aborted() -> Self {
        Self { error: None, maybe_stored: false }
    }
}

/// Sends a body that is in memory.
pub(super) async fn send_whole(
    client: &Client,
    key: &ObjectKey,
    metadata: &ObjectMetadata,
    body: Bytes,
    deadline: Instant,
) -> Result<(), PutFailure> {
    use sha2::{Digest, Sha256};
    let sha256 = metadata.sha256.unwrap_or_else(|| Sha256::digest(&body).into());
    let metadata = ObjectMetadata { sha256: Some(sha256), ..metadata.clone() };
    let request = || client.put_request(key, &metadata, body.clone());
    match client.send(FINISH_TIMEOUTS.until(deadline), request).await {
        Ok(_) => {
            fail_point!("s3.sent");
            Ok(())
        }
        Err(error) => Err(PutFailure { maybe_stored: error.is_transient(), error: Some(error) }),
    }
}
