//! Locks systems, and reads their rows.

use std::net::IpAddr;
use std::ops::{Index, IndexMut};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::super::prepared::prepared;
use super::super::{Conn, DbError, from_bigint, to_bigint};
use super::locked_backup::LockedBackup;
use super::operation::Operation;
use super::org_totals::{LockMode, OrgIndex, OrgTotals};
use crate::domain::accounting::{OpenUpload, StoredBackup};
use crate::domain::refusal::{RefusalReason, RefusedAttempt, StandingRefusal};
use crate::domain::retention::Unread;
use crate::domain::row_state::SystemState;

macro_rules! lock_systems {
    () => {
        "SELECT locked.*, clock_timestamp() AS db_time, \
             (SELECT quota_bytes FROM organizations WHERE organizations.id = locked.org_id) AS quota_bytes \
         FROM (SELECT id, org_id, state, last_seq, recent_admissions, refused_at, refused_reason, refused_since, \
                 refused_upload_at, backups_kept, bytes_kept FROM systems \
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
    /// The stored backups as they are now, oldest first, without `unread`.
    pub backups: Vec<StoredBackup>,
    /// The stored backups that were not read (`read_backups.rs`).
    pub unread: Unread,
    /// What the operations of this transaction need to know about the backups.
    pub needs: Needs,
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
    /// Notes that everything was written.
    pub fn note_written(&mut self) {
        if self.changed {
            let facts = self.kept();
            (self.row.backups_kept, self.row.bytes_kept) = (to_bigint(facts.count), to_bigint(facts.bytes));
        }
        (self.changed, self.window_changed, self.released_slots) = (false, false, 0);
        (self.last_refusal, self.seen) = (None, None);
    }

    /// Returns how many backups are stored now, and how large they are.
    fn kept(&self) -> Unread {
        let bytes: u64 = self.backups.iter().map(|backup| backup.size).sum();
        Unread { count: self.unread.count + self.backups.len() as u64, bytes: self.unread.bytes + bytes }
    }

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
    /// that was admitted earlier may be stored later. But then that one was open when this one was admitted, so it is among the
    /// [`MAX_OPEN_UPLOADS`](crate::domain::accounting::MAX_OPEN_UPLOADS) newest, which are always read.
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

/// What the operations on a system need to know about its backups.
#[derive(Default)]
pub(super) struct Needs {
    /// The bytes of each upload that they admit or grant more.
    pub wanted_bytes: Vec<u64>,
    /// Whether they may name any backup.
    pub any_backup: bool,
}

impl Needs {
    pub fn add(&mut self, operation: &Operation) {
        match operation {
            Operation::Admit(op) => self.wanted_bytes.push(op.wanted_bytes),
            Operation::Grow(op) => self.wanted_bytes.push(op.wanted_bytes),
            Operation::Store(op) => self.wanted_bytes.push(op.admission.wanted_bytes),
            Operation::Delete(_) => self.any_backup = true,
            // The bytes of an open upload are known.
            Operation::Commit(_) | Operation::Abort(_) => {}
        }
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
    /// The number of stored backups, and the sum of their sizes.
    #[diesel(sql_type = BigInt)]
    backups_kept: i64,
    #[diesel(sql_type = BigInt)]
    bytes_kept: i64,
}

impl SystemRow {
    /// Returns how many backups are stored, and how large they are, as the row was read.
    pub fn kept(&self) -> Unread {
        Unread { count: from_bigint(self.backups_kept), bytes: from_bigint(self.bytes_kept) }
    }

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
            unread: Unread::default(),
            needs: Needs::default(),
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
