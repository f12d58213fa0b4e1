//! Backup requests: an operator or a portal requests a backup, the appliance learns of the request, and its next backup
//! fulfils it. [`crate::db::backup_requests`] explains how backup requests are ordered among uploads, and [`wait`] how an
//! appliance waits for one.

mod wait;
mod waiters;

use std::net::IpAddr;

use uuid::Uuid;

pub use waiters::Waiters;

use super::error::BackupRequestError;
use super::{READ_TIMEOUT, ReadError, Vault};
use crate::auth::basic::SystemIdentity;
use crate::db::Lane;
use crate::db::backup_requests::{self, BackupRequest, Cancellation, Creation, NewBackupRequest};
use crate::domain::backup_request::BackupRequestState;
use crate::domain::ids::OrgId;

/// The number of a system's backup requests that are listed, the newest ones.
const HISTORY: i64 = 100;

impl Vault {
    /// Requests a backup of a system, in the name of `requested_by` (`operator`, or the subject of a token), or
    /// joins a backup request that is already open. With `org`, only a system of that organization is found.
    pub async fn request_backup(
        &self,
        system: Uuid,
        org: Option<&OrgId>,
        requested_by: &str,
        remote_addr: Option<IpAddr>,
    ) -> Result<BackupRequest, BackupRequestError> {
        // All attempts have the same id, so an attempt that follows a COMMIT of unknown outcome finds its own row.
        let id = self.ids.next();
        let new = NewBackupRequest {
            id,
            system_id: system,
            org: org.cloned(),
            requested_by: requested_by.to_owned(),
            remote_addr,
        };
        let query = move |conn: &mut _| backup_requests::create(conn, &new);
        match self.db.run(Lane::General, READ_TIMEOUT, query).await? {
            Creation::Request(request) => Ok(request),
            Creation::NoSystem => Err(BackupRequestError::NoSystem),
            Creation::Suspended => Err(BackupRequestError::Suspended),
        }
    }

    /// Returns the system's newest backup requests in any state, newest first. The caller has to check that the system
    /// exists, and that it may be seen.
    pub async fn list_backup_requests(&self, system: Uuid) -> Result<Vec<BackupRequest>, BackupRequestError> {
        let query = move |conn: &mut _| backup_requests::of_system(conn, system, HISTORY);
        Ok(self.db.run(Lane::General, READ_TIMEOUT, query).await?)
    }

    /// Cancels a backup request. The caller has to check that the system may be seen.
    ///
    /// # Errors
    /// [`BackupRequestError::Ended`] if the backup request has already ended, which includes a cancellation. It is not changed.
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
                // An earlier attempt was committed, and its result was lost.
                Ok(Cancellation::Ended(BackupRequestState::Cancelled)) if is_retry => Ok(Cancellation::Done),
                result => result,
            }
        };
        match self.db.run(Lane::General, READ_TIMEOUT, query).await? {
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
        Ok(self.db.run(Lane::General, READ_TIMEOUT, query).await?)
    }
}
