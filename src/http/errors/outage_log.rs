//! Outages in the log: while the database is away, every request fails with the same line, also those of strangers, who
//! can send as many as they like.

use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::backups::Outage;
use crate::domain::ttl_map::TtlMap;

/// How often the same line is logged at level error.
const EVERY: Duration = Duration::from_secs(10);
/// Different lines that are remembered. Others are not logged as errors meanwhile.
const LINES: usize = 100;

/// For the whole process, as the log is: where errors become answers, there is nothing else to keep it in.
static LOGGED: LazyLock<Mutex<TtlMap<String, bool>>> =
    LazyLock::new(|| Mutex::new(TtlMap::new(EVERY, LINES)));

/// Logs an outage that has no ids of its own.
pub fn log_outage(outage: &Outage) {
    let line = outage.to_string();
    let mut logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
    let is_news = is_first(&mut logged, &line, Instant::now());
    drop(logged);
    let level = if is_news { log::Level::Error } else { log::Level::Debug };
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
        let (mut logged, start) = (TtlMap::new(EVERY, LINES), Instant::now());
        let mut is_first =
            |line: &str, seconds| is_first(&mut logged, line, start + Duration::from_secs(seconds));
        assert!(is_first("database: a", 0) && is_first("database: b", 1));
        assert!(!is_first("database: a", 9) && is_first("database: a", 10) && !is_first("database: a", 11));
    }
}
