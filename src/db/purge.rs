//! The queries of a purge: it claims a retired row, deletes the object, and then drops the row.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Double, Text, Uuid as SqlUuid};
use uuid::Uuid;

use super::prepared::prepared;
use super::{Conn, DbError, to_bigint};

/// A retired row that was claimed: the claim is committed, so its object may be deleted.
#[derive(Debug, QueryableByName)]
pub struct Claimed {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = Text)]
    pub object_key: String,
    /// Whether the row is the tombstone of a failed upload.
    #[diesel(sql_type = Bool)]
    pub failed: bool,
}

/// Claims up to `limit` rows that are due. A row whose claim is older than a minute is claimed again: deleting an object twice
/// does no harm.
///
/// `ARRAY` makes Postgres choose the rows once, before it writes any. With `IN (SELECT ... LIMIT ...)` the planner may run the
/// subquery again for every row. Each run skips the rows that are locked by then, so the limit would have no effect.
pub fn claim_due(conn: &mut Conn, limit: usize) -> Result<Vec<Claimed>, DbError> {
    let sql = "UPDATE backups SET purge_started_at = clock_timestamp() WHERE id = ANY(ARRAY( \
           SELECT id FROM backups WHERE state = 'retired' AND purge_after <= statement_timestamp() \
             AND (purge_started_at IS NULL OR purge_started_at < statement_timestamp() - interval '1 minute') \
           ORDER BY purge_after LIMIT $* FOR NO KEY UPDATE SKIP LOCKED)) \
         RETURNING id, object_key, retired_reason = 'failed' AS failed";
    Ok(prepared(sql, to_bigint(limit as u64).into_sql::<BigInt>()).load(conn)?)
}

/// Claims the retired rows of a system that is being destroyed, due or not. Tombstones that are not due stay.
pub fn claim_of_system(conn: &mut Conn, system: Uuid) -> Result<Vec<Claimed>, DbError> {
    Ok(diesel::sql_query(
        "UPDATE backups SET purge_started_at = clock_timestamp() \
         WHERE system_id = $1 AND state = 'retired' \
           AND (retired_reason <> 'failed' OR purge_after <= clock_timestamp()) \
         RETURNING id, object_key, retired_reason = 'failed' AS failed",
    )
    .bind::<SqlUuid, _>(system)
    .load(conn)?)
}

/// Claims one retired row; `false` if there is no such row.
pub fn claim(conn: &mut Conn, id: Uuid) -> Result<bool, DbError> {
    let claimed = diesel::sql_query(
        "UPDATE backups SET purge_started_at = clock_timestamp() WHERE id = $1 AND state = 'retired'",
    )
    .bind::<SqlUuid, _>(id)
    .execute(conn)?;
    Ok(claimed == 1)
}

/// Drops claimed rows whose objects are gone. Only retired rows can be claimed (a constraint of the table), so the statement
/// has no condition on `state`: with one the planner might read every row that is to be purged.
pub fn drop_rows(conn: &mut Conn, ids: &[Uuid]) -> Result<(), DbError> {
    let sql = "DELETE FROM backups WHERE id = ANY($*) AND purge_started_at IS NOT NULL";
    prepared(sql, ids.into_sql::<Array<SqlUuid>>()).execute(conn)?;
    Ok(())
}

/// Releases the claims of rows whose objects could not be deleted. The rows are due again after `pause` seconds.
pub fn postpone(conn: &mut Conn, ids: &[Uuid], pause: f64) -> Result<(), DbError> {
    diesel::sql_query(
        "UPDATE backups SET purge_after = clock_timestamp() + make_interval(secs => $2), \
           purge_started_at = NULL WHERE id = ANY($1) AND purge_started_at IS NOT NULL",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<Double, _>(pause)
    .execute(conn)?;
    Ok(())
}
