//! Objects as files: `{root}/{object key}`.
//!
//! The store's own files have names that start with a dot, which no organization's folder has: `{root}/.tmp/` holds the files
//! that are being written, and `{root}/.probe/` the file of a running check. A put writes to `.tmp`, syncs the file, renames
//! it to its final name and syncs the folders (`write.rs`, `publication.rs`, `folders.rs`). A small object that comes before its
//! row is linked to its name instead, and keeps a mark in `.tmp/ahead/` (`ahead.rs`, `marks.rs`). A failed sync is never repeated:
//! the kernel may have dropped the pages, and would then report success.
//!
//! Below the root no link is followed, and only a regular file of the right size is an object (`folder.rs`, `read.rs`):
//! other files in the directory are not served, and nothing outside of it is changed through them.
//!
//! Several processes may share a directory. What makes each pair safe:
//! * two puts: names in `.tmp` are random, and files there are created exclusively;
//! * a put and the removal of leftovers: a file in `.tmp` is locked while it is written, and only a file whose lock can
//!   be taken is removed (`leftovers.rs`);
//! * a put and a delete that removes the empty folder: the put creates the folder again if it has vanished before the
//!   rename, and a folder with an object in it can't be removed (`folders.rs`);
//! * a put ahead and the sweep that settles marks: as long as the process that made a mark does not know what has become of it, the
//!   file is locked, and only a mark whose lock can be taken is settled (`marks.rs`);
//! * a put and a get: the rename is atomic, and a reader keeps the file that it has opened.
//!
//! File work blocks, so each step is one short call on the blocking threads of the store's runtime (only what the page cache has
//! is read without them). No thread waits for a client.

mod ahead;
mod aligned_buffer;
mod appender;
mod block_writer;
mod delete;
mod directory;
mod disk;
mod extended_attributes;
mod folder;
mod folders;
mod leftovers;
mod list;
mod marks;
mod mutex;
mod open_object;
mod org_folder_checks;
mod probe;
mod publication;
mod read;
mod temp_file;
mod wait;
mod write;

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::runtime::Handle;

use super::{
    BlobStore, BodyInterrupted, Leftover, Listing, Mark, ObjectBody, ObjectMetadata, PutBody, PutError,
    StoreError, Unclaimed,
};
use crate::domain::object_key::ObjectKey;
use crate::domain::range::ByteRange;
use ahead::NewAhead;
use directory::PrepareError;
use disk::{Disk, unavailable};
use extended_attributes::ExtendedAttributes;
use marks::Counted;
use mutex::lock;

const PREPARING: &str = "prepare the store's directory";

/// A store in a local directory.
#[derive(Clone)]
pub struct LocalStore {
    disk: Arc<Disk>,
}

impl LocalStore {
    /// Returns a store in `root`, which is not read yet: until [`prepare`](BlobStore::prepare) has succeeded once, in this
    /// process or an earlier one, every call returns `Unavailable`.
    #[must_use]
    pub fn new(root: PathBuf, blocking: Handle) -> Self {
        Self { disk: Arc::new(Disk::new(root, blocking)) }
    }
}

/// Prepares the directory, and logs where it is.
fn prepare(disk: &Disk, new: bool) -> Result<(), PrepareError> {
    directory::prepare(disk, new)?;
    let left = leftovers::find(disk)?;
    leftovers::remove(disk, &left)?;
    disk.location_logged.call_once(|| log::info!("store: {}", directory::description(&disk.root)));
    Ok(())
}

#[async_trait]
impl BlobStore for LocalStore {
    async fn put(
        &self,
        key: &ObjectKey,
        length: Option<u64>,
        metadata: &ObjectMetadata,
        body: PutBody,
    ) -> Result<u64, PutError> {
        write::put(&self.disk, key, length, ExtendedAttributes::of(metadata), body).await
    }

    fn can_put_ahead(&self) -> bool {
        self.disk.has_links.load(Ordering::Relaxed) && Counted::may_be_more(&self.disk)
    }

    async fn put_ahead(
        &self,
        key: &ObjectKey,
        metadata: &ObjectMetadata,
        body: Vec<Bytes>,
    ) -> Result<Option<Box<dyn Mark>>, StoreError> {
        let (disk, key) = (Arc::clone(&self.disk), key.clone());
        let (attributes, counted) = (ExtendedAttributes::of(metadata), Counted::new(&self.disk));
        let put = move || ahead::put(&disk, key, &attributes, &body, counted);
        Ok(self.disk.run("write the object", put).await?.and_then(NewAhead::claim))
    }

    async fn find_unclaimed(&self) -> Result<Vec<Unclaimed>, StoreError> {
        let disk = Arc::clone(&self.disk);
        self.disk.run("list the marks of objects", move || marks::unclaimed(&disk)).await
    }

    async fn marked(&self) -> Result<HashSet<ObjectKey>, StoreError> {
        let disk = Arc::clone(&self.disk);
        self.disk.run("list the marks of objects", move || marks::marked(&disk)).await
    }

    async fn remove_mark(&self, key: &ObjectKey) -> Result<(), StoreError> {
        let (disk, key) = (Arc::clone(&self.disk), key.clone());
        self.disk.run("remove the mark of an object", move || marks::remove_mark(&disk, &key)).await
    }

    async fn delete_unclaimed(&self, key: &ObjectKey) -> Result<bool, StoreError> {
        let (disk, key) = (Arc::clone(&self.disk), key.clone());
        self.disk.run("delete the object", move || marks::delete_unclaimed(&disk, &key)).await
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
        self.disk.run("delete the object", move || delete::delete(&disk, &key)).await
    }

    fn list(&self, prefix: &str) -> Listing {
        list::list(Arc::clone(&self.disk), prefix)
    }

    async fn copy(&self, from: &ObjectKey, to: &ObjectKey) -> Result<(), StoreError> {
        const ACTION: &str = "copy the object";
        let source = read::open(&self.disk, from, None).await?;
        let (size, attributes) = (source.size(), source.attributes(&self.disk).await?);
        // The body of a put can't carry the reason of its interruption, so the error is kept beside it.
        let read_error = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&read_error);
        let body = source.body(&self.disk, None).map(move |item| {
            item.map_err(|error| {
                *lock(&kept) = Some(error);
                BodyInterrupted
            })
        });
        match write::put(&self.disk, to, Some(size), attributes, Box::pin(body)).await {
            Ok(_) => Ok(()),
            Err(PutError::Store(error)) => Err(error),
            Err(error @ (PutError::BodyInterrupted | PutError::Length { .. })) => {
                let read_error = lock(&read_error).take();
                Err(read_error.unwrap_or_else(|| unavailable(ACTION)(io::Error::other(error))))
            }
        }
    }

    async fn check(&self) -> Result<(), StoreError> {
        let disk = Arc::clone(&self.disk);
        self.disk.run("write to the store", move || probe::probe(&disk)).await
    }

    async fn prepare(&self, new: bool) -> Result<(), StoreError> {
        let disk = Arc::clone(&self.disk);
        let prepared = self.disk.run(PREPARING, move || Ok(prepare(&disk, new))).await?;
        prepared.map_err(|error| match error {
            PrepareError::Refused(line) => StoreError::Refused(line),
            PrepareError::Unavailable(error) => unavailable(PREPARING)(error),
        })
    }

    fn presign(&self, _: &ObjectKey, _: Duration, _: &str) -> Option<String> {
        None
    }

    async fn find_leftovers(&self) -> Result<Vec<Leftover>, StoreError> {
        let disk = Arc::clone(&self.disk);
        self.disk.run("list temporary files", move || leftovers::find(&disk)).await
    }

    async fn remove_leftovers(&self, left: &[Leftover]) -> Result<usize, StoreError> {
        let (disk, left) = (Arc::clone(&self.disk), left.to_vec());
        self.disk.run("remove temporary files", move || leftovers::remove(&disk, &left)).await
    }
}
