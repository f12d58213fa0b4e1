//! Writes the refusals of uploads that came while the database was away: first to the rows of the systems, and later to the
//! history.

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Instant;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Double, Inet, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use ipnet::IpNet;
use uuid::Uuid;

use super::prepared::{column, prepared};
use super::{Conn, DbError};

/// The uploads with one credential that was not checked, and is perhaps wrong.
pub struct UnavailableUpload {
    pub key: String,
    pub secret_sha256: Vec<u8>,
    /// When the first and the last upload arrived, by the clock of this process. What is written are the times of the
    /// database's clock then.
    pub first: Instant,
    pub last: Instant,
    pub last_addr: Option<IpAddr>,
}

/// An event `refused` that is not in the history yet.
#[derive(Debug, Clone)]
pub struct UnavailableEvent {
    pub system_id: Uuid,
    pub org_id: String,
    /// By the database's clock.
    pub at: DateTime<Utc>,
    pub addr: Option<IpNet>,
}

/// What became of uploads.
#[derive(Debug, Default)]
pub struct Marked {
    /// The places of the uploads that have to be written another time, because the rows of their systems are locked.
    pub locked: HashSet<usize>,
    /// One event for each system that was marked.
    pub events: Vec<UnavailableEvent>,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Array<BigInt>)]
    places: Vec<i64>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    system_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<Text>)]
    org_id: Option<String>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    last_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Inet>)]
    addr: Option<IpNet>,
}

/// Marks the systems of those uploads whose credential was right. Repeating it changes nothing.
///
/// The commit waits for the disk, as every commit: a database that was just away may soon be away again, and this process
/// forgets what was written.
pub fn mark(conn: &mut Conn, uploads: &[UnavailableUpload]) -> Result<Marked, DbError> {
    let columns = (
        column(uploads, |one| one.key.as_str()).into_sql::<Array<Text>>(),
        column(uploads, |one| one.secret_sha256.as_slice()).into_sql::<Array<Binary>>(),
        column(uploads, |one| one.first.elapsed().as_secs_f64()).into_sql::<Array<Double>>(),
        column(uploads, |one| one.last.elapsed().as_secs_f64()).into_sql::<Array<Double>>(),
        column(uploads, |one| one.last_addr.map(IpNet::from)).into_sql::<Array<Nullable<Inet>>>(),
    );
    let rows: Vec<Row> = prepared(include_str!("unavailable_uploads.sql"), columns).load(conn)?;
    let mut marked = Marked::default();
    for row in rows {
        if let (Some(system_id), Some(org_id), Some(at)) = (row.system_id, row.org_id, row.last_at) {
            marked.events.push(UnavailableEvent { system_id, org_id, at, addr: row.addr });
        } else {
            let places = row.places.into_iter().filter_map(|place| usize::try_from(place - 1).ok());
            marked.locked.extend(places);
        }
    }
    Ok(marked)
}

/// Writes the events of systems that have none of the last minute: one outage is one event. Repeating it changes nothing.
pub fn record(conn: &mut Conn, events: &[UnavailableEvent]) -> Result<(), DbError> {
    let sql = "INSERT INTO backup_events (at, kind, org_id, system_id, actor, remote_addr, detail) \
         SELECT new.at, 'refused', org_id, system_id, 'service', addr, '{\"reason\": \"unavailable\"}' \
         FROM unnest($*) AS new (system_id, org_id, at, addr) \
         WHERE (SELECT count(*) FROM (SELECT FROM backup_events e WHERE e.system_id = new.system_id AND e.kind = 'refused' \
             AND e.at > new.at - interval '1 minute' AND e.detail ->> 'reason' = 'unavailable' LIMIT 1) \
             AS known) = 0 \
         ORDER BY new.at";
    let columns = (
        column(events, |one| one.system_id).into_sql::<Array<SqlUuid>>(),
        column(events, |one| one.org_id.as_str()).into_sql::<Array<Text>>(),
        column(events, |one| one.at).into_sql::<Array<Timestamptz>>(),
        column(events, |one| one.addr).into_sql::<Array<Nullable<Inet>>>(),
    );
    prepared(sql, columns).execute(conn)?;
    Ok(())
}
