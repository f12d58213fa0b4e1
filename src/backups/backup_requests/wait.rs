//! How an appliance waits for a backup request.
//!
//! An appliance learns of a backup request while it waits for one ([`Vault::wait_for_backup_requests`]), or by a header of
//! any other answer ([`crate::auth::basic::Authenticator::pending_backup_request`]). A waiting appliance is registered before
//! its first query, so a backup request that is committed after that query wakes it: by a notification (`tasks::listen`), or,
//! if the notification is lost, by the query that each process makes every second for all of its waiters together. Both only
//! wake. The answer is read from the table, under the lock of the system, after its credential was checked again.
//!
//! A backup request that the appliance has received before, and has not fulfilled yet, does not end a wait: an appliance
//! that can't make its backup would otherwise poll without a pause. The answer at the end of the wait contains it, so an
//! appliance that has lost an answer learns of the backup request within a minute, or at once if it does not wait.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::auth::basic::SystemIdentity;
use crate::backups::{READ_TIMEOUT, ReadError, Vault};
use crate::db::Lane;
use crate::db::backup_requests::{self, BackupRequest};
use crate::domain::backup_request::BackupRequestState;

impl Vault {
    /// Returns the open backup requests for this appliance, oldest first, marked as seen. Waits up to `wait` for one that
    /// the appliance has not received yet, and then returns all open ones. When the process is about to end, the wait ends
    /// at once, and returns the backup requests that were open at its start.
    ///
    /// # Errors
    /// [`ReadError::Revoked`] if the credential is no longer valid at the end of the wait.
    pub async fn wait_for_backup_requests(
        &self,
        identity: &SystemIdentity,
        wait: Duration,
    ) -> Result<Vec<BackupRequest>, ReadError> {
        let waiter = self.waiters.register(identity.id());
        let deadline = Instant::now() + wait;
        let mut open_at_start: Option<Vec<BackupRequest>> = None;
        loop {
            // Enabled before the query: a commit after the query wakes the appliance, even before the wait begins.
            let mut woken = pin!(waiter.notify.notified());
            woken.as_mut().enable();
            let open = self.list_open_backup_requests(identity).await?;
            if Instant::now() >= deadline || has_news(open_at_start.as_deref(), &open) {
                return self.deliver(identity, open).await;
            }
            // Compare later results with the first one. Another poll of the system may mark a backup request meanwhile, and
            // this poll has to return it nevertheless.
            let open_at_start = open_at_start.get_or_insert(open);
            tokio::select! {
                biased;
                () = self.waiters.closed() => return Ok(std::mem::take(open_at_start)),
                () = woken => {}
                () = sleep_until(deadline) => {}
            }
        }
    }

    /// Marks these open backup requests as seen, and returns them, if the credential is still valid.
    async fn deliver(
        &self,
        identity: &SystemIdentity,
        open: Vec<BackupRequest>,
    ) -> Result<Vec<BackupRequest>, ReadError> {
        // Usually no backup request is open, or all are marked already. Neither case takes a lock, so thousands of appliances
        // that are woken at once do not queue.
        if open.iter().all(|request| request.state == BackupRequestState::Seen) {
            // The look-up costs nothing: the next HTTP request of the appliance would make it.
            return if self.authenticator.is_still_valid(identity).await? {
                Ok(open)
            } else {
                Err(ReadError::Revoked)
            };
        }
        let (system, secret) = (identity.id(), *identity.secret_sha256().bytes());
        let query = move |conn: &mut _| backup_requests::deliver(conn, system, &secret);
        self.db.run(Lane::General, READ_TIMEOUT, query).await?.ok_or(ReadError::Revoked)
    }
}

/// Returns whether `open` ends an appliance's wait: it has a backup request that the appliance has never received, or one
/// that was made, or made again, since the wait began. `open_at_start`: the backup requests that were open then; `None`: the
/// wait begins now.
fn has_news(open_at_start: Option<&[BackupRequest]>, open: &[BackupRequest]) -> bool {
    let is_known = |request: &BackupRequest| {
        // Requesting a backup again postpones the expiry.
        let same = |known: &BackupRequest| known.id == request.id && known.expires_at == request.expires_at;
        open_at_start.is_none_or(|known| known.iter().any(same))
    };
    open.iter().any(|request| request.state == BackupRequestState::Pending || !is_known(request))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;

    fn request(id: u128, state: BackupRequestState, expires: i64) -> BackupRequest {
        BackupRequest {
            id: Uuid::from_u128(id),
            system_id: Uuid::nil(),
            org_id: String::new(),
            state,
            requested_by: "operator".to_owned(),
            requested_at: DateTime::UNIX_EPOCH,
            expires_at: DateTime::from_timestamp(expires, 0).unwrap(),
            seen_at: None,
            ended_at: None,
            backup_id: None,
        }
    }

    #[test]
    fn a_backup_request_that_the_appliance_was_given_before_does_not_end_a_wait() {
        let pending = |id| request(id, BackupRequestState::Pending, 9);
        let seen = |id, expires| request(id, BackupRequestState::Seen, expires);
        assert!(!has_news(None, &[]) && !has_news(None, &[seen(1, 9)]));
        assert!(has_news(None, &[seen(1, 9), pending(2)]));
        let known = [seen(1, 9)];
        assert!(!has_news(Some(&known), &[seen(1, 9)]) && !has_news(Some(&known), &[]));
        assert!(has_news(Some(&known), &[seen(1, 10)]), "requested again");
        assert!(has_news(Some(&known), &[seen(1, 9), seen(2, 9)]), "given to another poll meanwhile");
    }
}
