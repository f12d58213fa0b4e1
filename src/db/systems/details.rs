//! What support needs to know about one system.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use serde::Serialize;

use super::super::backup_requests::{self, BackupRequest};
use super::super::{Conn, DbError};
use super::summary::SystemSummary;

/// A system with what else the database knows about it.
#[derive(Debug, Serialize)]
pub struct SystemDetails {
    #[serde(flatten)]
    pub system: SystemSummary,
    #[serde(flatten)]
    pub more: MoreDetails,
    /// The newest backup request that is open.
    pub open_request: Option<BackupRequest>,
}

#[derive(Debug, Serialize, QueryableByName)]
pub struct MoreDetails {
    #[diesel(sql_type = Text)]
    pub org_name: String,
    /// `never`, `fresh` or `late`.
    #[diesel(sql_type = Text)]
    pub freshness: String,
    /// The periods that apply, in seconds; no contact period: `None`.
    #[diesel(sql_type = BigInt)]
    pub backup_period_in_force_seconds: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub contact_period_in_force_seconds: Option<i64>,
    /// Where they are set: `system`, `organization`, `default`; no contact period: `None`.
    #[diesel(sql_type = Text)]
    pub backup_period_from: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub contact_period_from: Option<String>,
    /// From which address the system was last heard of.
    #[diesel(sql_type = Nullable<Text>)]
    pub last_seen_from: Option<String>,
    /// Until when the secret before the last rotation is valid; `None`: it is not.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub previous_secret_until: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub last_refusal_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Text>)]
    pub last_refusal_reason: Option<String>,
    /// When its credential was last refused.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub last_credential_refusal_at: Option<DateTime<Utc>>,
}

/// Returns the details of the system; `None` if it is gone.
pub fn details(conn: &mut Conn, system: SystemSummary) -> Result<Option<SystemDetails>, DbError> {
    let more: Option<MoreDetails> = diesel::sql_query(
        "SELECT v.org_name, v.freshness, v.last_refusal_at, v.last_refusal_reason, v.last_credential_refusal_at, \
             extract(epoch FROM s.backup_period_in_force)::bigint AS backup_period_in_force_seconds, \
             extract(epoch FROM s.contact_period_in_force)::bigint AS contact_period_in_force_seconds, \
             CASE WHEN s.backup_period IS NOT NULL THEN 'system' WHEN o.backup_period IS NOT NULL THEN 'organization' \
                 ELSE 'default' END AS backup_period_from, \
             CASE WHEN s.contact_period IS NOT NULL THEN 'system' WHEN o.contact_period IS NOT NULL THEN 'organization' \
                 END AS contact_period_from, \
             host(s.last_seen_from) AS last_seen_from, \
             CASE WHEN s.previous_secret_until > statement_timestamp() THEN s.previous_secret_until END \
                 AS previous_secret_until \
         FROM systems s JOIN organizations o ON o.id = s.org_id JOIN support_systems v ON v.system_id = s.id \
         WHERE s.id = $1",
    )
    .bind::<SqlUuid, _>(system.id)
    .get_result(conn)
    .optional()?;
    let Some(more) = more else { return Ok(None) };
    let open_request = backup_requests::open_of(conn, system.id)?.pop();
    Ok(Some(SystemDetails { system, more, open_request }))
}
