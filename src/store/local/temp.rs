//! The files being written: `{root}/.tmp/{random}`, mode 0600.
//!
//! Each one is locked (`flock`) by the process that writes it. The kernel releases the lock when that process dies, however
//! it dies. So a file in `.tmp` whose lock can be taken is a leftover.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use uuid::Uuid;

use super::Disk;
use super::appender::Appender;
use crate::store::Leftover;

/// How long an empty file may be between its making and its lock.
const JUST_MADE: Duration = Duration::from_mins(1);

/// A temporary file, removed when this is dropped, unless it was
/// [kept](Temp::keep) or [removed](Temp::remove) before.
pub(super) struct Temp {
    path: PathBuf,
    file: Arc<File>,
    /// It was kept or removed: dropping this does nothing.
    done: bool,
    /// Writes the file, once the body is known to be large.
    appender: Option<Appender>,
    blocking: Handle,
}

impl Temp {
    /// Makes and locks an empty file. Blocks.
    pub(super) fn create(disk: &Disk) -> io::Result<Self> {
        loop {
            let path = disk.tmp.join(Uuid::now_v7().to_string());
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            let temp = Self {
                path,
                file: Arc::new(file),
                done: false,
                appender: None,
                blocking: disk.blocking.clone(),
            };
            // Before it was locked, somebody who removes leftovers may have taken it for one: then make another.
            match temp.file.try_lock() {
                Ok(()) if temp.file.metadata()?.nlink() > 0 => return Ok(temp),
                Ok(()) | Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Writes a body that does not come in one piece.
    pub(super) fn appender(&mut self) -> &mut Appender {
        self.appender.get_or_insert_with(|| Appender::new(Arc::clone(&self.file)))
    }

    /// Appends the last of a body. Blocks.
    pub(super) fn write_last(&mut self, chunks: Vec<Bytes>) -> io::Result<()> {
        if let Some(mut appender) = self.appender.take() {
            chunks.into_iter().try_for_each(|chunk| appender.push(chunk))?;
            return appender.finish();
        }
        chunks.iter().try_for_each(|chunk| (&*self.file).write_all(chunk))
    }

    /// Removes it here and now. Blocks.
    pub(super) fn remove(mut self) {
        self.done = true;
        drop(Removal::new(std::mem::take(&mut self.path)));
    }

    /// The file has become an object: it must not be removed any more.
    pub(super) fn keep(mut self) {
        self.done = true;
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if !self.done {
            let leftover =
                Removal { path: std::mem::take(&mut self.path), _file: Some(Arc::clone(&self.file)) };
            leftover.remove_on(&self.blocking);
        }
    }
}

/// A file to be removed when this is dropped.
pub(super) struct Removal {
    path: PathBuf,
    /// Closed after the removal: giving the blocks of a large file back takes a while, and is done when the last
    /// descriptor is closed.
    _file: Option<Arc<File>>,
}

impl Removal {
    /// Of a file that may exist, and that this process has not opened.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, _file: None }
    }

    /// Removes the file on a blocking thread, because this thread may serve the network. If the runtime has ended, the
    /// closure is dropped here, which removes the file as well.
    pub(super) fn remove_on(self, blocking: &Handle) {
        blocking.spawn_blocking(move || drop(self));
    }
}

impl Drop for Removal {
    fn drop(&mut self) {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                log::warn!("remove {}: {error}", self.path.display());
            }
            _ => {}
        }
    }
}

/// The names of the files in `tmp` that nobody writes any more. Blocks.
pub(super) fn find(tmp: &Path) -> io::Result<Vec<Leftover>> {
    let mut left = Vec::new();
    for entry in fs::read_dir(tmp)? {
        // A name that is not UTF-8 is not ours.
        let Ok(id) = entry?.file_name().into_string() else { continue };
        match is_left(&tmp.join(&id)) {
            Ok(true) => left.push(Leftover { key: None, id }),
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // One bad item does not stop the rest.
            Err(error) => log::warn!("look at {}: {error}", tmp.join(id).display()),
        }
    }
    Ok(left)
}

/// Whether nobody writes it. A file is locked before its first byte is written. So an empty one may be one that is just
/// being made, and is left alone for a while.
fn is_left(path: &Path) -> io::Result<bool> {
    let metadata = path.symlink_metadata()?;
    let fresh = || metadata.modified().is_ok_and(|at| at.elapsed().unwrap_or_default() < JUST_MADE);
    if metadata.len() == 0 && fresh() {
        return Ok(false);
    }
    // The lock is released at once.
    Ok(unclaimed(path)?.is_some())
}

/// Removes those leftovers that still nobody writes, and says how many they were. Blocks.
pub(super) fn remove_leftovers(tmp: &Path, left: &[Leftover]) -> usize {
    let mut removed = 0;
    for name in left {
        let path = tmp.join(&name.id);
        match remove_if_left(&path) {
            Ok(true) => removed += 1,
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // One bad item does not stop the rest.
            Err(error) => log::warn!("remove {}: {error}", path.display()),
        }
    }
    removed
}

fn remove_if_left(path: &Path) -> io::Result<bool> {
    // The lock is held during the removal: if somebody has just made this file, they will notice (`Temp::create`).
    let Some(_locked) = unclaimed(path)? else { return Ok(false) };
    fs::remove_file(path).map(|()| true)
}

/// Opens and locks the file. `None` if it is not a regular file, or somebody else holds the lock.
fn unclaimed(path: &Path) -> io::Result<Option<File>> {
    if !path.symlink_metadata()?.is_file() {
        return Ok(None);
    }
    let file = File::open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
