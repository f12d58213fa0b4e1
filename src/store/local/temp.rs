//! The files being written: `{root}/.tmp/{random}`, mode 0600.
//!
//! Each one is locked (`flock`) by the process that writes it. The kernel releases the lock when that process dies, however
//! it dies. So a file in `.tmp` whose lock can be taken is a leftover.

use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use uuid::Uuid;

use super::appender::Appender;
use super::folder::{Folder, at};
use super::{Disk, tmp_of};
use crate::store::Leftover;

/// How long an empty file may be between its making and its lock.
const JUST_MADE: Duration = Duration::from_mins(1);

/// The name of a temporary file, in the folder that it was made in: that folder stays open, so the name can be removed
/// when there are no descriptors left, and never leads to another folder.
#[derive(Clone)]
pub(super) struct TempName {
    tmp: Arc<Folder>,
    name: String,
}

impl TempName {
    pub(super) fn rename_to(&self, folder: &Folder, name: &str) -> io::Result<()> {
        self.tmp.rename(&self.name, folder, name)
    }

    /// The end of `rename_to`.
    pub(super) fn take_back(&self, folder: &Folder, name: &str) -> io::Result<()> {
        folder.rename(name, &self.tmp, &self.name)
    }

    /// The folder that it is in.
    pub(super) fn folder(&self) -> &Folder {
        &self.tmp
    }
}

/// A temporary file, removed when this is dropped, unless it was
/// [kept](Temp::keep) before.
pub(super) struct Temp {
    name: TempName,
    file: Arc<File>,
    /// It was kept: dropping this does nothing.
    done: bool,
    /// Writes the file, once the body is known to be large.
    appender: Option<Appender>,
    blocking: Handle,
}

impl Temp {
    /// Makes and locks an empty file. Blocks.
    pub(super) fn create(disk: &Disk) -> io::Result<Self> {
        let folder = Arc::new(tmp_of(&disk.open()?)?);
        loop {
            let name = TempName { tmp: Arc::clone(&folder), name: Uuid::now_v7().to_string() };
            let file = folder.create(&name.name)?;
            let temp = Self {
                name,
                file: Arc::new(file),
                done: false,
                appender: None,
                blocking: disk.blocking.clone(),
            };
            // Before it was locked, somebody who removes leftovers may have taken it for one: then make another.
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

    /// Adds to an error that it is about this file.
    fn at(&self, error: io::Error) -> io::Error {
        at(&self.name.tmp.path_of(&self.name.name))(error)
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Makes its bytes durable. A failed sync is never tried again.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all().map_err(|error| self.at(error))
    }

    /// Does something with what writes a body that does not come in one piece.
    pub(super) fn append<T>(&mut self, work: impl FnOnce(&mut Appender) -> io::Result<T>) -> io::Result<T> {
        let appender = self.appender.get_or_insert_with(|| Appender::new(Arc::clone(&self.file)));
        work(appender).map_err(|error| at(&self.name.tmp.path_of(&self.name.name))(error))
    }

    /// Appends the last of a body. Blocks.
    pub(super) fn write_last(&mut self, chunks: Vec<Bytes>) -> io::Result<()> {
        let written = if let Some(mut appender) = self.appender.take() {
            let pushed = chunks.into_iter().try_for_each(|chunk| appender.push(chunk));
            pushed.and_then(|()| appender.finish())
        } else {
            chunks.iter().try_for_each(|chunk| (&*self.file).write_all(chunk))
        };
        written.map_err(|error| self.at(error))
    }

    /// The file has become an object: it must not be removed any more.
    pub(super) fn keep(mut self) {
        self.done = true;
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if !self.done {
            let leftover = Removal { name: self.name.clone(), _file: Some(Arc::clone(&self.file)) };
            leftover.remove_on(&self.blocking);
        }
    }
}

/// A file to be removed when this is dropped.
pub(super) struct Removal {
    name: TempName,
    /// Closed after the removal: giving the blocks of a large file back takes a while, and is done when the last
    /// descriptor is closed.
    _file: Option<Arc<File>>,
}

impl Removal {
    /// Of a file that may exist, and that this process has not opened.
    pub(super) fn new(name: TempName) -> Self {
        Self { name, _file: None }
    }

    /// Removes the file on a blocking thread, because this thread may serve the network. If the runtime has ended, the
    /// closure is dropped here, which removes the file as well.
    pub(super) fn remove_on(self, blocking: &Handle) {
        blocking.spawn_blocking(move || drop(self));
    }
}

impl Drop for Removal {
    fn drop(&mut self) {
        match self.name.tmp.remove(&self.name.name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                log::warn!("could not remove temporary file {error}");
            }
            _ => {}
        }
    }
}

/// The names of the files in `.tmp` that nobody writes any more. Blocks.
pub(super) fn find(disk: &Disk) -> io::Result<Vec<Leftover>> {
    let tmp = tmp_of(&disk.open()?)?.folder(".")?;
    let mut left = Vec::new();
    for entry in tmp.entries()? {
        let entry = entry.map_err(at(&tmp.path_of(".")))?;
        // What has other characters in its name is not ours.
        let Some(id) = entry.file_name().to_str().ok().filter(|name| is_plain(name)) else { continue };
        match is_left(&tmp, id) {
            Ok(true) => left.push(Leftover { key: None, id: id.to_owned() }),
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // One bad item does not stop the rest.
            Err(error) => log::warn!("could not inspect temporary file {error}"),
        }
    }
    Ok(left)
}

/// Whether it can stand in a log and names something in the folder itself.
fn is_plain(name: &str) -> bool {
    !matches!(name, "." | "..") && !name.contains('/') && !name.contains(char::is_control)
}

/// Whether nobody writes it. A file is locked before its first byte is written. So an empty one may be one that is just
/// being made, and is left alone for a while.
fn is_left(tmp: &Folder, name: &str) -> io::Result<bool> {
    let metadata = tmp.look(name)?;
    let fresh = || metadata.modified().is_ok_and(|at| at.elapsed().unwrap_or_default() < JUST_MADE);
    if !metadata.is_file() || metadata.len() == 0 && fresh() {
        return Ok(false);
    }
    // The lock is released at once.
    Ok(unclaimed(tmp, name)?.is_some())
}

/// Removes those leftovers that still nobody writes, and says how many they were. Blocks.
pub(super) fn remove_leftovers(disk: &Disk, left: &[Leftover]) -> io::Result<usize> {
    let tmp = tmp_of(&disk.open()?)?;
    let mut removed = 0;
    for Leftover { id, .. } in left.iter().filter(|left| is_plain(&left.id)) {
        match remove_if_left(&tmp, id) {
            Ok(true) => removed += 1,
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // One bad item does not stop the rest.
            Err(error) => log::warn!("could not remove temporary file {error}"),
        }
    }
    Ok(removed)
}

fn remove_if_left(tmp: &Folder, name: &str) -> io::Result<bool> {
    // The lock is held during the removal: if somebody has just made this file, they will notice (`Temp::create`).
    let Some(_locked) = unclaimed(tmp, name)? else { return Ok(false) };
    tmp.remove(name).map(|()| true)
}

/// Opens and locks the file. `None` if it is not a regular file, or somebody else holds the lock.
fn unclaimed(tmp: &Folder, name: &str) -> io::Result<Option<File>> {
    let path = tmp.path_of(name);
    if !tmp.look(name)?.is_file() {
        return Ok(None);
    }
    let file = tmp.file(name).map_err(at(&path))?;
    if !file.metadata().map_err(at(&path))?.is_file() {
        return Ok(None);
    }
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(at(&path)(error)),
    }
}
