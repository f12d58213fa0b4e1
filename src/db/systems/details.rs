//! What support needs to know about one system.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text, Timestamptz, Uuid as SqlUuid};
use serde::Serialize;

use super::super::backup_requests::{self, BackupRequest};
use super::super::{Conn, DbError};
use super::find::SystemSummary;

/// A system with the facts of the view `support_systems`.
#[derive(Debug, Serialize)]
pub struct SystemDetails {
    #[serde(flatten)]
    pub system: SystemSummary,
    pub org_name: String,
    /// `never`, `fresh` or `late`.
    pub freshness: String,
    /// When the appliance last reported that its configuration has not changed.
    pub last_unchanged_at: Option<DateTime<Utc>>,
    /// The newest backup request that is open.
    pub open_request: Option<BackupRequest>,
    pub last_refusal_at: Option<DateTime<Utc>>,
    pub last_refusal_reason: Option<String>,
    /// When its credential was last refused.
    pub last_credential_refusal_at: Option<DateTime<Utc>>,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    org_name: String,
    #[diesel(sql_type = Text)]
    freshness: String,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    last_unchanged_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    last_refusal_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Text>)]
    last_refusal_reason: Option<String>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    last_credential_refusal_at: Option<DateTime<Utc>>,
}

/// Returns the details of the system; `None` if it is gone.
pub fn details(conn: &mut Conn, system: SystemSummary) -> Result<Option<SystemDetails>, DbError> {
    let row: Option<Row> = diesel::sql_query(
        "SELECT org_name, freshness, last_unchanged_at, last_refusal_at, last_refusal_reason, \
             last_credential_refusal_at \
         FROM support_systems WHERE system_id = $1",
    )
    .bind::<SqlUuid, _>(system.id)
    .get_result(conn)
    .optional()?;
    let Some(row) = row else { return Ok(None) };
    let open_request = backup_requests::open_of(conn, system.id)?.pop();
    Ok(Some(SystemDetails {
        system,
        org_name: row.org_name,
        freshness: row.freshness,
        last_unchanged_at: row.last_unchanged_at,
        open_request,
        last_refusal_at: row.last_refusal_at,
        last_refusal_reason: row.last_refusal_reason,
        last_credential_refusal_at: row.last_credential_refusal_at,
    }))
}
