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

/// Adds the refusals to the events of their systems. They belong to the hour of the last attempt.
pub fn write(conn: &mut Conn, refusals: &[CredentialRefusals]) -> Result<(), DbError> {
    let columns = (
        column(refusals, |one| one.system_id).into_sql::<Array<SqlUuid>>(),
        column(refusals, |one| one.org_id.as_str()).into_sql::<Array<Text>>(),
        column(refusals, |one| to_bigint(one.attempts)).into_sql::<Array<BigInt>>(),
        column(refusals, |one| to_bigint(one.inactive)).into_sql::<Array<BigInt>>(),
        column(refusals, |one| one.first_age.as_secs_f64()).into_sql::<Array<Double>>(),
        column(refusals, |one| one.last_age.as_secs_f64()).into_sql::<Array<Double>>(),
        column(refusals, |one| one.last_addr.map(IpNet::from)).into_sql::<Array<Nullable<Inet>>>(),
    );
    let systems = column(refusals, |one| one.system_id).into_sql::<Array<SqlUuid>>();
    conn.transaction(|conn| {
        // Two processes may count the same system. The order of the ids is that of every transaction that locks systems.
        prepared("SELECT FROM systems WHERE id = ANY($*) ORDER BY id FOR NO KEY UPDATE", systems)
            .execute(conn)?;
        // A statement of its own sees what the transaction has written for which the locks have waited.
        prepared(include_str!("credential_refusals.sql"), columns).execute(conn)?;
        Ok(())
    })
}
