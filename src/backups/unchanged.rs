//! The report of an appliance that its configuration is unchanged.

use super::{READ_TIMEOUT, ReadError, Vault};
use crate::auth::basic::SystemIdentity;
use crate::db::Lane;
use crate::db::systems::{self, UnchangedReport};

impl Vault {
    /// Records that the appliance has reported its configuration as unchanged, so that its backup does not count as late.
    /// Writes at most once a minute.
    ///
    /// Returns `false` if the report does not count, because the configuration is not stored: the last upload was refused or
    /// has failed, the newest backup is damaged, or there is none.
    ///
    /// # Errors
    /// [`ReadError::Revoked`] if the system is no longer active.
    pub async fn note_unchanged(&self, identity: &SystemIdentity) -> Result<bool, ReadError> {
        // The row of the system may not show a refusal of the last seconds yet, and the cache is older than the row.
        let unwritten = self.authenticator.unavailable_uploads();
        if self.refused_lately.contains(identity.id())
            || unwritten.contains(identity.key(), identity.secret_sha256())
        {
            return Ok(false);
        }
        if self.authenticator.reported_unchanged_recently(identity) {
            return Ok(true);
        }
        let system = identity.id();
        let query = move |conn: &mut _| systems::note_unchanged(conn, system);
        match self.db.run(Lane::General, READ_TIMEOUT, query).await? {
            UnchangedReport::Noted => {
                self.authenticator.forget(identity);
                Ok(true)
            }
            UnchangedReport::NotStored => Ok(false),
            UnchangedReport::Inactive => Err(ReadError::Revoked),
        }
    }
}
