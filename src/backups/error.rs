//! How a use case ends when it does not succeed, by what the client can do next.

use crate::db::DbError;
use crate::store::{PutError, StoreError};

/// An upload that was not stored. Nothing of it is left.
#[derive(Debug, Clone, thiserror::Error)]
pub enum UploadError {
    #[error("more uploads than the rate limit allows")]
    RateLimited { retry_after_seconds: u64 },
    #[error("too many uploads of the system under way")]
    TooManyOpen,
    #[error("larger than the largest upload allowed")]
    TooLarge { max_bytes: u64 },
    #[error("the organization's quota has no room")]
    QuotaExceeded,
    #[error("the body is empty")]
    Empty,
    #[error("the body does not have the digest that was sent")]
    DigestMismatch { header: &'static str },
    #[error("the body ended before its end")]
    Interrupted,
    #[error("the client sent too slowly")]
    TimedOut,
    #[error("the system is not active any more")]
    Revoked,
    #[error("database: {0}")]
    Database(DbError),
    #[error("store: {0}")]
    Store(String),
    /// Somebody took the upload back: this process was thought dead.
    #[error("the upload was taken back")]
    TakenBack,
}

impl UploadError {
    /// Whether it failed for our fault: then it costs no slot of the rate limit.
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Database(_) | Self::Store(_) | Self::TakenBack)
    }

    /// What support reads of it, if it is a refusal.
    pub fn refusal_reason(&self) -> Option<&'static str> {
        match self {
            Self::RateLimited { .. } | Self::TooManyOpen => Some("rate"),
            Self::TooLarge { .. } => Some("size"),
            Self::QuotaExceeded => Some("quota"),
            Self::DigestMismatch { .. } => Some("digest"),
            Self::TimedOut => Some("timeout"),
            _ => None,
        }
    }
}

impl From<PutError> for UploadError {
    fn from(error: PutError) -> Self {
        match error {
            PutError::Body | PutError::Length { .. } => Self::Interrupted,
            PutError::Store(error) => Self::Store(error.to_string()),
        }
    }
}

/// A list, download or deletion that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No such backup of this system: foreign and unknown look the same.
    #[error("no such backup")]
    NotFound,
    /// The row is there, its object is not as it should be.
    #[error("the stored object is damaged")]
    Damaged,
    #[error("the system is not active any more")]
    Revoked,
    #[error("database: {0}")]
    Database(#[from] DbError),
    #[error("store: {0}")]
    Store(StoreError),
}
