//! Remembers uploads that were answered 503 because their credential could not be checked: the database was away. Many
//! appliances send a configuration once and do not look at the answer, so these refusals must not be lost. A task writes them
//! to the rows of their systems when the database is back.
//!
//! Whether a credential is right is found out only then. An upload with a wrong one is nobody's, and leaves nothing.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::ready;
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::identity::SecretSha256;
use crate::db::unavailable_uploads::{self, UnavailableUpload};
use crate::db::{Db, DbError, Lane};
use crate::domain::ids::SystemKey;

/// The most credentials that are remembered.
const CAPACITY: usize = 100_000;
/// The most credentials that one statement looks up. The rows of their systems are locked meanwhile.
const STEP: usize = 2_000;
/// How many steps run at the same time: the connections of this lane are also needed for the credentials of new requests.
const CONCURRENT_STEPS: usize = 3;
/// How long a step waits for a database that can't be reached.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// The uploads that are not written yet; cheap to clone.
#[derive(Clone, Default)]
pub struct UnavailableUploads(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    uploads: HashMap<Arc<Credential>, Attempts>,
    /// Whether it was logged that there are too many.
    reported_full: bool,
}

/// The user name that a client has sent, and the hash of its password.
type Credential = (SystemKey, [u8; 32]);

/// The refused uploads with one credential.
#[derive(Clone, Copy)]
struct Attempts {
    first: Instant,
    last: Instant,
    last_addr: Option<IpAddr>,
}

impl UnavailableUploads {
    pub(super) fn record(&self, key: &SystemKey, secret: &SecretSha256, addr: Option<IpAddr>, now: Instant) {
        let mut waiting = self.lock();
        let credential: Credential = (key.clone(), *secret.bytes());
        if let Some(attempts) = waiting.uploads.get_mut(&credential) {
            (attempts.last, attempts.last_addr) = (now, addr);
            return;
        }
        if waiting.uploads.len() >= CAPACITY {
            if !std::mem::replace(&mut waiting.reported_full, true) {
                log::error!(
                    "the database is away, and more than {CAPACITY} systems have tried to upload: the refusals of further \
                     ones will be missing in their status"
                );
            }
            return;
        }
        waiting.uploads.insert(Arc::new(credential), Attempts { first: now, last: now, last_addr: addr });
    }

    /// Returns whether an upload with this credential is not written yet.
    pub fn contains(&self, key: &SystemKey, secret: &SecretSha256) -> bool {
        let waiting = self.lock();
        !waiting.uploads.is_empty() && waiting.uploads.contains_key(&(key.clone(), *secret.bytes()))
    }

    /// Writes the uploads to the rows and the history of their systems. Those that could not be written stay for the next
    /// call, also those whose systems another transaction has locked: this never waits for a lock.
    ///
    /// # Errors
    /// The database could not be queried.
    pub async fn write(&self, db: &Db) -> Result<(), DbError> {
        let uploads: Vec<_> = {
            let waiting = self.lock();
            waiting.uploads.iter().map(|(credential, attempts)| (Arc::clone(credential), *attempts)).collect()
        };
        let steps: Vec<_> = uploads.chunks(STEP).map(|step| self.write_step(db, step.to_vec())).collect();
        stream::iter(steps).buffer_unordered(CONCURRENT_STEPS).try_for_each(|()| ready(Ok(()))).await
    }

    async fn write_step(&self, db: &Db, step: Vec<(Arc<Credential>, Attempts)>) -> Result<(), DbError> {
        let refused: Vec<_> = step.iter().map(|(credential, attempts)| attempts.of(credential)).collect();
        let query = move |conn: &mut _| unavailable_uploads::write(conn, &refused);
        let locked = db.run(Lane::General, QUERY_TIMEOUT, query).await?;
        self.forget(&step, &locked);
        Ok(())
    }

    /// Forgets the uploads of a step that was written, except those at the places in `locked`, and those with a later attempt.
    fn forget(&self, step: &[(Arc<Credential>, Attempts)], locked: &[usize]) {
        let mut waiting = self.lock();
        for (place, (credential, written)) in step.iter().enumerate() {
            let is_written = |now: &Attempts| now.last == written.last && !locked.contains(&place);
            if waiting.uploads.get(credential).is_some_and(is_written) {
                waiting.uploads.remove(credential);
            }
        }
        if waiting.uploads.is_empty() {
            // This also releases the memory of the map.
            *waiting = Waiting::default();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempts {
    fn of(self, (key, secret_sha256): &Credential) -> UnavailableUpload {
        UnavailableUpload {
            key: key.as_str().to_owned(),
            secret_sha256: secret_sha256.to_vec(),
            first: self.first,
            last: self.last,
            last_addr: self.last_addr,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> SystemKey {
        SystemKey::parse(name).unwrap()
    }

    fn secret(byte: u8) -> SecretSha256 {
        SecretSha256::new([byte; 32])
    }

    #[test]
    fn one_entry_a_credential_stays_until_it_is_written() {
        let (uploads, start) = (UnavailableUploads::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        uploads.record(&key("fw"), &secret(1), None, at(0));
        uploads.record(&key("fw"), &secret(2), None, at(1));
        uploads.record(&key("fw"), &secret(1), Some([192, 0, 2, 1].into()), at(5));
        let step: Vec<_> = uploads
            .lock()
            .uploads
            .iter()
            .map(|(credential, attempts)| (Arc::clone(credential), *attempts))
            .collect();
        assert_eq!(step.len(), 2);
        let place = step.iter().position(|(credential, _)| credential.1 == [1; 32]).unwrap();
        let upload = step[place].1.of(&step[place].0);
        assert_eq!((upload.first, upload.last), (at(0), at(5)));
        assert_eq!((upload.key.as_str(), upload.last_addr), ("fw", Some([192, 0, 2, 1].into())));
        uploads.forget(&step, &[place]);
        assert!(uploads.contains(&key("fw"), &secret(1)), "its row was locked");
        assert!(!uploads.contains(&key("fw"), &secret(2)), "written");
        uploads.record(&key("fw"), &secret(1), None, at(8));
        uploads.forget(&step, &[]);
        assert!(uploads.contains(&key("fw"), &secret(1)), "a later attempt");
    }

    #[test]
    fn the_credentials_are_bounded() {
        let (uploads, now) = (UnavailableUploads::default(), Instant::now());
        for n in 0..CAPACITY + 1_000 {
            uploads.record(&key(&format!("fw-{n}")), &secret(1), None, now);
        }
        assert_eq!(uploads.lock().uploads.len(), CAPACITY);
        assert!(uploads.lock().reported_full);
    }
}
