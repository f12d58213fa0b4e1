//! Requests for a backup: somebody asks, the appliance is told, and the next backup that it stores fulfils the request.
//! How requests are ordered among uploads is explained in [`crate::db::backup_requests`].
//!
//! An appliance learns of a request while it waits for one ([`Vault::wait_for_requests`]), or by a header on any other
//! answer ([`Authenticator::pending_backup_request`]). An appliance that waits is registered before the first look at the table,
//! so whatever is committed after that look rings its bell: by a notification (`tasks::listen`), or, if that is lost, by
//! the look that each process takes every second for all of its waiters together. Both only wake. What the appliance is
//! given is read from the table, under the lock of its system, after its credential was checked once more.
//!
//! A request that the appliance was given before, and has not answered yet, does not end a wait: an appliance that can't
//! make its backup would otherwise poll without a pause. It is in the answer at the end of the wait, so an appliance that
//! has lost an answer learns of it within a minute, and at once if it does not wait.

use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::error::RequestError;
use super::{READ_PATIENCE, ReadError, Vault};
use crate::auth::basic::SystemIdentity;
use crate::db::backup_requests::{self, BackupRequest, Cancellation, Creation, NewBackupRequest};
use crate::db::{Lane, systems};
use crate::domain::backup_request::BackupRequestState;
use crate::domain::ids::OrgId;

/// How many of a system's requests are shown, the newest ones.
const HISTORY: i64 = 100;

impl Vault {
    /// Requests a backup of a system, in the name of `by` (`operator`, or the subject of a token), or joins a request
    /// that is open already. With `org`, only a system of that organization is found.
    pub async fn request_backup(
        &self,
        system: Uuid,
        org: Option<&OrgId>,
        by: &str,
        from: Option<IpAddr>,
    ) -> Result<BackupRequest, RequestError> {
        // Every attempt has the same id: so one that follows a COMMIT of unknown outcome finds its own request.
        let id = self.new_ids.next();
        let ask = NewBackupRequest { id, system_id: system, org: org.cloned(), by: by.to_owned(), from };
        let query = move |conn: &mut _| backup_requests::create(conn, &ask);
        match self.db.run(Lane::Reads, READ_PATIENCE, query).await? {
            Creation::Open(request) => Ok(request),
            Creation::NoSystem => Err(RequestError::NoSystem),
            Creation::Suspended => Err(RequestError::Suspended),
        }
    }

    /// The system's newest requests, whatever has become of them, newest first. The caller has to know that the system
    /// exists, and whose it is.
    pub async fn requests_of(&self, system: Uuid) -> Result<Vec<BackupRequest>, RequestError> {
        let query = move |conn: &mut _| backup_requests::of_system(conn, system, HISTORY);
        Ok(self.db.run(Lane::Reads, READ_PATIENCE, query).await?)
    }

    /// Cancels a request. The caller has to know whose the system is.
    ///
    /// # Errors
    /// [`RequestError::Ended`] if the request has ended before, also by being cancelled: it stays as it is.
    pub async fn cancel_request(
        &self,
        system: Uuid,
        request: Uuid,
        by: &str,
        from: Option<IpAddr>,
    ) -> Result<(), RequestError> {
        let by = by.to_owned();
        let mut repeated = false;
        let query = move |conn: &mut _| {
            let again = std::mem::replace(&mut repeated, true);
            match backup_requests::cancel(conn, system, request, &by, from) {
                // An earlier attempt was committed, and its answer lost.
                Ok(Cancellation::Ended(BackupRequestState::Cancelled)) if again => Ok(Cancellation::Done),
                result => result,
            }
        };
        match self.db.run(Lane::Reads, READ_PATIENCE, query).await? {
            Cancellation::Done => Ok(()),
            Cancellation::NotFound => Err(RequestError::NotFound),
            Cancellation::Ended(state) => Err(RequestError::Ended(state)),
        }
    }

    /// The open requests for this appliance, oldest first, without marking them as seen.
    pub async fn open_requests(&self, who: &SystemIdentity) -> Result<Vec<BackupRequest>, ReadError> {
        let system = who.id();
        let query = move |conn: &mut _| backup_requests::open_of(conn, system);
        Ok(self.db.run(Lane::Reads, READ_PATIENCE, query).await?)
    }

    /// The open requests for this appliance, oldest first, marked as seen. Waits up to `wait` for one that the appliance
    /// has not been given yet, and then returns all that are open. When the process is about to end, the wait ends at once,
    /// with what was open when it began.
    ///
    /// # Errors
    /// [`ReadError::Revoked`] if the credential is not valid any more at the end of the wait.
    pub async fn wait_for_requests(
        &self,
        who: &SystemIdentity,
        wait: Duration,
    ) -> Result<Vec<BackupRequest>, ReadError> {
        let waiting = self.waiters.enter(who.id());
        let deadline = Instant::now() + wait;
        let mut known: Option<Vec<BackupRequest>> = None;
        loop {
            // Enabled before the look: what comes after the look rings this bell, even before it is awaited.
            let mut rung = pin!(waiting.bell.notified());
            rung.as_mut().enable();
            let open = self.open_requests(who).await?;
            if Instant::now() >= deadline || has_news(known.as_deref(), &open) {
                return self.deliver(who, open).await;
            }
            // Later looks are compared with the first one. Another poll of the system may have marked a request meanwhile,
            // and this one has to tell of it all the same.
            let known = known.get_or_insert(open);
            tokio::select! {
                biased;
                () = self.waiters.closed() => return Ok(std::mem::take(known)),
                () = rung => {}
                () = sleep_until(deadline) => {}
            }
        }
    }

    /// Marks these open requests as seen, if the appliance may see them.
    async fn deliver(
        &self,
        who: &SystemIdentity,
        open: Vec<BackupRequest>,
    ) -> Result<Vec<BackupRequest>, ReadError> {
        // Nearly always there is nothing, or nothing that is not marked already. Neither takes a lock, so thousands that are
        // woken at once do not queue.
        if open.iter().all(|request| request.state == BackupRequestState::Seen) {
            // The look-up costs nothing: the next request of the appliance would begin with it.
            return if self.authenticator.is_still_valid(who).await? {
                Ok(open)
            } else {
                Err(ReadError::Revoked)
            };
        }
        let (system, secret) = (who.id(), *who.secret_sha256().bytes());
        let query = move |conn: &mut _| backup_requests::deliver(conn, system, &secret);
        self.db.run(Lane::Reads, READ_PATIENCE, query).await?.ok_or(ReadError::Revoked)
    }

    /// Records that the appliance has said that its configuration is unchanged, so that it does not count as late. Written
    /// once a minute at most.
    pub async fn note_unchanged(&self, who: &SystemIdentity) -> Result<(), ReadError> {
        if self.authenticator.reported_unchanged_recently(who) {
            return Ok(());
        }
        let system = who.id();
        let query = move |conn: &mut _| systems::note_unchanged(conn, system);
        if !self.db.run(Lane::Reads, READ_PATIENCE, query).await? {
            return Err(ReadError::Revoked);
        }
        self.authenticator.forget(who);
        Ok(())
    }
}

/// Whether an appliance has something to learn from `open`: a request that it was never given, or one that was made, or
/// asked for again, since it has begun to wait. `known` is what was open then; `None`: it begins now.
fn has_news(known: Option<&[BackupRequest]>, open: &[BackupRequest]) -> bool {
    let is_known = |request: &BackupRequest| {
        // Asking again puts the expiry off.
        let same = |known: &BackupRequest| known.id == request.id && known.expires_at == request.expires_at;
        known.is_none_or(|known| known.iter().any(same))
    };
    open.iter().any(|request| request.state == BackupRequestState::Pending || !is_known(request))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

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
    fn a_request_that_the_appliance_was_given_before_is_no_news() {
        let pending = |id| request(id, BackupRequestState::Pending, 9);
        let seen = |id, expires| request(id, BackupRequestState::Seen, expires);
        assert!(!has_news(None, &[]) && !has_news(None, &[seen(1, 9)]));
        assert!(has_news(None, &[seen(1, 9), pending(2)]));
        let known = [seen(1, 9)];
        assert!(!has_news(Some(&known), &[seen(1, 9)]) && !has_news(Some(&known), &[]));
        assert!(has_news(Some(&known), &[seen(1, 10)]), "asked for again");
        assert!(has_news(Some(&known), &[seen(1, 9), seen(2, 9)]), "given to another poll meanwhile");
    }
}
