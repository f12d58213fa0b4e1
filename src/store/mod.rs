//! Where the bytes of backups lie: the trait [`BlobStore`] and its
//! implementations. Nothing outside this room names a file or a bucket.
//!
//! The contract is in the trait's documentation; `tests/store_contract` runs it
//! against every implementation.

pub mod local;
pub mod metered;

use std::io;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;
use thiserror::Error;

use crate::domain::object_key::ObjectKey;
use crate::domain::range::ByteRange;

pub use local::LocalStore;
pub use metered::{Meter, Receipt};

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

/// One object of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its key.
    pub key: ObjectKey,
    /// Its size in bytes.
    pub size: u64,
}

/// Why the store did not do what it was asked to.
#[derive(Debug, Error)]
pub enum StoreError {
    /// There is no such object, and the store is sure of it.
    #[error("object not found")]
    NotFound,
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
    async fn put(&self, key: &ObjectKey, length: Option<u64>, body: PutBody) -> Result<u64, PutError>;

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

    /// Stores a copy of `from` under `to`, as by `put`.
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
    /// Only `Unavailable`.
    async fn prepare(&self, new: bool) -> Result<(), StoreError>;

    /// Removes what crashed processes left that is not an object, and says how much it was. What a
    /// living process, this or another, is writing stays.
    ///
    /// # Errors
    /// Only `Unavailable`.
    async fn remove_leftovers(&self) -> Result<usize, StoreError>;
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
