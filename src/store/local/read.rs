//! Reads an object: each chunk is one read on a blocking thread, and the next one is read while the client takes this one.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::facts::Facts;
use super::{Disk, unavailable};
use crate::domain::object_key::ObjectKey;
use crate::domain::range::ByteRange;
use crate::store::{ObjectBody, StoreError};

/// Bytes of one read. With one read ahead, a download holds twice as many.
const CHUNK: usize = 128 << 10;
const DOING: &str = "read the object";

/// An object that was opened.
pub(super) struct Opened {
    /// Of the part that was asked for, in bytes.
    pub(super) size: u64,
    pub(super) body: ObjectBody,
}

pub(super) async fn head(disk: &Arc<Disk>, key: &ObjectKey) -> Result<u64, StoreError> {
    let (own, path) = (Arc::clone(disk), disk.path_of(key));
    let work = move || match path.metadata() {
        Ok(metadata) => Ok(metadata.is_file().then_some(metadata.len())),
        Err(error) => own.missing(error).map(|()| None),
    };
    disk.run("look at the object", work).await?.ok_or(StoreError::NotFound)
}

pub(super) async fn get(
    disk: &Arc<Disk>,
    key: &ObjectKey,
    range: Option<ByteRange>,
) -> Result<Opened, StoreError> {
    let (own, path) = (Arc::clone(disk), disk.path_of(key));
    let open = move || {
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) => return own.missing(error).map(|()| None),
        };
        let metadata = file.metadata()?;
        Ok(metadata.is_file().then_some((file, metadata.len())))
    };
    let opened = disk.run("open the object", open).await?;
    let (file, size) = opened.ok_or(StoreError::NotFound)?;
    let (offset, left) = match range {
        None => (0, size),
        Some(range) if range.last < size => (range.first, range.size()),
        Some(_) => return Err(unavailable(DOING)(too_short())),
    };
    let reader = Reader { file: Arc::new(file), offset, left, ahead: None, blocking: disk.blocking.clone() };
    let body = stream::try_unfold(reader, Reader::next);
    Ok(Opened { size: left, body: Box::pin(body) })
}

/// What the object is, as far as its file says so.
pub(super) async fn facts(disk: &Arc<Disk>, key: &ObjectKey) -> Result<Facts, StoreError> {
    let path = disk.path_of(key);
    disk.run(DOING, move || Ok(Facts::read(&File::open(path)?))).await
}

struct Reader {
    file: Arc<File>,
    offset: u64,
    /// Bytes that no read was started for yet.
    left: u64,
    ahead: Option<JoinHandle<io::Result<Bytes>>>,
    blocking: Handle,
}

impl Reader {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, StoreError> {
        let Some(read) = self.ahead.take().or_else(|| self.start()) else {
            return Ok(None);
        };
        let chunk = read.await.map_err(io::Error::other).flatten().map_err(unavailable(DOING))?;
        self.ahead = self.start();
        Ok(Some((chunk, self)))
    }

    fn start(&mut self) -> Option<JoinHandle<io::Result<Bytes>>> {
        let size = usize::try_from(self.left).map_or(CHUNK, |left| left.min(CHUNK));
        if size == 0 {
            return None;
        }
        let (file, offset) = (Arc::clone(&self.file), self.offset);
        self.offset += size as u64;
        self.left -= size as u64;
        Some(self.blocking.spawn_blocking(move || read(&file, offset, size)))
    }
}

fn read(file: &File, offset: u64, size: usize) -> io::Result<Bytes> {
    let mut chunk = vec![0; size];
    match file.read_exact_at(&mut chunk, offset) {
        Ok(()) => Ok(chunk.into()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(too_short()),
        Err(error) => Err(error),
    }
}

fn too_short() -> io::Error {
    let kind = io::ErrorKind::UnexpectedEof;
    io::Error::new(kind, "the object is shorter than it should be")
}
