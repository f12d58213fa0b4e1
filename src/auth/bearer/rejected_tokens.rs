//! Counts refused tokens, and logs at most one line a minute with the count of each reason, so that an
//! operator learns why requests are answered 401. The reasons are a small fixed set, so little is kept.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The time between two reports.
pub const PERIOD: Duration = Duration::from_mins(1);

/// The count of each reason since the last line. Dropping it logs the rest.
#[derive(Default)]
pub struct RejectedTokens(Mutex<BTreeMap<&'static str, u64>>);

impl RejectedTokens {
    pub fn count(&self, why: &'static str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(why).or_default() += 1;
    }

    /// Logs the counts since the last report, if there are any.
    pub fn report(&self) {
        let counts = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(line) = line(&counts) {
            log::warn!("{line}");
        }
    }
}

impl Drop for RejectedTokens {
    fn drop(&mut self) {
        self.report();
    }
}

/// Returns the line for the log, with the most frequent reason first; `None` if no token was refused.
fn line(counts: &BTreeMap<&'static str, u64>) -> Option<String> {
    let mut reasons: Vec<_> = counts.iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let reasons: Vec<_> = reasons.into_iter().map(|(why, count)| format!("{why}: {count}")).collect();
    let all: u64 = counts.values().sum();
    (all > 0).then(|| format!("tokens refused within the last minute: {all} ({})", reasons.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_many_and_why_the_most_frequent_first() {
        let counts = BTreeMap::from([
            ("aud does not match JWT_AUDIENCE", 2),
            ("it has expired", 40),
            ("it is malformed", 2),
        ]);
        let expected = "tokens refused within the last minute: 44 (it has expired: 40, aud does not match JWT_AUDIENCE: 2, it is malformed: 2)";
        assert_eq!(line(&counts).as_deref(), Some(expected));
        assert_eq!(line(&BTreeMap::new()), None);
    }
}
