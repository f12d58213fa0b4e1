//! Locks systems and their backups, and reads them.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use ipnet::IpNet;
use uuid::Uuid;

use super::super::prepared::prepared;
use super::super::schema::backups;
use super::super::{Conn, DbError, from_bigint};
use super::org_totals::{LockMode, OrgTotals};
use crate::domain::accounting::{OpenUpload, StoredBackup};
use crate::domain::row_state::{BackupState, SystemState};

macro_rules! lock_systems {
    () => {
        "SELECT locked.*, clock_timestamp() AS clock, \
             (SELECT quota_bytes FROM organizations WHERE organizations.id = locked.org_id) AS quota_bytes \
         FROM (SELECT id, org_id, state, last_seq, recent_admissions FROM systems \
             WHERE id = ANY($*) ORDER BY id FOR NO KEY UPDATE"
    };
}

/// A system while its row is locked: the rows as they were read, and as the operations so far have left them.
pub(super) struct LockedSystem {
    /// Its organization, as an index into the transaction's totals.
    pub org: usize,
    pub row: SystemRow,
    /// Its backups and uploads as they were read.
    pub rows: Vec<BackupRow>,
    /// Oldest first.
    pub backups: Vec<StoredBackup>,
    /// Oldest first.
    pub uploads: Vec<OpenUpload>,
    /// Whether `row` has to be written, and whether its window has to be.
    pub changed: bool,
    pub slides: bool,
    /// Slots of the rate limit that were released.
    pub released_slots: i64,
}

impl LockedSystem {
    pub fn is_active(&self) -> bool {
        self.row.state.is_active()
    }

    pub fn upload(&self, id: Uuid) -> Option<OpenUpload> {
        self.uploads.iter().find(|upload| upload.id == id).copied()
    }

    /// As it was read.
    pub fn row_of(&self, id: Uuid) -> Option<&BackupRow> {
        self.rows.iter().find(|row| row.id == id)
    }
}

#[derive(QueryableByName)]
pub(super) struct SystemRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = Text)]
    org_id: String,
    #[diesel(sql_type = Text)]
    state: SystemState,
    #[diesel(sql_type = BigInt)]
    pub last_seq: i64,
    #[diesel(sql_type = Array<Timestamptz>)]
    pub recent_admissions: Vec<DateTime<Utc>>,
    /// The organization's own quota.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub quota_bytes: Option<i64>,
    /// The database's clock, read when this row was locked; or the entry of the last admission, which is not earlier.
    #[diesel(sql_type = Timestamptz)]
    pub clock: DateTime<Utc>,
}

/// Locks the systems by id. One that has moved to another organization is treated as gone.
///
/// The clock is read for rows that the sub-select returns, and those are locked. (A `FOR UPDATE` in the outer select would
/// lock rows whose clock has been read already.) The quota changes only under the lock of the organization. This statement
/// begins when that lock is held, so it sees the last change, and no other follows. The statement that waits for that lock
/// could read a quota from before the wait.
pub(super) fn lock_systems(
    conn: &mut Conn,
    totals: &[OrgTotals],
    ids: &[Uuid],
    lock_mode: LockMode,
) -> Result<Vec<LockedSystem>, DbError> {
    let sql = match lock_mode {
        LockMode::Wait => concat!(lock_systems!(), ") AS locked"),
        LockMode::SkipLocked => concat!(lock_systems!(), " SKIP LOCKED) AS locked"),
    };
    let rows: Vec<SystemRow> = prepared(sql, ids.into_sql::<Array<SqlUuid>>()).load(conn)?;
    let system = |row: SystemRow| {
        let org = totals.iter().position(|totals| totals.org_id == row.org_id)?;
        let (rows, backups, uploads) = (vec![], vec![], vec![]);
        Some(LockedSystem {
            org,
            row,
            rows,
            backups,
            uploads,
            changed: false,
            slides: false,
            released_slots: 0,
        })
    };
    Ok(rows.into_iter().filter_map(system).collect())
}

/// A stored backup or an open upload as it was read.
#[derive(Queryable, Selectable)]
#[diesel(table_name = backups)]
pub(super) struct BackupRow {
    pub id: Uuid,
    system_id: Uuid,
    pub state: BackupState,
    pub extension: String,
    pub remote_addr: Option<IpNet>,
    admitted_at: DateTime<Utc>,
    pub window_entry: Option<DateTime<Utc>>,
    want_bytes: i64,
    reserved_bytes: i64,
    pub pledged_to: Option<Uuid>,
    seq: Option<i64>,
    size_bytes: Option<i64>,
}

impl BackupRow {
    pub fn as_upload(&self) -> OpenUpload {
        OpenUpload {
            id: self.id,
            want: from_bigint(self.want_bytes),
            reserved: from_bigint(self.reserved_bytes),
        }
    }

    fn as_backup(&self) -> StoredBackup {
        let size = from_bigint(self.size_bytes.unwrap_or(0));
        StoredBackup { id: self.id, size, pledged_to: self.pledged_to }
    }
}

/// Locks the systems' backups and uploads by id, and reads them.
pub(super) fn read(
    conn: &mut Conn,
    systems: &mut [LockedSystem],
    lock_mode: LockMode,
) -> Result<(), DbError> {
    let ids: Vec<Uuid> = systems.iter().map(|system| system.row.id).collect();
    let query = backups::table
        .filter(backups::system_id.eq_any(ids).and(backups::state.ne(BackupState::Retired)))
        .order(backups::id)
        .select(BackupRow::as_select())
        .for_no_key_update();
    let mut rows = match lock_mode {
        LockMode::Wait => query.load(conn)?,
        // A skipped row would look like one that does not exist.
        LockMode::SkipLocked => query.no_wait().load(conn)?,
    };
    rows.sort_by_key(|row: &BackupRow| (row.seq, row.admitted_at, row.id));
    for system in systems {
        let (own, others) = rows.into_iter().partition(|row| row.system_id == system.row.id);
        (system.rows, rows) = (own, others);
        // It may have been read before.
        (system.uploads, system.backups) = (vec![], vec![]);
        for row in &system.rows {
            match row.state {
                BackupState::Receiving => system.uploads.push(row.as_upload()),
                BackupState::Stored => system.backups.push(row.as_backup()),
                // It counts nowhere, and the query leaves it out.
                BackupState::Retired => {}
            }
        }
    }
    Ok(())
}
