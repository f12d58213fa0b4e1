//! The steps of an erasure: any number of processes may run them, and each may be repeated.

use std::collections::HashSet;

use diesel::dsl::{exists, select};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Double, Nullable, Text, Uuid as SqlUuid};
use serde_json::json;
use uuid::Uuid;

use super::super::events::{self, Event};
use super::super::prepared::prepared;
use super::super::schema::{system_erasures, systems};
use super::super::{Conn, DbError, from_bigint, to_bigint};
use super::CLAIM;
use crate::domain::erasure::ErasurePhase;
use crate::domain::event_kind::EventKind;

/// A system to erase, which is marked as being destroyed.
#[derive(Debug, Clone, QueryableByName)]
pub struct Erasure {
    #[diesel(sql_type = SqlUuid)]
    pub system_id: Uuid,
    #[diesel(sql_type = Text)]
    pub org_id: String,
    #[diesel(sql_type = Text)]
    pub system_key: String,
    /// The actor of the events.
    #[diesel(sql_type = Text)]
    pub requested_by: String,
    /// How many objects the last listing had; `None`: nothing was listed yet.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub objects_left: Option<i64>,
}

/// Adds the rows of systems that were marked by a version before 0.2.0, which has no table of erasures.
pub fn adopt(conn: &mut Conn) -> Result<(), DbError> {
    let sql = "INSERT INTO system_erasures (system_id, requested_by, requested_at, backups, bytes) \
         SELECT s.id, coalesce(s.state_by, 'operator'), coalesce(s.state_since, clock_timestamp()), \
             count(b.id), coalesce(sum(b.size_bytes), 0) \
         FROM systems s LEFT JOIN backups b ON b.system_id = s.id AND b.state = 'stored' \
         WHERE s.state = 'destroying' AND NOT EXISTS (SELECT FROM system_erasures e WHERE e.system_id = s.id) \
         GROUP BY s.id ON CONFLICT DO NOTHING";
    prepared(sql, ()).execute(conn)?;
    Ok(())
}

/// Claims up to `limit` erasures that no process works on: first those that were never tried.
pub fn claim_to_do(conn: &mut Conn, limit: usize) -> Result<Vec<Erasure>, DbError> {
    // `ARRAY` makes Postgres choose the rows once (see `purge::claim_due`).
    let chosen = "ARRAY(SELECT d.system_id FROM system_erasures d JOIN systems m ON m.id = d.system_id \
         WHERE d.phase <> 'waiting' AND m.state = 'destroying' \
           AND (d.claimed_until IS NULL OR d.claimed_until <= statement_timestamp()) \
         ORDER BY d.claimed_until NULLS FIRST, d.requested_at LIMIT $1 FOR NO KEY UPDATE OF d SKIP LOCKED)";
    Ok(diesel::sql_query(claim_sql(&format!("e.system_id = ANY({chosen})")))
        .bind::<BigInt, _>(to_bigint(limit as u64))
        .load(conn)?)
}

/// Claims the erasure of a system, also if another process works on it: that does no harm. `None`: the system is gone, or not
/// marked.
pub fn claim(conn: &mut Conn, system: Uuid) -> Result<Option<Erasure>, DbError> {
    Ok(diesel::sql_query(claim_sql("e.system_id = $1"))
        .bind::<SqlUuid, _>(system)
        .get_result(conn)
        .optional()?)
}

fn claim_sql(condition: &str) -> String {
    format!(
        "UPDATE system_erasures e SET claimed_until = {CLAIM} FROM systems s \
         WHERE s.id = e.system_id AND s.state = 'destroying' AND {condition} \
         RETURNING e.system_id, s.org_id, s.system_key, e.requested_by, e.objects_left"
    )
}

/// Postpones an erasure that has failed: it is tried again after `pause` seconds.
pub fn postpone(conn: &mut Conn, system: Uuid, pause: f64) -> Result<(), DbError> {
    diesel::sql_query(
        "UPDATE system_erasures SET claimed_until = clock_timestamp() + make_interval(secs => $2) WHERE system_id = $1",
    )
    .bind::<SqlUuid, _>(system)
    .bind::<Double, _>(pause)
    .execute(conn)?;
    Ok(())
}

/// Records how many objects of the system are left, and renews the claim. Objects that are fewer than before count as
/// erased, also if the process that deleted them was killed before it could record that.
pub fn record_objects_left(conn: &mut Conn, system: Uuid, left: u64) -> Result<(), DbError> {
    diesel::sql_query(format!(
        "UPDATE system_erasures SET objects_erased = objects_erased + greatest(objects_left - $2, 0), \
             objects_left = least(objects_left, $2), claimed_until = {CLAIM} WHERE system_id = $1"
    ))
    .bind::<SqlUuid, _>(system)
    .bind::<BigInt, _>(to_bigint(left))
    .execute(conn)?;
    Ok(())
}

/// Records the phase of an erasure, and renews the claim.
pub fn set_phase(conn: &mut Conn, system: Uuid, phase: ErasurePhase) -> Result<(), DbError> {
    diesel::sql_query(format!(
        "UPDATE system_erasures SET phase = $2, claimed_until = {CLAIM} WHERE system_id = $1"
    ))
    .bind::<SqlUuid, _>(system)
    .bind::<Text, _>(phase.as_str())
    .execute(conn)?;
    Ok(())
}

/// Returns those of the object keys that belong to another system: its key was given to a new system after it was gone, and the
/// process that asks was paused meanwhile.
pub fn keys_of_other_systems(
    conn: &mut Conn,
    system: Uuid,
    keys: &[String],
) -> Result<HashSet<String>, DbError> {
    #[derive(QueryableByName)]
    struct Found {
        #[diesel(sql_type = Text)]
        object_key: String,
    }
    let sql = "SELECT object_key FROM backups WHERE object_key COLLATE \"C\" = ANY($1) AND system_id <> $2";
    let found: Vec<Found> =
        diesel::sql_query(sql).bind::<Array<Text>, _>(keys).bind::<SqlUuid, _>(system).load(conn)?;
    Ok(found.into_iter().map(|row| row.object_key).collect())
}

/// Whether the system still has its row: as long as it has, its key is given to no other system.
pub fn is_under_way(conn: &mut Conn, system: Uuid) -> Result<bool, DbError> {
    Ok(select(exists(systems::table.find(system))).get_result(conn)?)
}

/// A system of which nothing is left.
#[derive(Debug, Clone, QueryableByName)]
pub struct Erased {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = Text)]
    pub system_key: String,
    #[diesel(sql_type = Text)]
    pub org_id: String,
    #[diesel(sql_type = Text)]
    requested_by: String,
    #[diesel(sql_type = BigInt)]
    backups: i64,
    #[diesel(sql_type = BigInt)]
    bytes: i64,
    #[diesel(sql_type = BigInt)]
    objects: i64,
}

/// Drops the rows of the systems that are erased and have no backup left in any state. Keeps their names, and records what
/// was erased. Only one process deletes a system's row, so it is recorded once.
pub fn finish(conn: &mut Conn) -> Result<Vec<Erased>, DbError> {
    // Usually there is none, so no transaction is begun.
    let waiting = system_erasures::table.filter(system_erasures::phase.eq("waiting"));
    if !select(exists(waiting)).get_result::<bool>(conn)? {
        return Ok(vec![]);
    }
    // An id is in both tables only if somebody has restored the row of a destroyed system. It must not keep the others.
    let sql = "WITH gone AS (DELETE FROM systems s USING system_erasures e \
             WHERE e.system_id = s.id AND e.phase = 'waiting' AND s.state = 'destroying' \
               AND NOT EXISTS (SELECT 1 FROM backups b WHERE b.system_id = s.id) \
             RETURNING s.id, s.system_key, s.org_id, s.name, e.requested_by, e.backups, e.bytes, \
                 e.objects_erased AS objects), \
         named AS (INSERT INTO destroyed_systems (id, system_key, org_id, name) \
             SELECT id, system_key, org_id, name FROM gone \
             ON CONFLICT (id) DO UPDATE SET (system_key, org_id, name, destroyed_at) = \
                 (excluded.system_key, excluded.org_id, excluded.name, excluded.destroyed_at)) \
         SELECT * FROM gone";
    conn.transaction(|conn| {
        let erased: Vec<Erased> = prepared(sql, ()).load(conn)?;
        events::write(conn, &erased.iter().map(Erased::event).collect::<Vec<_>>())?;
        fail_point!("erase.recorded");
        Ok(erased)
    })
}

impl Erased {
    fn event(&self) -> Event {
        let [backups, bytes, objects] = [self.backups, self.bytes, self.objects].map(from_bigint);
        Event {
            kind: EventKind::Erased,
            org_id: self.org_id.clone(),
            system_id: Some(self.id),
            backup_id: None,
            actor: "service".to_owned(),
            remote_addr: None,
            detail: json!({
                "backups": backups, "bytes": bytes, "objects": objects, "requested_by": self.requested_by
            }),
        }
    }
}
