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
    pub const MAX: usize = 600;

    /// Whether neither limit is on.
    pub fn are_off(self) -> bool {
        self.per_minute == 0 && self.per_hour == 0
    }
}

/// The rate limit's decision about one more upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RateDecision {
    /// It is admitted.
    Admit {
        /// The admission's own entry: later than every other, so that it can be removed again.
        entry: DateTime<Utc>,
        /// All entries to keep, oldest first, the new one last.
        entries: Vec<DateTime<Utc>>,
    },
    /// It is refused. A slot is free after this time, if nothing else changes.
    Refuse {
        /// Whole seconds, rounded up, at least 1.
        retry_after_seconds: u64,
    },
}

/// An entry that was moved: its time before, and its time now.
pub type ClampedEntry = (DateTime<Utc>, DateTime<Utc>);

/// Moves entries that lie in the future back to `clock`, which was set back since they were made.
///
/// The moved entries have to be stored before [`decide`] is called. Otherwise each attempt would find them as far ahead as
/// before, and the system would be refused until the clock has caught up. Entries stay different from each other, so that
/// each can still be removed. Returns the moves, earliest entry first: in this order none of them collides with an entry that
/// has yet to be moved.
pub fn clamp_to_clock(entries: &mut [DateTime<Utc>], db_time: DateTime<Utc>) -> Vec<ClampedEntry> {
    entries.sort_unstable();
    let (mut latest, mut moved) = (db_time, Vec::new());
    for entry in entries.iter_mut().rev() {
        if *entry > latest {
            moved.push((*entry, latest));
            *entry = latest;
        }
        latest = *entry - TimeDelta::microseconds(1);
    }
    moved.reverse();
    moved
}

/// Decides on one more admission. `clock` is the database's clock, read after the system's row was locked. The entries
/// have to be [clamped](clamp_to_clock).
pub fn decide(entries: &[DateTime<Utc>], db_time: DateTime<Utc>, limits: RateLimits) -> RateDecision {
    let mut kept = entries.to_vec();
    kept.sort_unstable();
    let after_last = kept.last().map(|&last| last + TimeDelta::microseconds(1));
    let now = after_last.map_or(db_time, |after| after.max(db_time));
    kept.retain(|&entry| entry + TimeDelta::hours(1) > now);

    let minute = wait(&kept, now, TimeDelta::minutes(1), limits.per_minute);
    let hour = wait(&kept, now, TimeDelta::hours(1), limits.per_hour);
    if let Some(wait) = minute.max(hour) {
        RateDecision::Refuse { retry_after_seconds: whole_seconds_up(wait) }
    } else {
        kept.push(now);
        let surplus = kept.len().saturating_sub(RateLimits::MAX);
        kept.drain(..surplus);
        RateDecision::Admit { entry: now, entries: kept }
    }
}

/// Returns how long it takes until fewer than `limit` entries are within `span`; `None` if that is so now.
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
mod tests;
