//! One system with everything that the management API shows of it.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Uuid as SqlUuid};
use uuid::Uuid;

use super::super::{Conn, DbError};
use super::summary::{COLUMNS, FROM, SystemSummary};

#[derive(Debug, Clone, QueryableByName)]
pub struct SystemInFull {
    #[diesel(embed)]
    pub system: SystemSummary,
    /// Its organization and all above it.
    #[diesel(sql_type = Array<Text>)]
    pub org_path: Vec<String>,
    /// The periods that apply, in seconds; no contact period: `None`.
    #[diesel(sql_type = BigInt)]
    pub backup_period_in_force_seconds: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub contact_period_in_force_seconds: Option<i64>,
    /// Uploads that count for the rate limits at this moment.
    #[diesel(sql_type = BigInt)]
    pub uploads_last_minute: i64,
    #[diesel(sql_type = BigInt)]
    pub uploads_last_hour: i64,
}

/// Returns the system with this id, also if it is being destroyed.
pub fn in_full(conn: &mut Conn, id: Uuid) -> Result<Option<SystemInFull>, DbError> {
    let sql = format!(
        "SELECT {COLUMNS}, org_and_above(s.org_id) AS org_path, \
             extract(epoch FROM s.backup_period_in_force)::bigint AS backup_period_in_force_seconds, \
             extract(epoch FROM s.contact_period_in_force)::bigint AS contact_period_in_force_seconds, \
             (SELECT count(*) FROM unnest(s.recent_admissions) AS admitted (at) \
                 WHERE admitted.at > statement_timestamp() - interval '1 minute') AS uploads_last_minute, \
             (SELECT count(*) FROM unnest(s.recent_admissions) AS admitted (at) \
                 WHERE admitted.at > statement_timestamp() - interval '1 hour') AS uploads_last_hour \
         FROM {FROM} WHERE s.id = $1"
    );
    Ok(diesel::sql_query(sql).bind::<SqlUuid, _>(id).get_result(conn).optional()?)
}
