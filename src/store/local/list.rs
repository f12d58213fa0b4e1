//! Lists objects in the byte order of their keys: walks the folders in batches, each on a blocking thread. The names of one
//! folder are sorted in memory; they are read in whatever order the file system keeps them.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::vec;

use futures_util::{TryStreamExt, stream};

use super::Disk;
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
    open: Vec<Folder>,
    begun: bool,
}

struct Folder {
    /// What the keys in it start with: `""`, `org/` or `org/system/`.
    name: String,
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
            // A store that is not there must not look like an empty one.
            self.disk.present()?;
            self.begin()?;
        }
        let mut found = Vec::new();
        for _ in 0..BATCH {
            let Some(folder) = self.open.last_mut() else {
                break;
            };
            let Some(entry) = folder.entries.next() else {
                self.open.pop();
                continue;
            };
            let name = format!("{}{entry}", folder.name);
            let in_system = folder.name.matches('/').count() == 2;
            if in_system && name.starts_with(&self.prefix) {
                found.extend(self.object(&name)?);
            } else if !in_system && is_ours(&entry) {
                self.enter(format!("{name}/"))?;
            }
        }
        Ok(found)
    }

    /// Goes straight to the deepest folder that all keys with the prefix are in: an organization may have very
    /// many systems, and each is listed by itself.
    fn begin(&mut self) -> io::Result<()> {
        let folder = self.prefix.rfind('/').map_or("", |slash| &self.prefix[..=slash]);
        let segments: Vec<_> = folder.split_terminator('/').collect();
        // No key has more folders, or folders with other names.
        if segments.len() <= 2 && segments.iter().all(|segment| is_ours(segment)) {
            self.enter(folder.to_owned())?;
        }
        Ok(())
    }

    /// Goes into a folder if keys with the prefix can be in it.
    fn enter(&mut self, name: String) -> io::Result<()> {
        if !(name.starts_with(&self.prefix) || self.prefix.starts_with(&name)) {
            return Ok(());
        }
        let path: PathBuf = self.disk.root.join(&name);
        match names_in(path) {
            Ok(mut entries) => {
                // A folder's name is followed by a slash in the keys of what is in it, and '-' sorts before that.
                entries.sort_unstable_by(|a, b| a.bytes().chain([b'/']).cmp(b.bytes().chain([b'/'])));
                self.open.push(Folder { name, entries: entries.into_iter() });
            }
            Err(error) if is_passing(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn object(&self, name: &str) -> io::Result<Option<ObjectInfo>> {
        let Ok(key) = ObjectKey::parse(name) else {
            return Ok(None);
        };
        match self.disk.path_of(&key).metadata() {
            Ok(metadata) if metadata.is_file() => {
                let modified = metadata.modified().ok().map(Into::into);
                Ok(Some(ObjectInfo { key, size: metadata.len(), modified }))
            }
            Ok(_) => Ok(None),
            Err(error) if is_passing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The names in a folder. What is not UTF-8 is not ours.
fn names_in(folder: PathBuf) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.extend(entry?.file_name().into_string());
    }
    Ok(names)
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
