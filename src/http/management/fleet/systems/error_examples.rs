//! Errors for the documentation: of parts of a request that several operations have.

use super::members::{INVALID_NAME, MAX_NAME};
use super::query::{INVALID_SORT, invalid_status};
use crate::domain::period::InvalidPeriod;
use crate::http::errors::{ApiError, INVALID_CURSOR};

/// The errors of the filters and the order of a list.
pub fn filters() -> [ApiError; 3] {
    [
        ApiError::invalid("status", invalid_status()),
        ApiError::invalid("sort", INVALID_SORT),
        ApiError::OrganizationNotFound,
    ]
}

pub fn cursor() -> ApiError {
    ApiError::invalid("cursor", INVALID_CURSOR)
}

/// The errors of the members of a system.
pub fn members() -> [ApiError; 3] {
    debug_assert!(INVALID_NAME.contains(&MAX_NAME.to_string()));
    [
        ApiError::invalid("name", INVALID_NAME),
        ApiError::invalid("backup_period_seconds", InvalidPeriod.to_string()),
        ApiError::invalid("periods", "unknown"),
    ]
}
