//! Reading under the locks.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use uuid::Uuid;

use super::super::schema::{backups, organizations, systems};
use super::super::{Conn, DbError, from_bigint, organizations as orgs};
use super::operation::Policy;
use crate::domain::accounting::{Ledger, Limits, OpenUpload, StoredBackup};

/// The organization's books while its row is locked.
pub(super) struct Books {
    pub org_id: String,
    pub stored: u64,
    pub reserved: u64,
    pub limits: Limits,
}

/// Locks the organization; `None` if there is none.
pub(super) fn lock_org(conn: &mut Conn, org: &str, policy: &Policy) -> Result<Option<Books>, DbError> {
    let Some((stored, reserved)) = orgs::lock(conn, org)? else { return Ok(None) };
    let quota: Option<i64> = organizations::table.find(org).select(organizations::quota_bytes).first(conn)?;
    let limits = Limits { retention: policy.retention, quota: orgs::quota_of(quota, policy.default_quota) };
    Ok(Some(Books {
        org_id: org.to_owned(),
        stored: from_bigint(stored),
        reserved: from_bigint(reserved),
        limits,
    }))
}

/// A system's row while it is locked.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = systems)]
pub(super) struct SystemRow {
    pub id: Uuid,
    pub org_id: String,
    pub state: String,
    pub last_seq: i64,
    pub recent_admissions: Vec<Option<DateTime<Utc>>>,
}

impl SystemRow {
    pub fn is_active(&self) -> bool {
        self.state == "active"
    }
}

/// Locks the systems by id. One that has moved to another organization is as good as gone.
pub(super) fn lock_systems(conn: &mut Conn, org: &str, ids: &[Uuid]) -> Result<Vec<SystemRow>, DbError> {
    let rows: Vec<SystemRow> = systems::table
        .filter(systems::id.eq_any(ids))
        .order(systems::id)
        .select(SystemRow::as_select())
        .for_no_key_update()
        .load(conn)?;
    Ok(rows.into_iter().filter(|row| row.org_id == org).collect())
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = backups)]
struct BackupRow {
    id: Uuid,
    state: String,
    seq: Option<i64>,
    admitted_at: DateTime<Utc>,
    size_bytes: Option<i64>,
    want_bytes: i64,
    reserved_bytes: i64,
    pledged_to: Option<Uuid>,
}

/// Locks the system's backups and uploads by id, and builds its ledger.
pub(super) fn read(conn: &mut Conn, books: &Books, system: Uuid) -> Result<Ledger, DbError> {
    let mut rows: Vec<BackupRow> = backups::table
        .filter(backups::system_id.eq(system).and(backups::state.ne("retired")))
        .order(backups::id)
        .select(BackupRow::as_select())
        .for_no_key_update()
        .load(conn)?;
    rows.sort_by_key(|row| (row.seq, row.admitted_at, row.id));
    let (open, stored): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.state == "receiving");
    Ok(Ledger {
        stored_bytes: books.stored,
        reserved_bytes: books.reserved,
        backups: stored
            .into_iter()
            .map(|row| StoredBackup {
                id: row.id,
                size: from_bigint(row.size_bytes.unwrap_or(0)),
                pledged_to: row.pledged_to,
            })
            .collect(),
        uploads: open
            .into_iter()
            .map(|row| OpenUpload {
                id: row.id,
                want: from_bigint(row.want_bytes),
                reserved: from_bigint(row.reserved_bytes),
            })
            .collect(),
        pruned: vec![],
    })
}

/// The clock, asked after the locks: `now()` stands still from before the wait for them.
pub(super) fn clock(conn: &mut Conn) -> Result<DateTime<Utc>, DbError> {
    diesel::define_sql_function! { fn clock_timestamp() -> Timestamptz }
    Ok(diesel::select(clock_timestamp()).get_result(conn)?)
}
