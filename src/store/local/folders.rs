//! The folders of organizations and systems: made when an object comes, removed
//! when the last one goes.
//!
//! A file is durable when it is synced, and so are the folders above it up to the root. A put that finds a folder can't
//! know whether whoever made it has synced its parents yet, or died before that. So the first put into a folder syncs
//! them itself, and remembers the folder in [`Settled`].

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;
use std::sync::Mutex;
use std::time::SystemTime;

use super::{lock, parent_of};

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
    /// Syncs `folder`, which an object was just put into, and its parents up to
    /// `root` where that may not have been done.
    pub(super) fn sync(&self, root: &Path, folder: &Path) -> io::Result<()> {
        let opened = File::open(folder)?;
        opened.sync_all()?;
        let metadata = opened.metadata()?;
        // A file system that keeps no time of birth has the parents synced every time.
        let identity = metadata.created().ok().map(|born| (metadata.ino(), born));
        if identity.is_some_and(|identity| lock(&self.0).contains(&identity)) {
            return Ok(());
        }
        let mut folder = folder;
        while folder != root {
            folder = parent_of(folder)?;
            sync(folder)?;
        }
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

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Makes a folder (mode 0700); that it is there is success.
fn make(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

/// Makes `folder` and what is missing above it, below `root`. That `root` is
/// there is not this function's business: a disk that is not mounted must not
/// look like an empty store.
pub(super) fn make_below(root: &Path, folder: &Path) -> io::Result<()> {
    match make(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = parent_of(folder)?;
            if parent == root {
                return Err(error);
            }
            make_below(root, parent)?;
            make(folder)
        }
        result => result,
    }
}

/// Makes `folder` and all that is missing above it, durably.
pub(super) fn make_with_parents(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = match parent_of(folder)? {
        parent if parent.as_os_str().is_empty() => Path::new("."),
        parent => parent,
    };
    make_with_parents(parent)?;
    make(folder)?;
    sync(parent)
}

/// Removes `folder`, which an object was just removed from, and its parents
/// below `root` if they are empty, and syncs what is left.
pub(super) fn remove_empty(root: &Path, mut folder: &Path) -> io::Result<()> {
    while folder != root {
        // Only an empty folder goes: a put that is quicker keeps it.
        let gone = match fs::remove_dir(folder) {
            Ok(()) => true,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        if !gone {
            match sync(folder) {
                // Another delete was quicker.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => return result,
            }
        }
        folder = parent_of(folder)?;
    }
    sync(root)
}
