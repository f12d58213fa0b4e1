//! Listing a system's backups.

mod shared_queries;

use uuid::Uuid;

use super::{ReadError, Vault};
use crate::auth::basic::SystemIdentity;
use crate::db::backup_lists::BackupList;
pub use shared_queries::SharedLists;

impl Vault {
    /// Returns the system's stored backups, newest first.
    pub async fn list(&self, identity: &SystemIdentity) -> Result<BackupList, ReadError> {
        self.list_stored(identity.id()).await
    }

    pub(super) async fn list_stored(&self, system: Uuid) -> Result<BackupList, ReadError> {
        Ok(self.lists.read(system).await?)
    }
}
