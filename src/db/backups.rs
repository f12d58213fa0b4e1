//! Queries of the table `backups`. They change nothing: [`super::accounting`] does.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::access_state::CurrentAccess;
use super::events::{self, Event};
use super::schema::{backups, systems};
use super::{Conn, DbError, from_bigint};
use crate::domain::event_kind::EventKind;
use crate::domain::ids::{BackupId, Extension};
use crate::domain::object_key::ObjectKey;
use crate::domain::row_state::{BackupState, SystemState};

/// A backup in the state `stored`.
#[derive(Debug, Clone)]
pub struct BackupRow {
    pub id: BackupId,
    pub system_id: Uuid,
    pub org_id: String,
    pub object_key: ObjectKey,
    pub filename: String,
    pub mimetype: String,
    pub size: u64,
    pub sha256: [u8; 32],
    pub uploaded_at: DateTime<Utc>,
    /// The damage that was found in the backup's object, if any.
    pub damage: Option<String>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = backups)]
pub(super) struct Row {
    id: Uuid,
    system_id: Uuid,
    org_id: String,
    object_key: String,
    extension: String,
    filename: String,
    mimetype: String,
    size_bytes: Option<i64>,
    sha256: Option<Vec<u8>>,
    uploaded_at: Option<DateTime<Utc>>,
    damage: Option<String>,
}

impl TryFrom<Row> for BackupRow {
    type Error = DbError;

    fn try_from(row: Row) -> Result<Self, DbError> {
        let broken = |what: &str| DbError::Failed(format!("backup {} has no valid {what}", row.id));
        let extension = Extension::parse(&row.extension).ok_or_else(|| broken("extension"))?;
        Ok(Self {
            id: BackupId::new(row.id, extension),
            object_key: ObjectKey::parse(&row.object_key).map_err(|_| broken("object key"))?,
            size: from_bigint(row.size_bytes.ok_or_else(|| broken("size"))?),
            sha256: row
                .sha256
                .as_deref()
                .and_then(|hash| hash.try_into().ok())
                .ok_or_else(|| broken("sha256"))?,
            uploaded_at: row.uploaded_at.ok_or_else(|| broken("time"))?,
            system_id: row.system_id,
            org_id: row.org_id,
            filename: row.filename,
            mimetype: row.mimetype,
            damage: row.damage,
        })
    }
}

/// Returns the stored backups of a system, newest first.
pub fn list(conn: &mut Conn, system: Uuid) -> Result<Vec<BackupRow>, DbError> {
    let rows: Vec<Row> = backups::table
        .filter(backups::system_id.eq(system).and(backups::state.eq(BackupState::Stored)))
        .order(backups::seq.desc())
        .select(Row::as_select())
        .load(conn)?;
    rows.into_iter().map(BackupRow::try_from).collect()
}

/// Returns the stored backup with this id, if it belongs to this system.
pub fn find(conn: &mut Conn, system: Uuid, id: BackupId) -> Result<Option<BackupRow>, DbError> {
    Ok(find_by_uuid(conn, id.uuid())?.filter(|row| row.system_id == system && row.id.ext() == id.ext()))
}

/// Returns the stored backup with this UUID, of any system and with any extension: for operators.
pub fn find_by_uuid(conn: &mut Conn, uuid: Uuid) -> Result<Option<BackupRow>, DbError> {
    let row: Option<Row> = backups::table
        .find(uuid)
        .filter(backups::state.eq(BackupState::Stored))
        .select(Row::as_select())
        .first(conn)
        .optional()?;
    row.map(BackupRow::try_from).transpose()
}

/// Returns the stored backup with this id, and the name and access state of its system. `None` also if that system is being
/// destroyed.
pub fn find_named(
    conn: &mut Conn,
    id: BackupId,
) -> Result<Option<(BackupRow, String, CurrentAccess)>, DbError> {
    let found: Option<(Row, String, CurrentAccess)> = backups::table
        .inner_join(systems::table)
        .filter(backups::id.eq(id.uuid()).and(backups::extension.eq(id.ext().as_str())))
        .filter(backups::state.eq(BackupState::Stored).and(systems::state.ne(SystemState::Destroying)))
        .select((Row::as_select(), systems::name, CurrentAccess::as_select()))
        .first(conn)
        .optional()?;
    found.map(|(row, name, access)| Ok((row.try_into()?, name, access))).transpose()
}

/// Returns `true` if there is no stored backup at all.
pub fn none_stored(conn: &mut Conn) -> Result<bool, DbError> {
    let stored = backups::table.filter(backups::state.eq(BackupState::Stored));
    let any: bool = diesel::select(diesel::dsl::exists(stored)).get_result(conn)?;
    Ok(!any)
}

/// Returns those of the object keys that belong to an upload under way.
pub fn receiving_among(conn: &mut Conn, keys: &[String]) -> Result<HashSet<String>, DbError> {
    super::objects::among(conn, keys, Some(BackupState::Receiving))
}

/// Records that an operator fetches a backup.
pub fn note_fetched(conn: &mut Conn, backup: &BackupRow) -> Result<(), DbError> {
    let operator =
        Event::by_operator(EventKind::Downloaded, &backup.org_id, Some(backup.system_id), json!({}));
    events::write(conn, &[Event { backup_id: Some(backup.id.uuid()), ..operator }])
}
