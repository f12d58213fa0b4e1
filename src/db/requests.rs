//! `backup_requests`: backups that somebody asked an appliance for, from the question to its end.
//!
//! `pending` -> `seen` (given to the appliance) -> `fulfilled`; or `expired`, or `cancelled`. Whoever changes a
//! request holds the lock of its system's row, except for [`expire`], which skips what is locked and
//! touches only what everybody else takes for expired already.
//!
//! **Which upload answers a request**: the first that is stored of those that were let in after it was asked for; what
//! was packed before the question may be what the asker does not want. So the order of questions and admissions
//! must be known, and a clock that is set back must not turn it round. Both hold the lock of the system's row, and
//! each puts its time behind those of the other kind that it finds (the same clock, that of the
//! database):
//! * a request is no earlier than the admission of any upload under way (`ask.sql`);
//! * an admission is later than any open request (`accounting/apply.sql`).
//!
//! An upload that is no more under way can't be stored any more, so these are all that matter. At its commit the
//! upload fulfils what is open and earlier than its admission, in the statement that makes it `stored`: one and
//! the same transaction, no further round trip.
//!
//! **Which questions are one**: asking again joins an open request, unless an upload is under way that may fulfil it. That
//! upload began before the new question: joined to the old request, the new one would be answered with a
//! backup from before it was asked. So it becomes a request of its own, which that upload does not fulfil, while
//! the old one keeps its answer. There can be no more open requests than one and the uploads that were let in
//! since the first of them: in practice one, rarely two. Two processes that are asked at once take turns at the
//! system's row, so the second finds what the first has made. Who joins puts the expiry off: they, too, have
//! [`LIFETIME`].
//!
//! **Told by** `NOTIFY` in the transaction that makes the request ([`super::notifications`]), a hint only. It is not
//! sent by anything that an upload does: transactions that notify are committed one after the other.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Double, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::events::{self, Event};
use super::prepared::prepared;
use super::schema::systems;
use super::{Conn, DbError};
use crate::domain::ids::{BackupId, Extension, OrgId};
use crate::domain::request::{LIFETIME, RequestState};

/// A request as it is now: one whose time is over is expired, whether or not it was written down.
#[derive(Debug, Clone, Serialize)]
pub struct BackupRequest {
    pub id: Uuid,
    pub system_id: Uuid,
    pub org_id: String,
    pub state: RequestState,
    pub requested_by: String,
    pub requested_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// When the appliance was first given it.
    pub seen_at: Option<DateTime<Utc>>,
    /// When it was fulfilled, cancelled, or found to have expired.
    pub ended_at: Option<DateTime<Utc>>,
    /// What fulfilled it; it may have been pruned since.
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
    state: String,
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

/// The columns of [`Row`].
macro_rules! columns {
    () => {
        "id, system_id, org_id, CASE WHEN state IN ('pending', 'seen') AND expires_at <= clock_timestamp() \
           THEN 'expired' ELSE state END AS state, \
         requested_by, requested_at, expires_at, seen_at, ended_at, backup_id, backup_extension"
    };
}

/// What a query says to see those that a backup is still awaited for.
macro_rules! open {
    () => {
        "state IN ('pending', 'seen') AND expires_at > clock_timestamp()"
    };
}

impl TryFrom<Row> for BackupRequest {
    type Error = DbError;

    fn try_from(row: Row) -> Result<Self, DbError> {
        let broken = || DbError::Failed(format!("request {} has no valid state", row.id));
        let extension = row.backup_extension.as_deref().and_then(Extension::parse);
        Ok(Self {
            state: RequestState::parse(&row.state).ok_or_else(broken)?,
            backup_id: row.backup_id.zip(extension).map(|(id, extension)| BackupId::new(id, extension)),
            id: row.id,
            system_id: row.system_id,
            org_id: row.org_id,
            requested_by: row.requested_by,
            requested_at: row.requested_at,
            expires_at: row.expires_at,
            seen_at: row.seen_at,
            ended_at: row.ended_at,
        })
    }
}

fn all(rows: Vec<Row>) -> Result<Vec<BackupRequest>, DbError> {
    rows.into_iter().map(BackupRequest::try_from).collect()
}

/// A question.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Of the request, if a new one is made.
    pub id: Uuid,
    pub system_id: Uuid,
    /// Only if the system is this organization's; `None`: whosever it is.
    pub org: Option<OrgId>,
    /// `operator`, or the subject of a token.
    pub by: String,
    pub from: Option<IpAddr>,
}

/// What became of a question.
#[derive(Debug, Clone)]
pub enum Asked {
    /// It made this request, or joined it.
    Awaited(BackupRequest),
    /// There is no such system, or it is another organization's, or is being destroyed.
    NoSystem,
    /// The system is suspended: it could not answer.
    Suspended,
}

/// Asks a system for a backup. Safe to repeat.
pub fn ask(conn: &mut Conn, ask: &Ask) -> Result<Asked, DbError> {
    conn.transaction(|conn| {
        let Some((state, org, _)) = lock_system(conn, ask.system_id)? else { return Ok(Asked::NoSystem) };
        if ask.org.as_ref().is_some_and(|wanted| wanted.as_str() != org) || state == "destroying" {
            return Ok(Asked::NoSystem);
        }
        if state != "active" {
            return Ok(Asked::Suspended);
        }
        // The attempt before was committed, and its answer lost.
        if let Some(made) = find(conn, ask.system_id, ask.id)? {
            return Ok(Asked::Awaited(made));
        }
        if let Some(joined) = join(conn, ask.system_id)? {
            // Who asks every minute must not fill the history.
            if joined.requested_by != ask.by && !has_joined(conn, &joined, &ask.by)? {
                tell(conn, "requested", &joined, (&ask.by, ask.from), json!({ "joined": true }))?;
            }
            return Ok(Asked::Awaited(joined));
        }
        let row: Row = diesel::sql_query(include_str!("ask.sql"))
            .bind::<SqlUuid, _>(ask.id)
            .bind::<SqlUuid, _>(ask.system_id)
            .bind::<Text, _>(&org)
            .bind::<Text, _>(&ask.by)
            .bind::<Double, _>(LIFETIME.as_secs_f64())
            .get_result(conn)?;
        let made = BackupRequest::try_from(row)?;
        tell(conn, "requested", &made, (&ask.by, ask.from), json!({ "joined": false }))?;
        Ok(Asked::Awaited(made))
    })
}

/// First of all locks here. Gives the system's state, its organization and the hash of its secret.
fn lock_system(conn: &mut Conn, system: Uuid) -> Result<Option<(String, String, Vec<u8>)>, DbError> {
    Ok(systems::table
        .find(system)
        .select((systems::state, systems::org_id, systems::secret_sha256))
        .for_no_key_update()
        .first(conn)
        .optional()?)
}

/// Whether it was written down that they joined this request.
fn has_joined(conn: &mut Conn, request: &BackupRequest, by: &str) -> Result<bool, DbError> {
    use super::schema::backup_events as events;
    let told = events::table.filter(
        events::system_id
            .eq(request.system_id)
            .and(events::kind.eq("requested"))
            .and(events::at.ge(request.requested_at))
            .and(events::actor.eq(by)),
    );
    Ok(diesel::select(diesel::dsl::exists(told)).get_result(conn)?)
}

/// The open request that a new question is one with, its expiry put off. None if an upload is under way
/// that may fulfil it.
fn join(conn: &mut Conn, system: Uuid) -> Result<Option<BackupRequest>, DbError> {
    let sql = concat!(
        "UPDATE backup_requests SET expires_at = clock_timestamp() + make_interval(secs => $2) \
         WHERE id = (SELECT id FROM backup_requests r WHERE system_id = $1 AND ",
        open!(),
        " AND NOT EXISTS (SELECT 1 FROM backups b WHERE b.system_id = r.system_id AND b.state = 'receiving' \
             AND b.admitted_at > r.requested_at) \
           ORDER BY requested_at DESC LIMIT 1 FOR NO KEY UPDATE) AND ",
        open!(),
        " RETURNING ",
        columns!()
    );
    let row: Option<Row> = diesel::sql_query(sql)
        .bind::<SqlUuid, _>(system)
        .bind::<Double, _>(LIFETIME.as_secs_f64())
        .get_result(conn)
        .optional()?;
    row.map(BackupRequest::try_from).transpose()
}

/// The newest requests of a system, whatever became of them, newest first.
pub fn of_system(conn: &mut Conn, system: Uuid, limit: i64) -> Result<Vec<BackupRequest>, DbError> {
    let sql = concat!(
        "SELECT ",
        columns!(),
        " FROM backup_requests WHERE system_id = $1 ORDER BY requested_at DESC LIMIT $2"
    );
    all(diesel::sql_query(sql).bind::<SqlUuid, _>(system).bind::<BigInt, _>(limit).load(conn)?)
}

/// One request of a system.
pub fn find(conn: &mut Conn, system: Uuid, id: Uuid) -> Result<Option<BackupRequest>, DbError> {
    let sql = concat!("SELECT ", columns!(), " FROM backup_requests WHERE id = $1 AND system_id = $2");
    let row: Option<Row> = diesel::sql_query(sql)
        .bind::<SqlUuid, _>(id)
        .bind::<SqlUuid, _>(system)
        .get_result(conn)
        .optional()?;
    row.map(BackupRequest::try_from).transpose()
}

/// The open requests of a system, oldest first, without a lock and without a mark: a look.
pub fn open_of(conn: &mut Conn, system: Uuid) -> Result<Vec<BackupRequest>, DbError> {
    let sql = concat!(
        "SELECT ",
        columns!(),
        " FROM backup_requests WHERE system_id = $* AND ",
        open!(),
        " ORDER BY requested_at, id"
    );
    all(prepared(sql, system.into_sql::<SqlUuid>()).load(conn)?)
}

/// The open requests of a system, marked as seen from now on. `None` if the credential with this hash is not
/// good any more: whoever waited with it is not given what came meanwhile.
pub fn deliver(
    conn: &mut Conn,
    system: Uuid,
    secret_sha256: &[u8],
) -> Result<Option<Vec<BackupRequest>>, DbError> {
    conn.transaction(|conn| {
        let current = lock_system(conn, system)?;
        if !current.is_some_and(|(state, _, sha256)| state == "active" && sha256 == secret_sha256) {
            return Ok(None);
        }
        let mark = concat!(
            "UPDATE backup_requests SET state = 'seen', seen_at = clock_timestamp() \
             WHERE system_id = $1 AND state = 'pending' AND ",
            open!()
        );
        diesel::sql_query(mark).bind::<SqlUuid, _>(system).execute(conn)?;
        open_of(conn, system).map(Some)
    })
}

/// What became of the wish to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    Done,
    /// The system has no such request.
    NotFound,
    /// It has ended so before.
    Ended(RequestState),
}

/// Takes a request back.
pub fn cancel(
    conn: &mut Conn,
    system: Uuid,
    id: Uuid,
    by: &str,
    from: Option<IpAddr>,
) -> Result<Cancelled, DbError> {
    conn.transaction(|conn| {
        lock_system(conn, system)?;
        let Some(request) = find(conn, system, id)? else { return Ok(Cancelled::NotFound) };
        if !request.state.is_open() {
            return Ok(Cancelled::Ended(request.state));
        }
        // What has run out since is left to `expire`.
        let sql = "UPDATE backup_requests SET state = 'cancelled', ended_at = clock_timestamp() \
             WHERE id = $1 AND state IN ('pending', 'seen')";
        if diesel::sql_query(sql).bind::<SqlUuid, _>(id).execute(conn)? == 0 {
            return Ok(Cancelled::Ended(RequestState::Expired));
        }
        tell(conn, "request_cancelled", &request, (by, from), json!({}))?;
        Ok(Cancelled::Done)
    })
}

/// Those of the systems that have an open request.
pub fn awaited_of(conn: &mut Conn, among: &[Uuid]) -> Result<Vec<Uuid>, DbError> {
    #[derive(QueryableByName)]
    struct Awaited {
        #[diesel(sql_type = SqlUuid)]
        system_id: Uuid,
    }
    let sql =
        concat!("SELECT DISTINCT system_id FROM backup_requests WHERE system_id = ANY($*) AND ", open!());
    let rows: Vec<Awaited> = prepared(sql, among.into_sql::<Array<SqlUuid>>()).load(conn)?;
    Ok(rows.into_iter().map(|row| row.system_id).collect())
}

/// Writes down which requests have expired: at most so many, of those that nobody else is at. Gives how many.
pub fn expire(conn: &mut Conn, at_most: i64) -> Result<usize, DbError> {
    let sql = "WITH expired AS (UPDATE backup_requests SET state = 'expired', ended_at = clock_timestamp() \
             WHERE id IN (SELECT id FROM backup_requests WHERE state IN ('pending', 'seen') \
                 AND expires_at <= clock_timestamp() ORDER BY expires_at LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED) \
             RETURNING id, org_id, system_id) \
         INSERT INTO backup_events (kind, org_id, system_id, actor, detail) \
         SELECT 'request_expired', org_id, system_id, 'service', jsonb_build_object('request', id) FROM expired";
    Ok(diesel::sql_query(sql).bind::<BigInt, _>(at_most).execute(conn)?)
}

fn tell(
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
