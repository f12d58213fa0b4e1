//! A backup that somebody asks for: asked, seen by its appliance, fulfilled by what it stores next. What
//! orders it among the uploads is told in [`crate::db::requests`].
//!
//! An appliance learns of a request while it waits ([`Vault::wait_for_requests`]), or by what comes along with any
//! other answer ([`super::Authenticator::requested`]). Who waits has registered before the first look at
//! the table, so whatever is committed after that look rings their bell: by a notification in the
//! process that hears it (`jobs::listen`), or by the look that each process takes every second for all of its
//! waiters together, should the notification be lost. Both only wake; what is given to the appliance is
//! read from the table, under the lock of its system, after a last look at its credential.

use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::error::RequestError;
use super::{READ_PATIENCE, ReadError, SystemIdentity, Vault};
use crate::db::requests::{self, Ask, Asked, BackupRequest, Cancellation};
use crate::db::{Lane, systems};
use crate::domain::ids::OrgId;
use crate::domain::request::RequestState;

/// Of a system's history of requests, the newest so many are shown.
const HISTORY: i64 = 100;

impl Vault {
    /// Asks a system for a backup, in the name of `by` (`operator`, or the subject of a token), or joins what is
    /// asked for already. With `org` only a system of that organization is there.
    pub async fn request_backup(
        &self,
        system: Uuid,
        org: Option<&OrgId>,
        by: &str,
        from: Option<IpAddr>,
    ) -> Result<BackupRequest, RequestError> {
        // The same id whenever it is repeated: after a COMMIT of unknown outcome the request joins itself.
        let id = self.new_ids.next();
        let ask = Ask { id, system_id: system, org: org.cloned(), by: by.to_owned(), from };
        let query = move |conn: &mut _| requests::ask(conn, &ask);
        match self.db.run(Lane::Reads, READ_PATIENCE, query).await? {
            Asked::Awaited(request) => Ok(request),
            Asked::NoSystem => Err(RequestError::NoSystem),
            Asked::Suspended => Err(RequestError::Suspended),
        }
    }

    /// The system's requests, newest first, whatever became of them. None for a system that does not exist: whose it
    /// is has to be asked before.
    pub async fn requests_of(&self, system: Uuid) -> Result<Vec<BackupRequest>, RequestError> {
        let query = move |conn: &mut _| requests::of_system(conn, system, HISTORY);
        Ok(self.db.run(Lane::Reads, READ_PATIENCE, query).await?)
    }

    /// Takes a request back. One that has ended, also by being cancelled before, is
    /// [`RequestError::Ended`] and stays as it is. Whose the system is has to be asked before.
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
            match requests::cancel(conn, system, request, &by, from) {
                // The attempt before was committed, and its answer lost.
                Ok(Cancellation::Ended(RequestState::Cancelled)) if again => Ok(Cancellation::Done),
                result => result,
            }
        };
        match self.db.run(Lane::Reads, READ_PATIENCE, query).await? {
            Cancellation::Done => Ok(()),
            Cancellation::NotFound => Err(RequestError::NotFound),
            Cancellation::Ended(state) => Err(RequestError::Ended(state)),
        }
    }

    /// What the appliance is asked for, oldest first, without taking it for seen.
    pub async fn open_requests(&self, who: &SystemIdentity) -> Result<Vec<BackupRequest>, ReadError> {
        let system = who.id();
        let query = move |conn: &mut _| requests::open_of(conn, system);
        Ok(self.db.run(Lane::Reads, READ_PATIENCE, query).await?)
    }

    /// What the appliance is asked for, oldest first; it has seen it then. If that is nothing, waits for so
    /// long that something is. Ends with nothing, at once, when the process is about to.
    ///
    /// [`ReadError::Revoked`] if the credential is not good any more when there is something to say.
    pub async fn wait_for_requests(
        &self,
        who: &SystemIdentity,
        wait: Duration,
    ) -> Result<Vec<BackupRequest>, ReadError> {
        let waiting = self.waiters.enter(who.id());
        let deadline = Instant::now() + wait;
        loop {
            // Before the look: what comes after it has rung by the time that it is waited for.
            let mut rung = pin!(waiting.bell.notified());
            rung.as_mut().enable();
            let found = self.deliver(who).await?;
            if !found.is_empty() || wait.is_zero() {
                return Ok(found);
            }
            tokio::select! {
                biased;
                () = self.waiters.closed() => return Ok(vec![]),
                () = rung => {}
                () = sleep_until(deadline) => return self.nothing_came(who).await,
            }
        }
    }

    async fn deliver(&self, who: &SystemIdentity) -> Result<Vec<BackupRequest>, ReadError> {
        // Nearly always there is nothing, and that takes no lock; nor does what is marked already, so that thousands
        // who are woken at once don't queue for it.
        let found = self.open_requests(who).await?;
        if found.iter().all(|request| request.state == RequestState::Seen) {
            let may = found.is_empty() || self.authenticator.is_good(who).await?;
            return if may { Ok(found) } else { Err(ReadError::Revoked) };
        }
        let (system, secret) = (who.id(), who.secret_sha256());
        let query = move |conn: &mut _| requests::deliver(conn, system, &secret);
        self.db.run(Lane::Reads, READ_PATIENCE, query).await?.ok_or(ReadError::Revoked)
    }

    /// At the end of a wait. The look-up is the one that the next wait would begin with.
    async fn nothing_came(&self, who: &SystemIdentity) -> Result<Vec<BackupRequest>, ReadError> {
        if self.authenticator.is_good(who).await? { Ok(vec![]) } else { Err(ReadError::Revoked) }
    }

    /// The appliance says that its configuration has not changed: it was heard from, and is not late. Written once
    /// a minute at most.
    pub async fn note_unchanged(&self, who: &SystemIdentity) -> Result<(), ReadError> {
        if self.authenticator.was_unchanged_lately(who) {
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
