//! Locks organizations, and reads their totals.

use std::ops::{Index, IndexMut};

use diesel::prelude::*;
use diesel::sql_types::{Array, Text};

use super::super::prepared::prepared;
use super::super::schema::org_usage;
use super::super::{Conn, DbError, from_bigint};
use super::operation::{AccountingPolicy, OrgBatch};
use crate::domain::accounting::StorageLimits;

/// What a transaction does about rows that another one has locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LockMode {
    Wait,
    /// Skips the organizations that need them.
    SkipLocked,
}

/// An organization's totals while its row is locked, as the operations so far have left them.
pub(super) struct OrgTotals {
    pub org_id: String,
    pub stored: u64,
    pub reserved: u64,
    pub limits: StorageLimits,
}

/// The place of an organization in the transaction's totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OrgIndex(usize);

impl OrgIndex {
    pub fn find(totals: &[OrgTotals], org: &str) -> Option<Self> {
        totals.iter().position(|totals| totals.org_id == org).map(Self)
    }
}

impl Index<OrgIndex> for Vec<OrgTotals> {
    type Output = OrgTotals;

    fn index(&self, OrgIndex(index): OrgIndex) -> &OrgTotals {
        &self[index]
    }
}

impl IndexMut<OrgIndex> for Vec<OrgTotals> {
    fn index_mut(&mut self, OrgIndex(index): OrgIndex) -> &mut OrgTotals {
        &mut self[index]
    }
}

#[derive(QueryableByName)]
#[diesel(table_name = org_usage)]
struct Totals {
    org_id: String,
    stored_bytes: i64,
    reserved_bytes: i64,
}

/// Locks the organizations of the batches, in the order of their ids.
pub(super) fn lock(
    conn: &mut Conn,
    policy: &AccountingPolicy,
    batches: &[OrgBatch],
    lock_mode: LockMode,
) -> Result<Vec<OrgTotals>, DbError> {
    let ids: Vec<_> = batches.iter().map(|batch| batch.org.as_str()).collect();
    let sql = match lock_mode {
        LockMode::Wait => {
            "SELECT org_id, stored_bytes, reserved_bytes FROM org_usage WHERE org_id = ANY($*) \
             ORDER BY org_id FOR NO KEY UPDATE"
        }
        LockMode::SkipLocked => {
            "SELECT org_id, stored_bytes, reserved_bytes FROM org_usage WHERE org_id = ANY($*) \
             ORDER BY org_id FOR NO KEY UPDATE SKIP LOCKED"
        }
    };
    let rows: Vec<Totals> = prepared(sql, ids.into_sql::<Array<Text>>()).load(conn)?;
    // The quota is read later, with the systems (`lock_systems`). Until then nothing fits.
    let limits = StorageLimits { retention: policy.retention, quota: Some(0) };
    let totals = |row: Totals| {
        let (stored, reserved) = (from_bigint(row.stored_bytes), from_bigint(row.reserved_bytes));
        OrgTotals { org_id: row.org_id, stored, reserved, limits }
    };
    Ok(rows.into_iter().map(totals).collect())
}
