//! Objects as files: `{root}/{object key}`.
//!
//! The store's own files have names that start with a dot, as no organization's folder does: `{root}/.tmp/` holds the
//! files that are being written, and `{root}/.probe/` for a moment what a check has written. A put writes to `.tmp`, syncs the
//! file, renames it to its place and syncs the folders (`write.rs`, `publication.rs`, `folders.rs`). A failed sync is never
//! tried again: the kernel may have thrown the pages away, and would then report success.
//!
//! Below the root no link is followed, and only a regular file of the right size is an object (`folder.rs`, `read.rs`): what
//! somebody else has put there is not served, and nothing outside is changed through it.
//!
//! Several processes may share a directory. What makes each pair safe:
//! * two puts: names in `.tmp` are random, and files there are created exclusively;
//! * a put and the removal of leftovers: a file in `.tmp` is locked while it is written, and only a file whose lock can
//!   be taken is removed (`temp.rs`);
//! * a put and a delete that removes the empty folder: the put creates the folder again if it has vanished before the
//!   rename, and a folder with an object in it can't be removed (`folders.rs`);
//! * a put and a get: the rename is atomic, and a reader keeps the file that it has opened.
//!
//! File work blocks, so each step is one short call on the blocking threads of the runtime that the store was given. No
//! thread waits for a client.

mod appender;
mod directory;
mod facts;
mod folder;
mod folders;
mod list;
mod organizations;
mod probe;
mod publication;
mod read;
mod temp;
mod write;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use tokio::runtime::Handle;

use super::{
    BlobStore, BodyInterrupted, Leftover, Listing, ObjectBody, ObjectFacts, PutBody, PutError, StoreError,
};
use crate::domain::object_key::ObjectKey;
use crate::domain::range::ByteRange;
use directory::Unfit;
use facts::Facts;
use folder::Folder;
use folders::{Settled, parent_of};
use organizations::Rounds;
use temp::Temp;

/// The folder of the files that are being written.
const TMP: &str = ".tmp";
const PREPARING: &str = "prepare the store's directory";

/// A store in a local directory.
#[derive(Clone)]
pub struct LocalStore {
    disk: Arc<Disk>,
}

/// What all the steps share.
struct Disk {
    /// Absolute, so that a line in the log says where it is.
    root: PathBuf,
    blocking: Handle,
    settled: Settled,
    rounds: Rounds,
    told: Once,
}

impl LocalStore {
    /// A store in `root` that has not been looked at yet: until
    /// [`prepare`](BlobStore::prepare) has succeeded once, now or by an earlier
    /// process, everything is `Unavailable`.
    #[must_use]
    pub fn new(root: PathBuf, blocking: Handle) -> Self {
        let root = std::path::absolute(&root).unwrap_or(root);
        let (settled, rounds, told) = (Settled::default(), Rounds::default(), Once::new());
        Self { disk: Arc::new(Disk { root, blocking, settled, rounds, told }) }
    }
}

impl Disk {
    /// Runs one step on the blocking threads. If the future is dropped the
    /// step still runs to its end, and its result is dropped.
    async fn run<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let done = self.blocking.spawn_blocking(work).await;
        done.map_err(io::Error::other).flatten().map_err(unavailable(doing))
    }

    /// Opens the store's directory, for one step: it may be another one at the next.
    fn open(&self) -> io::Result<Folder> {
        Folder::root(&self.root).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => not_mounted(&self.root),
            _ => error,
        })
    }

    /// The store's directory, if it is still the one that this file was made in.
    fn root_of(&self, temp: &Temp) -> io::Result<Folder> {
        let root = self.open()?;
        if tmp_of(&root)?.is_same(temp.name().folder())? {
            return Ok(root);
        }
        let message = format!("{} was replaced while an object was written", self.root.display());
        Err(io::Error::other(message))
    }

    fn delete(&self, key: &str) -> io::Result<()> {
        let root = self.open()?;
        root.remove(key).or_else(|error| missing(&root, error))?;
        fail_point!("local.removed");
        // Also when the file is gone: who removed it may have died before
        // the folder was synced.
        folders::remove_empty(&root, parent_of(key))
    }

    /// Makes the directory ready, and says in the log where it is.
    fn prepare(&self, new: bool) -> Result<(), Unfit> {
        directory::prepare(self, new)?;
        let left = temp::find(self)?;
        temp::remove_leftovers(self, &left)?;
        self.told.call_once(|| log::info!("store: {}", directory::description(&self.root)));
        Ok(())
    }
}

/// Opens the folder of temporary files. Where even that is missing (a disk that is not mounted) nothing can be said
/// about an object, and none may be written.
fn tmp_of(root: &Folder) -> io::Result<Folder> {
    root.enter(TMP).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => not_mounted(&root.path_of(TMP)),
        _ => error,
    })
}

/// Tells an object that does not exist (`Ok`) from a store that can't be read.
fn missing(root: &Folder, error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { tmp_of(root).map(drop) } else { Err(error) }
}

fn not_mounted(missing: &Path) -> io::Error {
    io::Error::other(format!("{} is missing: is the disk mounted?", missing.display()))
}

/// Makes a [`StoreError`] of what went wrong with a file.
fn unavailable(doing: &'static str) -> impl FnOnce(io::Error) -> StoreError {
    move |source| StoreError::Unavailable { doing, source }
}

/// A lock that outlives a panic of its holder.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl BlobStore for LocalStore {
    async fn put(
        &self,
        key: &ObjectKey,
        length: Option<u64>,
        about: &ObjectFacts,
        body: PutBody,
    ) -> Result<u64, PutError> {
        write::put(&self.disk, key, length, Facts::of(about), body).await
    }

    async fn get(
        &self,
        key: &ObjectKey,
        size: u64,
        range: Option<ByteRange>,
    ) -> Result<ObjectBody, StoreError> {
        read::get(&self.disk, key, size, range).await
    }

    async fn head(&self, key: &ObjectKey) -> Result<u64, StoreError> {
        read::head(&self.disk, key).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError> {
        let (disk, key) = (Arc::clone(&self.disk), key.clone());
        self.disk.run("delete the object", move || disk.delete(key.as_str())).await
    }

    fn list(&self, prefix: &str) -> Listing {
        list::list(Arc::clone(&self.disk), prefix)
    }

    async fn copy(&self, from: &ObjectKey, to: &ObjectKey) -> Result<(), StoreError> {
        const DOING: &str = "copy the object";
        let source = read::open(&self.disk, from, None).await?;
        let (size, facts) = (source.size(), source.facts(&self.disk).await?);
        // The body of a put can't say why it was interrupted, so the reason is kept beside it.
        let trouble = Arc::new(Mutex::new(None));
        let seen = Arc::clone(&trouble);
        let body = source.body(&self.disk, None).map(move |item| {
            item.map_err(|error| {
                *lock(&seen) = Some(error);
                BodyInterrupted
            })
        });
        match write::put(&self.disk, to, Some(size), facts, Box::pin(body)).await {
            Ok(_) => Ok(()),
            Err(PutError::Store(error)) => Err(error),
            Err(error @ (PutError::Body | PutError::Length { .. })) => {
                let trouble = lock(&trouble).take();
                Err(trouble.unwrap_or_else(|| unavailable(DOING)(io::Error::other(error))))
            }
        }
    }

    async fn check(&self) -> Result<(), StoreError> {
        let disk = Arc::clone(&self.disk);
        self.disk.run("write to the store", move || probe::probe(&disk)).await
    }

    async fn prepare(&self, new: bool) -> Result<(), StoreError> {
        let disk = Arc::clone(&self.disk);
        let prepared = self.disk.run(PREPARING, move || Ok(disk.prepare(new))).await?;
        prepared.map_err(|unfit| match unfit {
            Unfit::Refused(line) => StoreError::Refused(line),
            Unfit::Unavailable(error) => unavailable(PREPARING)(error),
        })
    }

    fn presign(&self, _: &ObjectKey, _: Duration, _: &str) -> Option<String> {
        None
    }

    async fn find_leftovers(&self) -> Result<Vec<Leftover>, StoreError> {
        let disk = Arc::clone(&self.disk);
        self.disk.run("list temporary files", move || temp::find(&disk)).await
    }

    async fn remove_leftovers(&self, left: &[Leftover]) -> Result<usize, StoreError> {
        let (disk, left) = (Arc::clone(&self.disk), left.to_vec());
        self.disk.run("remove temporary files", move || temp::remove_leftovers(&disk, &left)).await
    }
}
