//! The channel that carries a body from its handler to the upload's task. The channel is bounded in bytes, whatever the size
//! of the chunks. While the store is busy the channel fills, and is then emptied at once: the faster a body arrives, the
//! less often the two threads wake each other.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, timeout_at};

/// A message from the handler. If the channel is closed without `End`, the client has disconnected: a dropped sender must
/// never look like the end of a body.
#[derive(Debug)]
pub(super) enum BodyMessage {
    /// A piece of the body, with the permit for the channel's capacity that it uses until it is dropped.
    Chunk(Bytes, OwnedSemaphorePermit),
    /// The end of the body, and when it arrived.
    End(Instant),
    /// The rest of the body is malformed. Contains the reason.
    Malformed(&'static str),
}

/// The number of bytes that may wait in the channel.
pub(super) const CAPACITY: usize = 96 << 10;
/// The largest piece, in bytes: a chunk of a connection may be larger than the capacity.
const MAX_PIECE: usize = 32 << 10;
/// The number of pieces that may wait. It is low because a small piece may be a part of a large buffer, which it keeps alive.
const MAX_PIECES: usize = 8;

/// The most messages that are received ahead.
const MAX_AHEAD: usize = 32;

/// The handler's end of the channel.
pub struct BodySender {
    messages: mpsc::Sender<BodyMessage>,
    capacity: Arc<Semaphore>,
}

/// The upload accepts no more of the body. The upload's result is the reason.
#[derive(Debug)]
pub struct Closed;

impl BodySender {
    pub(super) fn new() -> (Self, BodyMessages) {
        let (messages, later) = mpsc::channel(MAX_PIECES);
        let sender = Self { messages, capacity: Arc::new(Semaphore::new(CAPACITY)) };
        (sender, BodyMessages { early: VecDeque::new(), later })
    }

    /// Sends a chunk as soon as the channel has capacity.
    pub async fn chunk(&self, mut chunk: Bytes) -> Result<(), Closed> {
        while !chunk.is_empty() {
            let piece = chunk.split_to(chunk.len().min(MAX_PIECE));
            let size = u32::try_from(piece.len()).map_err(|_| Closed)?;
            let permit = Arc::clone(&self.capacity).acquire_many_owned(size).await.map_err(|_| Closed)?;
            self.messages.send(BodyMessage::Chunk(piece, permit)).await.map_err(|_| Closed)?;
        }
        Ok(())
    }

    /// Ends the upload, because the rest of the body is malformed.
    pub async fn malformed(self, what: &'static str) {
        let _ = self.messages.send(BodyMessage::Malformed(what)).await;
    }

    /// Ends the body, after all of it was sent.
    pub async fn end(self) {
        // If the upload accepts no more, its result is the reason.
        let _ = self.messages.send(BodyMessage::End(Instant::now())).await;
    }
}

/// The task's end of the channel.
pub(super) struct BodyMessages {
    /// What was received ahead, and is still to be read.
    early: VecDeque<BodyMessage>,
    later: mpsc::Receiver<BodyMessage>,
}

impl BodyMessages {
    /// Returns the next message; `None` if the client has disconnected.
    pub async fn next(&mut self) -> Option<BodyMessage> {
        match self.early.pop_front() {
            Some(message) => Some(message),
            None => self.later.recv().await,
        }
    }

    /// Receives messages ahead until the end of the body, and returns when that was; `None` if it does not come within this
    /// time. Whatever was received is still to be read.
    pub async fn receive_ahead(&mut self, limit: Duration) -> Option<Instant> {
        let until = Instant::now() + limit;
        while self.early.len() < MAX_AHEAD {
            let message = timeout_at(until, self.later.recv()).await.ok()??;
            let end = if let BodyMessage::End(at) = message { Some(at) } else { None };
            self.early.push_back(message);
            if end.is_some() {
                return end;
            }
        }
        None
    }

    /// Returns the chunks that were received ahead.
    pub fn chunks_ahead(&self) -> Vec<Bytes> {
        let chunk = |message: &BodyMessage| match message {
            BodyMessage::Chunk(chunk, _) => Some(chunk.clone()),
            BodyMessage::End(_) | BodyMessage::Malformed(_) => None,
        };
        self.early.iter().filter_map(chunk).collect()
    }
}
