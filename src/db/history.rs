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
    is_true(conn, owns)
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
    if !is_true(conn, &format!("to_regclass('{table}') IS NOT NULL"))? {
        return Ok(0);
    }
    // ARRAY: the rows are chosen once, before any is deleted.
    let sql = format!(
        "DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE {time} < $1 \
         ORDER BY {time} LIMIT $2 FOR UPDATE SKIP LOCKED))"
    );
    Ok(diesel::sql_query(sql).bind::<Timestamptz, _>(before).bind::<BigInt, _>(limit).execute(conn)?)
}

/// An index of the first partition, which was too long to build it in the migration.
struct LateIndex {
    name: &'static str,
    /// The index of the whole history that it becomes a part of.
    part_of: &'static str,
    /// The index of the first partition that it replaces.
    replaces: Option<&'static str>,
}

const LATE_INDEXES: [LateIndex; 2] = [
    LateIndex {
        name: "backup_events_first_of_system_at",
        part_of: "backup_events_of_system",
        replaces: Some("backup_events_first_of_system"),
    },
    LateIndex { name: "backup_events_first_rare", part_of: "backup_events_rare", replaces: None },
];

/// Builds the indexes that the first partition does not have yet, while events are written. Does nothing if they are there.
/// Returns whether one was built, or `Conflict` if one could not be.
///
/// Runs on a connection of its own: the statements have no time limit afterwards.
pub fn index_first_partition(conn: &mut Conn) -> Result<bool, DbError> {
    let (mut built, mut conflict) = (false, None);
    for index in &LATE_INDEXES {
        let is_missing = format!(
            "EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass('backup_events_first')) \
                 AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass('{}'))",
            index.name
        );
        if is_true(conn, &is_missing)? {
            match index.build(conn) {
                Err(DbError::Conflict(text)) => conflict = Some(DbError::Conflict(text)),
                done => done.map(|()| built = true)?,
            }
        }
    }
    conflict.map_or(Ok(built), Err)
}

impl LateIndex {
    fn build(&self, conn: &mut Conn) -> Result<(), DbError> {
        let Self { name, part_of, .. } = self;
        conn.batch_execute("SET statement_timeout = 0; SET lock_timeout = '500ms'")?;
        let is_built =
            format!("EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass('{name}') AND indisvalid)");
        if !is_true(conn, &is_built)? {
            // One that was not finished may not be used. While another process builds it, this fails.
            conn.batch_execute(&format!("DROP INDEX CONCURRENTLY IF EXISTS {name}"))?;
            // The same columns and condition as in the other partitions.
            let definition = format!("substring(pg_get_indexdef('{part_of}'::regclass) FROM ' USING .*')");
            let definition: String =
                diesel::select(diesel::dsl::sql::<Text>(&definition)).get_result(conn)?;
            // Building waits for the end of every older transaction, and keeps nobody from writing meanwhile.
            conn.batch_execute("SET lock_timeout = '10min'")?;
            conn.batch_execute(&format!(
                "CREATE INDEX CONCURRENTLY {name} ON backup_events_first{definition}"
            ))?;
        }
        conn.transaction(|conn| {
            conn.batch_execute(LOCK_TIMEOUT)?;
            // The table first, as everybody who writes events: whoever has locked the table may wait for an index of it.
            conn.batch_execute("LOCK TABLE backup_events_first IN ACCESS EXCLUSIVE MODE")?;
            conn.batch_execute(&format!("ALTER INDEX {part_of} ATTACH PARTITION {name}"))?;
            if let Some(replaced) = self.replaces {
                conn.batch_execute(&format!("DROP INDEX IF EXISTS {replaced}"))?;
            }
            Ok(())
        })
    }
}

fn is_true(conn: &mut Conn, condition: &str) -> Result<bool, DbError> {
    Ok(diesel::select(diesel::dsl::sql::<Bool>(condition)).get_result(conn)?)
}
