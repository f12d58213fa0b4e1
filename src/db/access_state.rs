//! What decides whether an access that was granted to a system, or for it, is still valid.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use uuid::Uuid;

use super::schema::systems;
use super::{Conn, DbError};
use crate::domain::row_state::SystemState;

/// Differs from an earlier one if the system was suspended, resumed or marked for destruction, or its secret was replaced:
/// then what was granted before is no longer valid.
#[derive(Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = systems)]
pub struct AccessState {
    pub state: SystemState,
    pub secret_sha256: Vec<u8>,
    /// When it was last suspended: it may have been resumed since.
    pub suspended_at: Option<DateTime<Utc>>,
}

/// The access state of a system; `None` if there is no such system.
pub fn of(conn: &mut Conn, system: Uuid) -> Result<Option<AccessState>, DbError> {
    Ok(systems::table.find(system).select(AccessState::as_select()).first(conn).optional()?)
}

/// The access states of those systems that exist.
pub fn of_all(conn: &mut Conn, ids: &[Uuid]) -> Result<HashMap<Uuid, AccessState>, DbError> {
    let found: Vec<(Uuid, AccessState)> = systems::table
        .filter(systems::id.eq_any(ids))
        .select((systems::id, AccessState::as_select()))
        .load(conn)?;
    Ok(found.into_iter().collect())
}
