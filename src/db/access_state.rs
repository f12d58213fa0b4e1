//! The state of a system that decides whether an access, granted to the system or for it, is still valid.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::{Binary, Nullable};
use uuid::Uuid;

use super::schema::systems;
use super::{Conn, DbError};
use crate::domain::row_state::SystemState;

/// The SQL of the hash of a system's previous secret, while that is valid.
macro_rules! previous_secret {
    () => {
        "CASE WHEN systems.previous_secret_until > clock_timestamp() THEN systems.previous_secret_sha256 END"
    };
}
pub(super) use previous_secret;

/// A state of a system under which an access was granted. It changes when the system is suspended, resumed or marked for
/// destruction, and when its secret is replaced.
#[derive(Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = systems)]
pub struct AccessState {
    pub state: SystemState,
    pub secret_sha256: Vec<u8>,
    /// When the system was last suspended. It may have been resumed since.
    pub suspended_at: Option<DateTime<Utc>>,
}

/// The present state of a system. An access is valid if it was granted under this state, or under the same state with the
/// previous secret while that is valid.
#[derive(Clone, Queryable, Selectable)]
#[diesel(table_name = systems)]
pub struct CurrentAccess {
    #[diesel(embed)]
    pub present: AccessState,
    /// The hash of the secret before the last rotation, if it is still valid.
    #[diesel(select_expression = previous_secret_expression(), select_expression_type = PreviousSecret)]
    pub previous_secret_sha256: Option<Vec<u8>>,
}

/// The SQL expression of [`CurrentAccess::previous_secret_sha256`].
type PreviousSecret = SqlLiteral<Nullable<Binary>>;

fn previous_secret_expression() -> PreviousSecret {
    sql(previous_secret!())
}

impl CurrentAccess {
    /// Returns the states under which a valid access may have been granted; the present one comes first.
    pub fn states(&self) -> impl Iterator<Item = AccessState> {
        let before = |secret: &Vec<u8>| AccessState { secret_sha256: secret.clone(), ..self.present.clone() };
        [Some(self.present.clone()), self.previous_secret_sha256.as_ref().map(before)].into_iter().flatten()
    }

    /// Returns whether an access that was granted under this state is still valid.
    pub fn permits(&self, granted: &AccessState) -> bool {
        self.states().any(|state| state == *granted)
    }

    /// Returns whether the system is active and a secret with this hash is valid.
    pub fn has_secret(&self, sha256: &[u8]) -> bool {
        self.present.state.is_active() && self.states().any(|state| state.secret_sha256 == sha256)
    }
}

/// Returns the access state of a system; `None` if there is no such system.
pub fn of(conn: &mut Conn, system: Uuid) -> Result<Option<AccessState>, DbError> {
    Ok(systems::table.find(system).select(AccessState::as_select()).first(conn).optional()?)
}

/// Returns the access states of those systems that exist.
pub fn of_all(conn: &mut Conn, ids: &[Uuid]) -> Result<HashMap<Uuid, CurrentAccess>, DbError> {
    let found: Vec<(Uuid, CurrentAccess)> = systems::table
        .filter(systems::id.eq_any(ids))
        .select((systems::id, CurrentAccess::as_select()))
        .load(conn)?;
    Ok(found.into_iter().collect())
}
