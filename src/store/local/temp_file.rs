//! The files that are being written: `{root}/.tmp/{random}`, mode 0600.
//!
//! Each one is locked (`flock`) by the process that writes it. The kernel releases the lock when that process dies in any
//! way. So a file in `.tmp` whose lock can be taken is a leftover (`leftovers.rs`).

use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::Handle;
use uuid::Uuid;

use super::appender::Appender;
use super::disk::{Disk, tmp_of};
use super::folder::{Folder, at};

/// The name of a temporary file, with the folder in which it was created. That folder stays open, so the name can be removed
/// when no descriptors are left, and never leads to another folder.
#[derive(Clone)]
pub(super) struct TempName {
    tmp: Arc<Folder>,
    name: String,
}

impl TempName {
    pub(super) fn rename_to(&self, folder: &Folder, name: &str) -> io::Result<()> {
        self.tmp.rename(&self.name, folder, name)
    }

    /// Reverses `rename_to`.
    pub(super) fn rename_back(&self, folder: &Folder, name: &str) -> io::Result<()> {
        folder.rename(name, &self.tmp, &self.name)
    }

    /// The folder that contains the file.
    pub(super) fn folder(&self) -> &Folder {
        &self.tmp
    }
}

/// A temporary file, removed when this is dropped, unless it was [kept](TempFile::keep).
pub(super) struct TempFile {
    name: TempName,
    file: Arc<File>,
    /// Dropping this does nothing.
    kept: bool,
    /// Writes the file, once the body is known to be large.
    appender: Option<Appender>,
    blocking: Handle,
}

impl TempFile {
    /// Creates and locks an empty file. Blocks.
    pub(super) fn create(disk: &Disk) -> io::Result<Self> {
        let folder = Arc::new(tmp_of(&disk.open()?)?);
        loop {
            let name = TempName { tmp: Arc::clone(&folder), name: Uuid::now_v7().to_string() };
            let file = folder.create(&name.name)?;
            let temp = Self {
                name,
                file: Arc::new(file),
                kept: false,
                appender: None,
                blocking: disk.blocking.clone(),
            };
            // If the file was removed as a leftover before it was locked, create another one.
            match temp.file.try_lock() {
                Ok(()) if temp.file.metadata()?.nlink() > 0 => return Ok(temp),
                Ok(()) | Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(temp.at(error)),
            }
        }
    }

    pub(super) fn name(&self) -> &TempName {
        &self.name
    }

    /// Adds the path of this file to an error.
    fn at(&self, error: io::Error) -> io::Error {
        at(&self.name.tmp.path_of(&self.name.name))(error)
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Makes the file's bytes durable. A failed sync is never repeated.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all().map_err(|error| self.at(error))
    }

    /// Calls `work` with the appender of this file, which writes a body that does not come in one piece.
    pub(super) fn append<T>(&mut self, work: impl FnOnce(&mut Appender) -> io::Result<T>) -> io::Result<T> {
        let appender = self.appender.get_or_insert_with(|| Appender::new(Arc::clone(&self.file)));
        work(appender).map_err(|error| at(&self.name.tmp.path_of(&self.name.name))(error))
    }

    /// Appends the last chunks of a body. Blocks.
    pub(super) fn write_last(&mut self, chunks: Vec<Bytes>) -> io::Result<()> {
        let written = if let Some(mut appender) = self.appender.take() {
            let pushed = chunks.into_iter().try_for_each(|chunk| appender.push(chunk));
            pushed.and_then(|()| appender.finish())
        } else {
            chunks.iter().try_for_each(|chunk| (&*self.file).write_all(chunk))
        };
        written.map_err(|error| self.at(error))
    }

    /// The file has become an object, and must not be removed.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if !self.kept {
            let leftover = RemovalOnDrop { name: self.name.clone(), _file: Some(Arc::clone(&self.file)) };
            leftover.remove_on(&self.blocking);
        }
    }
}

/// Removes a file when this is dropped.
pub(super) struct RemovalOnDrop {
    name: TempName,
    /// Closed after the removal: freeing the blocks of a large file takes a while, and happens when the last descriptor is
    /// closed.
    _file: Option<Arc<File>>,
}

impl RemovalOnDrop {
    /// Returns a guard for a file that may exist, and that this process has not opened.
    pub(super) fn new(name: TempName) -> Self {
        Self { name, _file: None }
    }

    /// Removes the file on a blocking thread, because this thread may serve the network. If the runtime has ended, the
    /// closure is dropped here, which removes the file as well.
    pub(super) fn remove_on(self, blocking: &Handle) {
        blocking.spawn_blocking(move || drop(self));
    }
}

impl Drop for RemovalOnDrop {
    fn drop(&mut self) {
        match self.name.tmp.remove(&self.name.name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                log::warn!("could not remove temporary file {error}");
            }
            _ => {}
        }
    }
}
