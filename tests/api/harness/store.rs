//! The test's view of the store.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::engine::{Bucket, Fault, Proxy};

/// A store of the test's own: a folder, or with `STRONGROOM_TEST_STORE=s3` a bucket. The server uses `data`, one
/// level below the folder, or the address of a proxy to the engine, so that the test can make it unavailable.
pub struct Store {
    folder: TempDir,
    bucket: Option<(Bucket, Proxy)>,
}

/// Whether the tests run on a bucket.
pub fn on_s3() -> bool {
    std::env::var("STRONGROOM_TEST_STORE").is_ok_and(|store| store == "s3")
}

/// Ends a test that needs files, with a message, on a bucket.
macro_rules! needs_a_folder {
    () => {
        if $crate::harness::on_s3() {
            println!("skipped: about the local store's folder, and this run is on S3");
            return;
        }
    };
}

/// Skips a test that starts its server on a disk of its own where nothing can be mounted.
macro_rules! needs_mounts {
    () => {
        if $crate::common::namespaces::own_mounts().is_none() {
            let test = std::thread::current().name().unwrap_or_default().to_owned();
            return $crate::common::namespaces::skip(&test, "mounts of their own");
        }
    };
}

impl Store {
    pub fn new() -> Self {
        let folder = TempDir::with_prefix("strongroom-store-").expect("make a folder");
        std::fs::create_dir(folder.path().join("data")).expect("make the store folder");
        let bucket = on_s3().then(|| {
            let bucket = Bucket::new();
            let link = Proxy::new(&bucket.endpoint);
            (bucket, link)
        });
        Self { folder, bucket }
    }

    /// Returns the settings for this store.
    pub fn settings(&self) -> Vec<(String, String)> {
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        match &self.bucket {
            None => vec![set("BACKUP_DATA_DIR", &self.path().to_string_lossy())],
            Some((bucket, link)) => {
                bucket.settings(&link.endpoint()).map(|(name, value)| set(name, value)).to_vec()
            }
        }
    }

    /// Returns the folder for `BACKUP_DATA_DIR`.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn read(&self, key: &str) -> Vec<u8> {
        match &self.bucket {
            None => std::fs::read(self.path().join(key)).expect("the object"),
            Some((bucket, _)) => bucket.read(key).expect("the object"),
        }
    }

    /// Writes an object without the service.
    pub fn write(&self, key: &str, bytes: &[u8]) {
        match &self.bucket {
            None => {
                let path = self.path().join(key);
                std::fs::create_dir_all(path.parent().expect("a folder")).expect("make the folder");
                std::fs::write(path, bytes).expect("write the object");
            }
            Some((bucket, _)) => bucket.write(key, bytes),
        }
    }

    /// Deletes an object without the service.
    pub fn remove(&self, key: &str) {
        match &self.bucket {
            None => std::fs::remove_file(self.path().join(key)).expect("remove the object"),
            Some((bucket, _)) => bucket.remove(key),
        }
    }

    /// Begins an upload to the bucket without the service, and leaves it unfinished; only on a real engine.
    pub fn begin_upload(&self, key: &str) {
        let (bucket, _) = self.bucket.as_ref().expect("a bucket");
        bucket.begin_upload(key);
    }

    /// Returns the keys of all objects in the bucket, if it is one, except the store's own.
    pub fn objects_in_bucket(&self) -> Option<BTreeSet<String>> {
        let (bucket, _) = self.bucket.as_ref()?;
        Some(bucket.keys().into_iter().filter(|key| !has_dot_name(key)).collect())
    }

    /// Returns the unfinished uploads to the bucket.
    pub fn uploads_to_bucket(&self) -> Option<BTreeSet<String>> {
        let (bucket, _) = self.bucket.as_ref()?;
        Some(bucket.uploads().into_iter().map(|(key, _)| key).collect())
    }

    /// Replaces the folder by a plain file; the engine answers 500 to every call.
    pub fn break_store(&self) {
        if let Some((_, link)) = &self.bucket {
            link.inject(Fault::Error500, |_| true);
            return;
        }
        std::fs::rename(self.path(), self.aside()).expect("move the store folder away");
        std::fs::write(self.path(), "not a folder").expect("put a file in its place");
    }

    /// Ends `break_store` or `make_unavailable`.
    pub fn repair_store(&self) {
        if let Some((_, link)) = &self.bucket {
            link.repair();
            return;
        }
        let _ = std::fs::remove_file(self.path());
        std::fs::rename(self.aside(), self.path()).expect("move the store folder back");
    }

    /// Moves the folder away, without a replacement; the engine's address refuses connections.
    pub fn make_unavailable(&self) {
        if let Some((_, link)) = &self.bucket {
            link.inject(Fault::Refused, |_| true);
            return;
        }
        std::fs::rename(self.path(), self.aside()).expect("move the store folder away");
    }

    fn aside(&self) -> PathBuf {
        self.folder.path().join("aside")
    }
}

/// Returns the keys of all objects: files without a dot name in their path.
pub fn objects(root: &Path) -> BTreeSet<String> {
    files(root).into_iter().filter(|key| !has_dot_name(key)).collect()
}

/// Where the marks of objects are that come before their rows.
const MARKS: &str = ".tmp/ahead/";

/// Returns files that may become objects, or are leftovers.
pub fn temporary(root: &Path) -> BTreeSet<String> {
    let is_temporary = |key: &String| key.starts_with(".tmp/") && !key.starts_with(MARKS);
    files(root).into_iter().filter(is_temporary).collect()
}

/// Returns the marks of objects that came before their rows. One of a stored backup is removed a moment later.
pub fn marks(root: &Path) -> BTreeSet<String> {
    files(root).into_iter().filter(|key| key.starts_with(MARKS)).collect()
}

fn has_dot_name(key: &str) -> bool {
    key.split('/').any(|part| part.starts_with('.'))
}

/// Returns all plain files below `root`, as paths relative to it. Files that disappear meanwhile are skipped.
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
