//! `/api/systems/{id}`: the backups and backup requests of a system, for a portal.

pub mod backup_requests;
pub mod delete;
pub mod link;
pub mod list;

use crate::backups::ReadError;
use crate::http::errors::ApiError;

/// A system that the caller does not see is answered as an unknown backup of a system that the caller sees.
fn backup_not_found(error: ReadError) -> ApiError {
    match error {
        ReadError::NoSystem => ApiError::NotFound,
        error => error.into(),
    }
}
