//! The table from the errors of the use cases to the errors of the APIs.

use super::api_error::ApiError;
use super::outage_log::log_outage;
use crate::backups::{BackupRequestError, Outage, ReadError, UploadError};
use crate::domain::caller::Scope;
use crate::fleet::FleetError;

impl From<Outage> for ApiError {
    fn from(outage: Outage) -> Self {
        log_outage(&outage);
        Self::Unavailable { details: outage.dependency.name() }
    }
}

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::RateLimited { retry_after_seconds } => Self::TooManyRequests { retry_after_seconds },
            UploadError::TooManyOpen => Self::TooManyUploads,
            UploadError::TooLarge { max_bytes } => Self::TooLarge { max_bytes },
            UploadError::QuotaExceeded => Self::QuotaExceeded,
            UploadError::Empty => Self::field("body", "required", ""),
            // A body has one digest, whichever header contained it.
            UploadError::DigestMismatch => Self::field("content-digest", "mismatch", ""),
            UploadError::DamagedByClient(damage) => Self::damaged_by_client(damage),
            UploadError::Interrupted => Self::field("body", "incomplete", ""),
            UploadError::Malformed(what) => Self::field("body", what, ""),
            UploadError::TimedOut => Self::Timeout,
            UploadError::Revoked => Self::WrongCredential,
            // The outage was logged where it happened, with the ids.
            UploadError::Unavailable(outage) => Self::Unavailable { details: outage.dependency.name() },
            UploadError::Aborted => Self::Unavailable { details: "upload was interrupted" },
        }
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::NotFound => Self::NotFound,
            ReadError::NoSystem => Self::SystemNotFound,
            ReadError::InvalidLink => Self::InvalidLink,
            ReadError::Damaged => Self::Damaged,
            ReadError::TooManyDownloads => Self::TooManyDownloads,
            ReadError::Revoked => Self::WrongCredential,
            ReadError::Unavailable(outage) => outage.into(),
        }
    }
}

impl From<BackupRequestError> for ApiError {
    fn from(error: BackupRequestError) -> Self {
        match error {
            BackupRequestError::NoSystem => Self::SystemNotFound,
            BackupRequestError::NotFound => Self::BackupRequestNotFound,
            BackupRequestError::Suspended => Self::Suspended,
            BackupRequestError::Ended(state) => Self::BackupRequestEnded { state },
            BackupRequestError::Unavailable(outage) => outage.into(),
        }
    }
}

/// The error for a cursor that does not fit.
pub const INVALID_CURSOR: &str =
    "not a cursor of this list: repeat it with the same sort and filters, or begin without one";
/// The error for another organization in a change of a system.
pub const CANNOT_MOVE: &str = "a system can't be moved to another organization yet";

impl From<FleetError> for ApiError {
    fn from(error: FleetError) -> Self {
        match error {
            FleetError::NoSystem => Self::SystemNotFound,
            FleetError::NoOrganization => Self::OrganizationNotFound,
            FleetError::OrganizationExists => Self::OrganizationExists,
            FleetError::Misplaced(why) => Self::invalid("parent_id", why.to_string()),
            FleetError::NotPermitted => Self::InsufficientScope { needed: Scope::Admin.as_str() },
            FleetError::InvalidCursor => Self::field("cursor", INVALID_CURSOR, ""),
            FleetError::KeyTaken => Self::KeyTaken,
            FleetError::BeingDestroyed => Self::BeingDestroyed,
            FleetError::CannotMove => Self::field("org_id", CANNOT_MOVE, ""),
            FleetError::Unavailable(error) => Outage::database(&error).into(),
        }
    }
}
