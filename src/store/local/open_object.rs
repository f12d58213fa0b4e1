//! An open object: its chunks are read one after the other, the next one while the client takes this one.
//!
//! What the page cache has is read at once, by the thread that serves the client: another thread would have to be woken for each
//! chunk, which costs more than the copy. Everything else is read on a blocking thread.

use std::fs::{File, Metadata};
use std::io::{self, IoSliceMut};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use rustix::io::{ReadWriteFlags, preadv2};
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, yield_now};

use super::disk::{Disk, unavailable};
use super::extended_attributes::ExtendedAttributes;
use super::folder::at;
use crate::domain::range::ByteRange;
use crate::store::{ObjectBody, StoreError};

/// The number of bytes in one read. A download holds twice as many, because it reads one chunk ahead.
const CHUNK: usize = 128 << 10;
/// After this many bytes the thread that serves the client serves others, too: a chunk from the page cache makes it wait for nothing.
/// After a chunk that the page cache lacks, this many bytes are read by blocking threads.
const TURN: u64 = 1 << 20;
pub(super) const ACTION: &str = "read the object";

/// An open object.
pub(super) struct OpenObject {
    shared: Arc<OpenFile>,
}

struct OpenFile {
    file: File,
    /// The path, for messages.
    name: String,
    state: FileState,
}

/// Values that change when the file is written to.
#[derive(PartialEq, Eq)]
struct FileState {
    size: u64,
    modified: (i64, i64),
}

impl FileState {
    fn of(metadata: &Metadata) -> Self {
        Self { size: metadata.len(), modified: (metadata.mtime(), metadata.mtime_nsec()) }
    }
}

impl OpenObject {
    pub(super) fn new(file: File, name: String, metadata: &Metadata) -> Self {
        Self { shared: Arc::new(OpenFile { file, name, state: FileState::of(metadata) }) }
    }

    /// Returns the object's path, for messages.
    pub(super) fn name(&self) -> &str {
        &self.shared.name
    }

    /// Returns the size in bytes.
    pub(super) fn size(&self) -> u64 {
        self.shared.state.size
    }

    /// Reads the metadata that the object's file carries.
    pub(super) async fn attributes(&self, disk: &Arc<Disk>) -> Result<ExtendedAttributes, StoreError> {
        let shared = Arc::clone(&self.shared);
        disk.run(ACTION, move || Ok(ExtendedAttributes::read(&shared.file))).await
    }

    /// Returns its bytes, or those of a range within it.
    pub(super) fn body(self, disk: &Disk, range: Option<ByteRange>) -> ObjectBody {
        let (offset, left) = range.map_or((0, self.size()), |range| (range.first, range.size()));
        let blocking = disk.blocking.clone();
        let reader = ReadAhead { shared: self.shared, offset, left, ahead: None, cached_from: 0, blocking };
        Box::pin(stream::try_unfold(reader, ReadAhead::next))
    }
}

struct ReadAhead {
    shared: Arc<OpenFile>,
    offset: u64,
    /// The number of bytes for which no read was started yet.
    left: u64,
    ahead: Option<ChunkRead>,
    /// Up to this offset, chunks are read by blocking threads: the page cache lacked one before it.
    cached_from: u64,
    blocking: Handle,
}

/// The read of a chunk.
enum ChunkRead {
    Done(Bytes),
    UnderWay(JoinHandle<io::Result<Bytes>>),
}

impl ReadAhead {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, StoreError> {
        let Some(read) = self.ahead.take().or_else(|| self.start()) else {
            return Ok(None);
        };
        let chunk = match read {
            ChunkRead::Done(chunk) => Ok(chunk),
            ChunkRead::UnderWay(read) => read.await.map_err(io::Error::other).flatten(),
        };
        let chunk = chunk.map_err(unavailable(ACTION))?;
        self.ahead = self.start();
        if self.left % TURN < CHUNK as u64 {
            yield_now().await;
        }
        Ok(Some((chunk, self)))
    }

    fn start(&mut self) -> Option<ChunkRead> {
        let size = usize::try_from(self.left).map_or(CHUNK, |left| left.min(CHUNK));
        if size == 0 {
            return None;
        }
        let offset = self.offset;
        self.offset += size as u64;
        self.left -= size as u64;
        let last = self.left == 0;
        // The last chunk needs a look at the file, for which a network file system may ask its server.
        if !last && offset >= self.cached_from {
            if let Some(chunk) = self.shared.read_cached(offset, size) {
                return Some(ChunkRead::Done(chunk));
            }
            self.cached_from = offset + TURN;
        }
        let shared = Arc::clone(&self.shared);
        let read = move || shared.read(offset, size, last);
        Some(ChunkRead::UnderWay(self.blocking.spawn_blocking(read)))
    }
}

impl OpenFile {
    /// Returns a chunk if the page cache has all of it. Does not wait for the disk.
    fn read_cached(&self, offset: u64, size: usize) -> Option<Bytes> {
        let mut chunk = vec![0; size];
        let buffers = &mut [IoSliceMut::new(&mut chunk)];
        let read = preadv2(&self.file, buffers, offset, ReadWriteFlags::NOWAIT);
        // The file system may have no such reads. An error is found again by the read that waits.
        read.is_ok_and(|count| count == size).then(|| chunk.into())
    }

    /// Reads a chunk. Before the last one is returned, the file must be unchanged since it was opened: until then the client
    /// lacks bytes, and notices that the connection breaks.
    fn read(&self, offset: u64, size: usize, last: bool) -> io::Result<Bytes> {
        let mut chunk = vec![0; size];
        self.file.read_exact_at(&mut chunk, offset).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => too_short(&self.name),
            _ => at(Path::new(&self.name))(error),
        })?;
        if last && FileState::of(&self.file.metadata()?) != self.state {
            return Err(io::Error::other(format!("{} was changed while it was read", self.name)));
        }
        Ok(chunk.into())
    }
}

pub(super) fn too_short(name: &str) -> io::Error {
    let kind = io::ErrorKind::UnexpectedEof;
    io::Error::new(kind, format!("{name} is shorter than expected"))
}
