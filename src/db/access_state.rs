//! The state of a system that decides whether an access, granted to the system or for it, is still valid.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use uuid::Uuid;

use super::schema::systems;
use super::{Conn, DbError};
use crate::domain::row_state::SystemState;

/// The access state of a system. It changes when the system is suspended, resumed or marked for destruction, and when its
/// secret is replaced. An access that was granted under another state is no longer valid.
#[derive(Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = systems)]
pub struct AccessState {
    pub state: SystemState,
    pub secret_sha256: Vec<u8>,
    /// When the system was last suspended. It may have been resumed since.
    pub suspended_at: Option<DateTime<Utc>>,
}

/// Returns the access state of a system; `None` if there is no such system.
pub fn of(conn: &mut Conn, system: Uuid) -> Result<Option<AccessState>, DbError> {
    Ok(systems::table.find(system).select(AccessState::as_select()).first(conn).optional()?)
}

/// Returns the access states of those systems that exist.
pub fn of_all(conn: &mut Conn, ids: &[Uuid]) -> Result<HashMap<Uuid, AccessState>, DbError> {
    let found: Vec<(Uuid, AccessState)> = systems::table
        .filter(systems::id.eq_any(ids))
        .select((systems::id, AccessState::as_select()))
        .load(conn)?;
    Ok(found.into_iter().collect())
}
