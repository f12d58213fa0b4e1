//! Writes the refusals of uploads that came while the database was away.

use std::net::IpAddr;
use std::time::Instant;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Double, Inet, Nullable, Text};
use ipnet::IpNet;

use super::prepared::{column, prepared};
use super::{Conn, DbError};

/// The uploads with one credential that was not checked, and is perhaps wrong.
pub struct UnavailableUpload {
    pub key: String,
    pub secret_sha256: Vec<u8>,
    /// When the first and the last upload were refused, by the clock of this process. What is written are the times of the
    /// database's clock then.
    pub first: Instant,
    pub last: Instant,
    pub last_addr: Option<IpAddr>,
}

#[derive(QueryableByName)]
struct Locked {
    #[diesel(sql_type = BigInt)]
    place: i64,
}

/// Writes the refusals of those uploads whose credential was right. Returns the places in `uploads` that have to be written
/// another time, because the rows of their systems are locked. Repeating it changes nothing.
pub fn write(conn: &mut Conn, uploads: &[UnavailableUpload]) -> Result<Vec<usize>, DbError> {
    let columns = (
        column(uploads, |one| one.key.as_str()).into_sql::<Array<Text>>(),
        column(uploads, |one| one.secret_sha256.as_slice()).into_sql::<Array<Binary>>(),
        column(uploads, |one| one.first.elapsed().as_secs_f64()).into_sql::<Array<Double>>(),
        column(uploads, |one| one.last.elapsed().as_secs_f64()).into_sql::<Array<Double>>(),
        column(uploads, |one| one.last_addr.map(IpNet::from)).into_sql::<Array<Nullable<Inet>>>(),
    );
    let locked: Vec<Locked> = prepared(include_str!("unavailable_uploads.sql"), columns).load(conn)?;
    Ok(locked.into_iter().filter_map(|row| usize::try_from(row.place - 1).ok()).collect())
}
