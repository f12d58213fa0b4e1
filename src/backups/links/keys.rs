//! The keys that sign links, as this process last read them.
//!
//! An operator replaces a key in the database. Processes keep the keys in memory only to refuse forged links: a link that
//! passes is verified again with the keys that are read together with its backup, and a new link is signed with the key that
//! is read for it. So a new key takes effect at once in every process. A link that does not pass may be signed with a key
//! that is newer than those in memory, so it waits until the keys are read again. They are read at most twice a second,
//! however many links wait.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::SecretSlice;
use tokio::time::{Instant, sleep_until};

use super::{MAX_CLOCK_DIFFERENCE, SignedLink};
use crate::backups::READ_TIMEOUT;
use crate::db::signing_keys::{self, SigningKeys};
use crate::db::{Db, DbError, Lane};

/// The shortest time between two reads of the keys.
const READ_INTERVAL: Duration = Duration::from_millis(500);

/// How long links are valid, and the keys that sign them.
pub struct Links {
    valid_for: Duration,
    /// The keys that were read last.
    keys: Mutex<Option<SigningKeys>>,
    /// Locked while the keys are read.
    last_read: tokio::sync::Mutex<LastRead>,
}

#[derive(Default)]
struct LastRead {
    began: Option<Instant>,
    /// The result of the read; `None`: it was dropped before its end.
    result: Option<Result<(), DbError>>,
}

impl Links {
    pub fn new(valid_for: Duration) -> Self {
        Self { valid_for, keys: Mutex::default(), last_read: tokio::sync::Mutex::default() }
    }

    pub(super) fn valid_for(&self) -> Duration {
        self.valid_for
    }

    /// Returns the key that the link is signed with, if it is one of these and still counts. The previous key counts only for
    /// links that it may have signed before it was replaced: a thief of that key can't make a link that is valid for longer.
    pub(super) fn find_signing_key<'a>(
        &self,
        signed: &SignedLink,
        keys: &'a SigningKeys,
    ) -> Option<&'a SecretSlice<u8>> {
        let replaced_at = u64::try_from(keys.replaced_at.timestamp()).unwrap_or_default();
        let latest = replaced_at.saturating_add((self.valid_for + MAX_CLOCK_DIFFERENCE).as_secs());
        let previous = keys.previous.as_ref().filter(|_| signed.expires <= latest);
        [Some(&keys.current), previous].into_iter().flatten().find(|key| signed.is_signed_with(key))
    }

    /// Returns whether the link is signed with one of the keys in memory, or with a newer key.
    pub(super) async fn may_be_signed(&self, signed: &SignedLink, db: &Db) -> Result<bool, DbError> {
        let passes = |keys: &SigningKeys| self.find_signing_key(signed, keys).is_some();
        if self.lock().as_ref().is_some_and(passes) {
            return Ok(true);
        }
        self.read_after(Instant::now(), db).await?;
        Ok(self.lock().as_ref().is_some_and(passes))
    }

    /// Reads the keys, unless a read began after this moment.
    async fn read_after(&self, moment: Instant, db: &Db) -> Result<(), DbError> {
        let mut last = self.last_read.lock().await;
        if let (Some(began), Some(result)) = (last.began, &last.result)
            && began >= moment
        {
            return result.clone();
        }
        if let Some(began) = last.began {
            sleep_until(began + READ_INTERVAL).await;
        }
        (last.began, last.result) = (Some(Instant::now()), None);
        let keys = db.run(Lane::General, READ_TIMEOUT, signing_keys::downloads).await;
        let result = keys.map(|keys| *self.lock() = Some(keys));
        last.result = Some(result.clone());
        result
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
            let access_state =
                AccessState { state: SystemState::Active, secret_sha256: vec![], suspended_at: None };
            let backup = BackupId::parse("018f3a5c-7b1e-7c3d-9a2b-0123456789ab.gpg").unwrap();
            SignedLink::new(&key(byte), backup, expires, &access_state).unwrap()
        };
        let links = Links::new(Duration::from_secs(300));
        let mut keys = SigningKeys {
            current: key(2),
            replaced_at: DateTime::from_timestamp(1000, 0).unwrap(),
            previous: Some(key(1)),
        };
        let counts = |keys: &SigningKeys, byte, expires| {
            links.find_signing_key(&signed(byte, expires), keys).is_some()
        };
        assert!(counts(&keys, 2, u64::MAX) && counts(&keys, 1, 1300) && counts(&keys, 1, 1330));
        assert!(!counts(&keys, 1, 1331) && !counts(&keys, 1, u64::MAX) && !counts(&keys, 3, 1300));
        keys.previous = None;
        assert!(counts(&keys, 2, 1300) && !counts(&keys, 1, 1300));
    }
}
