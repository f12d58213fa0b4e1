//! The report of an appliance that its configuration is unchanged.

use super::{READ_TIMEOUT, ReadError, Vault};
use crate::auth::basic::SystemIdentity;
use crate::db::{Lane, systems};

impl Vault {
    /// Records that the appliance has reported its configuration as unchanged, so that its backup does not count as late.
    /// Writes at most once a minute.
    pub async fn note_unchanged(&self, identity: &SystemIdentity) -> Result<(), ReadError> {
        if self.authenticator.reported_unchanged_recently(identity) {
            return Ok(());
        }
        let system = identity.id();
        let query = move |conn: &mut _| systems::note_unchanged(conn, system);
        if !self.db.run(Lane::General, READ_TIMEOUT, query).await? {
            return Err(ReadError::Revoked);
        }
        self.authenticator.forget(identity);
        Ok(())
    }
}
