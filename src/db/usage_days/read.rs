//! Reads days of usage: for trends, and for bills.

use chrono::NaiveDate;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Date, Nullable, Text};
use serde::Serialize;

use super::super::{Conn, DbError};

/// What some organizations together have used on one day.
#[derive(Debug, Clone, QueryableByName)]
pub struct UsageDay {
    #[diesel(sql_type = Date)]
    pub day: NaiveDate,
    /// Whether the day was added up.
    #[diesel(sql_type = Bool)]
    pub complete: bool,
    #[diesel(sql_type = BigInt)]
    pub uploads: i64,
    #[diesel(sql_type = BigInt)]
    pub refusals: i64,
    #[diesel(sql_type = BigInt)]
    pub failures: i64,
    #[diesel(sql_type = BigInt)]
    pub downloads: i64,
    #[diesel(sql_type = BigInt)]
    pub bytes_in: i64,
    /// At the end of the day; `None`: it was not measured, and the numbers of systems were not either.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub bytes_kept: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub systems: Option<i64>,
    #[diesel(sql_type = BigInt)]
    pub suspended: i64,
    #[diesel(sql_type = BigInt)]
    pub damaged: i64,
    #[diesel(sql_type = BigInt)]
    pub refused: i64,
    #[diesel(sql_type = BigInt)]
    pub never: i64,
    #[diesel(sql_type = BigInt)]
    pub silent: i64,
    #[diesel(sql_type = BigInt)]
    pub late: i64,
    #[diesel(sql_type = BigInt)]
    pub fresh: i64,
}

/// Returns every day from `first` to `last`, oldest first: what these organizations (`None`: all) have used together.
pub fn trend(
    conn: &mut Conn,
    first: NaiveDate,
    last: NaiveDate,
    orgs: Option<&[String]>,
) -> Result<Vec<UsageDay>, DbError> {
    Ok(diesel::sql_query(include_str!("trend.sql"))
        .bind::<Date, _>(first)
        .bind::<Date, _>(last)
        .bind::<Nullable<Array<Text>>, _>(orgs)
        .load(conn)?)
}

/// What an organization, or several together, have used on some days.
#[derive(Debug, Clone, Default, QueryableByName, Serialize)]
pub struct UsageTotals {
    /// The organization; empty: several together.
    #[diesel(sql_type = Text)]
    pub org_id: String,
    #[diesel(sql_type = BigInt)]
    pub uploads: i64,
    #[diesel(sql_type = BigInt)]
    pub refusals: i64,
    #[diesel(sql_type = BigInt)]
    pub failures: i64,
    #[diesel(sql_type = BigInt)]
    pub downloads: i64,
    #[diesel(sql_type = BigInt)]
    pub bytes_in: i64,
    /// Of the days that were measured; `None`: none was.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub bytes_kept_average: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub bytes_kept_maximum: Option<i64>,
    /// The sum of the bytes kept at the end of each day that was measured.
    #[diesel(sql_type = BigInt)]
    pub byte_days: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub systems_maximum: Option<i64>,
    #[diesel(sql_type = BigInt)]
    pub days_measured: i64,
}

/// Which days and organizations to add together.
#[derive(Debug, Clone, Copy)]
pub struct UsageSpan<'a> {
    pub first: NaiveDate,
    pub last: NaiveDate,
    /// Only these; `None`: all.
    pub orgs: Option<&'a [String]>,
}

/// Returns what each organization has used in that span; organizations without any day are left out.
pub fn totals_of_each(conn: &mut Conn, span: UsageSpan<'_>) -> Result<Vec<UsageTotals>, DbError> {
    totals(conn, span, false)
}

/// Returns what these organizations have used together in that span.
pub fn totals_together(conn: &mut Conn, span: UsageSpan<'_>) -> Result<UsageTotals, DbError> {
    Ok(totals(conn, span, true)?.pop().unwrap_or_default())
}

fn totals(conn: &mut Conn, span: UsageSpan<'_>, together: bool) -> Result<Vec<UsageTotals>, DbError> {
    Ok(diesel::sql_query(include_str!("totals.sql"))
        .bind::<Date, _>(span.first)
        .bind::<Date, _>(span.last)
        .bind::<Nullable<Array<Text>>, _>(span.orgs)
        .bind::<Bool, _>(together)
        .load(conn)?)
}

/// Returns how many days from `first` to `last` were added up.
pub fn complete_days(conn: &mut Conn, first: NaiveDate, last: NaiveDate) -> Result<i64, DbError> {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        days: i64,
    }
    let sql = "SELECT count(*) AS days FROM usage_days_added WHERE day BETWEEN $1 AND $2";
    let row: Count = diesel::sql_query(sql).bind::<Date, _>(first).bind::<Date, _>(last).get_result(conn)?;
    Ok(row.days)
}
