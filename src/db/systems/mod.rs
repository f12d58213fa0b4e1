//! The table `systems`, for operators and portals. Authentication reads it in [`super::credentials`].

mod details;
mod find;
mod unchanged;

use diesel::prelude::*;
use diesel::sql_types::{Array, Nullable, Text, Timestamptz};
use serde_json::json;
use uuid::Uuid;

use super::events::{self, Event};
use super::schema::{backups, organizations, systems};
use super::{Conn, DbError};
use crate::domain::event_kind::EventKind;
use crate::domain::ids::{BackupId, Extension, OrgId, SystemKey};
use crate::domain::row_state::{BackupState, SystemState};

pub use details::{SystemDetails, details};
pub use find::{SystemSummary, find, list};
pub use unchanged::{UnchangedReport, note_unchanged};

/// A new system. Only the hash of its secret is kept.
pub struct NewSystem<'a> {
    pub id: Uuid,
    pub key: &'a SystemKey,
    pub org: &'a OrgId,
    pub name: &'a str,
    pub secret_sha256: [u8; 32],
}

/// Adds a system; [`DbError::Exists`] if the key is taken, `false` if there is no such organization.
pub fn add(conn: &mut Conn, system: &NewSystem) -> Result<bool, DbError> {
    conn.transaction(|conn| {
        // The lock keeps the organization until the system is added.
        let org: Option<String> = organizations::table
            .find(system.org.as_str())
            .select(organizations::id)
            .for_key_share()
            .first(conn)
            .optional()?;
        if org.is_none() {
            return Ok(false);
        }
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
        )?;
        Ok(true)
    })
}

/// A system's organization and name: enough to decide who may see it.
#[derive(Debug, Clone, Queryable)]
pub struct SystemBrief {
    pub org_id: String,
    /// The organization and all above it.
    pub path: Vec<String>,
    pub name: String,
}

/// Returns the organization and name of a system; `None` also if the system is being destroyed.
pub fn brief(conn: &mut Conn, id: Uuid) -> Result<Option<SystemBrief>, DbError> {
    Ok(systems::table
        .find(id)
        .filter(systems::state.ne(SystemState::Destroying))
        .select((
            systems::org_id,
            diesel::dsl::sql::<Array<Text>>("org_and_above(systems.org_id)"),
            systems::name,
        ))
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
