//! How a use case ends when it does not succeed, by what the client can do next.

use crate::db::DbError;
use crate::domain::request::RequestState;
use crate::store::PutError;

/// What the service needs to do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dependency {
    Database,
    Store,
}

impl Dependency {
    /// For people; the same in logs and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Store => "object store",
        }
    }
}

/// A dependency that could not be asked, or not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}: {cause}", .dependency.name())]
pub struct Outage {
    pub dependency: Dependency,
    /// For the log, never for a client.
    pub cause: String,
}

impl Outage {
    pub fn database(cause: &impl ToString) -> Self {
        Self { dependency: Dependency::Database, cause: cause.to_string() }
    }

    pub fn store(cause: &impl ToString) -> Self {
        Self { dependency: Dependency::Store, cause: cause.to_string() }
    }
}

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
    DigestMismatch,
    #[error("the body ended before its end")]
    Interrupted,
    #[error("the client sent too slowly")]
    TimedOut,
    #[error("the system is not active any more")]
    Revoked,
    #[error("{0}")]
    Unavailable(Outage),
    /// Somebody took the upload back: this process was thought dead.
    #[error("the upload was taken back")]
    TakenBack,
}

impl UploadError {
    /// Whether it failed for our fault: then it costs no slot of the rate limit.
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::TakenBack)
    }

    /// What support reads of it, if it is a refusal.
    pub fn refusal_reason(&self) -> Option<&'static str> {
        match self {
            Self::RateLimited { .. } | Self::TooManyOpen => Some("rate"),
            Self::TooLarge { .. } => Some("size"),
            Self::QuotaExceeded => Some("quota"),
            Self::DigestMismatch => Some("digest"),
            Self::TimedOut => Some("timeout"),
            _ => None,
        }
    }
}

impl From<PutError> for UploadError {
    fn from(error: PutError) -> Self {
        match error {
            PutError::Body | PutError::Length { .. } => Self::Interrupted,
            PutError::Store(error) => Self::Unavailable(Outage::store(&error)),
        }
    }
}

/// A list, download or deletion that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No such backup of this system: foreign and unknown look the same.
    #[error("no such backup")]
    NotFound,
    /// No such system for this caller.
    #[error("no such system")]
    NoSystem,
    /// A signed address that is none of ours, or has expired.
    #[error("the address is not valid")]
    BadLink,
    /// The row is there, its object is not as it should be.
    #[error("the stored object is damaged")]
    Damaged,
    #[error("the system is not active any more")]
    Revoked,
    #[error("{0}")]
    Unavailable(Outage),
}

/// A request for a backup that was not made, found or cancelled.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// No such system, or none of that organization; no such request of the system.
    #[error("no such system or request")]
    NotFound,
    #[error("the system is suspended")]
    Suspended,
    /// It has come to its end before, and this is how.
    #[error("the request is {0} already")]
    Ended(RequestState),
    #[error("{0}")]
    Unavailable(Outage),
}

impl From<DbError> for RequestError {
    fn from(error: DbError) -> Self {
        Self::Unavailable(Outage::database(&error))
    }
}

impl From<DbError> for ReadError {
    fn from(error: DbError) -> Self {
        Self::Unavailable(Outage::database(&error))
    }
}
