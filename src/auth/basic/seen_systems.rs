//! Remembers in memory which systems were heard of. A task writes that to their rows about every second, many systems in one
//! statement, so that a call of an appliance costs no statement of its own.
//!
//! A system is remembered only if its row, as it was read to check the credential, says that it was not heard of within the
//! last minute. So the table stays small: 100,000 appliances that call without a pause cause 100,000 entries a minute.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::db::seen_systems::{self, SeenSystem};
use crate::db::{Db, DbError, Lane};

/// The number of locks, which systems share by their ids: two calls rarely meet.
const SHARDS: usize = 16;
/// The most systems of one lock. Further systems are remembered when they call again.
const CAPACITY_OF_SHARD: usize = 8_000;
/// The most systems that one statement writes. Their rows are locked meanwhile.
const STEP: usize = 500;
const QUERY_TIMEOUT: Duration = Duration::from_secs(4);

/// The systems that are not written yet; cheap to clone.
#[derive(Clone, Default)]
pub struct SeenSystems(Arc<[Shard; SHARDS]>);

type Shard = Mutex<HashMap<Uuid, Call>>;

/// The last call of a system.
#[derive(Clone, Copy)]
struct Call {
    at: Instant,
    addr: Option<IpAddr>,
}

impl SeenSystems {
    pub(super) fn record(&self, system: Uuid, addr: Option<IpAddr>, at: Instant) {
        let mut calls = self.shard(system);
        if calls.len() < CAPACITY_OF_SHARD || calls.contains_key(&system) {
            calls.insert(system, Call { at, addr });
        }
    }

    /// Forgets a system: its row has been written meanwhile.
    pub(super) fn forget(&self, system: Uuid) {
        self.shard(system).remove(&system);
    }

    /// Writes the calls to the rows of the systems. Those that could not be written stay for the next call, also those whose
    /// rows another transaction has locked: this never waits for a lock.
    ///
    /// # Errors
    /// The database could not be queried.
    pub async fn write(&self, db: &Db) -> Result<(), DbError> {
        // The memory of the maps is released with them: after a burst they would keep it.
        let calls: Vec<(Uuid, Call)> =
            self.0.iter().flat_map(|shard| std::mem::take(&mut *lock(shard))).collect();
        for (step, left) in calls.chunks(STEP).zip((0..calls.len()).step_by(STEP)) {
            let seen: Vec<_> = step.iter().map(|(id, call)| call.of_system(*id)).collect();
            let query = move |conn: &mut _| seen_systems::write(conn, &seen);
            match db.run(Lane::Tasks, QUERY_TIMEOUT, query).await {
                Ok(locked) => self.put_back(step.iter().filter(|(id, _)| locked.contains(id))),
                Err(error) => {
                    self.put_back(&calls[left..]);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Puts back calls that could not be written, unless the system has called again meanwhile.
    fn put_back<'a>(&self, unwritten: impl IntoIterator<Item = &'a (Uuid, Call)>) {
        for (system, call) in unwritten {
            let mut calls = self.shard(*system);
            if calls.len() < CAPACITY_OF_SHARD {
                calls.entry(*system).or_insert(*call);
            }
        }
    }

    fn shard(&self, system: Uuid) -> MutexGuard<'_, HashMap<Uuid, Call>> {
        // The last byte of an id is random.
        let [.., last] = *system.as_bytes();
        lock(&self.0[usize::from(last) % SHARDS])
    }
}

impl Call {
    fn of_system(self, system_id: Uuid) -> SeenSystem {
        SeenSystem { system_id, at: self.at, addr: self.addr }
    }
}

fn lock(shard: &Shard) -> MutexGuard<'_, HashMap<Uuid, Call>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(seen: &SeenSystems) -> usize {
        seen.0.iter().map(|shard| lock(shard).len()).sum()
    }

    #[test]
    fn the_last_call_of_each_system_counts_and_the_systems_are_bounded() {
        let (seen, start) = (SeenSystems::default(), Instant::now());
        let (one, addr) = (Uuid::from_u128(1), Some([192, 0, 2, 1].into()));
        seen.record(one, None, start);
        seen.record(one, addr, start + Duration::from_secs(5));
        let call = lock(&seen.0[1])[&one].of_system(one);
        assert_eq!((call.at, call.addr), (start + Duration::from_secs(5), addr));
        seen.put_back(&[(one, Call { at: start, addr: None })]);
        assert_eq!(lock(&seen.0[1])[&one].addr, addr, "a later call");
        seen.forget(one);
        assert_eq!(count(&seen), 0);
        for id in 0..200_000 {
            seen.record(Uuid::from_u128(id), None, start);
        }
        assert_eq!(count(&seen), SHARDS * CAPACITY_OF_SHARD);
    }
}
