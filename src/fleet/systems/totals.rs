//! How many systems have which status.

use crate::db::systems::{self, StatusCount};
use crate::db::{Lane, organizations};
use crate::domain::caller::Caller;
use crate::domain::ids::OrgId;
use crate::domain::status::SystemStatus;
use crate::fleet::{Fleet, FleetError, TIMEOUT};

/// Sums over systems.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    /// The number of systems with each status, in the order of [`SystemStatus::ALL`].
    pub by_status: Vec<(SystemStatus, i64)>,
    pub systems: i64,
    pub backups_kept: i64,
    /// The sum of the sizes of stored backups, in bytes.
    pub bytes_kept: i64,
}

impl Totals {
    fn of(counts: &[StatusCount]) -> Self {
        let with = |status: SystemStatus| {
            let matching = counts.iter().filter(|count| count.status == status);
            (status, matching.map(|count| count.systems).sum())
        };
        Self {
            by_status: SystemStatus::ALL.iter().map(|status| with(*status)).collect(),
            systems: counts.iter().map(|count| count.systems).sum(),
            backups_kept: counts.iter().map(|count| count.backups_kept).sum(),
            bytes_kept: counts.iter().map(|count| count.bytes_kept).sum(),
        }
    }
}

impl Fleet {
    /// Returns the totals of the systems that the caller may see, or of those below `org`.
    ///
    /// # Errors
    /// [`FleetError::NoOrganization`] if the caller may not see the organization.
    pub async fn total_systems(&self, caller: &Caller, org: Option<OrgId>) -> Result<Totals, FleetError> {
        let caller = caller.clone();
        let count = move |conn: &mut _| match organizations::visible(conn, &caller, org.as_ref())? {
            Some(orgs) => systems::count_by_status(conn, &orgs).map(Some),
            None => Ok(None),
        };
        let counts = self.db.run(Lane::Fleet, TIMEOUT, count).await?.ok_or(FleetError::NoOrganization)?;
        Ok(Totals::of(&counts))
    }
}
