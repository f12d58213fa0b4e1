//! Creates backup requests.

use std::net::IpAddr;

use diesel::prelude::*;
use diesel::sql_types::{Double, Text, Uuid as SqlUuid};
use serde_json::json;
use uuid::Uuid;

use super::{BackupRequest, Row, find, lock_system, write_event};
use crate::db::{Conn, DbError};
use crate::domain::backup_request::LIFETIME;
use crate::domain::event_kind::EventKind;
use crate::domain::ids::OrgId;
use crate::domain::row_state::SystemState;

/// A backup request to create.
#[derive(Debug, Clone)]
pub struct NewBackupRequest {
    /// The id of the request, unless it joins another one. Every attempt has to use the same id.
    pub id: Uuid,
    pub system_id: Uuid,
    /// The organization that the system has to belong to; `None`: any.
    pub org: Option<OrgId>,
    /// `operator`, or the subject of a token.
    pub requested_by: String,
    pub remote_addr: Option<IpAddr>,
}

/// The outcome of [`create`].
#[derive(Debug, Clone)]
pub enum Creation {
    /// The request that was made or joined.
    Request(BackupRequest),
    /// There is no such system, or it belongs to another organization, or it is being destroyed.
    NoSystem,
    /// The system is suspended, so its appliance could not receive the request.
    Suspended,
}

/// Creates a backup request, or joins an open one. The call may be repeated with the same [`NewBackupRequest::id`].
pub fn create(conn: &mut Conn, new: &NewBackupRequest) -> Result<Creation, DbError> {
    conn.transaction(|conn| {
        let Some(system) = lock_system(conn, new.system_id)? else { return Ok(Creation::NoSystem) };
        let requester = (new.requested_by.as_str(), new.remote_addr);
        let foreign = new.org.as_ref().is_some_and(|org| org.as_str() != system.org_id);
        if foreign {
            return Ok(Creation::NoSystem);
        }
        match system.access.present.state {
            SystemState::Destroying => return Ok(Creation::NoSystem),
            SystemState::Suspended => return Ok(Creation::Suspended),
            SystemState::Active => {}
        }
        // An earlier attempt was committed, and its result was lost.
        if let Some(made) = find(conn, new.system_id, new.id)? {
            return Ok(Creation::Request(made));
        }
        if let Some(joined) = join(conn, new.system_id)? {
            // A caller that requests a backup every minute must not fill the history.
            if joined.requested_by != new.requested_by && !has_joined(conn, &joined, &new.requested_by)? {
                write_event(conn, EventKind::Requested, &joined, requester, json!({ "joined": true }))?;
            }
            return Ok(Creation::Request(joined));
        }
        let row: Row = diesel::sql_query(include_str!("create.sql"))
            .bind::<SqlUuid, _>(new.id)
            .bind::<SqlUuid, _>(new.system_id)
            .bind::<Text, _>(&system.org_id)
            .bind::<Text, _>(&new.requested_by)
            .bind::<Double, _>(LIFETIME.as_secs_f64())
            .get_result(conn)?;
        let made = BackupRequest::from(row);
        write_event(conn, EventKind::Requested, &made, requester, json!({ "joined": false }))?;
        Ok(Creation::Request(made))
    })
}

/// Whether the history has already recorded that `requested_by` joined this request.
fn has_joined(conn: &mut Conn, request: &BackupRequest, requested_by: &str) -> Result<bool, DbError> {
    use crate::db::schema::backup_events as events;
    let recorded = events::table.filter(
        events::system_id
            .eq(request.system_id)
            .and(events::kind.eq(EventKind::Requested.as_str()))
            .and(events::at.ge(request.requested_at))
            .and(events::actor.eq(requested_by)),
    );
    Ok(diesel::select(diesel::dsl::exists(recorded)).get_result(conn)?)
}

/// Joins the newest open request, extends its expiry, and notifies waiting appliances: one that has failed to upload may try
/// again at once. `None` if there is no open request, or an upload is under way that may fulfil it.
fn join(conn: &mut Conn, system: Uuid) -> Result<Option<BackupRequest>, DbError> {
    let sql = concat!(
        "UPDATE backup_requests SET expires_at = clock_timestamp() + make_interval(secs => $2) \
         WHERE id = (SELECT id FROM backup_requests r WHERE system_id = $1 AND ",
        open!(),
        " AND NOT EXISTS (SELECT 1 FROM backups b WHERE b.system_id = r.system_id AND b.state = 'receiving' \
             AND b.admitted_at > r.requested_at) \
           ORDER BY requested_at DESC LIMIT 1 FOR NO KEY UPDATE) AND ",
        open!(),
        " RETURNING pg_notify('strongroom_requests', system_id::text) IS NULL AS notified, ",
        columns!()
    );
    let row: Option<Row> = diesel::sql_query(sql)
        .bind::<SqlUuid, _>(system)
        .bind::<Double, _>(LIFETIME.as_secs_f64())
        .get_result(conn)
        .optional()?;
    Ok(row.map(BackupRequest::from))
}
