//! Counts the refused credentials of each system in memory. A task writes the counts to the history every few seconds: one
//! event for each system and hour, however many attempts there are.
//!
//! Attempts with an unknown user name are counted, too, so that they cost the same time, and then dropped: the history tells of
//! systems, and a guessed name would fill it. While the database is away the counts stay in memory.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::db::credential_refusals::{self, CredentialRefusals};
use crate::db::credentials::CredentialRow;
use crate::db::{Db, DbError, Lane};

/// The most systems with counts that are not written yet. Refusals of further systems are not counted.
const CAPACITY: usize = 10_000;
/// The most systems that one statement writes.
const STEP: usize = 500;
const QUERY_TIMEOUT: Duration = Duration::from_secs(4);

/// The counts that are not written yet; cheap to clone.
#[derive(Clone, Default)]
pub struct RefusedCredentials(Arc<Mutex<HashMap<Uuid, Count>>>);

struct Count {
    org_id: String,
    attempts: u64,
    /// How many of them had the right secret: the system is suspended or being destroyed.
    inactive: u64,
    first: Instant,
    last: Instant,
    last_addr: Option<IpAddr>,
}

impl RefusedCredentials {
    /// Counts a refused attempt. `row`: the system with the user name, if there is one. `is_right`: whether the secret was right.
    pub(super) fn record(
        &self,
        row: Option<&CredentialRow>,
        is_right: bool,
        remote_addr: Option<IpAddr>,
        now: Instant,
    ) {
        // All unknown names share the entry of the nil id, which no system has.
        let (id, org_id) = row.map_or((Uuid::nil(), ""), |row| (row.id, &row.org_id));
        let mut counts = self.lock();
        if counts.len() >= CAPACITY && !counts.contains_key(&id) {
            return;
        }
        let new = || Count {
            org_id: org_id.to_owned(),
            attempts: 0,
            inactive: 0,
            first: now,
            last: now,
            last_addr: None,
        };
        let count = counts.entry(id).or_insert_with(new);
        count.attempts += 1;
        count.inactive += u64::from(is_right);
        count.last = now;
        count.last_addr = remote_addr;
    }

    /// Writes the counts to the history. Those that could not be written stay for the next call, also those of systems that
    /// another transaction has locked.
    ///
    /// # Errors
    /// The database could not be queried.
    pub async fn write(&self, db: &Db) -> Result<(), DbError> {
        // Attempts that are counted meanwhile wait for the next call.
        let mut left = self.lock().len();
        while left > 0 {
            // One step at a time: a call that is cancelled loses no more than this one.
            let step = self.take(STEP);
            if step.is_empty() {
                break;
            }
            left = left.saturating_sub(step.len());
            let now = Instant::now();
            let refusals: Vec<_> = step.iter().map(|(id, count)| count.refusals(*id, now)).collect();
            let query = move |conn: &mut _| credential_refusals::write(conn, &refusals);
            match db.run(Lane::Tasks, QUERY_TIMEOUT, query).await {
                Ok(locked) => self.put_back(step.into_iter().filter(|(id, _)| locked.contains(id))),
                Err(error) => {
                    self.put_back(step);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Takes out the counts of up to `most` systems.
    fn take(&self, most: usize) -> HashMap<Uuid, Count> {
        let mut counts = self.lock();
        counts.remove(&Uuid::nil());
        let ids: Vec<Uuid> = counts.keys().take(most).copied().collect();
        ids.into_iter().filter_map(|id| Some((id, counts.remove(&id)?))).collect()
    }

    /// Adds counts that could not be written to those that have been counted meanwhile.
    fn put_back(&self, unwritten: impl IntoIterator<Item = (Uuid, Count)>) {
        let mut counts = self.lock();
        for (id, count) in unwritten {
            if let Some(newer) = counts.get_mut(&id) {
                newer.attempts += count.attempts;
                newer.inactive += count.inactive;
                newer.first = count.first;
            } else if counts.len() < CAPACITY {
                counts.insert(id, count);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Count>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Count {
    fn refusals(&self, system_id: Uuid, now: Instant) -> CredentialRefusals {
        CredentialRefusals {
            system_id,
            org_id: self.org_id.clone(),
            attempts: self.attempts,
            inactive: self.inactive,
            first_age: now.saturating_duration_since(self.first),
            last_age: now.saturating_duration_since(self.last),
            last_addr: self.last_addr,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::row_state::SystemState;

    fn row(id: u128) -> CredentialRow {
        CredentialRow {
            id: Uuid::from_u128(id),
            system_key: "fw".to_owned(),
            org_id: "acme".to_owned(),
            secret_sha256: vec![],
            previous_secret_sha256: None,
            state: SystemState::Active,
            window_epoch: 0,
            requested: None,
            unchanged_lately: false,
            seen_lately: None,
        }
    }

    #[test]
    fn attempts_are_summed_and_counts_that_were_not_written_are_kept() {
        let (refused, start) = (RefusedCredentials::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        refused.record(Some(&row(1)), false, None, at(0));
        refused.record(None, false, None, at(0));
        let unwritten = refused.take(STEP);
        assert_eq!(unwritten.len(), 1, "unknown names are not written");
        refused.record(Some(&row(1)), true, Some([192, 0, 2, 1].into()), at(5));
        refused.put_back(unwritten);
        let counts = refused.lock();
        let found = counts[&Uuid::from_u128(1)].refusals(Uuid::from_u128(1), at(7));
        assert_eq!((found.attempts, found.inactive), (2, 1));
        assert_eq!((found.first_age.as_secs(), found.last_age.as_secs()), (7, 2));
        assert_eq!(found.last_addr, Some([192, 0, 2, 1].into()));
    }

    #[test]
    fn the_counted_systems_are_bounded_and_unknown_names_share_an_entry() {
        let (refused, now) = (RefusedCredentials::default(), Instant::now());
        for _ in 0..100 {
            refused.record(None, false, None, now);
        }
        assert_eq!(refused.lock().len(), 1);
        for id in 1..=11_000 {
            refused.record(Some(&row(id)), false, None, now);
        }
        assert_eq!(refused.lock().len(), CAPACITY);
    }
}
