//! The way of a body from its handler into the upload's task, with room for so many bytes and no
//! more, wherever on the way to the store they are. While the store is busy the room fills, and is
//! then taken in one go: the faster a body comes, the fewer times the threads wake each other.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;

use crate::store::HELD_BACK;

/// What the handler passes on. A channel closed without `End` means that the client is gone: a
/// dropped sender must never look like a clean end.
#[derive(Debug)]
pub(super) enum Part {
    Chunk(Bytes),
    /// And when it was.
    End(Instant),
}

/// Bytes of a body that may be on their way at once.
const ROOM: u32 = 160 << 10;
/// The longest piece, in bytes.
const PIECE: usize = 64 << 10;
/// One piece is withheld until the next has come, and the store may wait for more than it has.
const _: () = assert!(ROOM as usize >= 2 * PIECE + HELD_BACK);
/// Pieces that nobody has taken yet. Small ones are parts of larger buffers.
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
        (Self { parts, room: Arc::new(Semaphore::new(ROOM as usize)) }, received)
    }

    /// Passes a chunk on, as soon as there is room.
    pub async fn chunk(&self, mut chunk: Bytes) -> Result<(), Closed> {
        while !chunk.is_empty() {
            let piece = chunk.split_to(chunk.len().min(PIECE));
            let size = u32::try_from(piece.len()).map_err(|_| Closed)?;
            let room = Arc::clone(&self.room).acquire_many_owned(size).await.map_err(|_| Closed)?;
            let piece = Bytes::from_owner(Held { piece, _room: room });
            self.parts.send(Part::Chunk(piece)).await.map_err(|_| Closed)?;
        }
        Ok(())
    }

    /// The body is over, and all of it has been passed on.
    pub async fn end(self) {
        // If nobody takes it any more, the outcome says why.
        let _ = self.parts.send(Part::End(Instant::now())).await;
    }
}

/// A piece, and the room that it takes up until the last who holds it lets go.
struct Held {
    piece: Bytes,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.piece
    }
}
