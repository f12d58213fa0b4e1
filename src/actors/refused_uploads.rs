//! Refused uploads that the next transaction writes: to the history at most one a minute for each system and reason, so that a
//! flood does not fill it; and to the row of the system, whose status they change.
//!
//! A refusal within a minute of another one is not written: the row says the same already. It is remembered, and compared with
//! the row when that may say something else: a backup was stored that was sent before the refusal; or some seconds later, because
//! another process may have stored one.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::db::accounting::RefusedUpload;
use crate::domain::refusal::RefusalReason;

/// The least time between two events of the same system and reason.
const RECORD_INTERVAL: Duration = Duration::from_mins(1);
/// The most refusals that one transaction writes.
const MAX_BATCH: usize = 256;
/// How long a refusal that was not written waits until it is compared with the row.
const CHECK_INTERVAL: Duration = Duration::from_secs(3);

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
            Some(recorded) if recorded.stored_since && refusal.instead_of_admission.is_some() => {
                recorded.stored_since = false;
                self.wait(refusal);
            }
            // Its abort has noted it.
            Some(_) if refusal.instead_of_admission.is_none() => {}
            Some(recorded) => recorded.repeated = Some(refusal),
        }
    }

    /// A backup of the system was stored. It has ended the refusals that were written, but maybe not those that came later.
    pub fn backup_stored(&mut self, system: Uuid) {
        for reason in RefusalReason::ALL {
            let Some(recorded) = self.recorded.get_mut(&(system, *reason)) else { continue };
            recorded.stored_since = true;
            if let Some(repeated) = recorded.repeated.take() {
                self.wait(repeated);
            }
        }
    }

    /// Forgets what is older than a minute, and lets the refusals be compared with the rows that have waited for it.
    pub fn tick(&mut self, now: Instant) {
        self.end(|repeated| {
            repeated.instead_of_admission.is_none_or(|sent| now.duration_since(sent) >= CHECK_INTERVAL)
        });
        self.recorded.retain(|_, recorded| {
            recorded.repeated.is_some() || now.duration_since(recorded.at) < RECORD_INTERVAL
        });
    }

    /// Lets all refusals be compared with the rows.
    pub fn end_all(&mut self) {
        self.end(|_| true);
    }

    fn end(&mut self, is_due: impl Fn(&RefusedUpload) -> bool) {
        let due = self.recorded.values_mut().filter_map(|recorded| {
            let is_due = recorded.repeated.as_ref().is_some_and(&is_due);
            if is_due { recorded.repeated.take() } else { None }
        });
        let due: Vec<_> = due.collect();
        self.put_back(due);
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

    /// Whether none waits, now or later.
    pub fn has_none(&self) -> bool {
        self.waiting.is_empty() && self.recorded.values().all(|recorded| recorded.repeated.is_none())
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
    fn a_repeated_refusal_is_written_after_a_backup_was_stored_or_some_seconds() {
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
        refusals.tick(at(6));
        assert!(refusals.is_empty());
        refusals.tick(at(7));
        assert_eq!(taken(&mut refusals, start), [(4, false)], "another process may have stored a backup");
        assert_eq!(record(&mut refusals, 8), []);
        refusals.end_all();
        assert_eq!(taken(&mut refusals, start), [(8, false)], "the process ends");
        let admitted = RefusedUpload { instead_of_admission: None, ..refusal(1, RefusalReason::Rate, at(9)) };
        assert_eq!(record(&mut refusals, 9), []);
        refusals.record(admitted, at(9));
        refusals.end_all();
        assert_eq!(taken(&mut refusals, start), [(9, false)], "one that was admitted does not displace it");
    }

    #[test]
    fn what_waits_is_bounded() {
        let start = Instant::now();
        let mut refusals = RefusedUploads::default();
        for minute in 0..10_u64 {
            let now = start + Duration::from_secs(60 * minute);
            for system in 0..300 {
                refusals.record(refusal(system, RefusalReason::Unavailable, now), now);
            }
        }
        let (first, second) = (taken(&mut refusals, start), taken(&mut refusals, start));
        assert_eq!((first.len(), second.len()), (MAX_BATCH, 300 - MAX_BATCH));
        assert!(first.iter().all(|refusal| *refusal == (540, true)), "the last one of each");
    }
}
