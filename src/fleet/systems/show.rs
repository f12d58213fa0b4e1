//! One system.

use uuid::Uuid;

use crate::db::Lane;
use crate::db::systems::{self, SystemInFull};
use crate::domain::caller::Caller;
use crate::fleet::{Fleet, FleetError, SystemLimits, TIMEOUT};

/// A system, and the limits that apply to it.
#[derive(Debug)]
pub struct SystemDetails {
    pub found: SystemInFull,
    pub limits: SystemLimits,
}

impl Fleet {
    /// Returns the system with this id, also if it is being destroyed.
    ///
    /// # Errors
    /// [`FleetError::NoSystem`], whether `id` is not an id, or the system is unknown or not visible for the caller.
    pub async fn show_system(&self, caller: &Caller, id: &str) -> Result<SystemDetails, FleetError> {
        let found = self.find_system(id, |path| caller.sees_any_of(path)).await?;
        Ok(SystemDetails { found, limits: self.limits })
    }

    /// Returns the system with this id, if `sees` its organization: the id, and those of all organizations above it.
    pub(super) async fn find_system(
        &self,
        id: &str,
        sees: impl Fn(&[String]) -> bool,
    ) -> Result<SystemInFull, FleetError> {
        let id = parse_id(id).ok_or(FleetError::NoSystem)?;
        let found = self.db.run(Lane::General, TIMEOUT, move |conn| systems::in_full(conn, id)).await?;
        found.filter(|found| sees(&found.org_path)).ok_or(FleetError::NoSystem)
    }
}

/// Parses a system's id: only the hyphenated form, in either letter case.
fn parse_id(text: &str) -> Option<Uuid> {
    (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten()
}
