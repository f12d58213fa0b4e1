//! Deletes an organization.

use diesel::prelude::*;
use serde_json::json;

use super::super::events::{self, Event};
use super::super::schema::{org_usage, organizations, systems};
use super::super::{Conn, DbError};
use super::{lock, tree};
use crate::domain::event_kind::EventKind;
use crate::domain::ids::OrgId;
use crate::domain::row_state::SystemState;

/// The result of [`delete`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrgDeletion {
    Done,
    NotFound,
    /// The organization has systems, and nothing was changed.
    HasSystems(OrgSystems),
    /// This many organizations are directly below it, and nothing was changed.
    HasChildren(i64),
}

/// The number of an organization's systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrgSystems {
    pub all: i64,
    /// How many of them are being destroyed. They keep their rows until the last tombstone is dropped.
    pub destroying: i64,
}

/// Deletes an organization without systems and without organizations below it, and its totals.
///
/// The lock of the tree waits for an organization that is being placed below this one. The lock of the organization's row waits for a system that is being
/// added, and nobody can add another one until the deletion is committed.
pub fn delete(conn: &mut Conn, id: &OrgId) -> Result<OrgDeletion, DbError> {
    conn.transaction(|conn| {
        tree::lock(conn)?;
        lock(conn, id.as_str())?;
        let name: Option<String> = organizations::table
            .find(id.as_str())
            .select(organizations::name)
            .for_update()
            .first(conn)
            .optional()?;
        let Some(name) = name else { return Ok(OrgDeletion::NotFound) };
        let children = tree::count_children(conn, id)?;
        if children > 0 {
            return Ok(OrgDeletion::HasChildren(children));
        }
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
