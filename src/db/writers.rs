//! The table `writers`: the leases of processes, by the database's clock.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Bool, Double, Text, Uuid as SqlUuid};
use uuid::Uuid;

use super::{Conn, DbError};

/// Takes or renews the process's lease. If the lease has expired, or begins in the future by the database's clock, a new lease
/// begins.
pub fn renew(conn: &mut Conn, process: Uuid, lease: Duration) -> Result<(), DbError> {
    diesel::sql_query(
        "INSERT INTO writers (process_id, lease_expires_at) \
         VALUES ($1, clock_timestamp() + make_interval(secs => $2)) \
         ON CONFLICT (process_id) DO UPDATE SET lease_expires_at = excluded.lease_expires_at, unbroken_since = \
         CASE WHEN clock_timestamp() BETWEEN writers.unbroken_since AND writers.lease_expires_at \
         THEN writers.unbroken_since ELSE clock_timestamp() END",
    )
    .bind::<SqlUuid, _>(process)
    .bind::<Double, _>(lease.as_secs_f64())
    .execute(conn)?;
    Ok(())
}

/// Releases the lease at the end of the process. If one of its uploads is still `receiving`, the lease is kept until it
/// expires, so that a sweep rolls that upload back.
pub fn leave(conn: &mut Conn, process: Uuid) -> Result<(), DbError> {
    diesel::sql_query(
        "DELETE FROM writers w WHERE process_id = $1 \
         AND NOT EXISTS (SELECT 1 FROM backups b WHERE b.writer = w.process_id AND b.state = 'receiving')",
    )
    .bind::<SqlUuid, _>(process)
    .execute(conn)?;
    Ok(())
}

/// An upload on which no running process seems to work any more.
#[derive(Debug, QueryableByName)]
pub struct AbandonedUpload {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    pub system_id: Uuid,
    #[diesel(sql_type = Text)]
    pub org_id: String,
    #[diesel(sql_type = Text)]
    pub object_key: String,
    /// Whether the upload's process could have renewed its lease. If not, the upload may be alive.
    #[diesel(sql_type = Bool)]
    pub proven: bool,
}

/// Returns the uploads on which no process seems to work any more, at most 500:
/// * `receiving` rows whose writer's lease expired at least one whole lease ago. That is a proof only if some process has
///   renewed its lease without a gap for a whole lease: while the database was unreachable, no process could renew its lease.
///   The start time of the server does not show that: a standby that takes over may have run for long.
/// * `receiving` rows of `process` itself that are not among `alive`, the uploads that it knows to be under way. Only rows
///   older than a minute are returned, so that a new admission does not count as abandoned.
pub fn abandoned(
    conn: &mut Conn,
    process: Option<Uuid>,
    alive: &[Uuid],
    lease: Duration,
) -> Result<Vec<AbandonedUpload>, DbError> {
    Ok(diesel::sql_query(include_str!("abandoned.sql"))
        .bind::<diesel::sql_types::Nullable<SqlUuid>, _>(process)
        .bind::<diesel::sql_types::Array<SqlUuid>, _>(alive)
        .bind::<Double, _>(lease.as_secs_f64())
        .load(conn)?)
}

/// Drops the leases of processes that ended long ago and have no open upload left.
pub fn forget_gone(conn: &mut Conn, lease: Duration) -> Result<(), DbError> {
    diesel::sql_query(
        "DELETE FROM writers w WHERE lease_expires_at < clock_timestamp() - 2 * make_interval(secs => $1) \
         AND NOT EXISTS (SELECT 1 FROM backups b WHERE b.writer = w.process_id AND b.state = 'receiving')",
    )
    .bind::<Double, _>(lease.as_secs_f64())
    .execute(conn)?;
    Ok(())
}
