//! The sliding window of the rate limit: no 60 seconds and no 3600 seconds may have more admissions than the limit allows.
//!
//! An entry with the time `e` uses a slot at every time `t` with `e <= t < e + span`.

use chrono::{DateTime, TimeDelta, Utc};

/// How many uploads of one system may be admitted; 0 switches a limit off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// The limit for any 60 seconds (`BACKUP_RATE_LIMIT_PER_MINUTE`).
    pub per_minute: usize,
    /// The limit for any 3600 seconds (`BACKUP_RATE_LIMIT_PER_HOUR`).
    pub per_hour: usize,
}

impl RateLimits {
    /// The highest limit that the settings accept. It also limits the array that is kept with each system.
    pub const MAX: usize = 600;

    /// Whether both limits are switched off.
    pub fn are_off(self) -> bool {
        self.per_minute == 0 && self.per_hour == 0
    }
}

/// The decision about an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RateDecision {
    /// Admitted.
    Admit {
        /// The entry of this admission. It is later than every other, so that it can be removed when the slot is released.
        entry: DateTime<Utc>,
        /// All entries to keep, oldest first. The new entry is the last.
        entries: Vec<DateTime<Utc>>,
    },
    /// Refused.
    Refuse {
        /// The time until a slot is free if nothing else changes: whole seconds, rounded up, at least 1.
        retry_after_seconds: u64,
    },
}

/// An entry that was moved: its old time and its new time.
pub type ClampedEntry = (DateTime<Utc>, DateTime<Utc>);

/// Moves entries that lie in the future back to `clock`, which was set back since they were made.
///
/// The moved entries have to be stored before [`decide`] is called. Otherwise each attempt would find them in the future again,
/// and the system would be refused until the clock has reached them. Entries stay different from each other, so that each can
/// still be removed. Returns the moves, earliest entry first: in this order no entry is moved to the time of another entry that
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

/// Returns how long it takes until fewer than `limit` entries are within `span`; `None` if there are fewer now.
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
