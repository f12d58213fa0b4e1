//! The folders of organizations and systems: created with their first object, removed with their last one.
//!
//! A file is durable when it and the folders above it, up to the root, are synced. A put that finds a folder can't know
//! whether the process that created it has synced its parents, or died before that. So the first put into a folder syncs
//! them itself, and remembers the folder in [`DurableFolders`].

use std::collections::HashSet;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;
use std::sync::Mutex;
use std::time::SystemTime;

use super::folder::{Folder, at};
use super::mutex::lock;

/// How many folders are remembered, at 24 bytes each. When there are more, all are forgotten.
const MAX_REMEMBERED: usize = 65_536;

/// How often a folder is created again when deletes keep removing it.
const FOLDER_ATTEMPTS: u32 = 1000;

/// The systems' folders whose names are known to be durable, up to the root.
///
/// A folder is identified by its inode and creation time, so one that was removed and created again (also by another
/// process) is another one. As long as it exists its parents can't have been removed.
#[derive(Default)]
pub(super) struct DurableFolders(Mutex<HashSet<(u64, SystemTime)>>);

impl DurableFolders {
    /// Syncs `folder`, which is called `name` below `root` and has a new object, and its parents unless they are known to be
    /// synced.
    pub(super) fn sync(&self, root: &Folder, name: &str, folder: &Folder) -> io::Result<()> {
        folder.sync()?;
        let metadata = folder.metadata()?;
        // On a file system without creation times the parents are synced every time.
        let identity = metadata.created().ok().map(|created| (metadata.ino(), created));
        if identity.is_some_and(|identity| lock(&self.0).contains(&identity)) {
            return Ok(());
        }
        sync_parents(root, name)?;
        if let Some(identity) = identity {
            let mut durable = lock(&self.0);
            if durable.len() >= MAX_REMEMBERED {
                durable.clear();
            }
            durable.insert(identity);
        }
        Ok(())
    }
}

/// Syncs the folders above `name`, up to `root`.
pub(super) fn sync_parents(root: &Folder, mut name: &str) -> io::Result<()> {
    while name != "." {
        name = parent_of(name);
        root.open_folder(name)?.sync()?;
    }
    Ok(())
}

/// Returns the folder that `name` is in; for a name in the root `.`, the root itself.
pub(super) fn parent_of(name: &str) -> &str {
    name.rsplit_once('/').map_or(".", |(parent, _)| parent)
}

/// Creates `folder` and what is missing above it, below `root`. It never creates `root`: a disk that is not mounted must not
/// look like an empty store.
fn make_below(root: &Folder, folder: &str) -> io::Result<()> {
    match root.make_folder(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && folder.contains('/') => {
            make_below(root, parent_of(folder))?;
            root.make_folder(folder)
        }
        result => result,
    }
}

/// Works in the folder called `name` below `root`, which is created if it is missing. The work is repeated if a delete removes the
/// folder in between: it fails with `NotFound` then.
pub(super) fn in_folder<T>(
    root: &Folder,
    name: &str,
    mut work: impl FnMut(Folder) -> io::Result<T>,
) -> io::Result<T> {
    let is_missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let mut attempt = || {
        let folder = match root.open_folder(name) {
            Err(error) if is_missing(&error) => {
                make_below(root, name)?;
                root.open_folder(name)
            }
            opened => opened,
        };
        work(folder?)
    };
    for _ in 1..FOLDER_ATTEMPTS {
        match attempt() {
            Err(error) if is_missing(&error) => {}
            result => return result,
        }
    }
    attempt()
}

/// Creates the store's directory (mode 0700) and all that is missing above it, durably.
pub(super) fn make_with_parents(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().ok_or_else(|| io::Error::other("a path without a parent"))?;
    make_with_parents(parent)?;
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(at(folder)(error)),
        _ => {}
    }
    File::open(parent).and_then(|parent| parent.sync_all()).map_err(at(parent))
}

/// Removes the folder called `name`, from which an object was removed, and its parents below `root` if they are empty, and
/// syncs the folders that remain.
pub(super) fn remove_empty(root: &Folder, mut name: &str) -> io::Result<()> {
    while name != "." {
        // Only an empty folder is removed: a put that is faster keeps it.
        let gone = match root.remove_folder(name) {
            Ok(()) => true,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        if !gone {
            match root.open_folder(name).and_then(|folder| folder.sync()) {
                // Another delete was faster.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => return result,
            }
        }
        name = parent_of(name);
    }
    root.open_folder(".")?.sync()
}
