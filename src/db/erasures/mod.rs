//! The table `system_erasures`: the systems that are being destroyed. A row is added when the system is marked, and ends with
//! the system's own row.

mod steps;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use serde_json::json;
use uuid::Uuid;

use super::events::{self, Event};
use super::{Conn, DbError, from_bigint};
use crate::domain::author::Author;
use crate::domain::erasure::ErasurePhase;
use crate::domain::event_kind::EventKind;

pub use steps::{
    Erased, Erasure, adopt, claim, claim_to_do, finish, is_under_way, keys_of_other_systems, postpone,
    record_objects_left, set_phase,
};

/// How long a claim keeps other processes away. Every step of the work renews it. If a process dies, another one goes on
/// after this time.
const CLAIM: &str = "clock_timestamp() + interval '10 seconds'";

/// Who wants to destroy which system.
#[derive(Debug, Clone)]
pub struct ErasureRequest {
    pub system_id: Uuid,
    /// The system's organization.
    pub org_id: String,
    pub author: Author,
    /// Whether the caller does the work itself, so that the service is to leave it alone.
    pub claim: bool,
}

/// Marks a system as being destroyed: from now on its credential and its uploads are refused for good, and the service erases
/// it. Returns `false` if it is marked already, or gone.
pub fn begin(conn: &mut Conn, request: &ErasureRequest) -> Result<bool, DbError> {
    conn.transaction(|conn| {
        let marked = diesel::sql_query(
            "UPDATE systems SET state = 'destroying', state_since = clock_timestamp(), state_by = $3 \
             WHERE id = $1 AND org_id = $2 AND state <> 'destroying'",
        )
        .bind::<SqlUuid, _>(request.system_id)
        .bind::<Text, _>(&request.org_id)
        .bind::<Text, _>(request.author.name())
        .execute(conn)?;
        if marked == 0 {
            return Ok(false);
        }
        // The system's row is locked and marked, so no backup is stored any more. This statement sees all that were.
        diesel::sql_query(format!(
            "INSERT INTO system_erasures (system_id, requested_by, backups, bytes, claimed_until) \
             SELECT $1, $2, count(*), coalesce(sum(size_bytes), 0), CASE WHEN $3 THEN {CLAIM} END \
             FROM backups WHERE system_id = $1 AND state = 'stored' \
             ON CONFLICT (system_id) DO UPDATE SET (requested_by, requested_at, phase, backups, bytes, objects_erased, \
                 objects_left, claimed_until) = (excluded.requested_by, excluded.requested_at, excluded.phase, \
                 excluded.backups, excluded.bytes, excluded.objects_erased, excluded.objects_left, excluded.claimed_until)"
        ))
        .bind::<SqlUuid, _>(request.system_id)
        .bind::<Text, _>(request.author.name())
        .bind::<Bool, _>(request.claim)
        .execute(conn)?;
        let ErasureRequest { org_id, author, .. } = request;
        let system = Some(request.system_id);
        events::write(conn, &[Event::by(author, EventKind::Destroyed, org_id, system, json!({}))])?;
        Ok(true)
    })
}

/// Marks a system as being destroyed, if the author may see it, and returns how far its erasure is. If it is marked already, this
/// changes nothing. `None`: there is no such system for the author.
pub fn request(conn: &mut Conn, system: Uuid, author: &Author) -> Result<Option<ErasureStatus>, DbError> {
    #[derive(QueryableByName)]
    struct Place {
        #[diesel(sql_type = Text)]
        org_id: String,
        #[diesel(sql_type = Array<Text>)]
        org_path: Vec<String>,
    }
    // One transaction: the system might be erased between two.
    conn.transaction(|conn| {
        let place: Option<Place> =
            diesel::sql_query("SELECT org_id, org_and_above(org_id) AS org_path FROM systems WHERE id = $1")
                .bind::<SqlUuid, _>(system)
                .get_result(conn)
                .optional()?;
        let Some(Place { org_id, .. }) = place.filter(|place| author.sees_any_of(&place.org_path)) else {
            return Ok(None);
        };
        let request = ErasureRequest { system_id: system, org_id, author: author.clone(), claim: false };
        if !begin(conn, &request)? {
            adopt(conn)?;
        }
        status(conn, system)
    })
}

/// How far an erasure is.
#[derive(Debug, Clone)]
pub struct ErasureStatus {
    pub requested_by: String,
    pub requested_at: DateTime<Utc>,
    pub phase: ErasurePhase,
    /// Backups whose object is not known to be deleted.
    pub backups_left: u64,
    pub objects_erased: u64,
    /// When the last tombstone of its failed uploads is over; `None`: there is none. The system's row stays until then.
    pub rows_until: Option<DateTime<Utc>>,
}

/// Returns how far the erasure of a system is; `None` if the system is not being destroyed, or is gone.
pub fn status(conn: &mut Conn, system: Uuid) -> Result<Option<ErasureStatus>, DbError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        requested_by: String,
        #[diesel(sql_type = Timestamptz)]
        requested_at: DateTime<Utc>,
        #[diesel(sql_type = Text)]
        phase: ErasurePhase,
        #[diesel(sql_type = BigInt)]
        backups_left: i64,
        #[diesel(sql_type = BigInt)]
        objects_erased: i64,
        #[diesel(sql_type = Nullable<Timestamptz>)]
        rows_until: Option<DateTime<Utc>>,
    }
    let row: Option<Row> = diesel::sql_query(
        "SELECT e.requested_by, e.requested_at, e.phase, e.objects_erased, \
             count(b.id) FILTER (WHERE b.state = 'stored' OR b.retired_reason <> 'failed') AS backups_left, \
             max(b.purge_after) FILTER (WHERE b.retired_reason = 'failed') AS rows_until \
         FROM system_erasures e JOIN systems s ON s.id = e.system_id LEFT JOIN backups b ON b.system_id = e.system_id \
         WHERE e.system_id = $1 AND s.state = 'destroying' GROUP BY e.system_id",
    )
    .bind::<SqlUuid, _>(system)
    .get_result(conn)
    .optional()?;
    let status = |row: Row| ErasureStatus {
        requested_by: row.requested_by,
        requested_at: row.requested_at,
        phase: row.phase,
        backups_left: from_bigint(row.backups_left),
        objects_erased: from_bigint(row.objects_erased),
        rows_until: row.rows_until,
    };
    Ok(row.map(status))
}
