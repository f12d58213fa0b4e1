//! What the rows of `backups` say about the objects in the store, for the jobs that compare the two.
//! Nothing here changes the books.

use std::collections::HashSet;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Uuid as SqlUuid};
use serde_json::json;
use uuid::Uuid;

use super::events::{self, Event};
use super::schema::backups;
use super::{Conn, DbError, from_bigint};
use crate::domain::object_key::ObjectKey;
use crate::domain::state::BackupState;

/// The object that a stored backup needs.
#[derive(Debug, Clone)]
pub struct StoredObject {
    /// Of the backup.
    pub id: Uuid,
    pub org_id: String,
    pub key: ObjectKey,
    /// Bytes.
    pub size: u64,
    cursor: Cursor,
}

/// A position in the order of [`stored_after`]: the one after which the next page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    system_id: Uuid,
    /// The number of the backup's commit.
    seq: i64,
    id: Uuid,
}

impl Cursor {
    /// Before the first row.
    pub const START: Self = Self { system_id: Uuid::nil(), seq: i64::MIN, id: Uuid::nil() };
}

impl StoredObject {
    /// Where this row is in the order of [`stored_after`].
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }
}

#[derive(QueryableByName)]
#[diesel(table_name = backups)]
struct Row {
    id: Uuid,
    system_id: Uuid,
    #[diesel(sql_type = BigInt)]
    seq: i64,
    org_id: String,
    object_key: String,
    #[diesel(sql_type = BigInt)]
    size_bytes: i64,
}

/// The next page of stored backups, at most `limit` rows, ordered by system and then by commit.
pub fn stored_after(conn: &mut Conn, after: Cursor, limit: i64) -> Result<Vec<StoredObject>, DbError> {
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT id, system_id, seq, org_id, object_key, size_bytes FROM backups \
         WHERE state = 'stored' AND (system_id, seq, id) > ($1, $2, $3) ORDER BY system_id, seq, id LIMIT $4",
    )
    .bind::<SqlUuid, _>(after.system_id)
    .bind::<BigInt, _>(after.seq)
    .bind::<SqlUuid, _>(after.id)
    .bind::<BigInt, _>(limit)
    .load(conn)?;
    let object = |row: Row| {
        let key = ObjectKey::parse(&row.object_key)
            .map_err(|_| DbError::Failed(format!("backup {} has no valid object key", row.id)))?;
        let cursor = Cursor { system_id: row.system_id, seq: row.seq, id: row.id };
        Ok(StoredObject { id: row.id, org_id: row.org_id, key, size: from_bigint(row.size_bytes), cursor })
    };
    rows.into_iter().map(object).collect()
}

/// Which of the keys belong to a stored backup.
pub fn stored_among(conn: &mut Conn, keys: &[String]) -> Result<HashSet<String>, DbError> {
    let stored: Vec<String> = backups::table
        .filter(backups::state.eq(BackupState::Stored).and(backups::object_key.eq_any(keys)))
        .select(backups::object_key)
        .load(conn)?;
    Ok(stored.into_iter().collect())
}

/// Which of the keys have a row, in whatever state.
pub fn known_among(conn: &mut Conn, keys: &[String]) -> Result<HashSet<String>, DbError> {
    let known: Vec<String> =
        backups::table.filter(backups::object_key.eq_any(keys)).select(backups::object_key).load(conn)?;
    Ok(known.into_iter().collect())
}

/// The newest row's id, in whatever state.
pub fn newest(conn: &mut Conn) -> Result<Option<Uuid>, DbError> {
    Ok(backups::table.select(backups::id).order(backups::id.desc()).first(conn).optional()?)
}

/// Records that an operator deleted these objects, which had no row; sizes in bytes.
pub fn note_deleted_orphans(conn: &mut Conn, orphans: &[(ObjectKey, u64)]) -> Result<(), DbError> {
    let event = |(key, size): &(ObjectKey, u64)| Event {
        kind: "orphan_deleted",
        org_id: key.org().to_owned(),
        system_id: None,
        backup_id: Some(key.id().uuid()),
        actor: "operator".to_owned(),
        remote_addr: None,
        detail: json!({ "object_key": key.as_str(), "size": size }),
    };
    events::write(conn, &orphans.iter().map(event).collect::<Vec<_>>())
}
