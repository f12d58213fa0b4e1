//! The folders of organizations and systems: made when an object comes, removed
//! when the last one goes.
//!
//! A file is durable when it is synced, and so are the folders above it up to the root. A put that finds a folder can't
//! know whether whoever made it has synced its parents yet, or died before that. So the first put into a folder syncs
//! them itself, and remembers the folder in [`Settled`].

use std::collections::HashSet;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;
use std::sync::Mutex;
use std::time::SystemTime;

use super::folder::{Folder, at};
use super::lock;

/// How many folders are remembered, at 24 bytes each. When there are more, all are forgotten.
const REMEMBERED: usize = 65_536;

/// The systems' folders whose names are known to be durable, up to the root.
///
/// A folder is known by its inode and time of birth, so one that was removed
/// and made again (also by another process) is another one. As long as it is
/// there its parents cannot have been removed.
#[derive(Default)]
pub(super) struct Settled(Mutex<HashSet<(u64, SystemTime)>>);

impl Settled {
    /// Syncs `folder`, which an object was just put into and which is called `name` below `root`, and its parents where
    /// that may not have been done.
    pub(super) fn sync(&self, root: &Folder, name: &str, folder: &Folder) -> io::Result<()> {
        folder.sync()?;
        let metadata = folder.metadata()?;
        // A file system that keeps no time of birth has the parents synced every time.
        let identity = metadata.created().ok().map(|born| (metadata.ino(), born));
        if identity.is_some_and(|identity| lock(&self.0).contains(&identity)) {
            return Ok(());
        }
        sync_parents(root, name)?;
        if let Some(identity) = identity {
            let mut settled = lock(&self.0);
            if settled.len() >= REMEMBERED {
                settled.clear();
            }
            settled.insert(identity);
        }
        Ok(())
    }
}

/// Syncs the folders above `name`, up to `root`.
pub(super) fn sync_parents(root: &Folder, mut name: &str) -> io::Result<()> {
    while name != "." {
        name = parent_of(name);
        root.folder(name)?.sync()?;
    }
    Ok(())
}

/// The folder that `name` is in; of a name in the root `.`, the root itself.
pub(super) fn parent_of(name: &str) -> &str {
    name.rsplit_once('/').map_or(".", |(parent, _)| parent)
}

/// Makes `folder` and what is missing above it, below `root`. That `root` is
/// there is not this function's business: a disk that is not mounted must not
/// look like an empty store.
pub(super) fn make_below(root: &Folder, folder: &str) -> io::Result<()> {
    match root.make(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && folder.contains('/') => {
            make_below(root, parent_of(folder))?;
            root.make(folder)
        }
        result => result,
    }
}

/// Makes the store's own directory (mode 0700) and all that is missing above it, durably.
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

/// Removes the folder called `name`, which an object was just removed from, and its parents
/// below `root` if they are empty, and syncs what is left.
pub(super) fn remove_empty(root: &Folder, mut name: &str) -> io::Result<()> {
    while name != "." {
        // Only an empty folder goes: a put that is quicker keeps it.
        let gone = match root.remove_folder(name) {
            Ok(()) => true,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        if !gone {
            match root.folder(name).and_then(|folder| folder.sync()) {
                // Another delete was quicker.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => return result,
            }
        }
        name = parent_of(name);
    }
    root.folder(".")?.sync()
}
