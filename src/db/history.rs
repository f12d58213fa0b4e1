//! The partitions of `backup_events`, one for each month, and what is older than it has to be kept.
//!
//! | partition | has |
//! |---|---|
//! | `backup_events_first` | the events from before there were months |
//! | `backup_events_2027_01` ... | those of a month (UTC) |
//! | `backup_events_other` | those of months without a partition; usually none |
//!
//! The functions of the schema (`partitions_of_events`, `add_months_of_events`, `drop_month_of_events`) know which there are.

use chrono::{DateTime, Utc};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text, Timestamptz};

use super::{Conn, DbError};

/// For how many months after the present one there are partitions.
pub const MONTHS_AHEAD: i32 = 3;

/// How long the change of a partition waits for its locks. Uploads wait behind it meanwhile.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '500ms'";

/// Whether this role may make and drop partitions: whether it owns the history.
pub fn may_change_partitions(conn: &mut Conn) -> Result<bool, DbError> {
    let owns = "(SELECT pg_has_role(relowner, 'USAGE') AND has_schema_privilege(relnamespace, 'CREATE') \
         FROM pg_class WHERE oid = 'backup_events'::regclass)";
    Ok(diesel::select(diesel::dsl::sql::<Bool>(owns)).get_result(conn)?)
}

/// Makes the missing partitions of the month of `now` and of the [`MONTHS_AHEAD`]. Returns how many it has made.
pub fn add_months(conn: &mut Conn, now: DateTime<Utc>) -> Result<i32, DbError> {
    #[derive(QueryableByName)]
    struct Added {
        #[diesel(sql_type = Integer)]
        added: i32,
    }
    conn.transaction(|conn| {
        conn.batch_execute(LOCK_TIMEOUT)?;
        let row: Added = diesel::sql_query("SELECT add_months_of_events($1, $2) AS added")
            .bind::<Timestamptz, _>(now)
            .bind::<Integer, _>(MONTHS_AHEAD)
            .get_result(conn)?;
        Ok(row.added)
    })
}

/// Drops the oldest partition, if all of its events are older than `before`. Returns its name.
pub fn drop_month(conn: &mut Conn, before: DateTime<Utc>) -> Result<Option<String>, DbError> {
    #[derive(QueryableByName)]
    struct Dropped {
        #[diesel(sql_type = Nullable<Text>)]
        name: Option<String>,
    }
    conn.transaction(|conn| {
        conn.batch_execute(LOCK_TIMEOUT)?;
        let row: Dropped = diesel::sql_query("SELECT drop_month_of_events($1) AS name")
            .bind::<Timestamptz, _>(before)
            .get_result(conn)?;
        Ok(row.name)
    })
}

/// What is deleted row by row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldRows {
    /// Events from before there were months.
    First,
    /// Events of months without a partition.
    Other,
    /// Backup requests that have ended.
    Requests,
}

impl OldRows {
    pub const ALL: [Self; 3] = [Self::First, Self::Other, Self::Requests];

    fn table_and_time(self) -> (&'static str, &'static str) {
        match self {
            Self::First => ("backup_events_first", "at"),
            Self::Other => ("backup_events_other", "at"),
            Self::Requests => ("backup_requests", "ended_at"),
        }
    }
}

/// Deletes at most `limit` rows that are older than `before`, the oldest ones. Returns how many it has deleted. Rows that
/// somebody has locked stay for the next time.
pub fn delete_old(
    conn: &mut Conn,
    rows: OldRows,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<usize, DbError> {
    let (table, time) = rows.table_and_time();
    let exists = diesel::dsl::sql::<Bool>(&format!("to_regclass('{table}') IS NOT NULL"));
    if !diesel::select(exists).get_result::<bool>(conn)? {
        return Ok(0);
    }
    // ARRAY: the rows are chosen once, before any is deleted.
    let sql = format!(
        "DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE {time} < $1 \
         ORDER BY {time} LIMIT $2 FOR UPDATE SKIP LOCKED))"
    );
    Ok(diesel::sql_query(sql).bind::<Timestamptz, _>(before).bind::<BigInt, _>(limit).execute(conn)?)
}

/// Builds the index over the system and the time for the first partition, which was too long to build it in the migration, and
/// drops the one that it replaces. Events are written meanwhile. Does nothing if the index is there. Returns whether it was built.
///
/// Runs on a connection of its own: the statements have no time limit afterwards.
pub fn index_first_partition(conn: &mut Conn) -> Result<bool, DbError> {
    const NEW: &str = "backup_events_first_of_system_at";
    let old = "to_regclass('backup_events_first_of_system') IS NOT NULL";
    if !diesel::select(diesel::dsl::sql::<Bool>(old)).get_result::<bool>(conn)? {
        return Ok(false);
    }
    conn.batch_execute("SET statement_timeout = 0; SET lock_timeout = '500ms'")?;
    let is_built =
        format!("EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass('{NEW}') AND indisvalid)");
    if !diesel::select(diesel::dsl::sql::<Bool>(&is_built)).get_result::<bool>(conn)? {
        // One that was not finished may not be used. While another process builds it, this fails.
        conn.batch_execute(&format!("DROP INDEX CONCURRENTLY IF EXISTS {NEW}"))?;
        // Building waits for the end of every older transaction, and keeps nobody from writing meanwhile.
        conn.batch_execute("SET lock_timeout = '10min'")?;
        conn.batch_execute(&format!(
            "CREATE INDEX CONCURRENTLY {NEW} ON backup_events_first (system_id, at)"
        ))?;
    }
    conn.transaction(|conn| {
        conn.batch_execute(LOCK_TIMEOUT)?;
        conn.batch_execute(&format!("ALTER INDEX backup_events_of_system ATTACH PARTITION {NEW}"))?;
        conn.batch_execute("DROP INDEX backup_events_first_of_system")?;
        Ok(true)
    })
}
