//! The way of a body from its handler into the upload's task: room for so many bytes, however few or
//! many chunks they come in. While the store is busy the room fills, and is then taken in one go: the
//! faster a body comes, the fewer times the threads wake each other.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;

/// What the handler passes on. A channel closed without `End` means that the client is gone: a
/// dropped sender must never look like a clean end.
#[derive(Debug)]
pub(super) enum Part {
    /// And the room that it takes up until it has been received.
    Chunk(Bytes, OwnedSemaphorePermit),
    /// And when it was.
    End(Instant),
}

/// Bytes of a body that may wait for whoever takes them in.
const ROOM: usize = 96 << 10;
/// The longest piece, in bytes: a connection's chunks may be longer than there is room.
const PIECE: usize = 32 << 10;
/// Pieces that may wait. Small ones are parts of larger buffers.
const PIECES: usize = 8;

/// The handler's end.
pub struct Feed {
    parts: mpsc::Sender<Part>,
    room: Arc<Semaphore>,
}

/// Nobody takes the body any more: the upload's outcome says why.
#[derive(Debug)]
pub struct Closed;

impl Feed {
    pub(super) fn new() -> (Self, mpsc::Receiver<Part>) {
        let (parts, received) = mpsc::channel(PIECES);
        (Self { parts, room: Arc::new(Semaphore::new(ROOM)) }, received)
    }

    /// Passes a chunk on, as soon as there is room.
    pub async fn chunk(&self, mut chunk: Bytes) -> Result<(), Closed> {
        while !chunk.is_empty() {
            let piece = chunk.split_to(chunk.len().min(PIECE));
            let size = u32::try_from(piece.len()).map_err(|_| Closed)?;
            let room = Arc::clone(&self.room).acquire_many_owned(size).await.map_err(|_| Closed)?;
            self.parts.send(Part::Chunk(piece, room)).await.map_err(|_| Closed)?;
        }
        Ok(())
    }

    /// The body is over, and all of it has been passed on.
    pub async fn end(self) {
        // If nobody takes it any more, the outcome says why.
        let _ = self.parts.send(Part::End(Instant::now())).await;
    }
}
