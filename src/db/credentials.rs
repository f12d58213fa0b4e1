//! Queries the credentials of systems, for authentication.

use std::fmt;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::access_state::previous_secret;
use super::prepared::prepared;
use super::{Conn, DbError};
use crate::domain::row_state::SystemState;

/// The columns of a system that authentication, and the answers to an authenticated system, need.
#[derive(Clone, QueryableByName)]
pub struct CredentialRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = Text)]
    pub system_key: String,
    #[diesel(sql_type = Text)]
    pub org_id: String,
    #[diesel(sql_type = Binary)]
    pub secret_sha256: Vec<u8>,
    /// The hash of the secret before the last rotation, if it is still valid.
    #[diesel(sql_type = Nullable<Binary>)]
    pub previous_secret_sha256: Option<Vec<u8>>,
    #[diesel(sql_type = Text)]
    pub state: SystemState,
    #[diesel(sql_type = BigInt)]
    pub window_epoch: i64,
    /// The system's oldest open backup request.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub requested: Option<Uuid>,
    /// Whether the system has reported within the last minute that nothing has changed, and the report still counts.
    #[diesel(sql_type = Bool)]
    pub unchanged_lately: bool,
    /// When the system was last heard of, if that was within the last minute.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub seen_lately: Option<DateTime<Utc>>,
}

/// The hashes of the secrets are not shown.
impl fmt::Debug for CredentialRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, key, state) = (&self.id, &self.system_key, &self.state);
        let mut shown = f.debug_struct("CredentialRow");
        shown.field("id", id).field("system_key", key).field("state", state).finish_non_exhaustive()
    }
}

impl CredentialRow {
    pub fn is_active(&self) -> bool {
        self.state.is_active()
    }
}

/// Returns the rows of those system keys that exist.
pub fn find(conn: &mut Conn, keys: &[String]) -> Result<Vec<CredentialRow>, DbError> {
    let sql = concat!(
        "SELECT id, system_key, org_id, secret_sha256, ",
        previous_secret!(),
        " AS previous_secret_sha256, state, window_epoch, \
             (SELECT r.id FROM backup_requests r WHERE r.system_id = systems.id AND r.state IN ('pending', 'seen') \
                 AND r.expires_at > clock_timestamp() ORDER BY r.requested_at, r.id LIMIT 1) AS requested, \
             standing = 'stored' AND coalesce(unchanged_at > clock_timestamp() - interval '1 minute', false) \
                 AS unchanged_lately, \
             CASE WHEN last_seen_at > clock_timestamp() - interval '1 minute' THEN last_seen_at END AS seen_lately \
         FROM systems WHERE system_key = ANY($*)"
    );
    Ok(prepared(sql, keys.into_sql::<Array<Text>>()).load(conn)?)
}
