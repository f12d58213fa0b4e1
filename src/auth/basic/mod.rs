//! Checks Basic credentials, and limits what guessing costs.
//!
//! Two guarantees hold for any number of guesses. A right secret is always accepted. And wrong credentials
//! beyond 30 a minute for one user name from one address, or 300 from one address, never cause a query of
//! their own.
//!
//! Only a system's row can tell whether a secret is right, so every attempt needs a look-up, even from an
//! address that guesses. It does not need a query of its own: beyond the limits the names are batched, and one
//! query on one connection looks up all of them four times a second ([`lookup`]). Consequences:
//! * **A throttled guess costs the database** one index probe in a query that runs at most four times a
//!   second, however many addresses guess however many names. Existing names and unknown names are cached
//!   separately, so guesses never evict the names that systems use.
//! * **A right secret** either finds its row in the cache (at most a second old) and is accepted before
//!   anything is counted, or it waits for the next batched query like the guesses around it and is accepted by
//!   the same comparison. No code here answers 401 for a row that matches, and no count prevents a look-up. A
//!   count that is too high, whether because of guesses, a full table, or a fleet behind one address that
//!   reconnects at once, costs a quarter of a second.
//! * **The response time of a 401 reveals nothing.** Below the limits no wrong credential is answered before
//!   [`MIN_REFUSAL_TIME`], which is longer than a look-up. Beyond them all answers come with the batched
//!   query, which contains the name whether or not it exists, and whether or not it is cached. Each refusal is
//!   counted in the same way ([`refused_credentials`]).

mod failed_attempts;
mod identity;
mod lookup;
mod new_secret;
mod refusal_log;
mod refused_credentials;
mod seen_systems;
mod unavailable_uploads;
mod unchecked_upload;

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use tokio::time::{sleep_until, timeout};
use uuid::Uuid;

use crate::db::{Db, DbError};
use crate::domain::client_network::ClientNetwork;
use crate::domain::ids::SystemKey;
use crate::telemetry::TaskStatus;
use failed_attempts::FailedAttempts;
use identity::{Refusal, identify, identify_inactive, is_right};
pub use identity::{SecretSha256, SystemIdentity};
use lookup::CredentialLookup;
pub use new_secret::{NoRandomness, new_key, new_secret, secret_hash};
use refusal_log::RefusalLog;
pub use refused_credentials::RefusedCredentials;
pub use seen_systems::SeenSystems;
pub use unavailable_uploads::UnavailableUploads;
use unchecked_upload::UncheckedUpload;

/// The database could not be queried for a credential. The text is for the log.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CredentialCheckError(String);

impl CredentialCheckError {
    /// A column holds a value that its table does not permit.
    fn unreadable(error: &impl ToString) -> Self {
        Self(error.to_string())
    }
}

impl From<DbError> for CredentialCheckError {
    fn from(error: DbError) -> Self {
        Self(error.to_string())
    }
}

/// Minimum time before a wrong credential is answered.
const MIN_REFUSAL_TIME: Duration = Duration::from_millis(50);

/// Maximum time that the look-up for `X-Backup-Requested`, which is only a hint, may delay an answer.
const HINT_TIMEOUT: Duration = Duration::from_millis(250);

/// Checks credentials.
pub struct Authenticator {
    lookup: CredentialLookup,
    failed_attempts: Mutex<FailedAttempts>,
    refused: RefusedCredentials,
    refusal_log: RefusalLog,
    seen: SeenSystems,
    unavailable_uploads: UnavailableUploads,
}

impl Authenticator {
    /// Creates the authenticator. Its batched look-ups run on `runtime`.
    pub fn new(db: Db, runtime: Handle, status: TaskStatus) -> Self {
        Self {
            lookup: CredentialLookup::new(db, runtime, status),
            failed_attempts: Mutex::new(FailedAttempts::new()),
            refused: RefusedCredentials::default(),
            refusal_log: RefusalLog::default(),
            seen: SeenSystems::default(),
            unavailable_uploads: UnavailableUploads::default(),
        }
    }

    /// Returns the counts of refused credentials, which have to be written to the history from time to time.
    pub fn refused_credentials(&self) -> &RefusedCredentials {
        &self.refused
    }

    /// Returns the systems that were heard of, which have to be written from time to time.
    pub fn seen_systems(&self) -> &SeenSystems {
        &self.seen
    }

    /// Returns the uploads whose credential could not be checked, which have to be written when the database is back.
    pub fn unavailable_uploads(&self) -> &UnavailableUploads {
        &self.unavailable_uploads
    }

    /// Like [`authenticate`](Self::authenticate), for an upload that arrived at this time: if the database can't be queried, or
    /// the client gives up before, the upload is remembered.
    pub async fn authenticate_upload(
        &self,
        key: &str,
        secret: &str,
        remote_addr: Option<IpAddr>,
        arrived: Instant,
    ) -> Result<Option<SystemIdentity>, CredentialCheckError> {
        let unchecked = SystemKey::parse(key).ok().map(|key| UncheckedUpload {
            uploads: &self.unavailable_uploads,
            key,
            secret: SecretSha256::of(secret),
            addr: remote_addr,
            arrived,
            is_checked: false,
        });
        let result = self.authenticate(key, secret, remote_addr).await;
        if let Some(mut unchecked) = unchecked {
            unchecked.is_checked = result.is_ok();
        }
        result
    }

    /// Returns the system that is suspended, or is being destroyed, if this credential was just refused for that reason.
    pub fn inactive(&self, key: &str, secret: &str) -> Option<SystemIdentity> {
        let key = SystemKey::parse(key).ok()?;
        let row = self.lookup.cached(&key, Instant::now());
        identify_inactive(&key, &Sha256::digest(secret.as_bytes()), row.as_ref())
    }

    /// Records that the system is heard of, unless its row says so already. A task writes it within about a second.
    pub fn note_seen(&self, identity: &SystemIdentity, remote_addr: Option<IpAddr>) {
        if identity.seen_lately().is_none() {
            self.seen.record(identity.id(), remote_addr, Instant::now());
        }
    }

    /// Forgets that the system is heard of: its row says so, or the admission of an upload will.
    pub fn forget_seen(&self, identity: &SystemIdentity) {
        self.seen.forget(identity.id());
    }

    /// Takes over that the row of the system says that it was heard of at this time.
    pub fn note_seen_at(&self, identity: &SystemIdentity, at: DateTime<Utc>) {
        self.seen.forget(identity.id());
        self.lookup.amend(identity.key(), |row| row.seen_lately = Some(at));
    }

    /// Returns the system that the credential belongs to, or `None` if the credential is wrong, for whatever
    /// reason. An unknown user name costs the same work as a known one.
    ///
    /// # Errors
    /// The database could not be queried, which must not be answered 401.
    pub async fn authenticate(
        &self,
        key: &str,
        secret: &str,
        remote_addr: Option<IpAddr>,
    ) -> Result<Option<SystemIdentity>, CredentialCheckError> {
        let network = ClientNetwork::of(remote_addr);
        let Ok(key) = SystemKey::parse(key) else {
            self.refusal_log.log(network, &Refusal::UnknownKey);
            return Ok(None);
        };
        let given = Sha256::digest(secret.as_bytes());
        let started = Instant::now();
        let known = self.lookup.cached(&key, started);
        if let Some(identity) = identify(&key, &given, known.as_ref())? {
            return Ok(Some(identity));
        }
        let too_many = self.failed_attempts().record(network, &key, started);
        let found =
            if too_many { self.lookup.find_batched(&key).await } else { self.lookup.find(&key).await };
        let row = match found {
            Ok(row) => row,
            Err(error) => {
                self.failed_attempts().withdraw(network, &key, started);
                return Err(error.into());
            }
        };
        let result = identify(&key, &given, row.as_ref());
        if !matches!(result, Ok(None)) {
            self.failed_attempts().withdraw(network, &key, started);
            return result;
        }
        let is_right = is_right(&given, row.as_ref()) && row.is_some();
        self.refused.record(row.as_ref(), is_right, remote_addr, Instant::now());
        if too_many {
            self.warn(network, started);
        } else {
            self.refusal_log.log(network, &Refusal::of(row.as_ref(), is_right));
            sleep_until((started + MIN_REFUSAL_TIME).into()).await;
        }
        result
    }

    /// Returns whether the credential is still valid, or was within the last second.
    pub async fn is_still_valid(&self, identity: &SystemIdentity) -> Result<bool, CredentialCheckError> {
        let row = self.lookup.find(identity.key()).await?;
        Ok(identify(identity.key(), identity.secret_sha256().bytes(), row.as_ref())?.is_some())
    }

    /// Returns the oldest open backup request of the system, as of the last second. It is nearly always known
    /// from the look-up of the credential. Otherwise the system is looked up again, and the result is `None`
    /// if that takes too long.
    pub async fn pending_backup_request(&self, identity: &SystemIdentity) -> Option<Uuid> {
        if let Some(row) = self.lookup.cached(identity.key(), Instant::now()) {
            return row.requested;
        }
        let found = timeout(HINT_TIMEOUT, self.lookup.find(identity.key())).await.ok()?;
        found.ok()??.requested
    }

    /// Returns whether the system is known to have reported "unchanged" within the last minute.
    pub fn reported_unchanged_recently(&self, identity: &SystemIdentity) -> bool {
        self.lookup.cached(identity.key(), Instant::now()).is_some_and(|row| row.unchanged_lately)
    }

    /// Forgets the backup request: a backup was stored, which fulfils it.
    pub fn forget_backup_request(&self, identity: &SystemIdentity) {
        if self.lookup.cached(identity.key(), Instant::now()).is_some_and(|row| row.requested.is_some()) {
            self.forget(identity);
        }
    }

    /// Removes the system from the cache, because it has changed.
    pub fn forget(&self, identity: &SystemIdentity) {
        self.lookup.forget(identity.key());
    }

    /// Logs at most one line a minute per network, which contains nothing that was guessed.
    fn warn(&self, network: ClientNetwork, now: Instant) {
        if self.failed_attempts().should_warn(network, now) {
            log::warn!("too many wrong credentials from {network}: their look-ups are batched for now");
        }
    }

    fn failed_attempts(&self) -> MutexGuard<'_, FailedAttempts> {
        self.failed_attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
