//! `backup_requests`: an operator or a portal asks an appliance for a backup.
//!
//! `pending` -> `seen` (the appliance was given it) -> `fulfilled`; or `expired`, or `cancelled`. A transaction that changes a
//! request holds the lock of its system's row. The exception is [`expire`]: it skips locked rows, and changes only requests
//! that every other query already treats as expired.
//!
//! **Which upload fulfils a request**: the first one to be stored of those that were admitted after the request was made. A
//! backup that was packed before may lack just what the requester wants to see. So the order of requests and admissions must
//! be known, and a clock that is set back must not reverse it. Both hold the lock of the system's row, and each gets a time
//! behind those of the other kind that it finds (by the same clock, the database's):
//! * a request is not earlier than the admission of any open upload (`backup_requests/create.sql`);
//! * an admission is later than any open request (`accounting/apply.sql`).
//!
//! An upload that is no longer open can't be stored any more, so no others matter. The commit of an upload fulfils the open
//! requests that are earlier than its admission, in the same statement that makes it `stored`: one transaction, and no further
//! round trip.
//!
//! **When two requests are one**: a new request joins an open one, unless an upload is under way that may fulfil the open one.
//! Such an upload began before the new request; joined, the new request would be fulfilled by a backup from before it was
//! made. So it becomes a row of its own, which that upload does not fulfil, and the old one is still fulfilled by it. Hence
//! there are at most as many open requests as one and the uploads admitted since the first of them: in practice one, rarely
//! two. Two processes that create requests at the same time take turns at the system's row, so the second finds what the
//! first has made. Joining extends the expiry: the request that joins has the whole
//! [`LIFETIME`](crate::domain::backup_request::LIFETIME), too.
//!
//! **Who is notified**: the transaction that makes or joins a request sends a `NOTIFY` ([`super::notifications`]), which is only
//! a hint. Nothing that an upload does sends one, because transactions that notify are committed one after the other.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::events::{self, Event};
use super::prepared::prepared;
use super::schema::systems;
use super::{Conn, DbError};
use crate::domain::backup_request::BackupRequestState;
use crate::domain::ids::{BackupId, Extension};
use crate::domain::row_state::SystemState;

/// The columns of [`Row`].
macro_rules! columns {
    () => {
        "id, system_id, org_id, CASE WHEN state IN ('pending', 'seen') AND expires_at <= clock_timestamp() \
           THEN 'expired' ELSE state END AS state, \
         requested_by, requested_at, expires_at, seen_at, ended_at, backup_id, backup_extension"
    };
}

/// The condition for open requests: a backup is still awaited.
macro_rules! open {
    () => {
        "state IN ('pending', 'seen') AND expires_at > clock_timestamp()"
    };
}

mod create;
mod end;

pub use create::{Creation, NewBackupRequest, create};
pub use end::{Cancellation, cancel, deliver, expire};

/// A request as it is now. One whose time is over counts as expired, whether or not the row says so yet.
#[derive(Debug, Clone, Serialize)]
pub struct BackupRequest {
    pub id: Uuid,
    pub system_id: Uuid,
    pub org_id: String,
    pub state: BackupRequestState,
    pub requested_by: String,
    pub requested_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// When the appliance was first given it.
    pub seen_at: Option<DateTime<Utc>>,
    /// When it was fulfilled, cancelled, or found to have expired.
    pub ended_at: Option<DateTime<Utc>>,
    /// The backup that fulfilled it; it may have been pruned since.
    pub backup_id: Option<BackupId>,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    system_id: Uuid,
    #[diesel(sql_type = Text)]
    org_id: String,
    #[diesel(sql_type = Text)]
    state: BackupRequestState,
    #[diesel(sql_type = Text)]
    requested_by: String,
    #[diesel(sql_type = Timestamptz)]
    requested_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    expires_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    seen_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    ended_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    backup_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<Text>)]
    backup_extension: Option<String>,
}

impl From<Row> for BackupRequest {
    fn from(row: Row) -> Self {
        let extension = row.backup_extension.as_deref().and_then(Extension::parse);
        Self {
            backup_id: row.backup_id.zip(extension).map(|(id, extension)| BackupId::new(id, extension)),
            id: row.id,
            system_id: row.system_id,
            org_id: row.org_id,
            state: row.state,
            requested_by: row.requested_by,
            requested_at: row.requested_at,
            expires_at: row.expires_at,
            seen_at: row.seen_at,
            ended_at: row.ended_at,
        }
    }
}

fn all(rows: Vec<Row>) -> Vec<BackupRequest> {
    rows.into_iter().map(BackupRequest::from).collect()
}

/// Returns the newest requests of a system in any state, newest first.
pub fn of_system(conn: &mut Conn, system: Uuid, limit: i64) -> Result<Vec<BackupRequest>, DbError> {
    let sql = concat!(
        "SELECT ",
        columns!(),
        " FROM backup_requests WHERE system_id = $1 ORDER BY requested_at DESC LIMIT $2"
    );
    Ok(all(diesel::sql_query(sql).bind::<SqlUuid, _>(system).bind::<BigInt, _>(limit).load(conn)?))
}

/// One request of a system.
pub fn find(conn: &mut Conn, system: Uuid, id: Uuid) -> Result<Option<BackupRequest>, DbError> {
    let sql = concat!("SELECT ", columns!(), " FROM backup_requests WHERE id = $1 AND system_id = $2");
    let row: Option<Row> = diesel::sql_query(sql)
        .bind::<SqlUuid, _>(id)
        .bind::<SqlUuid, _>(system)
        .get_result(conn)
        .optional()?;
    Ok(row.map(BackupRequest::from))
}

/// Returns the open requests of a system, oldest first. Nothing is locked, and nothing is marked as seen.
pub fn open_of(conn: &mut Conn, system: Uuid) -> Result<Vec<BackupRequest>, DbError> {
    let sql = concat!(
        "SELECT ",
        columns!(),
        " FROM backup_requests WHERE system_id = $* AND ",
        open!(),
        " ORDER BY requested_at, id"
    );
    Ok(all(prepared(sql, system.into_sql::<SqlUuid>()).load(conn)?))
}

#[derive(QueryableByName)]
struct SystemId {
    #[diesel(sql_type = SqlUuid)]
    system_id: Uuid,
}

/// Returns the systems that have an open request which they were not given yet.
pub fn systems_with_pending(conn: &mut Conn, among: &[Uuid]) -> Result<Vec<Uuid>, DbError> {
    let sql = concat!(
        "SELECT DISTINCT system_id FROM backup_requests WHERE system_id = ANY($*) AND state = 'pending' AND ",
        open!()
    );
    systems_where(conn, sql, among)
}

/// Returns the systems that have an open request, whether or not they were given it: a new request may join one that they
/// were given.
pub fn systems_with_open(conn: &mut Conn, among: &[Uuid]) -> Result<Vec<Uuid>, DbError> {
    let sql =
        concat!("SELECT DISTINCT system_id FROM backup_requests WHERE system_id = ANY($*) AND ", open!());
    systems_where(conn, sql, among)
}

fn systems_where(conn: &mut Conn, sql: &'static str, among: &[Uuid]) -> Result<Vec<Uuid>, DbError> {
    let rows: Vec<SystemId> = prepared(sql, among.into_sql::<Array<SqlUuid>>()).load(conn)?;
    Ok(rows.into_iter().map(|row| row.system_id).collect())
}

/// A system whose row is locked.
#[derive(Queryable, Selectable)]
#[diesel(table_name = systems)]
struct LockedSystem {
    state: SystemState,
    org_id: String,
    secret_sha256: Vec<u8>,
}

/// Locks the system's row: the first of all locks in this module.
fn lock_system(conn: &mut Conn, system: Uuid) -> Result<Option<LockedSystem>, DbError> {
    Ok(systems::table
        .find(system)
        .select(LockedSystem::as_select())
        .for_no_key_update()
        .first(conn)
        .optional()?)
}

/// Writes an event about a request to the history.
fn write_event(
    conn: &mut Conn,
    kind: &'static str,
    request: &BackupRequest,
    (by, from): (&str, Option<IpAddr>),
    mut detail: Value,
) -> Result<(), DbError> {
    detail["request"] = json!(request.id);
    let event = Event {
        kind,
        org_id: request.org_id.clone(),
        system_id: Some(request.system_id),
        backup_id: None,
        actor: by.to_owned(),
        remote_addr: from,
        detail,
    };
    events::write(conn, &[event])
}
