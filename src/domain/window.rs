//! The rate limit's sliding window: in no 60 s and in no 3600 s more admissions than allowed.
//!
//! An entry at `e` fills its slot for every `t` with `e <= t < e + span`.

use chrono::{DateTime, TimeDelta, Utc};

/// Admitted uploads of one system; 0 switches a limit off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// In any 60 seconds (`BACKUP_RATE_LIMIT_PER_MINUTE`).
    pub per_minute: usize,
    /// In any 3600 seconds (`BACKUP_RATE_LIMIT_PER_HOUR`).
    pub per_hour: usize,
}

impl RateLimits {
    /// The most that the settings accept: it bounds the array kept with each system.
    pub const MOST: usize = 600;

    /// Whether nothing is limited at all.
    pub fn are_off(self) -> bool {
        self.per_minute == 0 && self.per_hour == 0
    }
}

/// What the window says to one more upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Window {
    /// It may come in.
    Open {
        /// The admission's own entry: later than every other, so that it can be given back.
        entry: DateTime<Utc>,
        /// All entries to keep, oldest first, the new one last.
        entries: Vec<DateTime<Utc>>,
    },
    /// It may not; a slot is free again after this time, if nothing else changes.
    Closed {
        /// Whole seconds, rounded up, at least 1.
        retry_after_seconds: u64,
    },
}

/// Decides over one more admission. `clock` is the database's clock, read after the system's row
/// was locked. Entries in the future (the clock was stepped back) count as made at `clock`.
pub fn decide(entries: &[DateTime<Utc>], clock: DateTime<Utc>, limits: RateLimits) -> Window {
    let mut kept: Vec<_> = entries.iter().map(|&entry| entry.min(clock)).collect();
    kept.sort_unstable();
    let after_last = kept.last().map(|&last| last + TimeDelta::microseconds(1));
    let now = after_last.map_or(clock, |after| after.max(clock));
    kept.retain(|&entry| entry + TimeDelta::hours(1) > now);

    let minute = wait(&kept, now, TimeDelta::minutes(1), limits.per_minute);
    let hour = wait(&kept, now, TimeDelta::hours(1), limits.per_hour);
    if let Some(wait) = minute.max(hour) {
        Window::Closed { retry_after_seconds: whole_seconds_up(wait) }
    } else {
        kept.push(now);
        let surplus = kept.len().saturating_sub(RateLimits::MOST);
        kept.drain(..surplus);
        Window::Open { entry: now, entries: kept }
    }
}

/// How long until the entries within `span` are fewer than `limit`; `None` if they are.
fn wait(entries: &[DateTime<Utc>], now: DateTime<Utc>, span: TimeDelta, limit: usize) -> Option<TimeDelta> {
    if limit == 0 || entries.len() < limit {
        return None;
    }
    let frees = entries[entries.len() - limit] + span;
    (frees > now).then(|| frees - now)
}

fn whole_seconds_up(wait: TimeDelta) -> u64 {
    let micros = wait.num_microseconds().unwrap_or(i64::MAX).max(1);
    u64::try_from(micros).unwrap_or(1).div_ceil(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: RateLimits = RateLimits { per_minute: 6, per_hour: 60 };

    fn at(micros: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(1_700_000_000_000_000 + micros).unwrap()
    }

    fn seconds(list: &[i64]) -> Vec<DateTime<Utc>> {
        list.iter().map(|s| at(s * 1_000_000)).collect()
    }

    #[test]
    fn the_seventh_in_a_minute_waits_for_the_first_to_leave() {
        let entries = seconds(&[0, 1, 2, 3, 4, 5]);
        let closed = |s| Window::Closed { retry_after_seconds: s };
        assert_eq!(decide(&entries, at(10_000_000), LIMITS), closed(50));
        assert_eq!(decide(&entries, at(59_999_999), LIMITS), closed(1));
        assert!(matches!(decide(&entries, at(60_000_000), LIMITS), Window::Open { .. }));
    }

    #[test]
    fn the_hour_counts_too() {
        let entries: Vec<_> = (0..60).map(|n| at(n * 20_000_000)).collect();
        let now = at(59 * 20_000_000 + 60_000_000);
        assert_eq!(
            decide(&entries, now, LIMITS),
            Window::Closed { retry_after_seconds: 3600 - 59 * 20 - 60 }
        );
    }

    #[test]
    fn zero_switches_a_limit_off() {
        let entries = seconds(&[0; 600]);
        let off = RateLimits { per_minute: 0, per_hour: 0 };
        let Window::Open { entries, .. } = decide(&entries, at(0), off) else { panic!("closed") };
        assert_eq!(entries.len(), RateLimits::MOST);
    }

    #[test]
    fn entries_from_the_future_count_as_now_and_do_not_lock_the_system_out() {
        let entries = seconds(&[1_000_000; 6]);
        assert_eq!(decide(&entries, at(0), LIMITS), Window::Closed { retry_after_seconds: 60 });
    }

    proptest! {
        #[test]
        fn no_window_ever_holds_more_than_the_limit(
            steps in prop::collection::vec(0i64..40_000_000, 1..300),
            per_minute in 1usize..8,
            per_hour in 1usize..30,
        ) {
            let limits = RateLimits { per_minute, per_hour };
            let (mut now, mut entries, mut admitted) = (0i64, Vec::new(), Vec::new());
            for step in steps {
                now += step;
                match decide(&entries, at(now), limits) {
                    Window::Open { entry, entries: kept } => { admitted.push(entry); entries = kept; }
                    Window::Closed { retry_after_seconds } => {
                        // Exact: the wait is enough, and a second less would not be.
                        let later = at(now + i64::try_from(retry_after_seconds).unwrap() * 1_000_000);
                        prop_assert!(matches!(decide(&entries, later, limits), Window::Open { .. }), "too short");
                        let sooner = later - TimeDelta::seconds(1);
                        prop_assert!(matches!(decide(&entries, sooner, limits), Window::Closed { .. }), "too long");
                    }
                }
            }
            for (span, limit) in [(TimeDelta::minutes(1), per_minute), (TimeDelta::hours(1), per_hour)] {
                for pair in admitted.windows(limit + 1) {
                    prop_assert!(pair[limit] - pair[0] >= span);
                }
            }
        }
    }
}
