//! What a list of systems shows.

use crate::db::systems::{Sort, SystemFilter};
use crate::domain::caller::VisibleOrgs;
use crate::domain::ids::OrgId;
use crate::domain::status::SystemStatus;

/// The systems that a caller asks for, and their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemQuery {
    /// Empty: every status.
    pub statuses: Vec<SystemStatus>,
    /// Only systems of this organization and those below it.
    pub org: Option<OrgId>,
    /// A part of the name or the key, in any letter case.
    pub text: Option<String>,
    pub sort: Sort,
}

impl SystemQuery {
    /// Returns the query for systems of these organizations.
    pub(super) fn filter(&self, orgs: VisibleOrgs) -> SystemFilter {
        SystemFilter { orgs, statuses: self.statuses.clone(), text: self.text.clone() }
    }
}
