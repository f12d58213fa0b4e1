//! What the rows of `backups` say about the objects in the store, for the tasks that compare the two.
//! Nothing here changes the accounting.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use serde_json::json;
use uuid::Uuid;

use super::events::{self, Event};
use super::schema::backups;
use super::{Conn, DbError, from_bigint};
use crate::domain::object_key::ObjectKey;
use crate::domain::row_state::BackupState;

/// What a row says of its object.
#[derive(Debug, Clone)]
pub struct ObjectRow {
    /// Of the backup.
    pub id: Uuid,
    pub org_id: String,
    pub object_key: String,
    /// Its size in bytes, if the backup is stored; a row in another state promises no object.
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

/// The next page of rows whose keys come after `after` and, if there is an upper bound, not after `until`: at most
/// `limit`, in the byte order of their keys.
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

/// The database's clock. Ages are measured by it and by the store's, because a process's own clock may be wrong.
pub fn now(conn: &mut Conn) -> Result<DateTime<Utc>, DbError> {
    Ok(diesel::select(sql::<Timestamptz>("clock_timestamp()")).get_result(conn)?)
}

/// Which of the keys belong to a stored backup.
pub fn stored_among(conn: &mut Conn, keys: &[String]) -> Result<HashSet<String>, DbError> {
    among(conn, keys, Some(BackupState::Stored))
}

/// Which of the keys have a row, in whatever state.
pub fn known_among(conn: &mut Conn, keys: &[String]) -> Result<HashSet<String>, DbError> {
    among(conn, keys, None)
}

/// Those of the keys that have a row, in this state if one is given. They are compared in the collation of their index.
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

/// Those of the keys that belong to a system of this database of whose backup the history says nothing: the database has
/// never had a row for them, or has lost what it had. Keys that are not well-formed and those of systems that are gone are
/// not among them.
pub fn never_seen(conn: &mut Conn, keys: &[ObjectKey]) -> Result<HashSet<Uuid>, DbError> {
    #[derive(QueryableByName)]
    struct Unseen {
        #[diesel(sql_type = SqlUuid)]
        backup: Uuid,
    }
    // The history of each system is read once, however many keys it has: no index finds a backup's events.
    let sql = "WITH asked AS MATERIALIZED ( \
             SELECT s.id AS system_id, k.backup FROM unnest($1, $2, $3) AS k (org, system_key, backup) \
             JOIN systems AS s ON s.org_id = k.org AND s.system_key = k.system_key), \
         seen AS MATERIALIZED ( \
             SELECT DISTINCT e.backup_id FROM backup_events AS e \
             WHERE e.system_id IN (SELECT DISTINCT system_id FROM asked) AND e.backup_id IS NOT NULL) \
         SELECT asked.backup FROM asked LEFT JOIN seen ON seen.backup_id = asked.backup WHERE seen.backup_id IS NULL";
    let rows: Vec<Unseen> = diesel::sql_query(sql)
        .bind::<Array<Text>, _>(keys.iter().map(ObjectKey::org).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(keys.iter().map(ObjectKey::system).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(keys.iter().map(|key| key.id().uuid()).collect::<Vec<_>>())
        .load(conn)?;
    Ok(rows.into_iter().map(|row| row.backup).collect())
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
