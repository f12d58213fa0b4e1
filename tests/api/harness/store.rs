//! The folder with the objects, looked at from outside.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A store folder of its own. The server is given `data`, one level below, so that it can be moved away.
pub struct Store {
    folder: TempDir,
}

impl Store {
    pub fn new() -> Self {
        let folder = TempDir::with_prefix("strongroom-store-").expect("make a folder");
        std::fs::create_dir(folder.path().join("data")).expect("make the store folder");
        Self { folder }
    }

    /// What `BACKUP_DATA_DIR` names.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Where the object with this key lies.
    pub fn object(&self, key: &str) -> PathBuf {
        self.path().join(key)
    }

    /// Puts a plain file where the folder was.
    pub fn break_it(&self) {
        std::fs::rename(self.path(), self.aside()).expect("move the store folder away");
        std::fs::write(self.path(), "not a folder").expect("put a file in its place");
    }

    /// The end of `break_it` or `take_away`.
    pub fn mend_it(&self) {
        let _ = std::fs::remove_file(self.path());
        std::fs::rename(self.aside(), self.path()).expect("move the store folder back");
    }

    /// Moves the folder away, with nothing in its place.
    pub fn take_away(&self) {
        std::fs::rename(self.path(), self.aside()).expect("move the store folder away");
    }

    fn aside(&self) -> PathBuf {
        self.folder.path().join("aside")
    }
}

/// Keys of all objects: files without a dot name on their way.
pub fn objects(root: &Path) -> BTreeSet<String> {
    files(root).into_iter().filter(|key| !has_dot_name(key)).collect()
}

/// Files that are on their way to become objects, or were left on it.
pub fn temporary(root: &Path) -> BTreeSet<String> {
    files(root).into_iter().filter(|key| key.starts_with(".tmp/")).collect()
}

fn has_dot_name(key: &str) -> bool {
    key.split('/').any(|part| part.starts_with('.'))
}

/// All plain files below `root`, as paths relative to it. What vanishes meanwhile is not there.
fn files(root: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(relative) = path.strip_prefix(root) {
                found.insert(relative.to_string_lossy().into_owned());
            }
        }
    }
    found
}
