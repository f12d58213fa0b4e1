//! The tables `usage_days` and `usage_days_added`: what each organization has used on each day (UTC).
//!
//! A day is added up once. The row in `usage_days_added` comes first in that transaction: of several processes, one writes it, and
//! the others wait for its commit and find the day done.

mod read;

use chrono::{DateTime, Days, NaiveDate, Utc};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Date};

use super::{Conn, DbError};
pub use read::{UsageDay, UsageSpan, UsageTotals, complete_days, totals_of_each, totals_together, trend};

#[derive(QueryableByName)]
struct Day {
    #[diesel(sql_type = Date)]
    day: NaiveDate,
}

/// Returns the days from `first` to `last` that were not added up yet, oldest first. None of them is older than
/// the oldest event, or than the oldest day that was added up.
pub fn missing(conn: &mut Conn, first: NaiveDate, last: NaiveDate) -> Result<Vec<NaiveDate>, DbError> {
    let sql = "WITH oldest AS (SELECT least( \
             (SELECT (min(at) AT TIME ZONE 'UTC')::date FROM backup_events), (SELECT min(day) FROM usage_days_added)) AS day) \
         SELECT d::date AS day FROM oldest, \
             generate_series(greatest($1, coalesce(oldest.day, $2 + 1))::timestamp, $2::timestamp, interval '1 day') AS d \
         WHERE d::date NOT IN (SELECT day FROM usage_days_added) ORDER BY d";
    let days: Vec<Day> = diesel::sql_query(sql).bind::<Date, _>(first).bind::<Date, _>(last).load(conn)?;
    Ok(days.into_iter().map(|row| row.day).collect())
}

/// Adds a day up from its events, and if `measure` is set from what there is at this moment. Returns whether it was not done
/// already.
pub fn add_up(conn: &mut Conn, day: NaiveDate, measure: bool) -> Result<bool, DbError> {
    conn.transaction(|conn| {
        let claim = "INSERT INTO usage_days_added (day, measured) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        let claimed = diesel::sql_query(claim).bind::<Date, _>(day).bind::<Bool, _>(measure).execute(conn)?;
        if claimed == 1 {
            write(conn, day, measure)?;
        }
        Ok(claimed == 1)
    })
}

/// Whether events of the day are gone, by which it was added up: to rebuild it would lower what was counted.
pub fn has_lost_events(conn: &mut Conn, day: NaiveDate) -> Result<bool, DbError> {
    #[derive(QueryableByName)]
    struct Lost {
        #[diesel(sql_type = Bool)]
        lost: bool,
    }
    let sql = "SELECT coalesce((SELECT min(at) FROM backup_events) > $1::timestamp AT TIME ZONE 'UTC', true) AND EXISTS ( \
             SELECT FROM usage_days AS u \
             WHERE u.day = $1 AND u.uploads + u.refusals + u.failures + u.downloads > ( \
                 SELECT count(*) FROM backup_events AS e \
                 WHERE e.org_id = u.org_id AND e.at >= $1::timestamp AT TIME ZONE 'UTC' \
                     AND e.at < ($1 + 1)::timestamp AT TIME ZONE 'UTC' \
                     AND e.kind IN ('uploaded', 'refused', 'failed', 'downloaded'))) AS lost";
    let row: Lost = diesel::sql_query(sql).bind::<Date, _>(day).get_result(conn)?;
    Ok(row.lost)
}

/// Adds a day up again from its events. What was measured stays.
pub fn rebuild(conn: &mut Conn, day: NaiveDate) -> Result<(), DbError> {
    conn.transaction(|conn| {
        let note = "INSERT INTO usage_days_added (day, measured) VALUES ($1, false) \
             ON CONFLICT (day) DO UPDATE SET rebuilt_at = statement_timestamp()";
        diesel::sql_query(note).bind::<Date, _>(day).execute(conn)?;
        write(conn, day, false)
    })
}

fn write(conn: &mut Conn, day: NaiveDate, measure: bool) -> Result<(), DbError> {
    // A day of a large fleet takes some seconds.
    conn.batch_execute("SET LOCAL statement_timeout = '5min'")?;
    // An organization without events any more: the statement below does not write its row again.
    if !measure {
        let reset = "UPDATE usage_days SET uploads = 0, refusals = 0, failures = 0, downloads = 0, bytes_in = 0 WHERE day = $1";
        diesel::sql_query(reset).bind::<Date, _>(day).execute(conn)?;
    }
    diesel::sql_query(include_str!("add_up.sql"))
        .bind::<Date, _>(day)
        .bind::<Bool, _>(measure)
        .execute(conn)?;
    Ok(())
}

/// Returns the newest day that is over at `now`, with some minutes for events that are still being committed.
pub fn newest_complete(now: DateTime<Utc>) -> NaiveDate {
    (now - COMMIT_GRACE).date_naive() - Days::new(1)
}

/// How long an event may be on its way into the database: far more than Postgres' timeouts permit.
const COMMIT_GRACE: chrono::TimeDelta = chrono::TimeDelta::minutes(5);
