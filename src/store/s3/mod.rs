//! Objects in a bucket of any S3-compatible engine, under their own keys.
//!
//! What is the store's own has a key that starts with `.strongroom/`. The only room that
//! names rusoto; what has to be known about it is in `engine.rs`.
//!
//! What makes each pair safe:
//! * a put and a get: an object is there once its request, or the completion of its
//!   upload, has been answered; engines show nothing of it before;
//! * a put that failed and the same key: keys are used once, so that deleting what may
//!   have come to be (`put.rs`) hits nothing else; what lands later still is deleted by
//!   the caller's books;
//! * a put and the removal of leftovers: uploads are listed first, then the caller asks
//!   which keys are alive. A key is in the books before its upload begins and until it has ended,
//!   so an upload that was listed and is not alive will not be finished by anybody.

mod engine;
mod facts;
mod guard;
mod list;
mod multipart;
mod object;
mod parts;
mod presign;
mod probe;
mod put;
mod settings;
mod stream;
mod trouble;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{BlobStore, Leftover, Listing, ObjectBody, ObjectFacts, PutBody, PutError, StoreError};
use crate::domain::object_key::ObjectKey;
use crate::domain::range::ByteRange;
use engine::{CALL, Engine};
use parts::Parts;

pub use settings::S3Settings;

/// Libraries that, in more detail than `info`, log signatures with which a request could be repeated.
pub const LOGS_SECRETS: &[&str] = &["rusoto_core", "rusoto_signature"];

/// A store in a bucket.
#[derive(Clone)]
pub struct S3Store {
    engine: Arc<Engine>,
    parts: Arc<Parts>,
}

impl S3Store {
    /// A store that has not been looked at yet.
    ///
    /// # Errors
    /// If no threads can be started for it.
    pub fn new(settings: &S3Settings) -> io::Result<Self> {
        Ok(Self { engine: Arc::new(Engine::new(settings)?), parts: Parts::new(parts::CAP) })
    }

    /// How many puts are under way or being taken back.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.engine.busy()
    }
}

#[async_trait]
impl BlobStore for S3Store {
    async fn put(
        &self,
        key: &ObjectKey,
        length: Option<u64>,
        about: &ObjectFacts,
        body: PutBody,
    ) -> Result<u64, PutError> {
        put::put(self, key, length, about, body).await
    }

    async fn get(
        &self,
        key: &ObjectKey,
        size: u64,
        range: Option<ByteRange>,
    ) -> Result<ObjectBody, StoreError> {
        self.engine.get(key, size, range).await
    }

    async fn head(&self, key: &ObjectKey) -> Result<u64, StoreError> {
        let found = self.engine.head(CALL, key.as_str()).await;
        found.map_err(|trouble| trouble.doing("look at the object"))
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError> {
        let deleted = self.engine.delete(CALL, key.as_str()).await;
        deleted.map_err(|trouble| trouble.unavailable("delete the object"))
    }

    fn list(&self, prefix: &str) -> Listing {
        list::list(Arc::clone(&self.engine), prefix)
    }

    async fn copy(&self, from: &ObjectKey, to: &ObjectKey) -> Result<(), StoreError> {
        self.engine.copy(from, to).await
    }

    fn presign(&self, key: &ObjectKey, valid_for: Duration, filename: &str) -> Option<String> {
        Some(presign::presign(&self.engine, key, valid_for, filename))
    }

    async fn check(&self) -> Result<(), StoreError> {
        probe::check(&self.engine).await
    }

    async fn prepare(&self, _: bool) -> Result<(), StoreError> {
        probe::prepare(&self.engine).await
    }

    async fn find_leftovers(&self) -> Result<Vec<Leftover>, StoreError> {
        self.engine.uploads().await
    }

    async fn remove_leftovers(&self, left: &[Leftover]) -> Result<usize, StoreError> {
        list::abort(&self.engine, left).await
    }
}
