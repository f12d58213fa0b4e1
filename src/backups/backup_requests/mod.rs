//! Backup requests: somebody requests a backup, the appliance learns of it, and the next backup that it stores fulfils the
//! request. How backup requests are ordered among uploads is explained in [`crate::db::backup_requests`].
//!
//! How an appliance waits for one is explained in [`wait`].

mod wait;
mod waiters;

use std::net::IpAddr;

use uuid::Uuid;

pub use waiters::Waiters;

use super::error::BackupRequestError;
use super::{READ_TIMEOUT, ReadError, Vault};
use crate::auth::basic::SystemIdentity;
use crate::db::backup_requests::{self, BackupRequest, Cancellation, Creation, NewBackupRequest};
use crate::db::{Lane, systems};
use crate::domain::backup_request::BackupRequestState;
use crate::domain::ids::OrgId;

/// How many of a system's backup requests are listed, the newest ones.
const HISTORY: i64 = 100;

impl Vault {
    /// Requests a backup of a system, in the name of `by` (`operator`, or the subject of a token), or joins a backup
    /// request that is already open. With `org`, only a system of that organization is found.
    pub async fn request_backup(
        &self,
        system: Uuid,
        org: Option<&OrgId>,
        requested_by: &str,
        remote_addr: Option<IpAddr>,
    ) -> Result<BackupRequest, BackupRequestError> {
        // Every attempt has the same id: so one that follows a COMMIT of unknown outcome finds its own row.
        let id = self.ids.next();
        let new = NewBackupRequest {
            id,
            system_id: system,
            org: org.cloned(),
            by: requested_by.to_owned(),
            from: remote_addr,
        };
        let query = move |conn: &mut _| backup_requests::create(conn, &new);
        match self.db.run(Lane::Reads, READ_TIMEOUT, query).await? {
            Creation::Open(request) => Ok(request),
            Creation::NoSystem => Err(BackupRequestError::NoSystem),
            Creation::Suspended => Err(BackupRequestError::Suspended),
        }
    }

    /// Returns the system's newest backup requests in any state, newest first. The caller has to check that the system
    /// exists, and whose it is.
    pub async fn list_backup_requests(&self, system: Uuid) -> Result<Vec<BackupRequest>, BackupRequestError> {
        let query = move |conn: &mut _| backup_requests::of_system(conn, system, HISTORY);
        Ok(self.db.run(Lane::Reads, READ_TIMEOUT, query).await?)
    }

    /// Cancels a backup request. The caller has to check whose the system is.
    ///
    /// # Errors
    /// [`BackupRequestError::Ended`] if it has already ended, also by being cancelled: it stays as it is.
    pub async fn cancel_backup_request(
        &self,
        system: Uuid,
        request: Uuid,
        cancelled_by: &str,
        remote_addr: Option<IpAddr>,
    ) -> Result<(), BackupRequestError> {
        let cancelled_by = cancelled_by.to_owned();
        let mut attempted_before = false;
        let query = move |conn: &mut _| {
            let is_retry = std::mem::replace(&mut attempted_before, true);
            match backup_requests::cancel(conn, system, request, &cancelled_by, remote_addr) {
                // An earlier attempt was committed, and its answer lost.
                Ok(Cancellation::Ended(BackupRequestState::Cancelled)) if is_retry => Ok(Cancellation::Done),
                result => result,
            }
        };
        match self.db.run(Lane::Reads, READ_TIMEOUT, query).await? {
            Cancellation::Done => Ok(()),
            Cancellation::NotFound => Err(BackupRequestError::NotFound),
            Cancellation::Ended(state) => Err(BackupRequestError::Ended(state)),
        }
    }

    /// Returns the open backup requests for this appliance, oldest first, without marking them as seen.
    pub async fn list_open_backup_requests(
        &self,
        identity: &SystemIdentity,
    ) -> Result<Vec<BackupRequest>, ReadError> {
        let system = identity.id();
        let query = move |conn: &mut _| backup_requests::open_of(conn, system);
        Ok(self.db.run(Lane::Reads, READ_TIMEOUT, query).await?)
    }

    /// Records that the appliance has reported its configuration as unchanged, so that it does not count as late. Writes at
    /// most once a minute.
    pub async fn note_unchanged(&self, identity: &SystemIdentity) -> Result<(), ReadError> {
        if self.authenticator.reported_unchanged_recently(identity) {
            return Ok(());
        }
        let system = identity.id();
        let query = move |conn: &mut _| systems::note_unchanged(conn, system);
        if !self.db.run(Lane::Reads, READ_TIMEOUT, query).await? {
            return Err(ReadError::Revoked);
        }
        self.authenticator.forget(identity);
        Ok(())
    }
}
