//! Remembers uploads that were answered 503 because their credential could not be checked: the database was away. Many
//! appliances send a configuration once and do not look at the answer, so these refusals must not be lost. A task writes them
//! to the rows of their systems when the database is back.
//!
//! Whether a credential is right is found out only then. An upload with a wrong one is nobody's, and leaves nothing.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::ready;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::time::sleep;
use uuid::Uuid;

use super::identity::SecretSha256;
use crate::db::unavailable_uploads::{self, Marked, UnavailableEvent, UnavailableUpload};
use crate::db::{Db, DbError, Lane};
use crate::domain::ids::SystemKey;

/// The most credentials that are remembered, and the most events that are not in the history yet.
const CAPACITY: usize = 100_000;
/// The most credentials with one user name: random passwords for one name must not fill the memory.
const CAPACITY_OF_KEY: usize = 4;
/// The most credentials that one statement looks up. The rows of their systems are locked meanwhile.
const STEP: usize = 2_000;
/// How many steps run at the same time: one connection of the lane is left for the other tasks.
const CONCURRENT_STEPS: usize = 3;
/// The most events that one statement writes.
const EVENTS_STEP: usize = 1_000;
/// How long one call writes events. New refusals wait meanwhile.
const EVENTS_TIME: Duration = Duration::from_secs(2);
/// How long a step waits for a database that can't be reached.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a service that stops tries to write what is left, and its pause between two attempts.
const REST_TIME: Duration = Duration::from_secs(5);
const REST_PAUSE: Duration = Duration::from_millis(250);

/// The uploads that are not written yet; cheap to clone.
#[derive(Clone, Default)]
pub struct UnavailableUploads(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    uploads: BTreeMap<Arc<Credential>, Attempts>,
    /// The events of systems whose rows say already that an upload was refused.
    events: HashMap<Uuid, UnavailableEvent>,
    /// Whether it was logged that there are too many.
    reported_full: bool,
}

/// The user name that a client has sent, and the hash of its password.
type Credential = (SystemKey, [u8; 32]);

/// The refused uploads with one credential.
#[derive(Clone, Copy)]
struct Attempts {
    /// When the first and the last one arrived.
    first: Instant,
    last: Instant,
    last_addr: Option<IpAddr>,
}

impl UnavailableUploads {
    /// Remembers an upload that arrived at this time.
    pub(super) fn record(
        &self,
        key: &SystemKey,
        secret: &SecretSha256,
        addr: Option<IpAddr>,
        arrived: Instant,
    ) {
        let mut waiting = self.lock();
        let credential: Credential = (key.clone(), *secret.bytes());
        if let Some(attempts) = waiting.uploads.get_mut(&credential) {
            attempts.first = attempts.first.min(arrived);
            if arrived >= attempts.last {
                (attempts.last, attempts.last_addr) = (arrived, addr);
            }
            return;
        }
        if waiting.uploads.len() >= CAPACITY {
            waiting.report_full();
            return;
        }
        let of_key = (key.clone(), [u8::MIN; 32])..=(key.clone(), [u8::MAX; 32]);
        if waiting.uploads.range::<Credential, _>(of_key).count() < CAPACITY_OF_KEY {
            let attempts = Attempts { first: arrived, last: arrived, last_addr: addr };
            waiting.uploads.insert(Arc::new(credential), attempts);
        }
    }

    /// Returns whether an upload with this credential is not written yet.
    pub fn contains(&self, key: &SystemKey, secret: &SecretSha256) -> bool {
        let waiting = self.lock();
        !waiting.uploads.is_empty() && waiting.uploads.contains_key(&(key.clone(), *secret.bytes()))
    }

    /// Writes the uploads to the rows of their systems, and then events to the history, for as long as a new upload may wait.
    /// What could not be written stays for the next call, also the uploads of systems that another transaction has locked:
    /// this never waits for a lock.
    ///
    /// # Errors
    /// The database could not be queried.
    pub async fn write(&self, db: &Db) -> Result<(), DbError> {
        let uploads: Vec<_> = {
            let waiting = self.lock();
            waiting.uploads.iter().map(|(credential, attempts)| (Arc::clone(credential), *attempts)).collect()
        };
        let steps: Vec<_> = uploads.chunks(STEP).map(|step| self.write_step(db, step.to_vec())).collect();
        stream::iter(steps).buffer_unordered(CONCURRENT_STEPS).try_for_each(|()| ready(Ok(()))).await?;
        self.write_events(db).await
    }

    /// Like [`write`](Self::write), when the service stops: tries for some seconds to write everything.
    ///
    /// # Errors
    /// The database could not be queried the last time.
    pub async fn write_rest(&self, db: &Db) -> Result<(), DbError> {
        let started = Instant::now();
        loop {
            let result = self.write(db).await;
            if self.lock().is_empty() || started.elapsed() >= REST_TIME {
                return result;
            }
            sleep(REST_PAUSE).await;
        }
    }

    async fn write_step(&self, db: &Db, step: Vec<(Arc<Credential>, Attempts)>) -> Result<(), DbError> {
        let refused: Vec<_> = step.iter().map(|(credential, attempts)| attempts.of(credential)).collect();
        let query = move |conn: &mut _| unavailable_uploads::mark(conn, &refused);
        let marked = db.run(Lane::Tasks, QUERY_TIMEOUT, query).await?;
        self.forget(&step, marked);
        Ok(())
    }

    /// Forgets the uploads of a step that was written, except those that are locked, and those with a later attempt. Their
    /// events are to be written.
    fn forget(&self, step: &[(Arc<Credential>, Attempts)], marked: Marked) {
        let mut waiting = self.lock();
        for (place, (credential, written)) in step.iter().enumerate() {
            let is_written = |now: &Attempts| now.last == written.last && !marked.locked.contains(&place);
            if waiting.uploads.get(credential).is_some_and(is_written) {
                waiting.uploads.remove(credential);
            }
        }
        for event in marked.events {
            if waiting.events.len() < CAPACITY {
                waiting.events.entry(event.system_id).or_insert(event);
            } else {
                waiting.report_full();
            }
        }
        waiting.release();
    }

    async fn write_events(&self, db: &Db) -> Result<(), DbError> {
        let started = Instant::now();
        while started.elapsed() < EVENTS_TIME {
            let step: Vec<_> = self.lock().events.values().take(EVENTS_STEP).cloned().collect();
            if step.is_empty() {
                break;
            }
            let systems: Vec<_> = step.iter().map(|event| event.system_id).collect();
            let query = move |conn: &mut _| unavailable_uploads::record(conn, &step);
            db.run(Lane::Tasks, QUERY_TIMEOUT, query).await?;
            let mut waiting = self.lock();
            for system in systems {
                waiting.events.remove(&system);
            }
            waiting.release();
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.uploads.is_empty() && self.events.is_empty()
    }

    /// Releases the memory of the maps if nothing is left.
    fn release(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        }
    }

    fn report_full(&mut self) {
        if !std::mem::replace(&mut self.reported_full, true) {
            log::error!(
                "the database is away, and more than {CAPACITY} systems have tried to upload: the refusals of further \
                 ones will be missing in their status or in the history"
            );
        }
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
        uploads.record(&key("fw"), &secret(1), None, at(3));
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
        uploads.forget(&step, Marked { locked: [place].into(), events: vec![] });
        assert!(uploads.contains(&key("fw"), &secret(1)), "its row was locked");
        assert!(!uploads.contains(&key("fw"), &secret(2)), "written");
        uploads.record(&key("fw"), &secret(1), None, at(8));
        uploads.forget(&step, Marked::default());
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

    #[test]
    fn one_name_with_many_passwords_does_not_fill_the_memory() {
        let (uploads, now) = (UnavailableUploads::default(), Instant::now());
        for byte in [0, 255, 1, 2, 3, 4] {
            uploads.record(&key("fw"), &secret(byte), None, now);
        }
        uploads.record(&key("fw-1"), &secret(9), None, now);
        assert_eq!(uploads.lock().uploads.len(), CAPACITY_OF_KEY + 1);
        assert!(uploads.contains(&key("fw"), &secret(0)) && !uploads.contains(&key("fw"), &secret(3)));
        assert!(uploads.contains(&key("fw-1"), &secret(9)), "another name");
    }
}
