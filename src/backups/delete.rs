//! Taking a backup away, at its system's own wish.

use std::net::IpAddr;

use super::{READ_PATIENCE, ReadError, SystemIdentity, Vault};
use crate::db::accounting::{Delete, Operation, Outcome};
use crate::domain::ids::BackupId;

impl Vault {
    /// Hides the backup and gives its bytes back; its object follows.
    pub async fn delete(
        &self,
        who: &SystemIdentity,
        backup: BackupId,
        remote_addr: Option<IpAddr>,
    ) -> Result<(), ReadError> {
        let delete =
            Delete { system_id: who.id(), backup, by_operator: false, remote_addr, attempted_before: false };
        match self.orgs.submit(who.org(), Operation::Delete(delete), READ_PATIENCE).await? {
            Outcome::Deleted => {
                self.purge.notify_one();
                Ok(())
            }
            Outcome::Revoked => Err(ReadError::Revoked),
            _ => Err(ReadError::NotFound),
        }
    }
}
