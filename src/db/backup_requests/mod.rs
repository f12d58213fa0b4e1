//! The table `backup_requests`: the wish that a system uploads a backup, from its creation to its end.
//!
//! A request is `pending`, then `seen` (the appliance has received it), then `fulfilled`; or it ends as `expired` or
//! `cancelled`. A transaction that changes a request holds the lock of its system's row. The exception is [`expire`]: it skips
//! locked rows, and changes only requests that every other query already treats as expired.
//!
//! **Which upload fulfils a request**: of the uploads that were admitted after the request was made, the first to be stored. A
//! backup that was packed before may lack what the requester wants to see. So the order of requests and admissions must be
//! known, and a clock that is set back must not reverse it. Making a request and admitting an upload both hold the lock of the
//! system's row, and both take the time of the same clock, the database's:
//! * a request is not earlier than the admission of any open upload (`backup_requests/create.sql`);
//! * an admission is later than any open request (`accounting/apply.sql`).
//!
//! Only open uploads matter, because no other can be stored any more. The commit of an upload fulfils the open requests that
//! are earlier than its admission. It does so in the statement that makes the upload `stored`: one transaction, and no
//! further round trip.
//!
//! **When a request joins another**: a new request joins an open one, unless an upload is under way that may fulfil the open
//! one. That upload began before the new request, so its backup must not fulfil the new request. Then the new request becomes
//! a row of its own, which that upload does not fulfil; the old request is still fulfilled by it. So the number of open
//! requests is at most one more than the number of uploads admitted since the oldest of them: in practice one, rarely two. If
//! two processes create requests at the same time, the lock of the system's row orders them, and the second finds the request
//! of the first. Joining extends the expiry, so a request that joins also has the whole
//! [`LIFETIME`](crate::domain::backup_request::LIFETIME).
//!
//! **Notifications**: the transaction that makes or joins a request sends a `NOTIFY` ([`super::notifications`]), which is only
//! a hint. Uploads send none, because transactions that notify are committed one after the other.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::access_state::CurrentAccess;
use super::events::{self, Event};
use super::prepared::prepared;
use super::schema::systems;
use super::{Conn, DbError};
use crate::domain::backup_request::BackupRequestState;
use crate::domain::event_kind::EventKind;
use crate::domain::ids::{BackupId, Extension};

/// The columns of [`Row`].
macro_rules! columns {
    () => {
        "id, system_id, org_id, CASE WHEN state IN ('pending', 'seen') AND expires_at <= clock_timestamp() \
           THEN 'expired' ELSE state END AS state, \
         requested_by, requested_at, expires_at, seen_at, ended_at, backup_id, backup_extension"
    };
}

/// The condition for open requests.
macro_rules! open {
    () => {
        "state IN ('pending', 'seen') AND expires_at > clock_timestamp()"
    };
}

mod create;
mod transitions;

pub use create::{Creation, NewBackupRequest, create};
pub use transitions::{Cancellation, cancel, deliver, expire};

/// A backup request. After `expires_at` its state is `expired`, even if the row does not say so yet.
#[derive(Debug, Clone, Serialize)]
pub struct BackupRequest {
    pub id: Uuid,
    pub system_id: Uuid,
    pub org_id: String,
    pub state: BackupRequestState,
    pub requested_by: String,
    pub requested_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// When the appliance first received the request.
    pub seen_at: Option<DateTime<Utc>>,
    /// When the request was fulfilled, cancelled, or found to have expired.
    pub ended_at: Option<DateTime<Utc>>,
    /// The backup that fulfilled the request. It may have been pruned since.
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

/// Returns one request of a system.
pub fn find(conn: &mut Conn, system: Uuid, id: Uuid) -> Result<Option<BackupRequest>, DbError> {
    let sql = concat!("SELECT ", columns!(), " FROM backup_requests WHERE id = $1 AND system_id = $2");
    let row: Option<Row> = diesel::sql_query(sql)
        .bind::<SqlUuid, _>(id)
        .bind::<SqlUuid, _>(system)
        .get_result(conn)
        .optional()?;
    Ok(row.map(BackupRequest::from))
}

/// Returns the open requests of a system, oldest first. Takes no lock, and does not mark the requests as seen.
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

/// Returns those of the systems that have an open request which their appliance has not received yet.
pub fn systems_with_pending(conn: &mut Conn, among: &[Uuid]) -> Result<Vec<Uuid>, DbError> {
    let sql = concat!(
        "SELECT DISTINCT system_id FROM backup_requests WHERE system_id = ANY($*) AND state = 'pending' AND ",
        open!()
    );
    systems_where(conn, sql, among)
}

/// Returns those of the systems that have an open request, received or not: a new request may join one that was received.
pub fn systems_with_open(conn: &mut Conn, among: &[Uuid]) -> Result<Vec<Uuid>, DbError> {
    let sql =
        concat!("SELECT DISTINCT system_id FROM backup_requests WHERE system_id = ANY($*) AND ", open!());
    systems_where(conn, sql, among)
}

fn systems_where(conn: &mut Conn, sql: &'static str, among: &[Uuid]) -> Result<Vec<Uuid>, DbError> {
    let rows: Vec<SystemId> = prepared(sql, among.into_sql::<Array<SqlUuid>>()).load(conn)?;
    Ok(rows.into_iter().map(|row| row.system_id).collect())
}

/// The system of a request, while its row is locked.
#[derive(Queryable, Selectable)]
#[diesel(table_name = systems)]
struct TargetSystem {
    org_id: String,
    #[diesel(embed)]
    access: CurrentAccess,
}

/// Locks the system's row, the first lock of every transaction in this module.
fn lock_system(conn: &mut Conn, system: Uuid) -> Result<Option<TargetSystem>, DbError> {
    Ok(systems::table
        .find(system)
        .select(TargetSystem::as_select())
        .for_no_key_update()
        .first(conn)
        .optional()?)
}

/// Writes an event about a request to the history.
fn write_event(
    conn: &mut Conn,
    kind: EventKind,
    request: &BackupRequest,
    (actor, remote_addr): (&str, Option<IpAddr>),
    mut detail: Value,
) -> Result<(), DbError> {
    detail["request"] = json!(request.id);
    let event = Event {
        kind,
        org_id: request.org_id.clone(),
        system_id: Some(request.system_id),
        backup_id: None,
        actor: actor.to_owned(),
        remote_addr,
        detail,
    };
    events::write(conn, &[event])
}
