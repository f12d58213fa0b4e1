//! From a Basic auth credential to an identity, and what guessing may cost.
//!
//! Two promises hold for any number of failed_attempts. A right secret is always let in. And wrong credentials beyond 30 a minute
//! for one user name from one address, or 300 from one address, are answered without a query of their own.
//!
//! Whether a secret is right can't be known without its row, so there has to be a look-up, also for an address that
//! failed_attempts. But there need not be one for each guess: beyond the limits the names are gathered, and every quarter of a
//! second all of them go into one query, on one connection ([`lookup`]). So:
//! * **A throttled guess costs the database** an index probe in a query that is sent at most four times a second,
//!   however many addresses guess however many names. Names that exist are remembered apart from names that do not, so
//!   guesses never push out what appliances use.
//! * **A right secret** either finds its row remembered (at most a second old), and is let in before anything is counted;
//!   or it waits for the next gathered query like the guesses around it, and is let in by the same comparison. Nothing
//!   here turns a row that matches into a 401, and no count prevents a look-up. A count that is too high, be it by
//!   failed_attempts, by a full table, or by a fleet behind one address that comes back all at once, costs a quarter of a second.
//! * **The time of a 401 tells nothing.** Below the limits no wrong credential is answered before [`MIN_REFUSAL_TIME`] is over,
//!   which is longer than a look-up takes. Beyond them all answers come with the gathered query, which has the name in
//!   it whether it exists or not, and whether it is remembered or not.

mod failed_attempts;
mod identity;
mod lookup;

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use tokio::time::{sleep_until, timeout};
use uuid::Uuid;

use crate::db::{Db, DbError};
use crate::domain::client_network::ClientNetwork;
use crate::domain::ids::SystemKey;
use failed_attempts::FailedAttempts;
use identity::identify;
pub use identity::{SecretSha256, SystemIdentity};
use lookup::CredentialLookup;

/// A credential could not be checked, because the database could not say whose it is. The text is for the log.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CredentialCheckError(String);

impl CredentialCheckError {
    /// The row holds what no row can hold.
    fn unreadable(error: impl ToString) -> Self {
        Self(error.to_string())
    }
}

impl From<DbError> for CredentialCheckError {
    fn from(error: DbError) -> Self {
        Self(error.to_string())
    }
}

/// A wrong credential is answered no sooner than this.
const MIN_REFUSAL_TIME: Duration = Duration::from_millis(50);

/// How long an answer may be held up by the look-up for `X-Backup-Requested`, which is only a hint.
const HINT_TIMEOUT: Duration = Duration::from_millis(250);

/// Checks credentials.
pub struct Authenticator {
    lookup: CredentialLookup,
    failed_attempts: Mutex<FailedAttempts>,
}

impl Authenticator {
    /// The gathered look-ups run on `runtime`.
    pub fn new(db: Db, runtime: Handle) -> Self {
        Self {
            lookup: CredentialLookup::new(db, runtime),
            failed_attempts: Mutex::new(FailedAttempts::new()),
        }
    }

    /// The system that the credential belongs to; `None` if it is wrong, whatever is wrong with it. An unknown user
    /// name costs the same work as a known one.
    ///
    /// # Errors
    /// The database could not be asked: that is not a 401.
    pub async fn authenticate(
        &self,
        key: &str,
        secret: &str,
        from: Option<IpAddr>,
    ) -> Result<Option<SystemIdentity>, CredentialCheckError> {
        let Ok(key) = SystemKey::parse(key) else { return Ok(None) };
        let given = Sha256::digest(secret.as_bytes());
        let started = Instant::now();
        let known = self.lookup.cached(&key, started);
        if let Some(identity) = identify(&key, &given, known.as_ref())? {
            return Ok(Some(identity));
        }
        let origin = ClientNetwork::of(from);
        let too_many = self.failed_attempts().record(origin, &key, started);
        let found =
            if too_many { self.lookup.find_batched(&key).await } else { self.lookup.find(&key).await };
        let result =
            found.map_err(CredentialCheckError::from).and_then(|row| identify(&key, &given, row.as_ref()));
        match &result {
            Ok(None) if too_many => self.warn(origin, started),
            Ok(None) => sleep_until((started + MIN_REFUSAL_TIME).into()).await,
            _ => self.failed_attempts().withdraw(origin, &key, started),
        }
        result
    }

    /// Whether the credential is still valid, or was within the last second.
    pub async fn is_still_valid(&self, who: &SystemIdentity) -> Result<bool, CredentialCheckError> {
        let row = self.lookup.find(who.key()).await?;
        Ok(identify(who.key(), who.secret_sha256().bytes(), row.as_ref())?.is_some())
    }

    /// The oldest request for a backup that the system has not answered, as of the last second. Nearly always it is known
    /// from the look-up of the credential. If that is older, or was forgotten because the answer has changed it, the
    /// system is looked up once more, and `None` is given if that takes too long.
    pub async fn pending_backup_request(&self, who: &SystemIdentity) -> Option<Uuid> {
        if let Some(row) = self.lookup.cached(who.key(), Instant::now()) {
            return row.requested;
        }
        let found = timeout(HINT_TIMEOUT, self.lookup.find(who.key())).await.ok()?;
        found.ok()??.requested
    }

    /// Whether the system is known to have said within the last minute that nothing has changed.
    pub fn reported_unchanged_recently(&self, who: &SystemIdentity) -> bool {
        self.lookup.cached(who.key(), Instant::now()).is_some_and(|row| row.unchanged_lately)
    }

    /// A backup was stored, which fulfils the requests before it.
    pub fn forget_backup_request(&self, who: &SystemIdentity) {
        if self.lookup.cached(who.key(), Instant::now()).is_some_and(|row| row.requested.is_some()) {
            self.forget(who);
        }
    }

    /// Forgets what is remembered of the system, because it has changed.
    pub fn forget(&self, who: &SystemIdentity) {
        self.lookup.forget(who.key());
    }

    /// Logs one line a minute for each origin, without anything of what was guessed.
    fn warn(&self, origin: ClientNetwork, now: Instant) {
        if self.failed_attempts().should_warn(origin, now) {
            log::warn!("too many wrong credentials from {origin}: their look-ups are gathered for now");
        }
    }

    fn failed_attempts(&self) -> MutexGuard<'_, FailedAttempts> {
        self.failed_attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
