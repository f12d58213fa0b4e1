//! Limits what is recorded in the history: one event a minute for each key, so that repetitions do not fill it.

use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::ttl_map::TtlMap;

const INTERVAL: Duration = Duration::from_mins(1);
/// The most keys that are remembered. While there are as many, every event of another key is recorded.
const CAPACITY: usize = 10_000;

/// Remembers for a minute what was recorded.
pub struct EventLimit<K>(Mutex<TtlMap<K, bool>>);

impl<K: Hash + Eq> Default for EventLimit<K> {
    fn default() -> Self {
        Self(Mutex::new(TtlMap::new(INTERVAL, CAPACITY)))
    }
}

impl<K: Hash + Eq> EventLimit<K> {
    /// Returns whether to record an event with this key now: `false` if one was recorded within the last minute.
    pub fn permits(&self, key: K) -> bool {
        self.permits_at(key, Instant::now())
    }

    /// Forgets a permitted event that could not be recorded, so that the next one is.
    pub fn forget(&self, key: &K) {
        self.lock().remove(key);
    }

    fn permits_at(&self, key: K, now: Instant) -> bool {
        let mut recorded = self.lock();
        recorded.entry(key, now).is_none_or(|recorded| !std::mem::replace(recorded, true))
    }

    fn lock(&self) -> MutexGuard<'_, TtlMap<K, bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_event_a_minute_is_recorded_for_each_key_that_fits() {
        let (limit, start) = (EventLimit::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(limit.permits_at(0, at(0)));
        assert!(!limit.permits_at(0, at(59)));
        assert!(limit.permits_at(1, at(59)), "another key");
        assert!(limit.permits_at(0, at(60)), "a minute later");
        limit.forget(&0);
        assert!(limit.permits_at(0, at(60)) && !limit.permits_at(0, at(60)), "not recorded after all");
        let recorded = |key: &i32| limit.permits_at(*key, at(61));
        assert_eq!((2..20_000).filter(recorded).count(), 19_998);
        let again = (2..20_000).filter(recorded).count();
        assert!((10_000..=10_001).contains(&again), "those that did not fit: {again}");
    }
}
