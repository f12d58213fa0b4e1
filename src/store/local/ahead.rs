//! Puts that come ahead of the transaction that makes them a backup: `{root}/.tmp/ahead/{mark}`.
//!
//! The file is created as the mark, written, and linked to the object's name; then file and folders are synced, in one commit of
//! the file system's journal. The mark is a second name of the same file. It is removed when it is known whether the object is
//! a backup. It is locked until then, and the kernel releases the lock when the process dies. So an unlocked mark shows an object
//! of which nobody knows yet whether it is a backup (`marks.rs`).
//!
//! Before the syncs the object has all of its bytes, but a power cut may take them. No row names it then.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use rustix::io::Errno;

use super::delete::delete;
use super::disk::{Disk, tmp_of};
use super::extended_attributes::ExtendedAttributes;
use super::folder::{Folder, at};
use super::folders::{in_folder, parent_of};
use super::marks::{AHEAD, Counted, LockedMark, mark_of};
use crate::domain::object_key::ObjectKey;
use crate::store::Mark;

/// An object that was put ahead, on its way to the task that waits for it. If that has given up, the object is deleted again: its
/// transaction was not begun.
pub(super) struct NewAhead {
    key: ObjectKey,
    mark: Option<LockedMark>,
}

impl NewAhead {
    /// Returns its mark.
    pub(super) fn claim(mut self) -> Option<Box<dyn Mark>> {
        Some(Box::new(self.mark.take()?))
    }
}

impl Drop for NewAhead {
    fn drop(&mut self) {
        let Some(mark) = self.mark.take() else { return };
        let (disk, key) = (Arc::clone(&mark.counted.0), self.key.clone());
        disk.blocking.clone().spawn_blocking(move || match delete(&disk, &key) {
            Ok(()) => Box::new(mark).remove(),
            Err(error) => log::warn!("an object came too late: {error}; the sweep will delete it"),
        });
    }
}

/// Writes an object, durably. `None`: the file system has no links. Blocks.
pub(super) fn put(
    disk: &Arc<Disk>,
    key: ObjectKey,
    attributes: &ExtendedAttributes,
    body: &[Bytes],
    counted: Counted,
) -> io::Result<Option<NewAhead>> {
    let root = disk.open()?;
    let marks = marks_of(&root)?;
    let name = mark_of(&key);
    let file = marks.create(&name)?;
    let mut new = NewObject { root, marks, name, file, linked: false };
    let written = new.write(disk, &key, attributes, body);
    if matches!(written, Ok(true)) {
        let NewObject { name, file, .. } = new;
        return Ok(Some(NewAhead { key, mark: Some(LockedMark { name, file, counted }) }));
    }
    // Nothing may be left. The name that a power cut might bring back belongs to nobody.
    if new.linked {
        new.root.remove(key.as_str())?;
    }
    new.marks.remove(&new.name)?;
    if written.is_ok() {
        disk.has_links.store(false, Ordering::Relaxed);
    }
    written.map(|_| None)
}

/// Opens the folder of the marks, which is durable.
fn marks_of(root: &Folder) -> io::Result<Folder> {
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

/// An object that is being put ahead.
struct NewObject {
    root: Folder,
    marks: Folder,
    /// The name of the mark.
    name: String,
    file: File,
    /// Whether the file has the object's name.
    linked: bool,
}

impl NewObject {
    /// Returns `false` if the file system has no links.
    fn write(
        &mut self,
        disk: &Disk,
        key: &ObjectKey,
        attributes: &ExtendedAttributes,
        body: &[Bytes],
    ) -> io::Result<bool> {
        let path = || self.marks.path_of(&self.name);
        // Nobody else locks a file that is empty (`marks.rs`).
        self.file.try_lock().map_err(|error| at(&path())(io::Error::from(error)))?;
        if self.file.metadata().map_err(at(&path()))?.nlink() == 0 {
            return Err(at(&path())(io::Error::other("it was removed before it was locked")));
        }
        body.iter()
            .try_for_each(|chunk| (&self.file).write_all(chunk))
            .map_err(|error| at(&path())(error))?;
        attributes.write(&self.file);
        fail_point!("local.ahead.written");
        let Some(folder) = self.link(key)? else { return Ok(false) };
        self.linked = true;
        fail_point!("local.ahead.linked");
        self.file.sync_all().map_err(at(&self.marks.path_of(&self.name)))?;
        disk.durable_folders.sync(&self.root, parent_of(key.as_str()), &folder)?;
        fail_point!("local.ahead.synced");
        Ok(true)
    }

    /// Links the file to the object's name, and returns the object's folder. `None`: the file system has no links.
    fn link(&self, key: &ObjectKey) -> io::Result<Option<Folder>> {
        let (name, folder) = (key.as_str(), parent_of(key.as_str()));
        let file = name.rsplit_once('/').map_or(name, |(_, file)| file);
        in_folder(&self.root, folder, |opened| match self.marks.link(&self.name, &opened, file) {
            Ok(()) => Ok(Some(opened)),
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK) => Ok(None),
            Err(error) => Err(at(&opened.path_of(file))(error)),
        })
    }
}
