//! Reads an object: each chunk is one read on a blocking thread, and the next chunk is read while the client takes this one.

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

use super::disk::{Disk, confirm_missing, unavailable};
use super::extended_attributes::ExtendedAttributes;
use super::folder::{Folder, at};
use crate::domain::object_key::ObjectKey;
use crate::domain::range::ByteRange;
use crate::store::{ObjectBody, StoreError};

/// Bytes of one read. A download holds twice as many, because it reads one chunk ahead.
const CHUNK: usize = 128 << 10;
const DOING: &str = "read the object";

/// What is stored under a key.
enum Lookup<T> {
    Object(T),
    Nothing,
    /// Something that is not an object, and what it is.
    Other(String),
}

impl<T> Lookup<T> {
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
        match root.metadata_of(key.as_str()) {
            Ok(metadata) if metadata.is_file() => Ok(Lookup::Object(metadata.len())),
            Ok(metadata) => Ok(other(&root.path_of(key.as_str()), metadata.file_type())),
            Err(error) => confirm_missing(&root, error).map(|()| Lookup::Nothing),
        }
    };
    disk.run("inspect the object", work).await?.object()
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
pub(super) async fn open(
    disk: &Arc<Disk>,
    key: &ObjectKey,
    size: Option<u64>,
) -> Result<OpenObject, StoreError> {
    let (own, key) = (Arc::clone(disk), key.clone());
    let work = move || {
        let root = own.open()?;
        match open_file(&root, key.as_str(), size) {
            Err(error) => confirm_missing(&root, error).map(|()| Lookup::Nothing),
            result => result,
        }
    };
    disk.run("open the object", work).await?.object()
}

fn open_file(root: &Folder, name: &str, size: Option<u64>) -> io::Result<Lookup<OpenObject>> {
    let path = root.path_of(name);
    let file = match root.open_file(name) {
        Ok(file) => file,
        // A link, a socket or a device without a driver; or a link above it.
        Err(error @ (Errno::LOOP | Errno::NXIO | Errno::NODEV)) => {
            let file_type = root.metadata_of(name)?.file_type();
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
        return Ok(Lookup::Other(what));
    }
    let name = path.display().to_string();
    Ok(Lookup::Object(OpenObject {
        shared: Arc::new(OpenFile { file, name, state: FileState::of(&metadata) }),
    }))
}

fn other<T>(path: &Path, file_type: FileType) -> Lookup<T> {
    let what = match file_type {
        kind if kind.is_symlink() => "a symbolic link",
        kind if kind.is_dir() => "a directory",
        kind if kind.is_fifo() => "a named pipe",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    };
    Lookup::Other(format!("{} is {what}", path.display()))
}

/// An object that was opened.
pub(super) struct OpenObject {
    shared: Arc<OpenFile>,
}

struct OpenFile {
    file: File,
    /// The path, for messages.
    name: String,
    state: FileState,
}

/// Changes when somebody writes to the file.
#[derive(PartialEq, Eq)]
struct FileState {
    size: u64,
    modified: (i64, i64),
}

impl FileState {
    fn of(metadata: &std::fs::Metadata) -> Self {
        Self { size: metadata.len(), modified: (metadata.mtime(), metadata.mtime_nsec()) }
    }
}

impl OpenObject {
    /// The size in bytes.
    pub(super) fn size(&self) -> u64 {
        self.shared.state.size
    }

    /// Reads the metadata that the object's file carries.
    pub(super) async fn attributes(&self, disk: &Arc<Disk>) -> Result<ExtendedAttributes, StoreError> {
        let shared = Arc::clone(&self.shared);
        disk.run(DOING, move || Ok(ExtendedAttributes::read(&shared.file))).await
    }

    /// Returns its bytes, or those of a range within it.
    pub(super) fn body(self, disk: &Disk, range: Option<ByteRange>) -> ObjectBody {
        let (offset, left) = range.map_or((0, self.size()), |range| (range.first, range.size()));
        let blocking = disk.blocking.clone();
        let reader = ReadAhead { shared: self.shared, offset, left, ahead: None, blocking };
        Box::pin(stream::try_unfold(reader, ReadAhead::next))
    }
}

struct ReadAhead {
    shared: Arc<OpenFile>,
    offset: u64,
    /// Bytes for which no read was started yet.
    left: u64,
    ahead: Option<JoinHandle<io::Result<Bytes>>>,
    blocking: Handle,
}

impl ReadAhead {
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

impl OpenFile {
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

fn too_short(name: &str) -> io::Error {
    let kind = io::ErrorKind::UnexpectedEof;
    io::Error::new(kind, format!("{name} is shorter than expected"))
}
