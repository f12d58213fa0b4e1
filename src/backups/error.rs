//! The errors of the use cases, by what the client can do next.

use crate::auth::basic::CredentialCheckError;
use crate::db::DbError;
use crate::db::accounting::OperationOutcome;
use crate::domain::backup_request::BackupRequestState;
use crate::domain::failure_reason::FailureReason;
use crate::domain::refusal::RefusalReason;
use crate::domain::transfer_damage::TransferDamage;
use crate::store::{PutError, StoreError};

/// A service that this one depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dependency {
    Database,
    Store,
}

impl Dependency {
    /// Returns the name for people, the same in logs and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Store => "object store",
        }
    }
}

/// A dependency could not be reached, or could not do its work.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}: {cause}", .dependency.name())]
pub struct Outage {
    pub dependency: Dependency,
    /// The cause, for the log and never for a client.
    pub cause: String,
}

impl Outage {
    pub fn database(cause: &impl ToString) -> Self {
        Self { dependency: Dependency::Database, cause: cause.to_string() }
    }

    /// An operation of the accounting ended with the outcome of another kind of operation, which would be a bug.
    pub(super) fn unexpected_outcome(operation: &str, outcome: &OperationOutcome) -> Self {
        Self::database(&format!("{operation} ended as {outcome:?}"))
    }

    pub fn store(cause: &impl ToString) -> Self {
        Self { dependency: Dependency::Store, cause: cause.to_string() }
    }
}

/// Why an upload was not stored. Nothing of it is left.
#[derive(Debug, Clone, thiserror::Error)]
pub enum UploadError {
    #[error("more uploads than the rate limit allows")]
    RateLimited { retry_after_seconds: u64 },
    #[error("too many uploads of the system under way")]
    TooManyOpen,
    #[error("larger than the largest upload allowed")]
    TooLarge { max_bytes: u64 },
    #[error("the organization's quota has no space")]
    QuotaExceeded,
    #[error("the body is empty")]
    Empty,
    #[error("the body does not have the digest that was sent")]
    DigestMismatch,
    #[error("the client has damaged the file: {0}")]
    DamagedByClient(TransferDamage),
    #[error("the body ended early (connection closed before the declared end)")]
    Interrupted,
    /// The body contradicts the client's own framing. The text starts with the word "malformed".
    #[error("the body is {0}")]
    Malformed(&'static str),
    #[error("the client sent too slowly")]
    TimedOut,
    #[error("the system is no longer active")]
    Revoked,
    #[error("{0}")]
    Unavailable(Outage),
    /// A sweep aborted the upload, because it concluded that this process was dead; or the upload's task panicked.
    #[error(
        "the upload was aborted (a sweep took this process for dead: check the lease and the database; or its task panicked)"
    )]
    Aborted,
}

impl UploadError {
    /// Whether the service caused the error: then the upload costs no slot of the rate limit.
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Aborted)
    }

    /// Returns why the system is left without a newer backup, for its status.
    pub(super) fn refused(&self) -> Option<RefusalReason> {
        self.refusal_reason().or_else(|| self.failure_reason().map(RefusalReason::of_failure))
    }

    /// Returns the reason for the history (`backup_events`), if a rule has refused the upload.
    pub fn refusal_reason(&self) -> Option<RefusalReason> {
        match self {
            Self::RateLimited { .. } | Self::TooManyOpen => Some(RefusalReason::Rate),
            Self::TooLarge { .. } => Some(RefusalReason::Size),
            Self::QuotaExceeded => Some(RefusalReason::Quota),
            Self::DigestMismatch => Some(RefusalReason::Digest),
            Self::DamagedByClient(_) => Some(RefusalReason::Damaged),
            Self::TimedOut => Some(RefusalReason::Timeout),
            Self::Malformed(_) => Some(RefusalReason::Malformed),
            _ => None,
        }
    }

    /// Returns the reason for the history, if the upload failed and no rule has refused it.
    pub(super) fn failure_reason(&self) -> Option<FailureReason> {
        match self {
            Self::Interrupted => Some(FailureReason::Interrupted),
            Self::Empty => Some(FailureReason::Empty),
            Self::Revoked => Some(FailureReason::Revoked),
            Self::Aborted => Some(FailureReason::Aborted),
            Self::Unavailable(outage) => Some(match outage.dependency {
                Dependency::Database => FailureReason::Database,
                Dependency::Store => FailureReason::Store,
            }),
            _ => None,
        }
    }
}

impl From<PutError> for UploadError {
    fn from(error: PutError) -> Self {
        match error {
            PutError::BodyInterrupted | PutError::Length { .. } => Self::Interrupted,
            PutError::Store(error) => Self::Unavailable(Outage::store(&error)),
        }
    }
}

/// Why a list, download or deletion failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system has no such backup: a foreign id is treated as an unknown one.
    #[error("no such backup")]
    NotFound,
    /// The caller may see no such system.
    #[error("no such system")]
    NoSystem,
    /// The service has not signed the link, or the link has expired.
    #[error("the link is not valid")]
    InvalidLink,
    /// The row exists, but its object is missing, or is not the one that was stored.
    #[error("the stored object is damaged")]
    Damaged,
    #[error("too many downloads of the system under way")]
    TooManyDownloads,
    #[error("the system is no longer active")]
    Revoked,
    #[error("{0}")]
    Unavailable(Outage),
}

/// Why a download broke off. The connection is closed, so that the client does not mistake a part for the whole.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("access was revoked (system suspended, secret rotated, or system destroyed)")]
    Revoked,
}

/// Why a backup request was not made, found or cancelled.
#[derive(Debug, thiserror::Error)]
pub enum BackupRequestError {
    /// The system is unknown, or is another organization's.
    #[error("no such system")]
    NoSystem,
    /// The system has no such backup request.
    #[error("no such backup request")]
    NotFound,
    #[error("the system is suspended")]
    Suspended,
    /// The backup request has already ended, in this state.
    #[error("the backup request is already {0}")]
    Ended(BackupRequestState),
    #[error("{0}")]
    Unavailable(Outage),
}

impl From<DbError> for BackupRequestError {
    fn from(error: DbError) -> Self {
        Self::Unavailable(Outage::database(&error))
    }
}

impl From<DbError> for ReadError {
    fn from(error: DbError) -> Self {
        Self::Unavailable(Outage::database(&error))
    }
}

impl From<CredentialCheckError> for ReadError {
    fn from(error: CredentialCheckError) -> Self {
        Self::Unavailable(Outage::database(&error))
    }
}
