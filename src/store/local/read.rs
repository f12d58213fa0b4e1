//! Reads an object: each chunk is one read on a blocking thread, and the next one is read while the client takes this one.

use std::fs::{File, FileType};
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use rustix::io::Errno;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::facts::Facts;
use super::folder::{Folder, at};
use super::{Disk, missing, unavailable};
use crate::domain::object_key::ObjectKey;
use crate::domain::range::ByteRange;
use crate::store::{ObjectBody, StoreError};

/// Bytes of one read. With one read ahead, a download holds twice as many.
const CHUNK: usize = 128 << 10;
const DOING: &str = "read the object";

/// What lies under a key.
enum Found<T> {
    Object(T),
    Nothing,
    /// Something that is not the object, and what it is.
    Other(String),
}

impl<T> Found<T> {
    fn object(self) -> Result<T, StoreError> {
        match self {
            Self::Object(object) => Ok(object),
            Self::Nothing => Err(StoreError::NotFound),
            Self::Other(what) => Err(StoreError::Damaged(what)),
        }
    }
}

pub(super) async fn head(disk: &Arc<Disk>, key: &ObjectKey) -> Result<u64, StoreError> {
    let (own, key) = (Arc::clone(disk), key.clone());
    let work = move || {
        let root = own.open()?;
        match root.look(key.as_str()) {
            Ok(metadata) if metadata.is_file() => Ok(Found::Object(metadata.len())),
            Ok(metadata) => Ok(other(&root.path_of(key.as_str()), metadata.file_type())),
            Err(error) => missing(&root, error).map(|()| Found::Nothing),
        }
    };
    disk.run("look at the object", work).await?.object()
}

pub(super) async fn get(
    disk: &Arc<Disk>,
    key: &ObjectKey,
    size: u64,
    range: Option<ByteRange>,
) -> Result<ObjectBody, StoreError> {
    let opened = open(disk, key, Some(size)).await?;
    if range.is_some_and(|range| range.last >= size) {
        return Err(unavailable(DOING)(too_short(&opened.shared.name)));
    }
    Ok(opened.body(disk, range))
}

/// Opens an object. If `size` is given it has to be the object's.
pub(super) async fn open(disk: &Arc<Disk>, key: &ObjectKey, size: Option<u64>) -> Result<Opened, StoreError> {
    let (own, key) = (Arc::clone(disk), key.clone());
    let work = move || {
        let root = own.open()?;
        match found(&root, key.as_str(), size) {
            Err(error) => missing(&root, error).map(|()| Found::Nothing),
            found => found,
        }
    };
    disk.run("open the object", work).await?.object()
}

fn found(root: &Folder, name: &str, size: Option<u64>) -> io::Result<Found<Opened>> {
    let path = root.path_of(name);
    let file = match root.file(name) {
        Ok(file) => file,
        // A link, a socket, a device without a driver; or a link above it.
        Err(error @ (Errno::LOOP | Errno::NXIO | Errno::NODEV)) => {
            let file_type = root.look(name)?.file_type();
            return if file_type.is_file() { Err(at(&path)(error)) } else { Ok(other(&path, file_type)) };
        }
        Err(error) => return Err(at(&path)(error)),
    };
    let metadata = file.metadata().map_err(at(&path))?;
    if !metadata.is_file() {
        return Ok(other(&path, metadata.file_type()));
    }
    let found = metadata.len();
    if let Some(size) = size.filter(|size| *size != found) {
        let what = format!("{} has {found} bytes, and had {size} when it was stored", path.display());
        return Ok(Found::Other(what));
    }
    let name = path.display().to_string();
    Ok(Found::Object(Opened { shared: Arc::new(Shared { file, name, state: State::of(&metadata) }) }))
}

fn other<T>(path: &Path, file_type: FileType) -> Found<T> {
    let what = match file_type {
        kind if kind.is_symlink() => "a symbolic link",
        kind if kind.is_dir() => "a directory",
        kind if kind.is_fifo() => "a named pipe",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    };
    Found::Other(format!("{} is {what}", path.display()))
}

/// An object that was opened.
pub(super) struct Opened {
    shared: Arc<Shared>,
}

struct Shared {
    file: File,
    /// Its path, for messages.
    name: String,
    state: State,
}

/// What changes when somebody writes to a file.
#[derive(PartialEq, Eq)]
struct State {
    size: u64,
    modified: (i64, i64),
}

impl State {
    fn of(metadata: &std::fs::Metadata) -> Self {
        Self { size: metadata.len(), modified: (metadata.mtime(), metadata.mtime_nsec()) }
    }
}

impl Opened {
    /// In bytes.
    pub(super) fn size(&self) -> u64 {
        self.shared.state.size
    }

    /// What the object is, as far as its file says so.
    pub(super) async fn facts(&self, disk: &Arc<Disk>) -> Result<Facts, StoreError> {
        let shared = Arc::clone(&self.shared);
        disk.run(DOING, move || Ok(Facts::read(&shared.file))).await
    }

    /// Its bytes, or those of a range that it has.
    pub(super) fn body(self, disk: &Disk, range: Option<ByteRange>) -> ObjectBody {
        let (offset, left) = range.map_or((0, self.size()), |range| (range.first, range.size()));
        let blocking = disk.blocking.clone();
        let reader = Reader { shared: self.shared, offset, left, ahead: None, blocking };
        Box::pin(stream::try_unfold(reader, Reader::next))
    }
}

struct Reader {
    shared: Arc<Shared>,
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
        let (shared, offset) = (Arc::clone(&self.shared), self.offset);
        self.offset += size as u64;
        self.left -= size as u64;
        let last = self.left == 0;
        Some(self.blocking.spawn_blocking(move || shared.read(offset, size, last)))
    }
}

impl Shared {
    /// Reads a chunk. Before the last one is given out, the file has to be as it was when it was opened: a client that
    /// has not got all bytes by then notices that the connection breaks.
    fn read(&self, offset: u64, size: usize, last: bool) -> io::Result<Bytes> {
        let mut chunk = vec![0; size];
        self.file.read_exact_at(&mut chunk, offset).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => too_short(&self.name),
            _ => at(Path::new(&self.name))(error),
        })?;
        if last && State::of(&self.file.metadata()?) != self.state {
            return Err(io::Error::other(format!("{} was changed while it was read", self.name)));
        }
        Ok(chunk.into())
    }
}

fn too_short(name: &str) -> io::Error {
    let kind = io::ErrorKind::UnexpectedEof;
    io::Error::new(kind, format!("{name} is shorter than it should be"))
}
