//! The days and months of usage. All of them are in UTC.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, TimeDelta, Utc};

/// A calendar month, for bills: `2026-11`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Month(NaiveDate);

impl Month {
    /// Parses `YYYY-MM`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a month: write YYYY-MM, such as 2026-11");
        let (year, month) = text.split_once('-').ok_or_else(wrong)?;
        let digits =
            |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(year, 4) || !digits(month, 2) {
            return Err(wrong());
        }
        let number = |text: &str| text.parse::<u32>().unwrap_or(0);
        NaiveDate::from_ymd_opt(i32::try_from(number(year)).unwrap_or(0), number(month), 1)
            .map(Self)
            .ok_or_else(wrong)
    }

    /// Returns the month of that moment.
    pub fn of(at: DateTime<Utc>) -> Self {
        let day = at.date_naive();
        Self(day.with_day(1).unwrap_or(day))
    }

    pub fn first(self) -> NaiveDate {
        self.0
    }

    /// Returns its last day.
    pub fn last(self) -> NaiveDate {
        self.0.checked_add_months(Months::new(1)).map_or(self.0, |next| next - Days::new(1))
    }

    /// Returns the number of its days.
    pub fn days(self) -> u32 {
        self.last().day()
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%Y-%m"))
    }
}

/// Returns the time before which no event is kept.
pub fn oldest_kept(now: DateTime<Utc>, keep: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(keep)
        .ok()
        .and_then(|keep| now.checked_sub_signed(keep))
        .unwrap_or(DateTime::UNIX_EPOCH)
}

/// Returns the first day that is whole after this moment.
pub fn first_whole_day(at: DateTime<Utc>) -> NaiveDate {
    let day = at.date_naive();
    if at.time() == NaiveTime::MIN { day } else { day + Days::new(1) }
}

/// How long after the end of a day bytes and systems are still taken for those at its end.
const MEASURED_WITHIN: TimeDelta = TimeDelta::hours(1);

/// Whether what there is at `now` is what there was at the end of the day.
pub fn is_measured(day: NaiveDate, now: DateTime<Utc>) -> bool {
    let end = (day + Days::new(1)).and_time(NaiveTime::MIN).and_utc();
    (TimeDelta::zero()..=MEASURED_WITHIN).contains(&(now - end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_written_as_year_and_month() {
        for (text, last, days) in
            [("2026-11", "2026-11-30", 30), ("2024-02", "2024-02-29", 29), ("2026-12", "2026-12-31", 31)]
        {
            let month = Month::parse(text).unwrap();
            assert_eq!(month.to_string(), text);
            assert_eq!(month.first().to_string(), format!("{text}-01"));
            assert_eq!((month.last().to_string().as_str(), month.days()), (last, days));
        }
        for wrong in ["", "2026", "2026-13", "2026-00", "2026-1", "26-11", "2026-11-01", "+026-11", "2026/11"]
        {
            assert!(Month::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn month_of_a_moment_is_that_in_utc() {
        let at = DateTime::parse_from_rfc3339("2026-12-01T00:30:00+02:00").unwrap().to_utc();
        assert_eq!(Month::of(at).to_string(), "2026-11");
    }

    #[test]
    fn day_that_has_begun_is_not_whole() {
        for (at, day) in [("2026-11-01T00:00:00Z", "2026-11-01"), ("2026-11-01T00:00:01Z", "2026-11-02")] {
            let at = DateTime::parse_from_rfc3339(at).unwrap().to_utc();
            assert_eq!(first_whole_day(at).to_string(), day);
        }
    }
    #[test]
    fn day_is_measured_within_an_hour_after_its_end() {
        let day = NaiveDate::from_ymd_opt(2026, 11, 1).unwrap();
        for (at, expected) in [
            ("2026-11-01T23:59:59Z", false),
            ("2026-11-02T00:00:00Z", true),
            ("2026-11-02T00:06:00Z", true),
            ("2026-11-02T01:00:00Z", true),
            ("2026-11-02T01:00:01Z", false),
            ("2026-11-03T00:06:00Z", false),
        ] {
            let at = DateTime::parse_from_rfc3339(at).unwrap().to_utc();
            assert_eq!(is_measured(day, at), expected, "{at}");
        }
    }
}
