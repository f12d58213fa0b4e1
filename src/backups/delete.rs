//! Deleting a backup, for its system or for a portal.

use std::net::IpAddr;

use super::error::Outage;
use super::{READ_TIMEOUT, ReadError, Vault, VisibleSystem};
use crate::auth::basic::SystemIdentity;
use crate::db::accounting::{Delete, DeletedBy, Operation, OperationOutcome};
use crate::domain::ids::{BackupId, OrgId};

impl Vault {
    /// Deletes the backup. It is hidden at once, and no longer counts towards the quota. The purge deletes its object.
    pub async fn delete(
        &self,
        identity: &SystemIdentity,
        backup: BackupId,
        remote_addr: Option<IpAddr>,
    ) -> Result<(), ReadError> {
        let by = DeletedBy::System;
        let delete = Delete { system_id: identity.id(), backup, by, remote_addr, attempted_before: false };
        self.submit_deletion(identity.org(), delete).await?;
        // What it has reported as unchanged may be gone.
        self.authenticator.forget(identity);
        Ok(())
    }

    /// Deletes the backup for a portal. The history names the caller.
    pub async fn delete_visible_backup(
        &self,
        system: &VisibleSystem,
        backup: BackupId,
        remote_addr: Option<IpAddr>,
    ) -> Result<(), ReadError> {
        let by = DeletedBy::Caller(system.sub().to_owned());
        let delete = Delete { system_id: system.id(), backup, by, remote_addr, attempted_before: false };
        match self.submit_deletion(system.org(), delete).await {
            // The system was suspended or destroyed after it was looked up.
            Err(ReadError::Revoked) => Err(ReadError::NotFound),
            result => result,
        }
    }

    async fn submit_deletion(&self, org: &OrgId, delete: Delete) -> Result<(), ReadError> {
        match self.orgs.submit(org, Operation::Delete(delete), READ_TIMEOUT).await? {
            OperationOutcome::Deleted => {
                self.purge.notify_one();
                Ok(())
            }
            OperationOutcome::Revoked => Err(ReadError::Revoked),
            OperationOutcome::NotFound => Err(ReadError::NotFound),
            other => Err(ReadError::Unavailable(Outage::unexpected_outcome("a deletion", &other))),
        }
    }
}
