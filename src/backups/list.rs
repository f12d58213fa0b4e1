//! Listing a system's backups.

use uuid::Uuid;

use super::{Backup, READ_TIMEOUT, ReadError, Vault};
use crate::auth::basic::SystemIdentity;
use crate::db::Lane;
use crate::db::backups;

impl Vault {
    /// Returns the system's stored backups, newest first.
    pub async fn list(&self, identity: &SystemIdentity) -> Result<Vec<Backup>, ReadError> {
        self.list_stored(identity.id()).await
    }

    pub(super) async fn list_stored(&self, system: Uuid) -> Result<Vec<Backup>, ReadError> {
        Ok(self.db.run(Lane::General, READ_TIMEOUT, move |conn| backups::list(conn, system)).await?)
    }
}
