//! `writers`: the leases of the processes that write, by the database's clock.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Double, Text, Uuid as SqlUuid};
use uuid::Uuid;

use super::{Conn, DbError};

/// Takes or renews the process's lease.
pub fn renew(conn: &mut Conn, process: Uuid, lease: Duration) -> Result<(), DbError> {
    diesel::sql_query(
        "INSERT INTO writers (process_id, lease_expires_at) \
         VALUES ($1, clock_timestamp() + make_interval(secs => $2)) \
         ON CONFLICT (process_id) DO UPDATE SET lease_expires_at = excluded.lease_expires_at",
    )
    .bind::<SqlUuid, _>(process)
    .bind::<Double, _>(lease.as_secs_f64())
    .execute(conn)?;
    Ok(())
}

/// Gives the lease up at the process's end, unless an upload of its is left: then the lease has to run out, so that
/// the upload is taken back.
pub fn leave(conn: &mut Conn, process: Uuid) -> Result<(), DbError> {
    diesel::sql_query(
        "DELETE FROM writers w WHERE process_id = $1 \
         AND NOT EXISTS (SELECT 1 FROM backups b WHERE b.writer = w.process_id AND b.state = 'receiving')",
    )
    .bind::<SqlUuid, _>(process)
    .execute(conn)?;
    Ok(())
}

/// An upload that no living process works on any more.
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
}

/// The uploads that nobody works on any more, at most 500:
/// * `receiving` rows whose writer's lease ran out at least one whole lease ago. None as long as Postgres itself has
///   been up for less than a lease: nobody could renew theirs while it was down;
/// * `receiving` rows of `process` itself that are not among `alive`, the uploads that it knows to be under way. Only
///   rows older than a minute, so that a fresh admission is not taken for lost.
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

/// Drops the leases of processes that are long gone and have no upload left that has to be taken back.
pub fn forget_gone(conn: &mut Conn, lease: Duration) -> Result<(), DbError> {
    diesel::sql_query(
        "DELETE FROM writers w WHERE lease_expires_at < clock_timestamp() - 2 * make_interval(secs => $1) \
         AND NOT EXISTS (SELECT 1 FROM backups b WHERE b.writer = w.process_id AND b.state = 'receiving')",
    )
    .bind::<Double, _>(lease.as_secs_f64())
    .execute(conn)?;
    Ok(())
}
