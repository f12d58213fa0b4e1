//! Objects as files: `{root}/{object key}`.
//!
//! The store's own files have names that start with a dot, as no organization's folder does: `{root}/.tmp/` holds the
//! files that are being written. A put writes there, syncs the file, renames it to its place and syncs the folders
//! (`write.rs`, `publication.rs`, `folders.rs`). A failed sync is never tried again: the kernel may have thrown the pages
//! away, and would then report success.
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
mod facts;
mod folders;
mod list;
mod publication;
mod read;
mod temp;
mod write;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::runtime::Handle;

use super::{
    BlobStore, BodyInterrupted, Leftover, Listing, ObjectBody, ObjectFacts, PutBody, PutError, StoreError,
};
use crate::domain::object_key::ObjectKey;
use crate::domain::range::ByteRange;
use facts::Facts;
use folders::Settled;
use temp::Temp;

/// What a check of the store writes: a whole block, so that a full disk is noticed.
const PROBE: [u8; 4096] = [0; 4096];

/// A store in a local directory.
#[derive(Clone)]
pub struct LocalStore {
    disk: Arc<Disk>,
}

/// What all the steps share.
struct Disk {
    root: PathBuf,
    /// `{root}/.tmp`.
    tmp: PathBuf,
    blocking: Handle,
    settled: Settled,
}

impl LocalStore {
    /// A store in `root` that has not been looked at yet: until
    /// [`prepare`](BlobStore::prepare) has succeeded once, now or by an earlier
    /// process, everything is `Unavailable`.
    #[must_use]
    pub fn new(root: PathBuf, blocking: Handle) -> Self {
        let tmp = root.join(".tmp");
        let settled = Settled::default();
        Self { disk: Arc::new(Disk { root, tmp, blocking, settled }) }
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

    fn path_of(&self, key: &ObjectKey) -> PathBuf {
        self.root.join(key.as_str())
    }

    /// Whether the store is there at all. Where even its own folder is missing
    /// (a disk that is not mounted) nothing can be said about an object.
    fn present(&self) -> io::Result<()> {
        match self.tmp.symlink_metadata() {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let tmp = self.tmp.display();
                let message = format!("{tmp} is missing: is the disk mounted?");
                Err(io::Error::other(message))
            }
            Err(error) => Err(error),
        }
    }

    /// Tells an object that does not exist (`Ok`) from a store that can't be read.
    fn missing(&self, error: io::Error) -> io::Result<()> {
        if error.kind() == io::ErrorKind::NotFound { self.present() } else { Err(error) }
    }

    fn probe(&self) -> io::Result<()> {
        let mut temp = Temp::create(self)?;
        temp.write_last(vec![Bytes::from_static(&PROBE)])?;
        temp.file().sync_all()?;
        temp.remove();
        Ok(())
    }
}

/// Makes a [`StoreError`] of what went wrong with a file.
fn unavailable(doing: &'static str) -> impl FnOnce(io::Error) -> StoreError {
    move |source| StoreError::Unavailable { doing, source }
}

/// A lock that outlives a panic of its holder.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn parent_of(path: &Path) -> io::Result<&Path> {
    path.parent().ok_or_else(|| io::Error::other("a path without a parent"))
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

    async fn get(&self, key: &ObjectKey, range: Option<ByteRange>) -> Result<ObjectBody, StoreError> {
        Ok(read::get(&self.disk, key, range).await?.body)
    }

    async fn head(&self, key: &ObjectKey) -> Result<u64, StoreError> {
        read::head(&self.disk, key).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError> {
        let (disk, path) = (Arc::clone(&self.disk), self.disk.path_of(key));
        let work = move || {
            std::fs::remove_file(&path).or_else(|error| disk.missing(error))?;
            fail_point!("local.removed");
            // Also when the file is gone: who removed it may have died before
            // the folder was synced.
            folders::remove_empty(&disk.root, parent_of(&path)?)
        };
        self.disk.run("delete the object", work).await
    }

    fn list(&self, prefix: &str) -> Listing {
        list::list(Arc::clone(&self.disk), prefix)
    }

    async fn copy(&self, from: &ObjectKey, to: &ObjectKey) -> Result<(), StoreError> {
        const DOING: &str = "copy the object";
        let source = read::get(&self.disk, from, None).await?;
        let facts = read::facts(&self.disk, from).await?;
        // The body of a put can't say why it was interrupted, so the reason is kept beside it.
        let trouble = Arc::new(Mutex::new(None));
        let seen = Arc::clone(&trouble);
        let body = source.body.map(move |item| {
            item.map_err(|error| {
                *lock(&seen) = Some(error);
                BodyInterrupted
            })
        });
        match write::put(&self.disk, to, Some(source.size), facts, Box::pin(body)).await {
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
        self.disk.run("write to the store", move || disk.probe()).await
    }

    async fn prepare(&self, new: bool) -> Result<(), StoreError> {
        let store = self.clone();
        let work = move || {
            if new {
                folders::make_with_parents(&store.disk.tmp)?;
            }
            store.disk.present()?;
            let left = temp::find(&store.disk.tmp)?;
            temp::remove_leftovers(&store.disk.tmp, &left);
            Ok(())
        };
        self.disk.run("prepare the store's directory", work).await
    }

    fn presign(&self, _: &ObjectKey, _: Duration, _: &str) -> Option<String> {
        None
    }

    async fn find_leftovers(&self) -> Result<Vec<Leftover>, StoreError> {
        let disk = Arc::clone(&self.disk);
        self.disk.run("list temporary files", move || temp::find(&disk.tmp)).await
    }

    async fn remove_leftovers(&self, left: &[Leftover]) -> Result<usize, StoreError> {
        let (disk, left) = (Arc::clone(&self.disk), left.to_vec());
        let work = move || Ok(temp::remove_leftovers(&disk.tmp, &left));
        self.disk.run("remove temporary files", work).await
    }
}
