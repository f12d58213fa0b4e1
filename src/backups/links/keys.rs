//! The keys of addresses in this process.
//!
//! A key is replaced in the database, by hand. Processes keep the keys in memory only to refuse addresses that somebody has
//! made up: an address that passes is checked once more with the keys that are read together with its backup, and new
//! addresses are signed with the key that was read for them. So a new key counts at once in every process. An address that
//! does not pass may be signed with a key that is newer than those in memory, so it waits for the next reading of them.
//! There are at most two a second, however many addresses wait for them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::SecretSlice;
use tokio::time::{Instant, sleep_until};

use super::{CLOCKS_DIFFER, Signed};
use crate::backups::READ_PATIENCE;
use crate::db::signing_keys::{self, SigningKeys};
use crate::db::{Db, DbError, Lane};

/// Between two readings of the keys.
const PAUSE: Duration = Duration::from_millis(500);

/// How long addresses are valid, and the keys that they are signed with.
pub struct Links {
    valid_for: Duration,
    /// As they were last read.
    keys: Mutex<Option<SigningKeys>>,
    /// Held by the one who reads them.
    reading: tokio::sync::Mutex<LastReading>,
}

#[derive(Default)]
struct LastReading {
    began: Option<Instant>,
    /// `None`: it was not read to its end, because whoever read is gone.
    outcome: Option<Result<(), DbError>>,
}

impl Links {
    pub fn new(valid_for: Duration) -> Self {
        Self { valid_for, keys: Mutex::default(), reading: tokio::sync::Mutex::default() }
    }

    pub(super) fn valid_for(&self) -> Duration {
        self.valid_for
    }

    /// The one of these keys that the address is signed with, if it still counts. What the previous key has signed, it has
    /// signed before it was replaced. So nobody who has got hold of that key can make an address that holds for longer.
    pub(super) fn key_of<'a>(&self, signed: &Signed, keys: &'a SigningKeys) -> Option<&'a SecretSlice<u8>> {
        let replaced_at = u64::try_from(keys.replaced_at.timestamp()).unwrap_or_default();
        let latest = replaced_at.saturating_add((self.valid_for + CLOCKS_DIFFER).as_secs());
        let previous = keys.previous.as_ref().filter(|_| signed.expires <= latest);
        [Some(&keys.current), previous].into_iter().flatten().find(|key| signed.is_by(key))
    }

    /// Whether the address is signed with a key of those in memory, or of newer ones.
    pub(super) async fn may_be_signed(&self, signed: &Signed, db: &Db) -> Result<bool, DbError> {
        let passes = |keys: &SigningKeys| self.key_of(signed, keys).is_some();
        if self.lock().as_ref().is_some_and(passes) {
            return Ok(true);
        }
        self.read_after(Instant::now(), db).await?;
        Ok(self.lock().as_ref().is_some_and(passes))
    }

    /// Makes sure that the keys were read after this moment.
    async fn read_after(&self, moment: Instant, db: &Db) -> Result<(), DbError> {
        let mut last = self.reading.lock().await;
        if let (Some(began), Some(outcome)) = (last.began, &last.outcome)
            && began >= moment
        {
            return outcome.clone();
        }
        if let Some(began) = last.began {
            sleep_until(began + PAUSE).await;
        }
        (last.began, last.outcome) = (Some(Instant::now()), None);
        let keys = db.run(Lane::Reads, READ_PATIENCE, signing_keys::downloads).await;
        let outcome = keys.map(|keys| *self.lock() = Some(keys));
        last.outcome = Some(outcome.clone());
        outcome
    }

    fn lock(&self) -> MutexGuard<'_, Option<SigningKeys>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::db::access_state::AccessState;
    use crate::domain::ids::BackupId;
    use crate::domain::row_state::SystemState;

    #[test]
    fn the_previous_key_counts_for_what_it_may_have_signed_before_it_was_replaced() {
        let key = |byte: u8| SecretSlice::from(vec![byte; 32]);
        let signed = |byte, expires| {
            let standing =
                AccessState { state: SystemState::Active, secret_sha256: vec![], suspended_at: None };
            let backup = BackupId::parse("018f3a5c-7b1e-7c3d-9a2b-0123456789ab.gpg").unwrap();
            Signed::new(&key(byte), backup, expires, &standing).unwrap()
        };
        let links = Links::new(Duration::from_secs(300));
        let mut keys = SigningKeys {
            current: key(2),
            replaced_at: DateTime::from_timestamp(1000, 0).unwrap(),
            previous: Some(key(1)),
        };
        let counts = |keys: &SigningKeys, byte, expires| links.key_of(&signed(byte, expires), keys).is_some();
        assert!(counts(&keys, 2, u64::MAX) && counts(&keys, 1, 1300) && counts(&keys, 1, 1330));
        assert!(!counts(&keys, 1, 1331) && !counts(&keys, 1, u64::MAX) && !counts(&keys, 3, 1300));
        keys.previous = None;
        assert!(counts(&keys, 2, 1300) && !counts(&keys, 1, 1300));
    }
}
