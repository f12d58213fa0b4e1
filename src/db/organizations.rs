//! The tables `organizations` and `org_usage`: organizations, their quotas and their totals.

use diesel::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};

use super::events::{self, Event};
use super::schema::{org_usage, organizations, systems};
use super::{Conn, DbError, from_bigint, service_defaults, to_bigint};
use crate::domain::event_kind::EventKind;
use crate::domain::ids::OrgId;
use crate::domain::row_state::SystemState;

/// An organization's own quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quota {
    /// The service's default applies.
    Default,
    Unlimited,
    /// At least 1.
    Bytes(u64),
}

impl Quota {
    fn to_column(self) -> Option<i64> {
        match self {
            Self::Default => None,
            Self::Unlimited => Some(0),
            Self::Bytes(bytes) => Some(to_bigint(bytes)),
        }
    }

    fn from_column(column: Option<i64>) -> Self {
        match column {
            None => Self::Default,
            Some(0) => Self::Unlimited,
            Some(bytes) => Self::Bytes(from_bigint(bytes)),
        }
    }

    /// Returns the quota for the history: bytes, `none` or `default`, as the command line takes it.
    fn to_json(self) -> Value {
        match self {
            Self::Default => json!("default"),
            Self::Unlimited => json!("none"),
            Self::Bytes(bytes) => json!(bytes),
        }
    }

    /// Returns the quota that applies, in bytes; `None`: unlimited.
    pub fn effective(self, default: Option<u64>) -> Option<u64> {
        match self {
            Self::Default => default,
            Self::Unlimited => None,
            Self::Bytes(bytes) => Some(bytes),
        }
    }
}

/// Returns the quota that applies, in bytes, from the column `organizations.quota_bytes`; `None`: unlimited.
pub(super) fn quota_of(column: Option<i64>, default: Option<u64>) -> Option<u64> {
    Quota::from_column(column).effective(default)
}

/// An organization with its totals, as the command line shows it.
#[derive(Debug, Serialize)]
pub struct OrgSummary {
    pub id: String,
    pub name: String,
    pub systems: i64,
    pub stored_bytes: u64,
    pub reserved_bytes: u64,
    /// The quota that applies; `None`: unlimited.
    pub quota_bytes: Option<u64>,
    /// Whether that quota is the service's default.
    pub quota_is_default: bool,
}

/// Adds an organization with totals of 0; [`DbError::Exists`] if the id is taken.
pub fn add(conn: &mut Conn, id: &OrgId, name: &str, quota: Quota) -> Result<(), DbError> {
    conn.transaction(|conn| {
        diesel::insert_into(organizations::table)
            .values((
                organizations::id.eq(id.as_str()),
                organizations::name.eq(name),
                organizations::quota_bytes.eq(quota.to_column()),
            ))
            .execute(conn)?;
        diesel::insert_into(org_usage::table).values(org_usage::org_id.eq(id.as_str())).execute(conn)?;
        let detail = json!({ "name": name, "quota": quota.to_json() });
        events::write(conn, &[Event::by_operator(EventKind::OrgAdded, id.as_str(), None, detail)])
    })
}

/// Sets the quota; `false` if there is no such organization. Holds the lock of the totals, so that an admission sees the old
/// quota or the new one.
pub fn set_quota(conn: &mut Conn, id: &OrgId, quota: Quota) -> Result<bool, DbError> {
    conn.transaction(|conn| {
        lock(conn, id.as_str())?;
        let before: Option<Option<i64>> = organizations::table
            .find(id.as_str())
            .select(organizations::quota_bytes)
            .first(conn)
            .optional()?;
        let Some(before) = before.map(Quota::from_column) else { return Ok(false) };
        diesel::update(organizations::table.find(id.as_str()))
            .set(organizations::quota_bytes.eq(quota.to_column()))
            .execute(conn)?;
        let detail = json!({ "old": before.to_json(), "new": quota.to_json() });
        events::write(conn, &[Event::by_operator(EventKind::QuotaSet, id.as_str(), None, detail)])?;
        Ok(true)
    })
}

/// Sets the name for people; `false` if there is no such organization.
pub fn rename(conn: &mut Conn, id: &OrgId, name: &str) -> Result<bool, DbError> {
    conn.transaction(|conn| {
        let old: Option<String> = organizations::table
            .find(id.as_str())
            .select(organizations::name)
            .for_no_key_update()
            .first(conn)
            .optional()?;
        let Some(old) = old else { return Ok(false) };
        if old != name {
            diesel::update(organizations::table.find(id.as_str()))
                .set(organizations::name.eq(name))
                .execute(conn)?;
            let detail = json!({ "old": old, "new": name });
            events::write(conn, &[Event::by_operator(EventKind::OrgRenamed, id.as_str(), None, detail)])?;
        }
        Ok(true)
    })
}

/// The result of [`delete`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrgDeletion {
    Done,
    NotFound,
    /// The organization has systems, and nothing was changed.
    HasSystems(OrgSystems),
}

/// The number of an organization's systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrgSystems {
    pub all: i64,
    /// How many of them are being destroyed. They keep their rows until the last tombstone is dropped.
    pub destroying: i64,
}

/// Deletes an organization without systems, and its totals.
///
/// The lock of the totals is taken first, as everywhere. The lock of the organization's row waits for a system that is being
/// added, and nobody can add another one until the deletion is committed.
pub fn delete(conn: &mut Conn, id: &OrgId) -> Result<OrgDeletion, DbError> {
    conn.transaction(|conn| {
        lock(conn, id.as_str())?;
        let name: Option<String> = organizations::table
            .find(id.as_str())
            .select(organizations::name)
            .for_update()
            .first(conn)
            .optional()?;
        let Some(name) = name else { return Ok(OrgDeletion::NotFound) };
        let systems = count_systems(conn, id)?;
        if systems.all > 0 {
            return Ok(OrgDeletion::HasSystems(systems));
        }
        diesel::delete(org_usage::table.find(id.as_str())).execute(conn)?;
        diesel::delete(organizations::table.find(id.as_str())).execute(conn)?;
        let detail = json!({ "name": name });
        events::write(conn, &[Event::by_operator(EventKind::OrgDeleted, id.as_str(), None, detail)])?;
        Ok(OrgDeletion::Done)
    })
}

/// Returns the number of an organization's systems.
pub fn count_systems(conn: &mut Conn, id: &OrgId) -> Result<OrgSystems, DbError> {
    let states: Vec<SystemState> =
        systems::table.filter(systems::org_id.eq(id.as_str())).select(systems::state).load(conn)?;
    let destroying = states.iter().filter(|state| **state == SystemState::Destroying).count();
    let count = |number| i64::try_from(number).unwrap_or(i64::MAX);
    Ok(OrgSystems { all: count(states.len()), destroying: count(destroying) })
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

/// Returns all organizations, or only the one with this id, in the order of their ids.
pub fn list(conn: &mut Conn, only: Option<&OrgId>) -> Result<Vec<OrgSummary>, DbError> {
    let default = service_defaults::default_quota(conn)?;
    let mut query = organizations::table
        .inner_join(org_usage::table)
        .select((
            organizations::id,
            organizations::name,
            organizations::quota_bytes,
            org_usage::stored_bytes,
            org_usage::reserved_bytes,
        ))
        .order(organizations::id)
        .into_boxed();
    if let Some(id) = only {
        query = query.filter(organizations::id.eq(id.as_str()));
    }
    let rows: Vec<(String, String, Option<i64>, i64, i64)> = query.load(conn)?;
    let counts: Vec<(String, i64)> = systems::table
        .group_by(systems::org_id)
        .select((systems::org_id, diesel::dsl::count_star()))
        .load(conn)?;
    let summary = |(id, name, quota, stored, reserved): (String, _, Option<i64>, _, _)| OrgSummary {
        systems: counts.iter().find(|(org, _)| *org == id).map_or(0, |(_, count)| *count),
        id,
        name,
        stored_bytes: from_bigint(stored),
        reserved_bytes: from_bigint(reserved),
        quota_bytes: quota_of(quota, default),
        quota_is_default: quota.is_none(),
    };
    Ok(rows.into_iter().map(summary).collect())
}
