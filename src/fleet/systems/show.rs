//! One system.

use uuid::Uuid;

use crate::db::systems::{self, SystemInFull};
use crate::db::{Lane, erasures};
use crate::domain::caller::Caller;
use crate::domain::row_state::SystemState;
use crate::fleet::{ErasureStatus, Fleet, FleetError, SystemLimits, TIMEOUT};

/// A system, and the limits that apply to it.
#[derive(Debug)]
pub struct SystemDetails {
    pub found: SystemInFull,
    pub limits: SystemLimits,
    /// How far its erasure is, if it is being destroyed.
    pub erasure: Option<ErasureStatus>,
}

impl Fleet {
    /// Returns the system with this id, also if it is being destroyed.
    ///
    /// # Errors
    /// [`FleetError::NoSystem`], whether `id` is not an id, or the system is unknown or not visible for the caller.
    pub async fn show_system(&self, caller: &Caller, id: &str) -> Result<SystemDetails, FleetError> {
        self.find_system(id, |path| caller.sees_any_of(path)).await
    }

    /// Returns the system with this id, if `sees` its organization: the id, and those of all organizations above it.
    pub(super) async fn find_system(
        &self,
        id: &str,
        sees: impl Fn(&[String]) -> bool,
    ) -> Result<SystemDetails, FleetError> {
        let id = parse_id(id).ok_or(FleetError::NoSystem)?;
        let find = move |conn: &mut _| {
            let Some(found) = systems::in_full(conn, id)? else { return Ok(None) };
            let is_destroyed = found.system.state == SystemState::Destroying;
            let erasure = if is_destroyed { erasures::status(conn, id)? } else { None };
            Ok(Some((found, erasure)))
        };
        let found = self.db.run(Lane::Fleet, TIMEOUT, find).await?;
        let (found, erasure) =
            found.filter(|(found, _)| sees(&found.org_path)).ok_or(FleetError::NoSystem)?;
        Ok(SystemDetails { found, limits: self.limits, erasure })
    }
}

/// Parses a system's id: only the hyphenated form, in either letter case.
fn parse_id(text: &str) -> Option<Uuid> {
    (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten()
}
