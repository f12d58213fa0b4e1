//! The caller's side of a put: receives the result of its task, and rolls back an object whose result has no receiver.

use std::sync::Arc;

use futures_util::StreamExt;
use tokio::sync::{mpsc, oneshot};

use super::call_error::CallError;
use super::calls::DEFAULT_TIMEOUTS;
use super::client::Client;
use super::put_context::{ACTION, PutMessage};
use crate::domain::object_key::ObjectKey;
use crate::store::{PutBody, PutError, StoreError};

/// Deletes an object that may have been stored.
pub(super) async fn roll_back(client: Arc<Client>, key: ObjectKey) {
    if let Err(error) = client.delete(DEFAULT_TIMEOUTS, key.as_str()).await {
        // The row of the caller's upload stays, and the object is deleted again with it.
        log::warn!("could not delete the object of a failed put, {key}: {error:?}");
    }
}

/// Receives the result of a put's task. If this is dropped before, an object that was already stored is deleted.
pub(super) struct PutResultReceiver {
    pub(super) receiver: oneshot::Receiver<Result<(), StoreError>>,
    pub(super) client: Arc<Client>,
    pub(super) key: ObjectKey,
}

impl PutResultReceiver {
    async fn receive(&mut self) -> Result<(), PutError> {
        match (&mut self.receiver).await {
            Ok(result) => Ok(result?),
            Err(_) => Err(CallError::transient("its task has ended").into_unavailable(ACTION).into()),
        }
    }

    /// Returns the task's result for a body that it streams, or how that body broke.
    pub(super) async fn receive_unless(
        mut self,
        broken: oneshot::Receiver<PutError>,
    ) -> Result<(), PutError> {
        tokio::select! {
            biased;
            Ok(error) = broken => Err(error),
            result = self.receive() => result,
        }
    }
}

impl Drop for PutResultReceiver {
    fn drop(&mut self) {
        self.receiver.close();
        if let Ok(Ok(())) = self.receiver.try_recv() {
            self.client.spawn(roll_back(Arc::clone(&self.client), self.key.clone()));
        }
    }
}

/// Sends a body that is gathered to the put's task.
pub(super) struct BodyForwarder {
    pub(super) messages: mpsc::Sender<PutMessage>,
    pub(super) result: PutResultReceiver,
}

impl BodyForwarder {
    pub(super) async fn run(mut self, length: Option<u64>, mut body: PutBody) -> Result<u64, PutError> {
        let mut got = 0;
        loop {
            let item = tokio::select! {
                biased;
                early = &mut self.result.receiver => return Err(early_end(early)),
                item = body.next() => item,
            };
            let Some(item) = item else { break };
            let chunk = item.map_err(|_| PutError::BodyInterrupted)?;
            if chunk.is_empty() {
                continue;
            }
            got += chunk.len() as u64;
            if let Some(declared) = length.filter(|declared| got > *declared) {
                return Err(PutError::Length { declared, got });
            }
            self.send(PutMessage::Chunk(chunk)).await?;
        }
        if let Some(declared) = length.filter(|declared| got < *declared) {
            return Err(PutError::Length { declared, got });
        }
        self.send(PutMessage::End).await?;
        self.result.receive().await.map(|()| got)
    }

    async fn send(&mut self, message: PutMessage) -> Result<(), PutError> {
        tokio::select! {
            biased;
            early = &mut self.result.receiver => Err(early_end(early)),
            sent = self.messages.send(message) => match sent {
                Ok(()) => Ok(()),
                // The task has ended, and is about to send its result.
                Err(_) => Err(early_end((&mut self.result.receiver).await)),
            },
        }
    }
}

/// A result that came before the body was over is an error, whatever it says.
fn early_end(result: Result<Result<(), StoreError>, oneshot::error::RecvError>) -> PutError {
    match result {
        Ok(Err(error)) => error.into(),
        _ => CallError::transient("it ended before the body").into_unavailable(ACTION).into(),
    }
}
