//! From when on events are listed: `--since`, and `?since=`.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};

use super::duration;

/// From when on: an age, or a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    Age(Duration),
    Time(DateTime<Utc>),
}

impl Since {
    /// The last 24 hours.
    pub const DAY: Self = Self::Age(Duration::from_hours(24));

    /// Parses an age (`24h`, `7d`), a date, or a date and time. Times without an offset are UTC.
    ///
    /// A time before 1970 is refused: nothing is that old, and a much older one is beyond the calendar of Postgres.
    pub fn parse(text: &str) -> Result<Self, String> {
        let since = Self::read(text)?;
        match since {
            Self::Time(at) if at < DateTime::UNIX_EPOCH => Err("a time from 1970 on".to_owned()),
            since => Ok(since),
        }
    }

    fn read(text: &str) -> Result<Self, String> {
        if let Ok(at) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::Time(at.to_utc()));
        }
        if let Ok(date) = text.parse::<NaiveDate>() {
            return Ok(Self::Time(date.and_time(chrono::NaiveTime::MIN).and_utc()));
        }
        for form in ["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"] {
            if let Ok(at) = NaiveDateTime::parse_from_str(text, form) {
                return Ok(Self::Time(at.and_utc()));
            }
        }
        duration::parse(text).map(Self::Age).map_err(|_| {
            "an age such as 30m, 24h or 7d, a date such as 2026-11-26, or a time such as 2026-11-26T14:30 (UTC)"
                .to_owned()
        })
    }

    /// Returns the time, for a clock that shows `now`. An age beyond the calendar is the earliest time that Postgres can hold.
    pub fn at(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Time(at) => at,
            Self::Age(age) => TimeDelta::from_std(age)
                .ok()
                .and_then(|age| now.checked_sub_signed(age))
                .filter(|at| *at > DateTime::UNIX_EPOCH)
                .unwrap_or(DateTime::UNIX_EPOCH),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_a_date_and_a_time_are_understood() {
        let at = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().to_utc();
        let now = at("2026-11-26T12:00:00Z");
        for (text, expected) in [
            ("24h", "2026-11-25T12:00:00Z"),
            ("1d 12h", "2026-11-25T00:00:00Z"),
            ("2026-11-01", "2026-11-01T00:00:00Z"),
            ("2026-11-01T14:30", "2026-11-01T14:30:00Z"),
            ("2026-11-01 14:30:05", "2026-11-01T14:30:05Z"),
            ("2026-11-01T14:30:00+02:00", "2026-11-01T12:30:00Z"),
            ("999999d", "1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(Since::parse(text).unwrap().at(now), at(expected), "{text}");
        }
        for wrong in ["", "yesterday", "24", "2026-13-01", "2026-11-26T25:00", "1969-12-31", "-9999-01-01"] {
            assert!(Since::parse(wrong).is_err(), "{wrong}");
        }
    }
}
