//! The tables `organizations` and `org_usage`: organizations, their place in the tree, their quotas and their totals.
//!
//! Transactions take these locks in this order: the lock of the tree ([`tree::lock`]), the lock of the totals ([`lock`]), rows of
//! `organizations`, rows of `systems`.

mod add;
mod change;
mod delete;
mod list;
mod scope;
mod tree;

use diesel::prelude::*;
use serde_json::{Value, json};

use super::schema::{org_usage, organizations};
use super::{Conn, DbError, from_bigint, service_defaults, to_bigint};
use crate::domain::author::Author;
use crate::domain::ids::OrgId;
use crate::domain::org_tree::Misplaced;
use crate::domain::organization::{OwnQuota, Period, Quota};

pub use add::add;
pub use change::change;
pub use delete::{OrgDeletion, OrgSystems, count_systems, delete};
pub use list::{OrgFilter, OrgSummary, all, find, list};
pub use scope::{and_above, and_below, is_visible, is_visible_to, visible};
pub use tree::count_children;

/// Why an organization was not added or changed. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrgRefusal {
    /// There is none with this id, or the author does not see it.
    NotFound,
    /// The same of the parent.
    ParentNotFound,
    /// The parent may not be above it.
    Misplaced(Misplaced),
    /// The author may not make this change.
    NotPermitted,
    /// The id is taken.
    Exists,
}

/// Returns the quota that applies, in bytes, from the column `organizations.quota_bytes`; `None`: unlimited.
pub(super) fn quota_of(column: Option<i64>, default: Option<u64>) -> Option<u64> {
    from_column(column).effective(default)
}

fn to_column(quota: Quota) -> Option<i64> {
    match quota {
        Quota::Default => None,
        Quota::Unlimited => Some(0),
        Quota::Bytes(bytes) => Some(to_bigint(bytes)),
    }
}

fn from_column(column: Option<i64>) -> Quota {
    match column {
        None => Quota::Default,
        Some(0) => Quota::Unlimited,
        Some(bytes) => Quota::Bytes(from_bigint(bytes)),
    }
}

/// Returns the quota for the history: bytes, `none` or `default`, as the command line takes it.
fn in_history(quota: Quota) -> Value {
    match quota {
        Quota::Default => json!("default"),
        Quota::Unlimited => json!("none"),
        Quota::Bytes(bytes) => json!(bytes),
    }
}

/// Returns what the author may give of quota; `None`: any.
fn own_quota(conn: &mut Conn, author: &Author) -> Result<Option<OwnQuota>, DbError> {
    let Some(own) = author.tree() else { return Ok(None) };
    let default = service_defaults::default_quota(conn)?;
    let column = organizations::table.find(own.as_str()).select(organizations::quota_bytes).first(conn)?;
    Ok(Some(OwnQuota { in_force: quota_of(column, default), default }))
}

/// Returns a period in seconds for SQL; `None`: inherited.
fn seconds(period: Period) -> Option<i64> {
    period.seconds().map(to_bigint)
}

/// Returns the ids of all organizations.
pub fn ids(conn: &mut Conn) -> Result<Vec<String>, DbError> {
    Ok(organizations::table.select(organizations::id).order(organizations::id).load(conn)?)
}

/// Whether there is such an organization.
pub fn exists(conn: &mut Conn, id: &OrgId) -> Result<bool, DbError> {
    Ok(diesel::select(diesel::dsl::exists(organizations::table.find(id.as_str()))).get_result(conn)?)
}

/// Locks the organization's totals, the first lock of every transaction that takes several. Returns stored and reserved bytes.
pub(super) fn lock(conn: &mut Conn, id: &str) -> Result<Option<(i64, i64)>, DbError> {
    Ok(org_usage::table
        .find(id)
        .select((org_usage::stored_bytes, org_usage::reserved_bytes))
        .for_no_key_update()
        .first(conn)
        .optional()?)
}
