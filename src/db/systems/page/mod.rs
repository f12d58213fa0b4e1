//! Pages of systems, by keyset: a page begins behind the last system of the page before it, whatever was added, renamed, moved
//! or destroyed in between.

mod sql;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::super::{Conn, DbError};
use super::summary::SystemSummary;
use crate::domain::caller::VisibleOrgs;
use crate::domain::status::SystemStatus;

/// Which systems are listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemFilter {
    pub orgs: VisibleOrgs,
    /// Empty: every status.
    pub statuses: Vec<SystemStatus>,
    /// A part of the name or the key, in any letter case.
    pub text: Option<String>,
}

/// What systems are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortKey {
    /// The id. It is unique and never changes, and ids of systems that are added later are higher.
    Id,
    Name,
    /// Until when it is protected. Systems that never were come last.
    ProtectedUntil,
    /// Organization, name and key.
    OrgAndName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    pub key: SortKey,
    pub descending: bool,
}

/// The place of a system in a sorted list: the page behind it begins there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Position {
    Id(Uuid),
    Name(String, Uuid),
    ProtectedUntil(Option<DateTime<Utc>>, Uuid),
    OrgAndName { org: String, name: String, key: String },
}

impl Position {
    /// Returns the place of the system.
    pub fn of(system: &SystemSummary, key: SortKey) -> Self {
        match key {
            SortKey::Id => Self::Id(system.id),
            SortKey::Name => Self::Name(system.name.clone(), system.id),
            SortKey::ProtectedUntil => Self::ProtectedUntil(system.protected_until, system.id),
            SortKey::OrgAndName => Self::OrgAndName {
                org: system.org_id.clone(),
                name: system.name.clone(),
                key: system.system_key.clone(),
            },
        }
    }

    fn key(&self) -> SortKey {
        match self {
            Self::Id(_) => SortKey::Id,
            Self::Name(..) => SortKey::Name,
            Self::ProtectedUntil(..) => SortKey::ProtectedUntil,
            Self::OrgAndName { .. } => SortKey::OrgAndName,
        }
    }

    fn id(&self) -> Option<Uuid> {
        match self {
            Self::Id(id) | Self::Name(_, id) | Self::ProtectedUntil(_, id) => Some(*id),
            Self::OrgAndName { .. } => None,
        }
    }

    fn time(&self) -> Option<DateTime<Utc>> {
        if let Self::ProtectedUntil(time, _) = self { *time } else { None }
    }

    fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name, _) | Self::OrgAndName { name, .. } => Some(name),
            Self::Id(_) | Self::ProtectedUntil(..) => None,
        }
    }
}

/// Systems, and the place behind which the next page begins; `None`: this was the last one.
#[derive(Debug)]
pub struct SystemPage {
    pub systems: Vec<SystemSummary>,
    pub next: Option<Position>,
}

/// Returns the systems behind `after`, at most `limit` of them, with their status at this moment.
pub fn page(
    conn: &mut Conn,
    filter: &SystemFilter,
    sort: Sort,
    after: Option<&Position>,
    limit: usize,
) -> Result<SystemPage, DbError> {
    let none: &[String] = &[];
    let orgs = match &filter.orgs {
        VisibleOrgs::All => none,
        // Nothing is visible, so nothing is asked.
        VisibleOrgs::Of(ids) if ids.is_empty() => return Ok(SystemPage { systems: vec![], next: None }),
        VisibleOrgs::Of(ids) => ids,
    };
    let after = after.filter(|after| after.key() == sort.key);
    let (org, key) = match after {
        Some(Position::OrgAndName { org, key, .. }) => (Some(org.as_str()), Some(key.as_str())),
        _ => (None, None),
    };
    let statuses: Vec<&str> = filter.statuses.iter().map(|status| status.as_str()).collect();
    // One system more than the page has shows whether there is another page.
    let rows = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut systems: Vec<SystemSummary> = diesel::sql_query(sql::of(filter, sort, after))
        .into_boxed::<Pg>()
        .bind::<BigInt, _>(rows)
        .bind::<Nullable<SqlUuid>, _>(after.and_then(Position::id))
        .bind::<Nullable<Text>, _>(after.and_then(Position::name))
        .bind::<Nullable<Timestamptz>, _>(after.and_then(Position::time))
        .bind::<Array<Text>, _>(orgs)
        .bind::<Array<Text>, _>(statuses)
        .bind::<Nullable<Text>, _>(filter.text.as_deref())
        .bind::<Nullable<Text>, _>(org)
        .bind::<Nullable<Text>, _>(key)
        .load(conn)?;
    let is_last = systems.len() <= limit;
    systems.truncate(limit);
    let next = systems.last().filter(|_| !is_last).map(|last| Position::of(last, sort.key));
    Ok(SystemPage { systems, next })
}
