//! Why a use case about the fleet failed, by what the caller can do next.

use crate::db::DbError;
use crate::db::organizations::OrgRefusal;
use crate::domain::org_tree::Misplaced;

#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// There is no such system, or the caller may not see it.
    #[error("no such system")]
    NoSystem,
    /// There is no such organization, or the caller may not see it.
    #[error("no such organization")]
    NoOrganization,
    /// The id of a new organization is taken.
    #[error("the organization exists already")]
    OrganizationExists,
    /// The organization may not be below its new parent.
    #[error("{0}")]
    Misplaced(Misplaced),
    /// Only a caller with `backup:admin` may make this change.
    #[error("the caller may not make this change")]
    NotPermitted,
    /// The cursor is not one of the list that is asked for.
    #[error("not a cursor of this list")]
    InvalidCursor,
    /// Another system has the key.
    #[error("the system key is taken")]
    KeyTaken,
    /// The system can't be changed any more.
    #[error("the system is being destroyed")]
    BeingDestroyed,
    /// A system can't be moved to another organization.
    #[error("systems can't be moved")]
    CannotMove,
    #[error("the database: {0}")]
    Unavailable(#[from] DbError),
}

impl From<OrgRefusal> for FleetError {
    fn from(refusal: OrgRefusal) -> Self {
        match refusal {
            // A parent that the caller does not see is treated as an unknown one.
            OrgRefusal::NotFound | OrgRefusal::ParentNotFound => Self::NoOrganization,
            OrgRefusal::Misplaced(why) => Self::Misplaced(why),
            OrgRefusal::NotPermitted => Self::NotPermitted,
            OrgRefusal::Exists => Self::OrganizationExists,
        }
    }
}
