//! The systems of which this process has refused an upload a moment ago. Their rows may not say so yet.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::domain::ttl_map::TtlMap;

/// Longer than it takes until a refusal is in the row of its system.
const TTL: Duration = Duration::from_secs(10);
const CAPACITY: usize = 100_000;

pub struct RefusedLately(Mutex<TtlMap<Uuid, Instant>>);

impl Default for RefusedLately {
    fn default() -> Self {
        Self(Mutex::new(TtlMap::new(TTL, CAPACITY)))
    }
}

impl RefusedLately {
    /// Records that an upload of the system, which was sent at this time, was refused or has failed now.
    pub(super) fn record(&self, system: Uuid, sent: Instant) {
        let (mut refused, now) = (self.lock(), Instant::now());
        let sent = refused.get(&system, now).map_or(sent, |last| sent.max(*last));
        refused.insert(system, sent, now);
    }

    /// Forgets the refused uploads that were sent before a stored one.
    pub(super) fn clear(&self, system: Uuid, sent: Instant) {
        let mut refused = self.lock();
        if refused.get(&system, Instant::now()).is_some_and(|last| *last < sent) {
            refused.remove(&system);
        }
    }

    /// Returns whether an upload of the system was refused within the last seconds, and none that was sent later is stored.
    pub(super) fn contains(&self, system: Uuid) -> bool {
        self.lock().get(&system, Instant::now()).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, TtlMap<Uuid, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_upload_that_was_sent_later_ends_a_refusal() {
        let (refused, system) = (RefusedLately::default(), Uuid::from_u128(1));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        refused.record(system, at(5));
        assert!(refused.contains(system) && !refused.contains(Uuid::from_u128(2)));
        refused.record(system, at(2));
        refused.clear(system, at(4));
        assert!(refused.contains(system), "the stored one was sent before");
        refused.clear(system, at(6));
        assert!(!refused.contains(system));
    }
}
