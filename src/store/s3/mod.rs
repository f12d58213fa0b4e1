//! Objects in a bucket of any S3-compatible engine, under their own keys.
//!
//! The store's own objects have keys that start with `.strongroom/`. This is the only module that names rusoto; its traps
//! are described in `client.rs`.
//!
//! What makes each pair safe:
//! * a put and a get: an object exists once its request, or the completion of its upload, has been answered; engines show
//!   nothing of it before;
//! * a put that failed and the same key: keys are used once, so deleting an object that may have been stored (`put.rs`)
//!   hits nothing else; the caller deletes an object that appears later still, together with its row;
//! * a put and the removal of leftovers: uploads are listed first, then the caller looks up which keys are in use. A key
//!   has a row before its upload begins and until it has ended, so no process finishes a listed upload whose key is not in
//!   use.

mod call_error;
mod calls;
mod checked_dispatcher;
mod client;
mod last_write;
mod list;
mod metadata;
mod multipart;
mod multipart_calls;
mod object;
mod part_memory;
mod presign;
mod probe;
mod put;
mod put_context;
mod put_result;
mod read;
mod settings;
mod stream;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{BlobStore, Leftover, Listing, ObjectBody, ObjectMetadata, PutBody, PutError, StoreError};
use crate::domain::object_key::ObjectKey;
use crate::domain::range::ByteRange;
use calls::DEFAULT_TIMEOUTS;
use client::Client;
use part_memory::PartMemory;

pub use settings::S3Settings;

/// Crates that log, in more detail than `info`, signatures with which a request could be repeated.
pub const CRATES_THAT_LOG_SECRETS: &[&str] = &["rusoto_core", "rusoto_signature"];

/// A store in a bucket.
#[derive(Clone)]
pub struct S3Store {
    client: Arc<Client>,
    memory: Arc<PartMemory>,
}

impl S3Store {
    /// Returns a store. Nothing is connected to yet.
    ///
    /// # Errors
    /// If no threads can be started for it.
    pub fn new(settings: &S3Settings) -> io::Result<Self> {
        Ok(Self { client: Arc::new(Client::new(settings)?), memory: PartMemory::new(part_memory::CAPACITY) })
    }

    /// The number of puts that are in progress or being rolled back.
    #[must_use]
    pub fn open_puts(&self) -> usize {
        self.client.open_tasks()
    }
}

#[async_trait]
impl BlobStore for S3Store {
    async fn put(
        &self,
        key: &ObjectKey,
        length: Option<u64>,
        metadata: &ObjectMetadata,
        body: PutBody,
    ) -> Result<u64, PutError> {
        put::put(&self.client, &self.memory, key, length, metadata, body).await
    }

    async fn get(
        &self,
        key: &ObjectKey,
        size: u64,
        range: Option<ByteRange>,
    ) -> Result<ObjectBody, StoreError> {
        self.client.get(key, size, range).await
    }

    async fn head(&self, key: &ObjectKey) -> Result<u64, StoreError> {
        let found = self.client.head(DEFAULT_TIMEOUTS, key.as_str()).await;
        found.map_err(|error| error.into_store_error("inspect the object"))
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError> {
        let deleted = self.client.delete(DEFAULT_TIMEOUTS, key.as_str()).await;
        deleted.map_err(|error| error.into_unavailable("delete the object"))
    }

    fn list(&self, prefix: &str) -> Listing {
        list::list(Arc::clone(&self.client), prefix)
    }

    async fn copy(&self, from: &ObjectKey, to: &ObjectKey) -> Result<(), StoreError> {
        self.client.copy(from, to).await
    }

    fn presign(&self, key: &ObjectKey, valid_for: Duration, filename: &str) -> Option<String> {
        Some(presign::presign(&self.client, key, valid_for, filename))
    }

    async fn check(&self) -> Result<(), StoreError> {
        probe::check(&self.client).await
    }

    async fn prepare(&self, _: bool) -> Result<(), StoreError> {
        probe::prepare(&self.client).await
    }

    async fn find_leftovers(&self) -> Result<Vec<Leftover>, StoreError> {
        self.client.unfinished_uploads().await
    }

    async fn remove_leftovers(&self, left: &[Leftover]) -> Result<usize, StoreError> {
        list::abort_leftovers(&self.client, left).await
    }
}
