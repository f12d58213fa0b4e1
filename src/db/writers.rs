//! `writers`: which processes live, by the database's clock.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Double, Text, Uuid as SqlUuid};
use uuid::Uuid;

use super::{Conn, DbError};

/// Makes or renews the process's lease.
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

/// The process ends and has no upload left.
pub fn leave(conn: &mut Conn, process: Uuid) -> Result<(), DbError> {
    diesel::sql_query(
        "DELETE FROM writers w WHERE process_id = $1 \
         AND NOT EXISTS (SELECT 1 FROM backups b WHERE b.writer = w.process_id AND b.state = 'receiving')",
    )
    .bind::<SqlUuid, _>(process)
    .execute(conn)?;
    Ok(())
}

/// An upload whose process does not live any more.
#[derive(Debug, QueryableByName)]
pub struct Orphan {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    pub system_id: Uuid,
    #[diesel(sql_type = Text)]
    pub org_id: String,
    #[diesel(sql_type = Text)]
    pub object_key: String,
}

/// `receiving` rows whose writer's lease is over by one whole lease, or of this process but not
/// among the ones it knows (older than a minute, so that a fresh admission is not taken for
/// lost). None while Postgres itself has been up for less than a lease: nobody could renew.
pub fn orphans(
    conn: &mut Conn,
    process: Option<Uuid>,
    alive: &[Uuid],
    lease: Duration,
) -> Result<Vec<Orphan>, DbError> {
    Ok(diesel::sql_query(include_str!("orphans.sql"))
        .bind::<diesel::sql_types::Nullable<SqlUuid>, _>(process)
        .bind::<diesel::sql_types::Array<SqlUuid>, _>(alive)
        .bind::<Double, _>(lease.as_secs_f64())
        .load(conn)?)
}

/// Drops the rows of processes that are long gone and have nothing left to take back.
pub fn forget_gone(conn: &mut Conn, lease: Duration) -> Result<(), DbError> {
    diesel::sql_query(
        "DELETE FROM writers w WHERE lease_expires_at < clock_timestamp() - 2 * make_interval(secs => $1) \
         AND NOT EXISTS (SELECT 1 FROM backups b WHERE b.writer = w.process_id AND b.state = 'receiving')",
    )
    .bind::<Double, _>(lease.as_secs_f64())
    .execute(conn)?;
    Ok(())
}
