//! Where the bytes of backups are kept: the trait [`BlobStore`] and its implementations. Nothing outside this room names a
//! file of a backup or a bucket.
//!
//! The contract is the trait's documentation; `tests/store_contract` holds every implementation to it.

mod error;
pub mod local;
pub mod metered;
pub mod observed;
pub mod s3;
pub mod watchdog;

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::Stream;
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::domain::object_key::ObjectKey;
use crate::domain::range::ByteRange;

pub use error::{BodyInterrupted, PutError, StoreError};
pub use local::LocalStore;
pub use metered::{Meter, Receipt};
pub use observed::ObservedStore;
pub use s3::{LOGS_SECRETS, S3Settings, S3Store};
pub use watchdog::Watchdog;

/// Which store to use, and how to reach it.
#[derive(Debug, Clone)]
pub enum StoreSettings {
    /// The directory that holds the objects.
    Local(PathBuf),
    /// A bucket of an S3-compatible engine.
    S3(S3Settings),
}

/// The store that these settings describe. Nothing is read or connected to yet: [`BlobStore::prepare`] does
/// that. The local store does its file work on the blocking threads of `blocking`.
///
/// # Errors
/// If no threads can be started for it.
pub fn open(settings: &StoreSettings, blocking: &Handle) -> io::Result<Arc<dyn BlobStore>> {
    Ok(match settings {
        StoreSettings::Local(root) => Arc::new(LocalStore::new(root.clone(), blocking.clone())),
        StoreSettings::S3(bucket) => Arc::new(S3Store::new(bucket)?),
    })
}

/// The bytes of a new object. After an `Err` nothing more is asked of it.
pub type PutBody = Pin<Box<dyn Stream<Item = Result<Bytes, BodyInterrupted>> + Send>>;

/// The bytes of an object, or of the part that was asked for. The stream ends after exactly those bytes, or with an
/// `Err`: it is never short without one.
pub type ObjectBody = Pin<Box<dyn Stream<Item = Result<Bytes, StoreError>> + Send>>;

/// The objects that a listing finds. After an `Err` it is over, and incomplete.
pub type Listing = Pin<Box<dyn Stream<Item = Result<ObjectInfo, StoreError>> + Send>>;

/// What an object is. Kept with the object where the store can, so that a store explains itself even without the
/// database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectFacts {
    /// The name that the backup was sent with: `[A-Za-z0-9._-]`.
    pub filename: String,
    /// A media type.
    pub mimetype: String,
    /// Whose backup it is.
    pub system_id: Uuid,
    /// The SHA-256 of the bytes, if it is known before they come.
    pub sha256: Option<[u8; 32]>,
}

/// What an unfinished put has written so far: not an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// The key of the object that it was to become. `None`: the store itself has made sure that nobody works on it.
    pub key: Option<ObjectKey>,
    /// Its name in the store.
    pub id: String,
}

/// One object of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its key.
    pub key: ObjectKey,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written, by the store's clock; `None` if the store does not say.
    pub modified: Option<DateTime<Utc>>,
}

/// A store of whole objects under keys.
///
/// * **Durable**: when `put`, `copy` or `delete` has returned `Ok`, a power cut
///   does not undo it.
/// * **Whole or not at all**: `get`, `head` and `list`, in every process, see an object with all its bytes or not at
///   all. A `put` that fails for any reason, or whose future is dropped at any point, leaves neither an object nor
///   anything else that takes up room.
/// * **Fail closed**: only a store that works answers [`StoreError::NotFound`]. One that can't be asked is
///   `Unavailable`.
/// * **One writer**: at most one `put`, `copy` to, or `delete` works on a key at a time. The callers see to that, by ids
///   that are used once. Readers may come and go at any time, and finish reading what they have opened.
#[async_trait]
pub trait BlobStore: Send + Sync + 'static {
    /// Stores an object and returns its size in bytes. `length` is the declared size of the body, if there is one. An
    /// object that exists under the same key is replaced in one step. (If the put is abandoned in that very step,
    /// there may be no object at all afterwards.)
    ///
    /// # Errors
    /// See [`PutError`]. A body longer than `length` is read no further.
    async fn put(
        &self,
        key: &ObjectKey,
        length: Option<u64>,
        about: &ObjectFacts,
        body: PutBody,
    ) -> Result<u64, PutError>;

    /// Opens an object that had `size` bytes when it was stored, or exactly `range` of it.
    ///
    /// # Errors
    /// `Damaged` if it has another size, or is no object at all: then the rows and the store disagree, and not one byte of
    /// it is given out. A store that breaks off in mid-stream ends the body with an `Err`, never short.
    async fn get(
        &self,
        key: &ObjectKey,
        size: u64,
        range: Option<ByteRange>,
    ) -> Result<ObjectBody, StoreError>;

    /// The size of an object, in bytes.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn head(&self, key: &ObjectKey) -> Result<u64, StoreError>;

    /// Removes an object. If it is gone already, that is success.
    ///
    /// # Errors
    /// Only `Unavailable`.
    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError>;

    /// All objects whose keys start with `prefix` (`""`: all), in the byte order of their keys. (Callers rely on the order
    /// for speed, never for what they find: an engine might keep another.) What is not an object of ours is skipped.
    /// Objects that come or go meanwhile may be listed or not. Memory does not grow with the number of objects, but for
    /// the names in the largest folder of a local store.
    fn list(&self, prefix: &str) -> Listing;

    /// A URL at which anybody can get the object while `valid_for` lasts, to be saved as `filename`. `None` if clients
    /// can't reach the store.
    fn presign(&self, key: &ObjectKey, valid_for: Duration, filename: &str) -> Option<String>;

    /// Stores a copy of `from` under `to`, with its facts, as by `put`.
    ///
    /// # Errors
    /// See [`StoreError`]; `NotFound` if there is no `from`.
    async fn copy(&self, from: &ObjectKey, to: &ObjectKey) -> Result<(), StoreError>;

    /// Finds out, by writing, whether the store could take an object right now. What it writes is no object, also if it
    /// is left over. It may count on what a check some seconds ago has found, as long as the store answers.
    ///
    /// # Errors
    /// Only `Unavailable`.
    async fn check(&self) -> Result<(), StoreError>;

    /// Makes the store ready for use, once at start. May be repeated.
    ///
    /// `new` says that by the books nothing is in the store: only then may it be created. A store that should have
    /// something in it and is not there (such as a disk that is not mounted) must not be replaced by an empty one.
    ///
    /// # Errors
    /// `Unavailable`, or `Refused` if trying again would not help.
    async fn prepare(&self, new: bool) -> Result<(), StoreError>;

    /// What may be left of puts that nobody finishes any more. Nothing is changed.
    ///
    /// Leftovers with a key may belong to puts that are still under way, because the store does not know the books. So
    /// **after** this has answered, the caller asks the books which of the keys are alive, drops those, and gives the
    /// rest to [`remove_leftovers`](BlobStore::remove_leftovers). In the other order an upload that began in between
    /// would be taken for dead.
    ///
    /// # Errors
    /// Only `Unavailable`.
    async fn find_leftovers(&self) -> Result<Vec<Leftover>, StoreError>;

    /// Removes these leftovers, and says how many were there. May be repeated.
    ///
    /// # Errors
    /// Only `Unavailable`.
    async fn remove_leftovers(&self, left: &[Leftover]) -> Result<usize, StoreError>;
}
