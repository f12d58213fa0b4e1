//! Reads the lists of the stored backups of one system or of several.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use uuid::Uuid;

use super::connection::begun_with;
use super::schema::backups;
use super::{Conn, DbError, from_bigint};
use crate::domain::ids::{BackupId, Extension};
use crate::domain::row_state::BackupState;

/// A stored backup, as lists show it.
#[derive(Debug)]
pub struct ListedBackup {
    pub id: BackupId,
    pub filename: String,
    pub mimetype: String,
    /// In bytes.
    pub size: u64,
    pub sha256: [u8; 32],
    pub uploaded_at: DateTime<Utc>,
}

/// The stored backups of one system, newest first.
pub type BackupList = Arc<Vec<ListedBackup>>;

/// The transaction around a query for several systems. Its plan depends on no statistics, like those of
/// [`accounting`](super::accounting), and is made once for any number of systems.
const BEGIN: &str = "BEGIN; SET LOCAL enable_seqscan = off; SET LOCAL plan_cache_mode = force_generic_plan";

#[derive(Queryable, Selectable)]
#[diesel(table_name = backups)]
struct Row {
    system_id: Uuid,
    seq: Option<i64>,
    id: Uuid,
    extension: String,
    filename: String,
    mimetype: String,
    size_bytes: Option<i64>,
    sha256: Option<Vec<u8>>,
    uploaded_at: Option<DateTime<Utc>>,
}

impl TryFrom<Row> for ListedBackup {
    type Error = DbError;

    fn try_from(row: Row) -> Result<Self, DbError> {
        let broken = |what: &str| DbError::Failed(format!("backup {} has no valid {what}", row.id));
        let extension = Extension::parse(&row.extension).ok_or_else(|| broken("extension"))?;
        let sha256 = row.sha256.as_deref().and_then(|hash| hash.try_into().ok());
        Ok(Self {
            id: BackupId::new(row.id, extension),
            size: from_bigint(row.size_bytes.ok_or_else(|| broken("size"))?),
            sha256: sha256.ok_or_else(|| broken("sha256"))?,
            uploaded_at: row.uploaded_at.ok_or_else(|| broken("time"))?,
            filename: row.filename,
            mimetype: row.mimetype,
        })
    }
}

/// Returns the list of each of these systems, in one query. A row that can't be read is an error of its system's list alone.
///
/// # Errors
/// The query failed, perhaps because of one of the systems.
pub fn read(
    conn: &mut Conn,
    systems: &[Uuid],
) -> Result<HashMap<Uuid, Result<BackupList, DbError>>, DbError> {
    let stored = backups::table.filter(backups::state.eq(BackupState::Stored)).select(Row::as_select());
    let mut rows: Vec<Row> = match systems {
        // A transaction would cost two more round trips. Without one Postgres scans the table only if it has a few pages.
        [system] => stored.filter(backups::system_id.eq(system)).order(backups::seq.desc()).load(conn)?,
        // Without an order: with one, Postgres could choose an index of the whole table.
        _ => begun_with(conn, BEGIN, |conn| {
            Ok(stored.filter(backups::system_id.eq_any(systems)).load(conn)?)
        })?,
    };
    rows.sort_unstable_by_key(|row| (row.system_id, std::cmp::Reverse(row.seq)));
    let mut lists: HashMap<Uuid, Result<Vec<ListedBackup>, DbError>> =
        systems.iter().map(|system| (*system, Ok(vec![]))).collect();
    for row in rows {
        let Some(list) = lists.get_mut(&row.system_id) else { continue };
        match (ListedBackup::try_from(row), list.as_mut()) {
            (Ok(backup), Ok(backups)) => backups.push(backup),
            (Err(error), Ok(_)) => *list = Err(error),
            (_, Err(_)) => {}
        }
    }
    Ok(lists.into_iter().map(|(system, list)| (system, list.map(Arc::new))).collect())
}
