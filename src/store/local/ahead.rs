//! Puts that come ahead of the transaction that makes them a backup: `{root}/.tmp/ahead/{mark}`.
//!
//! The file is created as the mark, written, and linked to the object's name; then file and folders are synced, in one commit of
//! the file system's journal. The mark is a second name of the same file. It is removed when it is known whether the object is
//! a backup. It is locked until then, and the kernel releases the lock when the process dies. So an unlocked mark shows an object
//! of which nobody knows yet whether it is a backup ([`unclaimed`]).
//!
//! Before the syncs the object has all of its bytes, but a power cut may take them. No row names it then.

use std::collections::HashSet;
use std::fs::{File, TryLockError};
use std::io::{self, Write};

use bytes::Bytes;
use rustix::io::Errno;
use tokio::runtime::Handle;

use super::disk::{Disk, tmp_of};
use super::extended_attributes::ExtendedAttributes;
use super::folder::{Folder, at};
use super::folders::{in_folder, parent_of};
use super::leftovers::CREATION_GRACE;
use crate::domain::object_key::ObjectKey;
use crate::store::{Mark, Unclaimed};

/// The folder of the marks, below `.tmp`. The first put creates it.
const AHEAD: &str = "ahead";
/// Stands for the slashes of a key in the name of its mark. No key contains it.
const SLASH: char = ',';

/// The name of a mark, and the file that it keeps locked.
struct LockedMark {
    marks: Folder,
    name: String,
    /// Keeps the lock.
    file: File,
    blocking: Handle,
}

impl Mark for LockedMark {
    fn remove(self: Box<Self>) {
        let blocking = self.blocking.clone();
        blocking.spawn_blocking(move || {
            if let Err(error) = self.marks.remove(&self.name) {
                log::warn!("could not remove the mark of an object {error}");
            }
        });
    }
}

/// Writes an object, durably. `None`: the file system has no links. Blocks.
pub(super) fn put(
    disk: &Disk,
    key: &ObjectKey,
    attributes: &ExtendedAttributes,
    body: &[Bytes],
) -> io::Result<Option<Box<dyn Mark>>> {
    let root = disk.open()?;
    let marks = make_folder(&root)?;
    let name = mark_of(key);
    let file = marks.create(&name)?;
    let mark = LockedMark { marks, name, file, blocking: disk.blocking.clone() };
    let mut linked = false;
    let written = write(disk, &root, &mark, key, attributes, body, &mut linked);
    if matches!(written, Ok(true)) {
        return Ok(Some(Box::new(mark)));
    }
    // Nothing may be left. The name that a power cut might bring back belongs to nobody.
    if linked {
        root.remove(key.as_str())?;
    }
    mark.marks.remove(&mark.name)?;
    written.map(|_| None)
}

/// Opens the folder of the marks, which is durable.
fn make_folder(root: &Folder) -> io::Result<Folder> {
    let tmp = tmp_of(root)?;
    match tmp.open_path(AHEAD) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            tmp.make_folder(AHEAD)?;
            tmp.open_folder(".")?.sync()?;
            tmp.open_path(AHEAD)
        }
        opened => opened,
    }
}

/// Opens the folder of the marks to list it. `None`: nothing was ever put ahead.
fn open_folder(disk: &Disk) -> io::Result<Option<Folder>> {
    match tmp_of(&disk.open()?)?.open_folder(AHEAD) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

/// Returns `false` if the file system has no links.
fn write(
    disk: &Disk,
    root: &Folder,
    mark: &LockedMark,
    key: &ObjectKey,
    attributes: &ExtendedAttributes,
    body: &[Bytes],
    linked: &mut bool,
) -> io::Result<bool> {
    let path = || mark.marks.path_of(&mark.name);
    // Nobody else locks a file that is empty: see `unclaimed`.
    mark.file.try_lock().map_err(|error| at(&path())(io::Error::from(error)))?;
    body.iter().try_for_each(|chunk| (&mark.file).write_all(chunk)).map_err(|error| at(&path())(error))?;
    attributes.write(&mark.file);
    fail_point!("local.ahead.written");
    let Some(folder) = link(root, mark, key)? else { return Ok(false) };
    *linked = true;
    fail_point!("local.ahead.linked");
    mark.file.sync_all().map_err(|error| at(&path())(error))?;
    disk.durable_folders.sync(root, parent_of(key.as_str()), &folder)?;
    fail_point!("local.ahead.synced");
    Ok(true)
}

/// Gives the file the object's name, and returns the object's folder. `None`: the file system has no links.
fn link(root: &Folder, mark: &LockedMark, key: &ObjectKey) -> io::Result<Option<Folder>> {
    let (name, folder) = (key.as_str(), parent_of(key.as_str()));
    let file = name.rsplit_once('/').map_or(name, |(_, file)| file);
    in_folder(root, folder, |opened| match mark.marks.link(&mark.name, &opened, file) {
        Ok(()) => Ok(Some(opened)),
        Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK) => Ok(None),
        Err(error) => Err(at(&opened.path_of(file))(error)),
    })
}

fn mark_of(key: &ObjectKey) -> String {
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
