//! Refused uploads that the next transaction writes: to the history at most one a minute for each system and reason, so that a
//! flood does not fill it; and to the row of the system, whose status they change.
//!
//! A refusal within a minute of another one is not written: the row says the same already. It is remembered, and written when
//! the row may say something else: a backup was stored that was sent before the refusal, or the minute is over (another process
//! may have stored one).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::db::accounting::RefusedUpload;
use crate::domain::refusal::RefusalReason;

/// The least time between two events of the same system and reason.
const RECORD_INTERVAL: Duration = Duration::from_mins(1);
/// The most refusals that one transaction writes.
const MAX_BATCH: usize = 64;

type Key = (Uuid, RefusalReason);

/// What was written lately about a system and reason.
struct Recorded {
    at: Instant,
    /// Whether a backup of the system was stored since the last refusal that was written.
    stored_since: bool,
    /// The last refusal that was not written.
    repeated: Option<RefusedUpload>,
}

#[derive(Default)]
pub(super) struct RefusedUploads {
    recorded: HashMap<Key, Recorded>,
    waiting: HashMap<Key, RefusedUpload>,
}

impl RefusedUploads {
    /// Records a refused upload, and decides whether it becomes an event.
    pub fn record(&mut self, mut refusal: RefusedUpload, now: Instant) {
        refusal.is_event = false;
        let key = (refusal.system_id, refusal.reason);
        let recorded =
            self.recorded.get_mut(&key).filter(|recorded| now.duration_since(recorded.at) < RECORD_INTERVAL);
        match recorded {
            None => {
                self.recorded.insert(key, Recorded { at: now, stored_since: false, repeated: None });
                refusal.is_event = true;
                self.wait(refusal);
            }
            Some(recorded) if recorded.stored_since => {
                recorded.stored_since = false;
                self.wait(refusal);
            }
            Some(recorded) => recorded.repeated = Some(refusal),
        }
    }

    /// A backup of the system was stored. It has ended the refusals that were written, but maybe not those that came later.
    pub fn backup_stored(&mut self, system: Uuid) {
        let mut repeated = vec![];
        for (_, recorded) in self.recorded.iter_mut().filter(|((of, _), _)| *of == system) {
            recorded.stored_since = true;
            repeated.extend(recorded.repeated.take());
        }
        self.put_back(repeated);
    }

    /// Forgets what is older than a minute. A refusal that was not written is written then: another process may have stored a
    /// backup before it.
    pub fn end_minutes(&mut self, now: Instant) {
        let mut repeated = vec![];
        self.recorded.retain(|_, recorded| {
            let is_recent = now.duration_since(recorded.at) < RECORD_INTERVAL;
            if !is_recent {
                repeated.extend(recorded.repeated.take());
            }
            is_recent
        });
        self.put_back(repeated);
    }

    /// Removes and returns refusals that the next transaction has to write.
    pub fn take(&mut self) -> Vec<RefusedUpload> {
        let keys: Vec<_> = self.waiting.keys().copied().take(MAX_BATCH).collect();
        keys.iter().filter_map(|key| self.waiting.remove(key)).collect()
    }

    /// Puts back refusals that a failed transaction has not written.
    pub fn put_back(&mut self, refusals: Vec<RefusedUpload>) {
        for refusal in refusals {
            self.wait(refusal);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Only the last refusal of a system and reason waits, so that they stay few while the database is away.
    fn wait(&mut self, refusal: RefusedUpload) {
        let waiting =
            self.waiting.entry((refusal.system_id, refusal.reason)).or_insert_with(|| refusal.clone());
        let is_event = waiting.is_event || refusal.is_event;
        if refusal.instead_of_admission >= waiting.instead_of_admission {
            *waiting = refusal;
        }
        waiting.is_event = is_event;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A refusal at a time after `start`.
    fn refusal(system: u128, reason: RefusalReason, at: Instant) -> RefusedUpload {
        RefusedUpload {
            system_id: Uuid::from_u128(system),
            reason,
            remote_addr: None,
            instead_of_admission: Some(at),
            not_before: None,
            is_event: false,
        }
    }

    /// Takes what waits, as pairs of the time and whether it is an event.
    fn taken(refusals: &mut RefusedUploads, start: Instant) -> Vec<(u64, bool)> {
        let at = |refusal: &RefusedUpload| {
            refusal.instead_of_admission.map_or(0, |at| at.duration_since(start).as_secs())
        };
        let mut taken: Vec<_> =
            refusals.take().iter().map(|refusal| (at(refusal), refusal.is_event)).collect();
        taken.sort_unstable();
        taken
    }

    #[test]
    fn one_refused_upload_a_minute_is_recorded_for_each_system_and_reason() {
        let start = Instant::now();
        let mut refusals = RefusedUploads::default();
        for (seconds, system, reason, expected) in [
            (0, 1, RefusalReason::Rate, vec![(0, true)]),
            (1, 1, RefusalReason::Rate, vec![]),
            (2, 1, RefusalReason::Size, vec![(2, true)]),
            (3, 2, RefusalReason::Rate, vec![(3, true)]),
            (61, 1, RefusalReason::Rate, vec![(61, true)]),
        ] {
            let now = start + Duration::from_secs(seconds);
            refusals.record(refusal(system, reason, now), now);
            assert_eq!(taken(&mut refusals, start), expected, "{seconds}");
            assert!(refusals.is_empty());
        }
    }

    #[test]
    fn a_repeated_refusal_is_written_after_a_backup_was_stored_or_a_minute() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut refusals = RefusedUploads::default();
        let record = |refusals: &mut RefusedUploads, seconds| {
            refusals.record(refusal(1, RefusalReason::Rate, at(seconds)), at(seconds));
            taken(refusals, start)
        };
        assert_eq!(record(&mut refusals, 0), [(0, true)]);
        assert_eq!(record(&mut refusals, 1), []);
        assert_eq!(record(&mut refusals, 2), []);
        refusals.backup_stored(Uuid::from_u128(2));
        assert!(refusals.is_empty(), "another system's backup");
        refusals.backup_stored(Uuid::from_u128(1));
        assert_eq!(
            taken(&mut refusals, start),
            [(2, false)],
            "an upload may have been admitted before the second one"
        );
        assert_eq!(record(&mut refusals, 3), [(3, false)], "the backup has ended the first one");
        assert_eq!(record(&mut refusals, 4), []);
        refusals.end_minutes(at(59));
        assert!(refusals.is_empty());
        refusals.end_minutes(at(60));
        assert_eq!(taken(&mut refusals, start), [(4, false)]);
    }

    #[test]
    fn what_waits_is_bounded() {
        let start = Instant::now();
        let mut refusals = RefusedUploads::default();
        for minute in 0..10_u64 {
            let now = start + Duration::from_secs(60 * minute);
            for system in 0..100 {
                refusals.record(refusal(system, RefusalReason::Unavailable, now), now);
            }
        }
        let (first, second) = (taken(&mut refusals, start), taken(&mut refusals, start));
        assert_eq!((first.len(), second.len()), (MAX_BATCH, 100 - MAX_BATCH));
        assert!(first.iter().all(|refusal| *refusal == (540, true)), "the last one of each");
    }
}
