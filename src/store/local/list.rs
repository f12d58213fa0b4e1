//! Lists objects in the byte order of their keys: walks the folders in batches, each on a blocking thread. The names of one
//! folder are sorted in memory; they are read in whatever order the file system keeps them.

use std::io;
use std::sync::Arc;
use std::vec;

use futures_util::{TryStreamExt, stream};

use super::disk::{Disk, tmp_of};
use super::folder::{Folder, at};
use crate::domain::ids::OrgId;
use crate::domain::object_key::ObjectKey;
use crate::store::{Listing, ObjectInfo, StoreError};

/// How many folder entries one batch reads.
const BATCH: usize = 512;

pub(super) fn list(disk: Arc<Disk>, prefix: &str) -> Listing {
    let walk = Walk { disk, prefix: prefix.to_owned(), open: Vec::new(), begun: false };
    let batches = stream::try_unfold(walk, Walk::next)
        .map_ok(|batch| stream::iter(batch.into_iter().map(Ok)))
        .try_flatten();
    Box::pin(batches)
}

/// A walk through the folders.
struct Walk {
    disk: Arc<Disk>,
    prefix: String,
    /// The open folders from the start of the walk down to the current one: the root, an organization's, a system's.
    open: Vec<Level>,
    begun: bool,
}

struct Level {
    /// The start of the keys in it: `""`, `org/` or `org/system/`.
    name: String,
    folder: Folder,
    entries: vec::IntoIter<String>,
}

impl Walk {
    async fn next(mut self) -> Result<Option<(Vec<ObjectInfo>, Self)>, StoreError> {
        let disk = Arc::clone(&self.disk);
        let work = move || {
            let batch = self.batch()?;
            let over = self.open.is_empty() && batch.is_empty();
            Ok((!over).then_some((batch, self)))
        };
        disk.run("list the objects", work).await
    }

    fn batch(&mut self) -> io::Result<Vec<ObjectInfo>> {
        if !self.begun {
            self.begun = true;
            let root = self.disk.open()?;
            // A missing store must not look like an empty one.
            tmp_of(&root)?;
            self.open_start(&root)?;
        }
        let mut found = Vec::new();
        for _ in 0..BATCH {
            let Some(level) = self.open.last_mut() else {
                break;
            };
            let Some(entry) = level.entries.next() else {
                self.open.pop();
                continue;
            };
            let name = format!("{}{entry}", level.name);
            let in_system = level.name.matches('/').count() == 2;
            if in_system && name.starts_with(&self.prefix) {
                found.extend(object(&level.folder, &entry, &name)?);
            } else if !in_system
                && is_org_or_system_name(&entry)
                && may_contain(&self.prefix, &format!("{name}/"))
            {
                let inner = open_level(&level.folder, &entry, format!("{name}/"))?;
                self.open.extend(inner);
            }
        }
        Ok(found)
    }

    /// Opens the deepest folder that contains all keys with the prefix: an organization may have very many systems, and each
    /// is listed by itself.
    fn open_start(&mut self, root: &Folder) -> io::Result<()> {
        let folder = self.prefix.rfind('/').map_or("", |slash| &self.prefix[..=slash]);
        let segments: Vec<_> = folder.split_terminator('/').collect();
        // No key has more folders, or other folder names.
        if segments.len() <= 2 && segments.iter().all(|segment| is_org_or_system_name(segment)) {
            let name = if segments.is_empty() { "." } else { folder.trim_end_matches('/') };
            self.open.extend(open_level(root, name, folder.to_owned())?);
        }
        Ok(())
    }
}

/// Returns whether this folder, whose name ends with a slash, can contain keys with the prefix.
fn may_contain(prefix: &str, folder: &str) -> bool {
    folder.starts_with(prefix) || prefix.starts_with(folder)
}

/// Opens a folder. Returns `None` if it does not exist or is not a folder.
fn open_level(parent: &Folder, folder: &str, name: String) -> io::Result<Option<Level>> {
    match parent.open_folder(folder).and_then(|folder| Ok((names_in(&folder)?, folder))) {
        Ok((mut names, folder)) => {
            // In the keys a slash follows the folder's name, and '-' sorts before the slash.
            names.sort_unstable_by(|a, b| a.bytes().chain([b'/']).cmp(b.bytes().chain([b'/'])));
            Ok(Some(Level { name, folder, entries: names.into_iter() }))
        }
        Err(error) if is_gone(&error) || is_not_folder(parent, folder) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the names in a folder. Names that are not UTF-8 are not the store's.
fn names_in(folder: &Folder) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in folder.entries()? {
        let entry = entry.map_err(at(&folder.path_of(".")))?;
        names.extend(entry.file_name().to_str().map(str::to_owned));
    }
    Ok(names)
}

/// Returns the object `key`, which is the file `name` of a folder, if it is one.
fn object(folder: &Folder, name: &str, key: &str) -> io::Result<Option<ObjectInfo>> {
    let Ok(key) = ObjectKey::parse(key) else {
        return Ok(None);
    };
    match folder.metadata_of(name) {
        Ok(metadata) if metadata.is_file() => {
            let modified = metadata.modified().ok().map(Into::into);
            Ok(Some(ObjectInfo { key, size: metadata.len(), modified }))
        }
        Ok(_) => Ok(None),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns whether the error means that the name is not a folder, but for example a link to one.
fn is_not_folder(parent: &Folder, name: &str) -> bool {
    parent.metadata_of(name).is_ok_and(|metadata| !metadata.is_dir())
}

/// Returns whether a folder can be an organization's or a system's (both names have the same alphabet). `lost+found` can't, and
/// might not even be readable.
fn is_org_or_system_name(folder: &str) -> bool {
    OrgId::parse(folder).is_ok()
}

/// Returns whether the error means that the entry was removed, or is a file where a folder should be.
fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory)
}
