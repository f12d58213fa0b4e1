//! The way of a body from its handler to the upload's task: a channel that is bounded in bytes, however few or many
//! chunks they come in. While the store is busy the channel fills, and is then emptied in one go: so the faster a body
//! comes, the less often the two threads wake each other.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;

/// What the handler passes on. If the channel is closed without `End`, the client is gone: a dropped sender must never
/// look like the end of a body.
#[derive(Debug)]
pub(super) enum BodyMessage {
    /// A piece of the body, with the room that it takes up until it is dropped.
    Chunk(Bytes, OwnedSemaphorePermit),
    /// The end, and when it came.
    End(Instant),
    /// What comes next is not a body, and why.
    Malformed(&'static str),
}

/// Bytes of a body that may wait in the channel.
const ROOM: usize = 96 << 10;
/// The longest piece, in bytes: a chunk of a connection may be larger than all the room there is.
const PIECE: usize = 32 << 10;
/// Pieces that may wait. Few, because a small piece may keep a large buffer alive that it is a part of.
const PIECES: usize = 8;

/// The handler's end.
pub struct BodySender {
    messages: mpsc::Sender<BodyMessage>,
    room: Arc<Semaphore>,
}

/// The upload takes nothing more of the body; its outcome says why.
#[derive(Debug)]
pub struct Closed;

impl BodySender {
    pub(super) fn new() -> (Self, mpsc::Receiver<BodyMessage>) {
        let (messages, received) = mpsc::channel(PIECES);
        (Self { messages, room: Arc::new(Semaphore::new(ROOM)) }, received)
    }

    /// Passes a chunk on, as soon as there is room.
    pub async fn chunk(&self, mut chunk: Bytes) -> Result<(), Closed> {
        while !chunk.is_empty() {
            let piece = chunk.split_to(chunk.len().min(PIECE));
            let size = u32::try_from(piece.len()).map_err(|_| Closed)?;
            let room = Arc::clone(&self.room).acquire_many_owned(size).await.map_err(|_| Closed)?;
            self.messages.send(BodyMessage::Chunk(piece, room)).await.map_err(|_| Closed)?;
        }
        Ok(())
    }

    /// The body ends here without being over, because what follows is malformed.
    pub async fn malformed(self, what: &'static str) {
        let _ = self.messages.send(BodyMessage::Malformed(what)).await;
    }

    /// The body is over, and all of it has been passed on.
    pub async fn end(self) {
        // An upload that takes nothing more has an outcome that says why.
        let _ = self.messages.send(BodyMessage::End(Instant::now())).await;
    }
}
