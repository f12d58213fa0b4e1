//! Lists objects in the byte order of their keys: walks the folders in batches, each on a blocking thread. The names of one
//! folder are sorted in memory; they are read in whatever order the file system keeps them.

use std::io;
use std::sync::Arc;
use std::vec;

use futures_util::{TryStreamExt, stream};

use super::folder::{Folder, at};
use super::{Disk, tmp_of};
use crate::domain::ids::OrgId;
use crate::domain::object_key::ObjectKey;
use crate::store::{Listing, ObjectInfo, StoreError};

/// How many entries of folders one batch looks at.
const BATCH: usize = 512;

pub(super) fn list(disk: Arc<Disk>, prefix: &str) -> Listing {
    let walk = Walk { disk, prefix: prefix.to_owned(), open: Vec::new(), begun: false };
    let batches = stream::try_unfold(walk, Walk::next)
        .map_ok(|batch| stream::iter(batch.into_iter().map(Ok)))
        .try_flatten();
    Box::pin(batches)
}

/// The way down to where the walk is, from where it began: the root, an
/// organization's folder, a system's folder.
struct Walk {
    disk: Arc<Disk>,
    prefix: String,
    open: Vec<Level>,
    begun: bool,
}

struct Level {
    /// What the keys in it start with: `""`, `org/` or `org/system/`.
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
            // A store that is not there must not look like an empty one.
            tmp_of(&root)?;
            self.begin(&root)?;
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
            } else if !in_system && is_ours(&entry) && may_lead_to(&self.prefix, &format!("{name}/")) {
                let inner = enter(&level.folder, &entry, format!("{name}/"))?;
                self.open.extend(inner);
            }
        }
        Ok(found)
    }

    /// Goes straight to the deepest folder that all keys with the prefix are in: an organization may have very
    /// many systems, and each is listed by itself.
    fn begin(&mut self, root: &Folder) -> io::Result<()> {
        let folder = self.prefix.rfind('/').map_or("", |slash| &self.prefix[..=slash]);
        let segments: Vec<_> = folder.split_terminator('/').collect();
        // No key has more folders, or folders with other names.
        if segments.len() <= 2 && segments.iter().all(|segment| is_ours(segment)) {
            let name = if segments.is_empty() { "." } else { folder.trim_end_matches('/') };
            self.open.extend(enter(root, name, folder.to_owned())?);
        }
        Ok(())
    }
}

/// Whether keys with the prefix can be in this folder, whose name ends with a slash.
fn may_lead_to(prefix: &str, folder: &str) -> bool {
    folder.starts_with(prefix) || prefix.starts_with(folder)
}

/// Opens a folder, unless it has gone away or is none.
fn enter(parent: &Folder, folder: &str, name: String) -> io::Result<Option<Level>> {
    match parent.folder(folder).and_then(|folder| Ok((names_in(&folder)?, folder))) {
        Ok((mut names, folder)) => {
            // A folder's name is followed by a slash in the keys of what is in it, and '-' sorts before that.
            names.sort_unstable_by(|a, b| a.bytes().chain([b'/']).cmp(b.bytes().chain([b'/'])));
            Ok(Some(Level { name, folder, entries: names.into_iter() }))
        }
        Err(error) if is_passing(&error) || is_no_folder(parent, folder) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The names in a folder. What is not UTF-8 is not ours.
fn names_in(folder: &Folder) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in folder.entries()? {
        let entry = entry.map_err(at(&folder.path_of(".")))?;
        names.extend(entry.file_name().to_str().map(str::to_owned));
    }
    Ok(names)
}

/// The object called `key`, which is the file `name` of a folder, if it is one.
fn object(folder: &Folder, name: &str, key: &str) -> io::Result<Option<ObjectInfo>> {
    let Ok(key) = ObjectKey::parse(key) else {
        return Ok(None);
    };
    match folder.look(name) {
        Ok(metadata) if metadata.is_file() => {
            let modified = metadata.modified().ok().map(Into::into);
            Ok(Some(ObjectInfo { key, size: metadata.len(), modified }))
        }
        Ok(_) => Ok(None),
        Err(error) if is_passing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether it is something else than a folder, such as a link to one.
fn is_no_folder(parent: &Folder, name: &str) -> bool {
    parent.look(name).is_ok_and(|metadata| !metadata.is_dir())
}

/// Whether a folder can be an organization's or a system's (both names have the
/// same alphabet). `lost+found` is not, and may not even be opened.
fn is_ours(folder: &str) -> bool {
    OrgId::parse(folder).is_ok()
}

/// Whether the entry has gone away meanwhile, or is a file where a folder should be.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory)
}
