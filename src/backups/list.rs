//! What a system has.

use uuid::Uuid;

use super::{READ_PATIENCE, ReadError, SystemIdentity, Vault};
use crate::db::Lane;
use crate::db::backups::{self, StoredRow};

impl Vault {
    /// The system's stored backups, newest first.
    pub async fn list(&self, who: &SystemIdentity) -> Result<Vec<StoredRow>, ReadError> {
        self.stored_of(who.id()).await
    }

    pub(super) async fn stored_of(&self, system: Uuid) -> Result<Vec<StoredRow>, ReadError> {
        Ok(self.db.run(Lane::Reads, READ_PATIENCE, move |conn| backups::list(conn, system)).await?)
    }
}
