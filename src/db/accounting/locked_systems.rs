//! Locks systems and their backups, and reads them.

use std::net::IpAddr;
use std::ops::{Index, IndexMut};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use ipnet::IpNet;
use uuid::Uuid;

use super::super::prepared::prepared;
use super::super::schema::backups;
use super::super::{Conn, DbError, from_bigint};
use super::org_totals::{LockMode, OrgIndex, OrgTotals};
use crate::domain::accounting::{OpenUpload, StoredBackup};
use crate::domain::refusal::{RefusalReason, RefusedAttempt, StandingRefusal};
use crate::domain::row_state::{BackupState, SystemState};

macro_rules! lock_systems {
    () => {
        "SELECT locked.*, clock_timestamp() AS db_time, \
             (SELECT quota_bytes FROM organizations WHERE organizations.id = locked.org_id) AS quota_bytes \
         FROM (SELECT id, org_id, state, last_seq, recent_admissions, refused_at, refused_reason, refused_since, \
                 refused_upload_at FROM systems \
             WHERE id = ANY($*) ORDER BY id FOR NO KEY UPDATE"
    };
}

/// A system while its row is locked: its rows as they were read, and as the operations so far have left them.
pub(super) struct LockedSystem {
    /// The system's organization.
    pub org: OrgIndex,
    pub row: SystemRow,
    /// The system's backups and uploads as they were read.
    pub rows: Vec<LockedBackup>,
    /// The stored backups as they are now, oldest first.
    pub backups: Vec<StoredBackup>,
    /// The open uploads as they are now, oldest first.
    pub uploads: Vec<OpenUpload>,
    /// Whether `row` has to be written.
    pub changed: bool,
    /// Whether `row.recent_admissions` has to be written.
    pub window_changed: bool,
    /// How many slots of the rate limit were released since the last write.
    pub released_slots: i64,
    /// The refusal that stands, as the operations so far have left it.
    pub refusal: Option<StandingRefusal>,
    /// The event of a refusal in this transaction: when, and its reason.
    pub last_refusal: Option<(DateTime<Utc>, RefusalReason)>,
    /// When this transaction has admitted its last upload.
    pub admitted_at: Option<DateTime<Utc>>,
    /// Set if the appliance was heard of in this transaction.
    pub seen: Option<Contact>,
}

/// A call of an appliance.
pub(super) struct Contact {
    pub from: Option<IpAddr>,
}

impl LockedSystem {
    pub fn is_active(&self) -> bool {
        self.row.state.is_active()
    }

    pub fn upload(&self, id: Uuid) -> Option<OpenUpload> {
        self.uploads.iter().find(|upload| upload.id == id).copied()
    }

    /// Returns when an upload was admitted. If its row was not read, it is the last one that this transaction has admitted.
    pub fn admitted_at_of(&self, id: Uuid) -> Option<DateTime<Utc>> {
        self.row_of(id).map(|row| row.admitted_at).or(self.admitted_at)
    }

    /// Returns when the stored backup that was sent last was admitted; `None`: none is stored. It need not be the newest: an upload
    /// that was admitted earlier may be stored later.
    pub fn last_admitted_at(&self) -> Option<DateTime<Utc>> {
        let rows = self.backups.iter().filter_map(|backup| self.row_of(backup.id));
        rows.map(|row| row.admitted_at).max()
    }

    /// Returns when the last upload of the system was sent that is known, admitted or refused; `None`: there is none.
    pub fn last_sent_at(&self) -> Option<DateTime<Utc>> {
        let admitted = self.rows.iter().map(|row| row.admitted_at).chain(self.admitted_at);
        admitted.chain(self.refusal.map(|refusal| refusal.last.sent_at)).max()
    }

    /// Returns the backup or upload as it was read.
    pub fn row_of(&self, id: Uuid) -> Option<&LockedBackup> {
        self.rows.iter().find(|row| row.id == id)
    }
}

/// The place of a system among the transaction's systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SystemIndex(usize);

impl SystemIndex {
    pub fn find(systems: &[LockedSystem], system: Uuid, org: OrgIndex) -> Option<Self> {
        systems.iter().position(|other| other.row.id == system && other.org == org).map(Self)
    }
}

impl Index<SystemIndex> for Vec<LockedSystem> {
    type Output = LockedSystem;

    fn index(&self, SystemIndex(index): SystemIndex) -> &LockedSystem {
        &self[index]
    }
}

impl IndexMut<SystemIndex> for Vec<LockedSystem> {
    fn index_mut(&mut self, SystemIndex(index): SystemIndex) -> &mut LockedSystem {
        &mut self[index]
    }
}

#[derive(QueryableByName)]
pub(super) struct SystemRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = Text)]
    pub org_id: String,
    #[diesel(sql_type = Text)]
    state: SystemState,
    #[diesel(sql_type = BigInt)]
    pub last_seq: i64,
    #[diesel(sql_type = Array<Timestamptz>)]
    pub recent_admissions: Vec<DateTime<Utc>>,
    /// The organization's own quota.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub quota_bytes: Option<i64>,
    /// The time by the database's clock when this row was locked; later the entry of the last admission, which is not
    /// earlier.
    #[diesel(sql_type = Timestamptz)]
    pub db_time: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    refused_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Text>)]
    refused_reason: Option<String>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    refused_since: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    refused_upload_at: Option<DateTime<Utc>>,
}

impl SystemRow {
    fn refusal(&self) -> Option<StandingRefusal> {
        // A reason of a later version is one that this version does not know.
        let reason = self.refused_reason.as_deref()?;
        let reason = RefusalReason::parse(reason).unwrap_or(RefusalReason::Unavailable);
        let last = RefusedAttempt { reason, sent_at: self.refused_upload_at?, refused_at: self.refused_at? };
        Some(StandingRefusal { last, since: self.refused_since? })
    }
}

/// Locks the systems, in the order of their ids. A system that has moved to another organization is treated as gone.
///
/// The time is read for rows that the sub-select returns, and those are locked already. (With `FOR UPDATE` in the outer
/// select the time would be read before the lock.)
///
/// The quota changes only under the organization's lock. This statement begins after that lock was taken, so it reads the
/// current quota. Read in the statement that waits for the lock, the quota could be older than the lock.
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
        let org = OrgIndex::find(totals, &row.org_id)?;
        let (rows, backups, uploads) = (vec![], vec![], vec![]);
        Some(LockedSystem {
            org,
            refusal: row.refusal(),
            row,
            rows,
            backups,
            uploads,
            changed: false,
            window_changed: false,
            released_slots: 0,
            last_refusal: None,
            admitted_at: None,
            seen: None,
        })
    };
    Ok(rows.into_iter().filter_map(system).collect())
}

/// A row of a stored backup or an open upload as it was read.
#[derive(Queryable, Selectable)]
#[diesel(table_name = backups)]
pub(super) struct LockedBackup {
    pub id: Uuid,
    system_id: Uuid,
    pub state: BackupState,
    pub extension: String,
    pub filename: String,
    pub remote_addr: Option<IpNet>,
    pub admitted_at: DateTime<Utc>,
    pub window_entry: Option<DateTime<Utc>>,
    want_bytes: i64,
    reserved_bytes: i64,
    pub pledged_to: Option<Uuid>,
    pub seq: Option<i64>,
    size_bytes: Option<i64>,
    pub uploaded_at: Option<DateTime<Utc>>,
    pub damage: Option<String>,
}

impl LockedBackup {
    pub fn as_upload(&self) -> OpenUpload {
        OpenUpload {
            id: self.id,
            wanted_bytes: from_bigint(self.want_bytes),
            reserved: from_bigint(self.reserved_bytes),
        }
    }

    fn as_backup(&self) -> StoredBackup {
        let size = from_bigint(self.size_bytes.unwrap_or(0));
        StoredBackup { id: self.id, size, pledged_to: self.pledged_to }
    }
}

/// Reads the systems' backups and uploads, and stores them in `systems`. They need no lock of their own: whoever changes one that
/// is not retired has locked its system. A lock would write each row once more.
pub(super) fn read(conn: &mut Conn, systems: &mut [LockedSystem]) -> Result<(), DbError> {
    let ids: Vec<Uuid> = systems.iter().map(|system| system.row.id).collect();
    let query = backups::table
        .filter(backups::system_id.eq_any(ids).and(backups::state.ne(BackupState::Retired)))
        .select(LockedBackup::as_select());
    let mut rows = query.load(conn)?;
    rows.sort_by_key(|row: &LockedBackup| (row.seq, row.admitted_at, row.id));
    for system in systems {
        let (own, others) = rows.into_iter().partition(|row| row.system_id == system.row.id);
        (system.rows, rows) = (own, others);
        // The rows may have been read before.
        (system.uploads, system.backups) = (vec![], vec![]);
        for row in &system.rows {
            match row.state {
                BackupState::Receiving => system.uploads.push(row.as_upload()),
                BackupState::Stored => system.backups.push(row.as_backup()),
                // The query does not return retired rows.
                BackupState::Retired => {}
            }
        }
    }
    Ok(())
}
