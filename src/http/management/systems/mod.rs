//! `/api/systems/{id}`: the backups and backup requests of a system, for a portal.

pub mod backup_requests;
pub mod delete;
pub mod link;
pub mod list;

use crate::backups::ReadError;
use crate::http::errors::ApiError;

/// Makes the response for a system that the caller may not see the same as for an unknown backup of a system that the caller
/// may see.
fn backup_not_found(error: ReadError) -> ApiError {
    match error {
        ReadError::NoSystem => ApiError::NotFound,
        error => error.into(),
    }
}
