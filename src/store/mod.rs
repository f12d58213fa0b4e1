//! Where the bytes of backups lie: the trait [`BlobStore`] and its
//! implementations. Nothing outside this room names a file or a bucket.
//!
//! The contract is in the trait's documentation; `tests/store_contract` runs it
//! against every implementation.

pub mod local;
pub mod metered;
pub mod observed;
pub mod s3;
pub mod turn;

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::Stream;
use thiserror::Error;
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::domain::object_key::ObjectKey;
use crate::domain::range::ByteRange;

pub use local::LocalStore;
pub use metered::{Meter, Receipt};
pub use observed::ObservedStore;
pub use s3::{LOGS_SECRETS, S3Settings, S3Store};
pub use turn::Turn;

/// Which store is to be used.
#[derive(Debug, Clone)]
pub enum Place {
    /// A local directory.
    Local(PathBuf),
    /// A bucket.
    S3(S3Settings),
}

/// The store at a place; it has not been looked at yet. File work is done on the blocking threads of
/// `blocking`.
///
/// # Errors
/// If no threads can be started for it.
pub fn open(place: &Place, blocking: &Handle) -> io::Result<Arc<dyn BlobStore>> {
    Ok(match place {
        Place::Local(root) => Arc::new(LocalStore::new(root.clone(), blocking.clone())),
        Place::S3(settings) => Arc::new(S3Store::new(settings)?),
    })
}

/// The bytes of a new object. After an `Err` nothing more is asked of it.
pub type PutBody = Pin<Box<dyn Stream<Item = Result<Bytes, BodyInterrupted>> + Send>>;

/// The bytes of an object, or of the part that was asked for. It ends after
/// exactly those bytes or with an `Err`, never short without one.
pub type ObjectBody = Pin<Box<dyn Stream<Item = Result<Bytes, StoreError>> + Send>>;

/// What a listing finds. After an `Err` it is over, and incomplete.
pub type Listing = Pin<Box<dyn Stream<Item = Result<ObjectInfo, StoreError>> + Send>>;

/// The source of a [`PutBody`] gave up: the object must not come to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the body was interrupted")]
pub struct BodyInterrupted;

/// What an object is, kept with it, so that a store explains itself also without the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectFacts {
    /// The name that the backup was sent with: `[A-Za-z0-9._-]`.
    pub filename: String,
    /// A media type.
    pub mimetype: String,
    /// Whose backup it is.
    pub system_id: Uuid,
    /// The SHA-256 of the bytes, where it is known before they are.
    pub sha256: Option<[u8; 32]>,
}

/// Something that is not an object: what an unfinished put has written so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// What it was to become. `None`: the store has seen for itself that nobody is still at it.
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

/// Why the store did not do what it was asked to.
#[derive(Debug, Error)]
pub enum StoreError {
    /// There is no such object, and the store is sure of it.
    #[error("object not found")]
    NotFound,
    /// The store works, and does not let us do what has to be done: a wrong key, no bucket, a missing
    /// right. One line that says what is missing. Only [`prepare`](BlobStore::prepare) says so.
    #[error("the object store refuses: {0}")]
    Refused(String),
    /// The store cannot do it now, or its answer cannot be trusted: fail
    /// closed. The message is for the log, not for a client.
    #[error("store unavailable, could not {doing}: {}{source}", remark(.source))]
    Unavailable {
        /// What was being done, as in "could not ...".
        doing: &'static str,
        /// What went wrong.
        source: io::Error,
    },
}

/// The words that an operator looks for in the log.
fn remark(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "disk full: ",
        io::ErrorKind::ReadOnlyFilesystem => "disk read-only: ",
        _ => "",
    }
}

/// Why an object was not stored. Nothing of it is left.
#[derive(Debug, Error)]
pub enum PutError {
    /// The body ended in [`BodyInterrupted`].
    #[error("the body was interrupted")]
    Body,
    /// The body was not as long as it was said to be.
    #[error("the body had {got} bytes, {declared} were declared")]
    Length {
        /// What was said, in bytes.
        declared: u64,
        /// What came, in bytes; if it was too much, what came until that was
        /// noticed.
        got: u64,
    },
    /// The store's own trouble.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A store of whole objects under keys.
///
/// * **Durable**: when `put`, `copy` or `delete` has returned `Ok`, a power cut
///   does not undo it.
/// * **Whole or not at all**: an object is seen under its key (by `get`, `head`
///   and `list`, in every process) with all its bytes or not at all, not even
///   for a moment. A `put` that fails for any reason, or whose future is
///   dropped at any point, leaves neither an object nor anything else that
///   takes up room.
/// * **Fail closed**: [`StoreError::NotFound`] is said only by a store that
///   works. One that cannot be asked is `Unavailable`.
/// * At most one writer (`put`, `copy` to, `delete`) works on a key at a time;
///   the callers see to that, by ids that are used once. Readers may come and
///   go at any time, and finish reading what they opened.
#[async_trait]
pub trait BlobStore: Send + Sync + 'static {
    /// Stores an object and returns its size in bytes. `length` is what the
    /// body is said to have. An object that is there under the same key is
    /// replaced in one step (when the put is abandoned in that very step,
    /// nothing may be there after it).
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

    /// Opens an object, or exactly `range` of it.
    ///
    /// # Errors
    /// A range that the object does not have, all of it, is `Unavailable` (at
    /// once or as an item of the body): the books and the store disagree. So
    /// does a store that breaks in mid-stream: an `Err` item, never a short end.
    async fn get(&self, key: &ObjectKey, range: Option<ByteRange>) -> Result<ObjectBody, StoreError>;

    /// The size of an object, in bytes.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn head(&self, key: &ObjectKey) -> Result<u64, StoreError>;

    /// Removes an object; that it is gone already is success.
    ///
    /// # Errors
    /// Only `Unavailable`.
    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError>;

    /// All objects whose keys start with `prefix` (`""`: all), in any order.
    /// What is not an object of ours is skipped. Objects that come or go
    /// meanwhile may be in it or not. Memory does not grow with the store.
    fn list(&self, prefix: &str) -> Listing;

    /// A URL with which anybody can get the object for so long, under that name; `None` if the store is
    /// nothing that clients can reach.
    fn presign(&self, key: &ObjectKey, valid_for: Duration, filename: &str) -> Option<String>;

    /// Stores a copy of `from` under `to`, with its facts, as by `put`.
    ///
    /// # Errors
    /// See [`StoreError`]; `NotFound` if there is no `from`.
    async fn copy(&self, from: &ObjectKey, to: &ObjectKey) -> Result<(), StoreError>;

    /// Whether the store could take an object right now, found out by writing.
    ///
    /// # Errors
    /// Only `Unavailable`.
    async fn check(&self) -> Result<(), StoreError>;

    /// Makes the store ready for use, once at start. May be repeated. `new`: by the books nothing is in
    /// it; only then may it be made. A store that should have something in it and is not there (a
    /// disk that is not mounted) must not be replaced by an empty one.
    ///
    /// # Errors
    /// `Unavailable`, or `Refused` if trying again will not help.
    async fn prepare(&self, new: bool) -> Result<(), StoreError>;

    /// What may be left of puts that nobody finishes any more; nothing is changed. Of what has a key, those
    /// that somebody is still at are in it as well: the caller asks its books for the keys that are alive
    /// **after** this has answered, takes those away, and gives the rest to [`remove_leftovers`](BlobStore::remove_leftovers). (Two steps,
    /// because the store does not know the books, and the other order would take an upload for dead that
    /// began in between.)
    ///
    /// # Errors
    /// Only `Unavailable`.
    async fn find_leftovers(&self) -> Result<Vec<Leftover>, StoreError>;

    /// Removes them, and says how many there were. May be repeated.
    ///
    /// # Errors
    /// Only `Unavailable`.
    async fn remove_leftovers(&self, left: &[Leftover]) -> Result<usize, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_tells_an_operator_what_to_look_at() {
        let message = |kind: io::ErrorKind| {
            let source = io::Error::from(kind);
            let doing = "write the object";
            StoreError::Unavailable { doing, source }.to_string()
        };
        assert!(message(io::ErrorKind::StorageFull).contains("write the object: disk full"));
        assert!(message(io::ErrorKind::QuotaExceeded).contains("disk full"));
        assert!(message(io::ErrorKind::ReadOnlyFilesystem).contains("disk read-only"));
        assert!(!message(io::ErrorKind::Other).contains("disk"));
    }
}
