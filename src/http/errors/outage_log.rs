//! Logs outages without filling the log: while the database is unavailable, every request fails with the same line, also
//! requests of unauthenticated clients, who can send as many as they like.

use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::backups::Outage;
use crate::domain::ttl_map::TtlMap;

/// How often the same line is logged at level error.
const INTERVAL: Duration = Duration::from_secs(10);
/// How many different lines are remembered. While all are in use, other lines are not logged as errors.
const MAX_LINES: usize = 100;

/// The lines of the whole process, like the log: where errors become responses, no other state is available.
static LOGGED: LazyLock<Mutex<TtlMap<String, bool>>> =
    LazyLock::new(|| Mutex::new(TtlMap::new(INTERVAL, MAX_LINES)));

/// Logs an outage that was not logged with the ids of an operation.
pub fn log_outage(outage: &Outage) {
    let line = outage.to_string();
    let mut logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
    let is_first = is_first(&mut logged, &line, Instant::now());
    drop(logged);
    let level = if is_first { log::Level::Error } else { log::Level::Debug };
    log::log!(level, "{line}");
}

fn is_first(logged: &mut TtlMap<String, bool>, line: &str, now: Instant) -> bool {
    logged.entry(line.to_owned(), now).is_some_and(|logged| !std::mem::replace(logged, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_line_is_an_error_once_in_ten_seconds() {
        let (mut logged, start) = (TtlMap::new(INTERVAL, MAX_LINES), Instant::now());
        let mut is_first =
            |line: &str, seconds| is_first(&mut logged, line, start + Duration::from_secs(seconds));
        assert!(is_first("database: a", 0) && is_first("database: b", 1));
        assert!(!is_first("database: a", 9) && is_first("database: a", 10) && !is_first("database: a", 11));
    }
}
