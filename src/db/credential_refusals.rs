//! The events `credential_refused`: one row for each system and hour, which every process adds to.

use std::net::IpAddr;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Double, Inet, Nullable, Text, Uuid as SqlUuid};
use ipnet::IpNet;
use uuid::Uuid;

use super::prepared::{column, prepared};
use super::{Conn, DbError, to_bigint};

/// The refused credentials of one system since the last time that they were written.
#[derive(Debug, Clone)]
pub struct CredentialRefusals {
    pub system_id: Uuid,
    pub org_id: String,
    pub attempts: u64,
    /// How many of them had the right secret of a system that is not active.
    pub inactive: u64,
    /// How long ago the first and the last attempt were. Their times are the database's, whose clock counts.
    pub first_age: Duration,
    pub last_age: Duration,
    pub last_addr: Option<IpAddr>,
}

#[derive(QueryableByName)]
struct Locked {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

/// Adds the refusals to the events of their systems. They belong to the hour of the last attempt. Returns the systems that have
/// to be written another time, because their rows are locked: no lock is waited for while others are held.
pub fn write(conn: &mut Conn, refusals: &[CredentialRefusals]) -> Result<Vec<Uuid>, DbError> {
    let systems = column(refusals, |one| one.system_id);
    conn.transaction(|conn| {
        // Two processes may count the same system. The order of the ids is that of every transaction that locks systems.
        let sql = "WITH given (ids) AS MATERIALIZED (SELECT $*), \
             locked AS MATERIALIZED (SELECT s.id FROM systems s WHERE s.id = ANY((SELECT ids FROM given)::uuid[]) \
                 ORDER BY s.id FOR NO KEY UPDATE SKIP LOCKED) \
             SELECT s.id FROM systems s WHERE s.id = ANY((SELECT ids FROM given)::uuid[]) \
                 AND s.id NOT IN (SELECT id FROM locked)";
        let locked: Vec<Locked> = prepared(sql, systems.into_sql::<Array<SqlUuid>>()).load(conn)?;
        let locked: Vec<_> = locked.into_iter().map(|row| row.id).collect();
        let free: Vec<_> = refusals.iter().filter(|one| !locked.contains(&one.system_id)).collect();
        let columns = (
            column(&free, |one| one.system_id).into_sql::<Array<SqlUuid>>(),
            column(&free, |one| one.org_id.as_str()).into_sql::<Array<Text>>(),
            column(&free, |one| to_bigint(one.attempts)).into_sql::<Array<BigInt>>(),
            column(&free, |one| to_bigint(one.inactive)).into_sql::<Array<BigInt>>(),
            column(&free, |one| one.first_age.as_secs_f64()).into_sql::<Array<Double>>(),
            column(&free, |one| one.last_age.as_secs_f64()).into_sql::<Array<Double>>(),
            column(&free, |one| one.last_addr.map(IpNet::from)).into_sql::<Array<Nullable<Inet>>>(),
        );
        // A statement of its own sees what the transactions have written that held the locks before.
        prepared(include_str!("credential_refusals.sql"), columns).execute(conn)?;
        Ok(locked)
    })
}
