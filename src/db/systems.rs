//! The table `systems`, for operators and portals. Authentication reads it in [`super::credentials`].

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Timestamptz, Uuid as SqlUuid};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::events::{self, Event};
use super::schema::{backups, systems};
use super::{Conn, DbError, from_bigint};
use crate::domain::event_kind::EventKind;
use crate::domain::ids::{BackupId, Extension, OrgId, SystemKey};
use crate::domain::row_state::{BackupState, SystemState};

/// Records that the system has reported its configuration as unchanged; `false` if the system is not active.
pub fn note_unchanged(conn: &mut Conn, system: Uuid) -> Result<bool, DbError> {
    let noted = diesel::update(systems::table.find(system))
        .filter(systems::state.eq(SystemState::Active))
        .set(systems::unchanged_at.eq(diesel::dsl::sql::<Nullable<Timestamptz>>("clock_timestamp()")))
        .execute(conn)?;
    Ok(noted == 1)
}

/// A system with the sums of its stored backups, as the command line shows it.
#[derive(Debug, Clone, Serialize)]
pub struct SystemSummary {
    pub id: Uuid,
    pub system_key: String,
    pub org_id: String,
    pub name: String,
    pub state: SystemState,
    pub created_at: DateTime<Utc>,
    pub backups: i64,
    pub bytes: u64,
    pub last_backup_at: Option<DateTime<Utc>>,
}

/// A new system. Only the hash of its secret is kept.
pub struct NewSystem<'a> {
    pub id: Uuid,
    pub key: &'a SystemKey,
    pub org: &'a OrgId,
    pub name: &'a str,
    pub secret_sha256: [u8; 32],
}

/// Adds a system; [`DbError::Exists`] if the key is taken.
pub fn add(conn: &mut Conn, system: &NewSystem) -> Result<(), DbError> {
    conn.transaction(|conn| {
        diesel::insert_into(systems::table)
            .values((
                systems::id.eq(system.id),
                systems::system_key.eq(system.key.as_str()),
                systems::org_id.eq(system.org.as_str()),
                systems::name.eq(system.name),
                systems::secret_sha256.eq(system.secret_sha256.to_vec()),
            ))
            .execute(conn)?;
        events::write(
            conn,
            &[Event::by_operator(EventKind::SystemAdded, system.org.as_str(), Some(system.id), json!({}))],
        )
    })
}

/// Returns all systems, or those of one organization, or those whose id or key is `only` (at most two).
pub fn list(conn: &mut Conn, org: Option<&OrgId>, only: Option<&str>) -> Result<Vec<SystemSummary>, DbError> {
    let mut query = systems::table
        .select((
            systems::id,
            systems::system_key,
            systems::org_id,
            systems::name,
            systems::state,
            systems::created_at,
        ))
        .order((systems::org_id, systems::name, systems::system_key))
        .into_boxed();
    if let Some(org) = org {
        query = query.filter(systems::org_id.eq(org.as_str()));
    }
    if let Some(only) = only {
        // No system has the nil id.
        let id = only.parse::<Uuid>().unwrap_or_default();
        query = query.filter(systems::id.eq(id).or(systems::system_key.eq(only)));
    }
    let rows: Vec<(Uuid, String, String, String, SystemState, DateTime<Utc>)> = query.load(conn)?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.0).collect();
    let kept = kept(conn, &ids)?;
    let kept: HashMap<Uuid, Kept> = kept.into_iter().map(|row| (row.system_id, row)).collect();
    let summary = |(id, system_key, org_id, name, state, created_at)| {
        let kept = kept.get(&id);
        SystemSummary {
            id,
            system_key,
            org_id,
            name,
            state,
            created_at,
            backups: kept.map_or(0, |kept| kept.backups),
            bytes: kept.map_or(0, |kept| from_bigint(kept.bytes)),
            last_backup_at: kept.and_then(|kept| kept.last_backup_at),
        }
    };
    Ok(rows.into_iter().map(summary).collect())
}

/// The sums of a system's stored backups.
#[derive(QueryableByName)]
struct Kept {
    #[diesel(sql_type = SqlUuid)]
    system_id: Uuid,
    #[diesel(sql_type = BigInt)]
    backups: i64,
    #[diesel(sql_type = BigInt)]
    bytes: i64,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    last_backup_at: Option<DateTime<Utc>>,
}

fn kept(conn: &mut Conn, ids: &[Uuid]) -> Result<Vec<Kept>, DbError> {
    Ok(diesel::sql_query(
        "SELECT system_id, count(*) AS backups, sum(size_bytes)::bigint AS bytes, \
           max(uploaded_at) AS last_backup_at \
         FROM backups WHERE state = 'stored' AND system_id = ANY($1) GROUP BY system_id",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .load(conn)?)
}

/// Returns the system with this id or key. If one system's key is another system's id, the system with the id is returned.
pub fn find(conn: &mut Conn, id_or_key: &str) -> Result<Option<SystemSummary>, DbError> {
    let found = list(conn, None, Some(id_or_key))?;
    let by_id = found.iter().position(|system| system.id.to_string().eq_ignore_ascii_case(id_or_key));
    Ok(found.into_iter().nth(by_id.unwrap_or(0)))
}

/// A system's organization and name: enough to decide who may see it.
#[derive(Debug, Clone, Queryable)]
pub struct SystemBrief {
    pub org_id: String,
    pub name: String,
}

/// Returns the organization and name of a system; `None` also if the system is being destroyed.
pub fn brief(conn: &mut Conn, id: Uuid) -> Result<Option<SystemBrief>, DbError> {
    Ok(systems::table
        .find(id)
        .filter(systems::state.ne(SystemState::Destroying))
        .select((systems::org_id, systems::name))
        .first(conn)
        .optional()?)
}

/// Replaces the hash of the secret. The old secret stops working within a second, in every process.
pub fn rotate_secret(conn: &mut Conn, system: &SystemSummary, sha256: [u8; 32]) -> Result<(), DbError> {
    conn.transaction(|conn| {
        diesel::update(systems::table.find(system.id))
            .set(systems::secret_sha256.eq(sha256.to_vec()))
            .execute(conn)?;
        events::write(
            conn,
            &[Event::by_operator(EventKind::SecretRotated, &system.org_id, Some(system.id), json!({}))],
        )
    })
}

/// Suspends or resumes a system; `false` if it is being destroyed or does not exist. Links from before a suspension stay
/// invalid when the system is resumed.
pub fn set_suspended(conn: &mut Conn, system: &SystemSummary, suspended: bool) -> Result<bool, DbError> {
    let (state, kind) = if suspended {
        (SystemState::Suspended, EventKind::Suspended)
    } else {
        (SystemState::Active, EventKind::Resumed)
    };
    conn.transaction(|conn| {
        let changed = diesel::update(systems::table.find(system.id))
            .filter(systems::state.ne(SystemState::Destroying))
            .set(systems::state.eq(state))
            .execute(conn)?;
        if changed == 1 && suspended {
            diesel::update(systems::table.find(system.id))
                .set(systems::suspended_at.eq(diesel::dsl::sql::<Nullable<Timestamptz>>("clock_timestamp()")))
                .execute(conn)?;
        }
        if changed == 1 {
            events::write(conn, &[Event::by_operator(kind, &system.org_id, Some(system.id), json!({}))])?;
        }
        Ok(changed == 1)
    })
}

/// Marks a system as being destroyed: from now on its credential and its uploads are refused for good.
pub fn mark_destroying(conn: &mut Conn, system: &SystemSummary) -> Result<(), DbError> {
    conn.transaction(|conn| {
        let marked = diesel::update(systems::table.find(system.id))
            .filter(systems::state.ne(SystemState::Destroying))
            .set(systems::state.eq(SystemState::Destroying))
            .execute(conn)?;
        if marked == 1 {
            events::write(
                conn,
                &[Event::by_operator(EventKind::Destroyed, &system.org_id, Some(system.id), json!({}))],
            )?;
        }
        Ok(())
    })
}

/// A backup that counts in the totals.
#[derive(Debug, Clone, Copy)]
pub enum OpenRow {
    Stored(BackupId),
    Receiving(Uuid),
}

/// Returns the backups of a system that count in the totals.
pub fn open_rows(conn: &mut Conn, system: Uuid) -> Result<Vec<OpenRow>, DbError> {
    let rows: Vec<(Uuid, String, BackupState)> = backups::table
        .filter(backups::system_id.eq(system).and(backups::state.ne(BackupState::Retired)))
        .select((backups::id, backups::extension, backups::state))
        .load(conn)?;
    let open = |(id, extension, state): (Uuid, String, BackupState)| {
        let broken = || DbError::Failed(format!("backup {id} has no valid extension"));
        Ok(match state {
            BackupState::Receiving => Some(OpenRow::Receiving(id)),
            BackupState::Stored => {
                let extension = Extension::parse(&extension).ok_or_else(broken)?;
                Some(OpenRow::Stored(BackupId::new(id, extension)))
            }
            BackupState::Retired => None,
        })
    };
    rows.into_iter().map(open).filter_map(Result::transpose).collect()
}
