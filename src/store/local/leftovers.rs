//! Finds and removes the temporary files that no process writes any more (`temp_file.rs`).

use std::fs::{File, TryLockError};
use std::io;
use std::time::Duration;

use super::disk::{Disk, tmp_of};
use super::folder::{Folder, at};
use crate::store::Leftover;

/// How long an empty file may have been created without being locked yet.
pub(super) const CREATION_GRACE: Duration = Duration::from_mins(1);

/// Returns the files in `.tmp` that no process writes any more. Blocks.
pub(super) fn find(disk: &Disk) -> io::Result<Vec<Leftover>> {
    let tmp = tmp_of(&disk.open()?)?.open_folder(".")?;
    let mut left = Vec::new();
    for entry in tmp.entries()? {
        let entry = entry.map_err(at(&tmp.path_of(".")))?;
        // A name with other characters is not the store's.
        let Some(id) = entry.file_name().to_str().ok().filter(|name| is_plain(name)) else { continue };
        match is_leftover(&tmp, id) {
            Ok(true) => left.push(Leftover { key: None, id: id.to_owned() }),
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // One bad item does not stop the rest.
            Err(error) => log::warn!("could not inspect temporary file {error}"),
        }
    }
    Ok(left)
}

/// Returns whether the name can be logged, and has no folder in it.
fn is_plain(name: &str) -> bool {
    !matches!(name, "." | "..") && !name.contains('/') && !name.contains(char::is_control)
}

/// Returns whether no process writes the file. A file is locked before its first byte is written. So an empty file may have
/// just been created, and is ignored for a while.
fn is_leftover(tmp: &Folder, name: &str) -> io::Result<bool> {
    let metadata = tmp.metadata_of(name)?;
    let is_new = || metadata.modified().is_ok_and(|at| at.elapsed().unwrap_or_default() < CREATION_GRACE);
    if !metadata.is_file() || metadata.len() == 0 && is_new() {
        return Ok(false);
    }
    // The lock is released at once.
    Ok(try_lock(tmp, name)?.is_some())
}

/// Removes the leftovers that no process writes, and returns their number. Blocks.
pub(super) fn remove(disk: &Disk, left: &[Leftover]) -> io::Result<usize> {
    let tmp = tmp_of(&disk.open()?)?;
    let mut removed = 0;
    for Leftover { id, .. } in left.iter().filter(|left| is_plain(&left.id)) {
        match remove_if_leftover(&tmp, id) {
            Ok(true) => removed += 1,
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // One bad item does not stop the rest.
            Err(error) => log::warn!("could not remove temporary file {error}"),
        }
    }
    Ok(removed)
}

fn remove_if_leftover(tmp: &Folder, name: &str) -> io::Result<bool> {
    // The lock is held during the removal: a process that has just created this file notices (`TempFile::create`).
    let Some(_locked) = try_lock(tmp, name)? else { return Ok(false) };
    tmp.remove(name).map(|()| true)
}

/// Opens and locks the file. `None` if it is not a regular file, or if another process holds the lock.
fn try_lock(tmp: &Folder, name: &str) -> io::Result<Option<File>> {
    let path = tmp.path_of(name);
    if !tmp.metadata_of(name)?.is_file() {
        return Ok(None);
    }
    let file = tmp.open_file(name).map_err(at(&path))?;
    if !file.metadata().map_err(at(&path))?.is_file() {
        return Ok(None);
    }
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(at(&path)(error)),
    }
}
