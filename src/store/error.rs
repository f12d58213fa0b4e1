//! How a store fails.

use std::io;

use thiserror::Error;

/// The source of a [`PutBody`](super::PutBody) was interrupted: no object may be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the body was interrupted")]
pub struct BodyInterrupted;

/// Why a call to the store failed.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The store works, and has no such object.
    #[error("object not found")]
    NotFound,
    /// The object under the key is not the stored one: it has another size, or is not even a regular file. The message is for
    /// the log.
    #[error("not the object that was stored: {0}")]
    Damaged(String),
    /// The store works, but refuses a necessary call: the key is wrong, or the bucket or a permission is missing. The message
    /// is one line. Only [`prepare`](super::BlobStore::prepare) fails in this way.
    #[error("the object store refuses: {0}")]
    Refused(String),
    /// The store can't do it now, or its answer can't be trusted: fail closed. The message is for the log, never for a
    /// client; the source says which path, or which call and key, and the error of the operating system or the engine.
    #[error("store unavailable, could not {doing}: {}{source}", remark(.source))]
    Unavailable {
        /// What failed, as in "could not ...".
        doing: &'static str,
        /// The error.
        source: io::Error,
    },
}

/// Adds the words that operators search the log for.
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
    BodyInterrupted,
    /// The body was not as long as it was declared to be.
    #[error("the body had {got} bytes, {declared} were declared")]
    Length {
        /// The declared number of bytes.
        declared: u64,
        /// The number of bytes received; the rest of a body that is too long is not received.
        got: u64,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
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
