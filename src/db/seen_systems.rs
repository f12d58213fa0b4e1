//! Writes when systems were last heard of: `systems.last_seen_at`, at most once a minute for each system.

use std::net::IpAddr;
use std::time::Instant;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Double, Inet, Nullable, Timestamptz, Uuid as SqlUuid};
use ipnet::IpNet;
use uuid::Uuid;

use super::prepared::{column, prepared};
use super::{Conn, DbError};

/// A call of a system.
#[derive(Debug, Clone)]
pub struct SeenSystem {
    pub system_id: Uuid,
    /// When it was, by the clock of this process. What is written is the time of the database's clock then.
    pub at: Instant,
    pub addr: Option<IpAddr>,
}

#[derive(QueryableByName)]
struct Locked {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

/// Writes the calls. Returns the systems that have to be written another time, because their rows are locked.
pub fn write(conn: &mut Conn, seen: &[SeenSystem]) -> Result<Vec<Uuid>, DbError> {
    let columns = (
        column(seen, |one| one.system_id).into_sql::<Array<SqlUuid>>(),
        column(seen, |one| one.at.elapsed().as_secs_f64()).into_sql::<Array<Double>>(),
        column(seen, |one| one.addr.map(IpNet::from)).into_sql::<Array<Nullable<Inet>>>(),
    );
    let locked: Vec<Locked> = prepared(include_str!("seen_systems.sql"), columns).load(conn)?;
    Ok(locked.into_iter().map(|row| row.id).collect())
}

#[derive(QueryableByName)]
struct LastSeen {
    #[diesel(sql_type = Timestamptz)]
    last_seen_at: DateTime<Utc>,
}

/// Records that a system is heard of now, and returns when it was last heard of: now, or within the last minute. `None` if it
/// is not active.
pub fn note(conn: &mut Conn, system: Uuid, addr: Option<IpAddr>) -> Result<Option<DateTime<Utc>>, DbError> {
    let sql = "WITH given (id, addr) AS (SELECT $*), written AS ( \
             UPDATE systems AS s SET last_seen_at = clock_timestamp(), last_seen_from = given.addr FROM given \
             WHERE s.id = given.id AND s.state = 'active' \
                 AND coalesce(s.last_seen_at <= clock_timestamp() - interval '1 minute', true) \
             RETURNING s.last_seen_at) \
         SELECT coalesce((SELECT last_seen_at FROM written), \
             greatest(s.last_seen_at, clock_timestamp() - interval '1 minute')) AS last_seen_at \
         FROM systems s JOIN given USING (id) WHERE s.state = 'active'";
    let binds = (system.into_sql::<SqlUuid>(), addr.map(IpNet::from).into_sql::<Nullable<Inet>>());
    let row: Option<LastSeen> = prepared(sql, binds).get_result(conn).optional()?;
    Ok(row.map(|row| row.last_seen_at))
}
