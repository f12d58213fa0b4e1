//! Why a use case about the fleet failed, by what the caller can do next.

use crate::db::DbError;

#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// There is no such system, or the caller may not see it.
    #[error("no such system")]
    NoSystem,
    /// There is no such organization, or the caller may not see it.
    #[error("no such organization")]
    NoOrganization,
    #[error("the database: {0}")]
    Unavailable(#[from] DbError),
}
