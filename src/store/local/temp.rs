//! The files being written: `{root}/.tmp/{random}`, mode 0600.
//!
//! Each is locked (`flock`) by the process that writes it, so the kernel lets
//! go of it when that process dies, however it dies. Who can take the lock of a
//! file in `.tmp` has found a leftover.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::Handle;
use uuid::Uuid;

use super::{Disk, writeback};

/// A temporary file, removed when this is dropped, unless it was
/// [kept](Temp::keep).
pub(super) struct Temp {
    /// Always there until this is kept or dropped.
    leftover: Option<Leftover>,
    /// Shared with the step that syncs it.
    file: Arc<File>,
    written: u64,
    /// How far the disk has been set to work.
    started: u64,
    blocking: Handle,
}

/// Removes the file, wherever this ends.
struct Leftover {
    path: PathBuf,
    /// Closed after the removal: giving a large file's blocks back takes a
    /// while, and happens when the last descriptor is closed.
    _file: Arc<File>,
}

impl Temp {
    /// Makes and locks an empty file. Blocks.
    pub(super) fn create(disk: &Disk) -> io::Result<Self> {
        loop {
            let path = disk.tmp.join(Uuid::now_v7().to_string());
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            let file = Arc::new(file);
            let temp = Self {
                leftover: Some(Leftover { path, _file: Arc::clone(&file) }),
                file,
                written: 0,
                started: 0,
                blocking: disk.blocking.clone(),
            };
            // Between the two somebody who removes leftovers may have come by:
            // then this one is lost.
            match temp.file.try_lock() {
                Ok(()) if temp.file.metadata()?.nlink() > 0 => return Ok(temp),
                Ok(()) | Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    /// Appends. Blocks.
    pub(super) fn write(&mut self, chunks: &[Bytes]) -> io::Result<()> {
        for chunk in chunks {
            (&*self.file).write_all(chunk)?;
            self.written += chunk.len() as u64;
        }
        let waiting = self.written - self.started;
        if waiting >= writeback::STEP {
            writeback::start(&self.file, self.started, waiting);
            self.started = self.written;
        }
        Ok(())
    }

    /// For a step that works on it while this stays where it is.
    pub(super) fn share(&self) -> (PathBuf, Arc<File>) {
        let path = self.leftover.as_ref().map(|left| left.path.clone());
        (path.unwrap_or_default(), Arc::clone(&self.file))
    }

    /// It has become an object: it is no leftover any more.
    pub(super) fn keep(mut self) {
        if let Some(mut leftover) = self.leftover.take() {
            leftover.path.clear();
        }
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        // Not here: this may be one of the threads that serve the network. If
        // the runtime has ended the closure is dropped, which does the same.
        if let Some(leftover) = self.leftover.take() {
            self.blocking.spawn_blocking(move || drop(leftover));
        }
    }
}

impl Drop for Leftover {
    fn drop(&mut self) {
        if self.path.as_os_str().is_empty() {
            return;
        }
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                log::warn!("remove {}: {error}", self.path.display());
            }
            _ => {}
        }
    }
}

/// Removes the files in `tmp` that nobody writes any more; says how many.
/// Blocks.
pub(super) fn remove_leftovers(tmp: &Path) -> io::Result<usize> {
    let mut removed = 0;
    for entry in fs::read_dir(tmp)? {
        let path = entry?.path();
        match remove_if_left(&path) {
            Ok(true) => removed += 1,
            Ok(false) => {}
            // One bad item does not stop the rest.
            Err(error) => log::warn!("remove {}: {error}", path.display()),
        }
    }
    Ok(removed)
}

fn remove_if_left(path: &Path) -> io::Result<bool> {
    if !path.symlink_metadata()?.is_file() {
        return Ok(false);
    }
    let gone = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Ok(false),
        _ => Err(error),
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => return gone(error),
    };
    match file.try_lock() {
        // Removed while the lock is held: who made it just now will see it.
        Ok(()) => fs::remove_file(path).map(|()| true).or_else(gone),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
