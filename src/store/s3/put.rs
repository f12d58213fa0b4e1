//! A put: which task owns it, and how it is rolled back.
//!
//! A task on the client's runtime owns everything that is in progress with the engine. A body that is streamed moves into
//! that task; of any other body the caller's future sends chunk after chunk, and `End` when the body has ended with its
//! declared length. A put is aborted, for whatever reason (a broken body, a wrong length, a dropped future), by the end of
//! the caller's future: the receiver of the result is dropped, or the channel closes without `End`. The task then cleans up by
//! itself.
//!
//! Three ways to send, by the length of the body:
//! * up to [`MAX_GATHERED_SIZE`] bytes, and a body of unknown length that fits into one part: gathered, and sent with a signed hash,
//!   which the engine verifies; may be repeated;
//! * longer, known length: streamed as it comes (`stream.rs`); can't be repeated;
//! * longer, unknown length: in parts (`multipart.rs`).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::call_error::CallError;
use super::client::Client;
use super::part_memory::PartMemory;
use super::put_context::{ACTION, PutContext, PutFailure, PutMessage};
use super::put_result::{BodyForwarder, PutResultReceiver, roll_back};
use super::stream::StreamedBody;
use super::{multipart, stream};
use crate::domain::object_key::ObjectKey;
use crate::store::{ObjectMetadata, PutBody, PutError, StoreError};

/// The largest body of known length that is gathered, in bytes: as much memory as a stream may use.
const MAX_GATHERED_SIZE: u64 = 64 << 10;
/// How long an answer waits for the roll back, which continues without it.
const ROLL_BACK_TIMEOUT: Duration = Duration::from_secs(2);

/// How the body reaches the task that owns the put.
enum BodySource {
    Streamed(StreamedBody),
    Gathered(mpsc::Receiver<PutMessage>),
}

pub(super) async fn put(
    client: &Arc<Client>,
    memory: &Arc<PartMemory>,
    key: &ObjectKey,
    length: Option<u64>,
    metadata: &ObjectMetadata,
    body: PutBody,
) -> Result<u64, PutError> {
    let context = PutContext {
        client: Arc::clone(client),
        memory: Arc::clone(memory),
        key: key.clone(),
        metadata: metadata.clone(),
    };
    let (sender, receiver) = oneshot::channel();
    let result = PutResultReceiver { receiver, client: Arc::clone(client), key: key.clone() };
    match length.filter(|length| *length > MAX_GATHERED_SIZE) {
        Some(length) => {
            let (body, broken) = StreamedBody::new(body, length);
            spawn(context, BodySource::Streamed(body), sender);
            result.receive_unless(broken).await.map(|()| length)
        }
        None => {
            let (messages, receiver) = mpsc::channel(1);
            spawn(context, BodySource::Gathered(receiver), sender);
            BodyForwarder { messages, result }.run(length, body).await
        }
    }
}

/// Spawns the task that owns a put.
fn spawn(context: PutContext, body: BodySource, mut sender: oneshot::Sender<Result<(), StoreError>>) {
    let (client, key) = (Arc::clone(&context.client), context.key.clone());
    let owner = Arc::clone(&client);
    client.spawn(async move {
        let done = match body {
            BodySource::Streamed(body) => stream::run(context, body, &mut sender).await,
            BodySource::Gathered(messages) => multipart::run(context, messages).await,
        };
        let result = match done {
            Ok(()) => Ok(()),
            Err(PutFailure { error, maybe_stored }) => {
                if maybe_stored {
                    let rolled_back = owner.spawn(roll_back(Arc::clone(&owner), key.clone()));
                    let _ = timeout(ROLL_BACK_TIMEOUT, rolled_back).await;
                }
                let error = error.unwrap_or_else(|| CallError::transient("aborted"));
                Err(error.into_unavailable(ACTION))
            }
        };
        if let Err(Ok(())) = sender.send(result) {
            roll_back(Arc::clone(&owner), key).await;
        }
    });
}
