//! Queries of `backups` by object key, for the tasks that compare rows with the objects in the store. Nothing here changes the
//! accounting.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use serde_json::json;
use uuid::Uuid;

use super::events::{self, Event};
use super::schema::backups;
use super::{Conn, DbError, from_bigint, organizations};
use crate::domain::event_kind::EventKind;
use crate::domain::object_key::ObjectKey;
use crate::domain::row_state::BackupState;

/// What a row says about its object.
#[derive(Debug, Clone)]
pub struct ObjectRow {
    /// The backup's id.
    pub id: Uuid,
    pub org_id: String,
    pub object_key: String,
    /// The object's size in bytes if the backup is stored. In another state the object need not exist.
    pub stored: Option<u64>,
}

#[derive(QueryableByName)]
#[diesel(table_name = backups)]
struct Row {
    id: Uuid,
    org_id: String,
    object_key: String,
    #[diesel(sql_type = Nullable<BigInt>)]
    stored: Option<i64>,
}

/// Returns the next page of rows whose keys come after `after` and, if `until` is set, not after that: at most `limit` rows,
/// in the byte order of their keys.
pub fn rows_between(
    conn: &mut Conn,
    after: &str,
    until: Option<&str>,
    limit: i64,
) -> Result<Vec<ObjectRow>, DbError> {
    let sql = "SELECT id, org_id, object_key, CASE state WHEN 'stored' THEN size_bytes END AS stored FROM backups \
         WHERE object_key COLLATE \"C\" > $1 AND ($2 IS NULL OR object_key COLLATE \"C\" <= $2) \
         ORDER BY object_key COLLATE \"C\" LIMIT $3";
    let rows: Vec<Row> = diesel::sql_query(sql)
        .bind::<Text, _>(after)
        .bind::<Nullable<Text>, _>(until)
        .bind::<BigInt, _>(limit)
        .load(conn)?;
    let object = |Row { id, org_id, object_key, stored }| {
        let stored = stored.map(from_bigint);
        ObjectRow { id, org_id, object_key, stored }
    };
    Ok(rows.into_iter().map(object).collect())
}

/// Returns the time by the database's clock. Ages are measured by this clock and the store's, because a process's own clock
/// may be wrong.
pub fn now(conn: &mut Conn) -> Result<DateTime<Utc>, DbError> {
    Ok(diesel::select(sql::<Timestamptz>("clock_timestamp()")).get_result(conn)?)
}

/// Returns those of the keys that belong to a stored backup.
pub fn stored_among(conn: &mut Conn, keys: &[String]) -> Result<HashSet<String>, DbError> {
    among(conn, keys, Some(BackupState::Stored))
}

/// Returns those of the keys that have a row, in any state.
pub fn known_among(conn: &mut Conn, keys: &[String]) -> Result<HashSet<String>, DbError> {
    among(conn, keys, None)
}

/// Returns whether no row has the key once the transactions of its organization that are under way have ended: one of them may
/// be about to store the object.
pub fn is_nobodys(conn: &mut Conn, key: &ObjectKey) -> Result<bool, DbError> {
    conn.transaction(|conn| {
        organizations::lock(conn, key.org())?;
        Ok(known_among(conn, &[key.to_string()])?.is_empty())
    })
}

/// Returns those of the keys that have a row; if `state` is set, a row in this state. The keys are compared in the collation
/// of their index.
pub(super) fn among(
    conn: &mut Conn,
    keys: &[String],
    state: Option<BackupState>,
) -> Result<HashSet<String>, DbError> {
    #[derive(QueryableByName)]
    struct Found {
        #[diesel(sql_type = Text)]
        object_key: String,
    }
    let sql = "SELECT object_key FROM backups WHERE object_key COLLATE \"C\" = ANY($1) AND ($2 IS NULL OR state = $2)";
    let found: Vec<Found> = diesel::sql_query(sql)
        .bind::<Array<Text>, _>(keys)
        .bind::<Nullable<Text>, _>(state.map(BackupState::as_str))
        .load(conn)?;
    Ok(found.into_iter().map(|row| row.object_key).collect())
}

/// Returns the backups of those keys that belong to a system of this database, but do not occur in its history: the database
/// has never had a row for them, or has lost it. Keys of systems that do not exist are ignored.
pub fn never_seen(conn: &mut Conn, keys: &[ObjectKey]) -> Result<HashSet<Uuid>, DbError> {
    #[derive(QueryableByName)]
    struct Unseen {
        #[diesel(sql_type = SqlUuid)]
        backup: Uuid,
    }
    // The history of each system is read once, however many keys it has: no index finds a backup's events.
    let sql = "WITH candidate AS MATERIALIZED ( \
             SELECT s.id AS system_id, k.backup FROM unnest($1, $2, $3) AS k (org, system_key, backup) \
             JOIN systems AS s ON s.org_id = k.org AND s.system_key = k.system_key), \
         seen AS MATERIALIZED ( \
             SELECT DISTINCT e.backup_id FROM backup_events AS e \
             WHERE e.system_id IN (SELECT DISTINCT system_id FROM candidate) AND e.backup_id IS NOT NULL) \
         SELECT candidate.backup FROM candidate LEFT JOIN seen ON seen.backup_id = candidate.backup \
         WHERE seen.backup_id IS NULL";
    let rows: Vec<Unseen> = diesel::sql_query(sql)
        .bind::<Array<Text>, _>(keys.iter().map(ObjectKey::org).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(keys.iter().map(ObjectKey::system).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(keys.iter().map(|key| key.id().uuid()).collect::<Vec<_>>())
        .load(conn)?;
    Ok(rows.into_iter().map(|row| row.backup).collect())
}

/// Records in the history that an operator deleted these objects, which had no row. Sizes are in bytes.
pub fn note_deleted_orphans(conn: &mut Conn, orphans: &[(ObjectKey, u64)]) -> Result<(), DbError> {
    let event = |(key, size): &(ObjectKey, u64)| Event {
        kind: EventKind::OrphanDeleted,
        org_id: key.org().to_owned(),
        system_id: None,
        backup_id: Some(key.id().uuid()),
        actor: "operator".to_owned(),
        remote_addr: None,
        detail: json!({ "object_key": key.as_str(), "size": size }),
    };
    events::write(conn, &orphans.iter().map(event).collect::<Vec<_>>())
}
