//! The changes of a backup request that no upload makes: it is delivered or cancelled, or it expires.

use std::net::IpAddr;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text, Uuid as SqlUuid};
use serde_json::json;
use uuid::Uuid;

use super::{BackupRequest, find, lock_system, open_of, write_event};
use crate::db::{Conn, DbError};
use crate::domain::backup_request::BackupRequestState;
use crate::domain::event_kind::EventKind;

/// Returns the open requests of a system, oldest first, and marks them as seen. `None` if the secret with this hash is no
/// longer valid: a client that has waited with an old secret must not receive the requests.
pub fn deliver(
    conn: &mut Conn,
    system: Uuid,
    secret_sha256: &[u8],
) -> Result<Option<Vec<BackupRequest>>, DbError> {
    conn.transaction(|conn| {
        if !lock_system(conn, system)?.is_some_and(|locked| locked.access.has_secret(secret_sha256)) {
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

/// The result of [`cancel`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancellation {
    Done,
    /// The system has no such request.
    NotFound,
    /// The request had ended before, with this state.
    Ended(BackupRequestState),
}

/// Cancels a request.
pub fn cancel(
    conn: &mut Conn,
    system: Uuid,
    id: Uuid,
    requested_by: &str,
    remote_addr: Option<IpAddr>,
) -> Result<Cancellation, DbError> {
    conn.transaction(|conn| {
        lock_system(conn, system)?;
        let Some(request) = find(conn, system, id)? else { return Ok(Cancellation::NotFound) };
        if !request.state.is_open() {
            return Ok(Cancellation::Ended(request.state));
        }
        // `expire` does not take the lock of the system's row, so it may have changed the request after `find`.
        let sql = "UPDATE backup_requests SET state = 'cancelled', ended_at = clock_timestamp() \
             WHERE id = $1 AND state IN ('pending', 'seen')";
        if diesel::sql_query(sql).bind::<SqlUuid, _>(id).execute(conn)? == 0 {
            return Ok(Cancellation::Ended(BackupRequestState::Expired));
        }
        write_event(conn, EventKind::RequestCancelled, &request, (requested_by, remote_addr), json!({}))?;
        Ok(Cancellation::Done)
    })
}

/// Marks at most `at_most` overdue requests as expired, except those that another transaction has locked. Returns their number.
pub fn expire(conn: &mut Conn, at_most: i64) -> Result<usize, DbError> {
    let sql = "WITH expired AS (UPDATE backup_requests SET state = 'expired', ended_at = clock_timestamp() \
             WHERE id IN (SELECT id FROM backup_requests WHERE state IN ('pending', 'seen') \
                 AND expires_at <= clock_timestamp() ORDER BY expires_at LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED) \
             RETURNING id, org_id, system_id) \
         INSERT INTO backup_events (kind, org_id, system_id, actor, detail) \
         SELECT $2, org_id, system_id, 'service', jsonb_build_object('request', id) FROM expired";
    Ok(diesel::sql_query(sql)
        .bind::<BigInt, _>(at_most)
        .bind::<Text, _>(EventKind::RequestExpired.as_str())
        .execute(conn)?)
}
