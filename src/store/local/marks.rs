//! The marks of objects that were put ahead (`ahead.rs`): which there are, which nobody holds, and their removal.

use std::collections::HashSet;
use std::fs::{File, TryLockError};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::delete::delete;
use super::disk::{Disk, tmp_of};
use super::folder::{Folder, at};
use super::leftovers::CREATION_GRACE;
use super::mutex::lock;
use crate::domain::object_key::ObjectKey;
use crate::store::{Mark, Unclaimed};

/// The folder of the marks, below `.tmp`. The first put creates it.
pub(super) const AHEAD: &str = "ahead";
/// Stands for the slashes of a key in the name of its mark. No key contains it.
const SLASH: char = ',';

/// The most objects that are put ahead at a time. If a disk or a database hangs, this is what it leaves to be deleted later.
const MAX_AHEAD: usize = 256;

/// Counts an object that is put ahead, until this process has nothing to do with its mark any more.
pub(super) struct Counted(pub Arc<Disk>);

impl Counted {
    pub fn new(disk: &Arc<Disk>) -> Self {
        disk.ahead.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(disk))
    }

    /// Whether there may be one more.
    pub fn may_be_more(disk: &Disk) -> bool {
        disk.ahead.load(Ordering::Relaxed) < MAX_AHEAD
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.ahead.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A mark that this process holds.
pub(super) struct LockedMark {
    pub name: String,
    /// Keeps the lock.
    pub file: File,
    pub counted: Counted,
}

impl Mark for LockedMark {
    fn remove(self: Box<Self>) {
        let Self { name, file, counted } = *self;
        let disk = Arc::clone(&counted.0);
        let mut waiting = lock(&disk.removals);
        waiting.push((name, file));
        if waiting.len() == 1 {
            let disk = Arc::clone(&disk);
            disk.blocking.clone().spawn_blocking(move || remove_waiting(&disk));
        }
    }
}

/// Removes all marks that wait for it: those, too, that have come since the thread was asked for.
fn remove_waiting(disk: &Disk) {
    let removals = std::mem::take(&mut *lock(&disk.removals));
    let removed = disk.open().and_then(|root| tmp_of(&root)?.open_path(AHEAD)).and_then(|marks| {
        removals.iter().map(|(name, _locked)| marks.remove(name)).fold(Ok(()), Result::and)
    });
    if let Err(error) = removed {
        log::warn!("could not remove the mark of an object: {error}; the sweep will remove it");
    }
}

/// Opens the folder of the marks to list it. `None`: nothing was ever put ahead.
fn open_folder(disk: &Disk) -> io::Result<Option<Folder>> {
    match tmp_of(&disk.open()?)?.open_folder(AHEAD) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

/// Returns the name of the mark of an object.
pub(super) fn mark_of(key: &ObjectKey) -> String {
    key.as_str().replace('/', &SLASH.to_string())
}

/// Returns the keys of all objects that have a mark. Blocks.
pub(super) fn marked(disk: &Disk) -> io::Result<HashSet<ObjectKey>> {
    open_folder(disk)?.map_or_else(|| Ok(HashSet::new()), |marks| keys_in(&marks))
}

fn keys_in(marks: &Folder) -> io::Result<HashSet<ObjectKey>> {
    let mut keys = HashSet::new();
    for entry in marks.entries()? {
        let entry = entry.map_err(at(&marks.path_of(".")))?;
        // Any other name is not the store's.
        let key = entry.file_name().to_str().ok().map(|name| ObjectKey::parse(&name.replace(SLASH, "/")));
        keys.extend(key.and_then(Result::ok));
    }
    Ok(keys)
}

/// Returns the objects whose marks no process holds. Blocks.
pub(super) fn unclaimed(disk: &Disk) -> io::Result<Vec<Unclaimed>> {
    let Some(marks) = open_folder(disk)? else { return Ok(vec![]) };
    let mut found = Vec::new();
    for key in keys_in(&marks)? {
        match written_by_nobody(&marks, &mark_of(&key)) {
            Ok(Some(file)) => {
                let modified = file.metadata()?.modified()?;
                found.push(Unclaimed { key, written: modified.into() });
            }
            Ok(None) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // One bad item does not stop the rest.
            Err(error) => log::warn!("could not inspect the mark of an object {error}"),
        }
    }
    Ok(found)
}

/// Removes the mark of an object, unless a process holds it. Blocks.
pub(super) fn remove_mark(disk: &Disk, key: &ObjectKey) -> io::Result<()> {
    let Some(marks) = open_folder(disk)? else { return Ok(()) };
    let name = mark_of(key);
    let removed = written_by_nobody(&marks, &name).and_then(|file| match file {
        Some(_locked) => marks.remove(&name),
        None => Ok(()),
    });
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Deletes an object and its mark, unless a process holds the mark. Returns whether it did. Blocks.
pub(super) fn delete_unclaimed(disk: &Disk, key: &ObjectKey) -> io::Result<bool> {
    let Some(marks) = open_folder(disk)? else { return Ok(false) };
    let name = mark_of(key);
    // The lock is held until the mark is gone: a process that was paused right after it created the file notices.
    let _locked = match written_by_nobody(&marks, &name) {
        Ok(Some(file)) => file,
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => return Ok(false),
    };
    delete(disk, key)?;
    marks.remove(&name)?;
    Ok(true)
}

/// Returns the file, locked, if no process writes it. An empty one may not be locked yet.
fn written_by_nobody(marks: &Folder, name: &str) -> io::Result<Option<File>> {
    let path = marks.path_of(name);
    if !marks.metadata_of(name)?.is_file() {
        return Ok(None);
    }
    let file = marks.open_file(name).map_err(at(&path))?;
    let metadata = file.metadata().map_err(at(&path))?;
    let is_new = || metadata.modified().is_ok_and(|at| at.elapsed().unwrap_or_default() < CREATION_GRACE);
    if !metadata.is_file() || metadata.len() == 0 && is_new() {
        return Ok(None);
    }
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(at(&path)(error)),
    }
}
