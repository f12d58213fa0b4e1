//! Where the bytes of backups are kept: the trait [`BlobStore`] and its implementations. Nothing outside this module names a
//! file of a backup or a bucket.
//!
//! The contract is the trait's documentation; `tests/store_contract` holds every implementation to it.

pub mod body_meter;
mod error;
pub mod instrumented;
pub mod local;
pub mod s3;
pub mod watchdog;

use std::collections::HashSet;
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

pub use body_meter::{BodyMeter, BodySummary};
pub use error::{BodyInterrupted, PutError, StoreError};
pub use instrumented::InstrumentedStore;
pub use local::LocalStore;
pub use s3::{CRATES_THAT_LOG_SECRETS, S3Settings, S3Store};
pub use watchdog::Watchdog;

/// Which store to use, and how to reach it.
#[derive(Debug, Clone)]
pub enum StoreSettings {
    /// The directory that holds the objects.
    Local(PathBuf),
    /// A bucket of an S3-compatible engine.
    S3(S3Settings),
}

/// Returns the store that these settings describe. Nothing is read or connected to yet: [`BlobStore::prepare`] does that.
/// The local store does its file work on the blocking threads of `blocking`.
///
/// # Errors
/// If no threads can be started for it.
pub fn open(settings: &StoreSettings, blocking: &Handle) -> io::Result<Arc<dyn BlobStore>> {
    Ok(match settings {
        StoreSettings::Local(root) => Arc::new(LocalStore::new(root.clone(), blocking.clone())),
        StoreSettings::S3(bucket) => Arc::new(S3Store::new(bucket)?),
    })
}

/// The bytes of a new object. After an `Err` it is not polled again.
pub type PutBody = Pin<Box<dyn Stream<Item = Result<Bytes, BodyInterrupted>> + Send>>;

/// The bytes of an object, or of the requested part. The stream ends after exactly those bytes, or with an `Err`: it is
/// never short without one.
pub type ObjectBody = Pin<Box<dyn Stream<Item = Result<Bytes, StoreError>> + Send>>;

/// The objects of a listing. After an `Err` it is over, and incomplete.
pub type Listing = Pin<Box<dyn Stream<Item = Result<ObjectInfo, StoreError>> + Send>>;

/// The metadata of an object. Kept with the object where the store can, so that a store explains itself even without the
/// database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMetadata {
    /// The file name that the client sent: `[A-Za-z0-9._-]`.
    pub filename: String,
    /// A media type.
    pub mimetype: String,
    /// The system that the backup is of.
    pub system_id: Uuid,
    /// The SHA-256 of the bytes, if it is known before the body.
    pub sha256: Option<[u8; 32]>,
}

/// The data that an unfinished put has written so far: not an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// The key of the object that it would have become. `None`: the store has checked that no process writes it.
    pub key: Option<ObjectKey>,
    /// The leftover's name in the store.
    pub id: String,
}

/// The mark of an object that was put ahead of the transaction that makes it a backup. Dropping it leaves the mark, and
/// [`BlobStore::find_unclaimed`] finds the object.
pub trait Mark: Send {
    /// Removes the mark: it is known whether the object is a backup. This need not be durable.
    fn remove(self: Box<Self>);
}

/// An object that was put ahead by a process which has died, or which does not know whether it is a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unclaimed {
    pub key: ObjectKey,
    /// When it was written, by the store's clock.
    pub written: DateTime<Utc>,
}

/// One object of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// The object's key.
    pub key: ObjectKey,
    /// The object's size in bytes.
    pub size: u64,
    /// The time when the object was written, by the store's clock; `None` if the store does not report it.
    pub modified: Option<DateTime<Utc>>,
}

/// A store of whole objects under keys.
///
/// * **Durable**: when `put`, `copy` or `delete` has returned `Ok`, a power cut
///   does not undo it.
/// * **Whole or not at all**: `get`, `head` and `list`, in every process, see an object with all its bytes or not at
///   all. A `put` that fails for any reason, or whose future is dropped at any point, leaves neither an object nor
///   anything else that takes up space.
/// * **Fail closed**: only a store that works returns [`StoreError::NotFound`]. One that can't be reached returns
///   `Unavailable`.
/// * **One writer**: at most one `put`, `copy` to, or `delete` works on a key at a time. The callers ensure that, by ids
///   that are used once. Readers may read at any time, and finish reading what they have opened.
#[async_trait]
pub trait BlobStore: Send + Sync + 'static {
    /// Stores an object and returns its size in bytes. `length` is the declared size of the body, if there is one. An
    /// existing object under the same key is replaced in one step. (If the future is dropped in that very step, there may be
    /// no object at all afterwards.)
    ///
    /// # Errors
    /// See [`PutError`]. A body longer than `length` is read no further.
    async fn put(
        &self,
        key: &ObjectKey,
        length: Option<u64>,
        metadata: &ObjectMetadata,
        body: PutBody,
    ) -> Result<u64, PutError>;

    /// Whether the store may be able to put objects ahead at this moment.
    fn can_put_ahead(&self) -> bool {
        false
    }

    /// Stores an object, all of whose body is there, before it is admitted. It is durable and whole, and has a mark, until it is
    /// known whether it is a backup. `None`: this store can't, and nothing was stored.
    ///
    /// If the future is dropped, the object is deleted again; if the process dies meanwhile, it has its mark.
    ///
    /// # Errors
    /// Returns only `Unavailable`. Then nothing is left, except after a power cut or a disk that fails.
    async fn put_ahead(
        &self,
        _key: &ObjectKey,
        _metadata: &ObjectMetadata,
        _body: Vec<Bytes>,
    ) -> Result<Option<Box<dyn Mark>>, StoreError> {
        Ok(None)
    }

    /// Finds the objects that have a mark which no process holds. Changes nothing.
    ///
    /// # Errors
    /// Returns only `Unavailable`.
    async fn find_unclaimed(&self) -> Result<Vec<Unclaimed>, StoreError> {
        Ok(vec![])
    }

    /// Returns the keys of all objects that have a mark.
    ///
    /// # Errors
    /// Returns only `Unavailable`.
    async fn marked(&self) -> Result<HashSet<ObjectKey>, StoreError> {
        Ok(HashSet::new())
    }

    /// Removes the mark of an object, unless a process holds it. May be repeated.
    ///
    /// # Errors
    /// Returns only `Unavailable`.
    async fn remove_mark(&self, _key: &ObjectKey) -> Result<(), StoreError> {
        Ok(())
    }

    /// Deletes an object and its mark, unless a process holds the mark. Returns whether it did. May be repeated.
    ///
    /// # Errors
    /// Returns only `Unavailable`.
    async fn delete_unclaimed(&self, _key: &ObjectKey) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// Opens an object that had `size` bytes when it was stored, or exactly `range` of it.
    ///
    /// # Errors
    /// `Damaged` if it has another size, or is not an object at all: then the rows and the store disagree, and not one byte
    /// is returned. If the store fails in mid-stream, the body ends with an `Err`, never short.
    async fn get(
        &self,
        key: &ObjectKey,
        size: u64,
        range: Option<ByteRange>,
    ) -> Result<ObjectBody, StoreError>;

    /// Returns the size of an object, in bytes.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn head(&self, key: &ObjectKey) -> Result<u64, StoreError>;

    /// Deletes an object. Deleting a missing object succeeds.
    ///
    /// # Errors
    /// Returns only `Unavailable`.
    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError>;

    /// Lists all objects whose keys start with `prefix` (`""`: all), in the byte order of their keys. (Callers rely on the
    /// order for speed, never for correctness: an engine might list in another.) Objects of other programs are skipped.
    /// Objects that are stored or deleted meanwhile may be listed or not. Memory does not grow with the number of objects,
    /// except for the names in the largest folder of a local store.
    fn list(&self, prefix: &str) -> Listing;

    /// Returns a URL at which any client can download the object for `valid_for`, to be saved as `filename`. `None` if clients
    /// can't reach the store.
    fn presign(&self, key: &ObjectKey, valid_for: Duration, filename: &str) -> Option<String>;

    /// Stores a copy of `from` under `to`, with its metadata, as `put` does.
    ///
    /// # Errors
    /// See [`StoreError`]; `NotFound` if there is no `from`.
    async fn copy(&self, from: &ObjectKey, to: &ObjectKey) -> Result<(), StoreError>;

    /// Checks, by writing, whether the store could take an object now. The written data is not an object, even if the check
    /// leaves it behind. A check may rely on one some seconds ago, as long as the store answers.
    ///
    /// # Errors
    /// Returns only `Unavailable`.
    async fn check(&self) -> Result<(), StoreError>;

    /// Makes the store ready for use, once at start. May be repeated.
    ///
    /// `new`: the database has no stored backup. Only then may the store be created. A missing store that should contain
    /// objects (such as a disk that is not mounted) must not be replaced by an empty one.
    ///
    /// # Errors
    /// `Unavailable`, or `Refused` if trying again would not help.
    async fn prepare(&self, new: bool) -> Result<(), StoreError>;

    /// Finds the data of puts that may be abandoned. Changes nothing.
    ///
    /// Leftovers with a key may belong to puts that are still in progress, because the store does not know the database. So
    /// **after** this has returned, the caller looks up which of the keys are in use, and passes the others to
    /// [`remove_leftovers`](BlobStore::remove_leftovers). In the other order an upload that began in between would be
    /// taken for a leftover.
    ///
    /// # Errors
    /// Returns only `Unavailable`.
    async fn find_leftovers(&self) -> Result<Vec<Leftover>, StoreError>;

    /// Removes these leftovers, and returns how many existed. May be repeated.
    ///
    /// # Errors
    /// Returns only `Unavailable`.
    async fn remove_leftovers(&self, left: &[Leftover]) -> Result<usize, StoreError>;
}
