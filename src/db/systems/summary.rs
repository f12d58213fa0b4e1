//! A system as lists and operators see it: its row, with its status at the time of the query.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use serde::Serialize;
use uuid::Uuid;

use crate::domain::refusal::RefusalReason;
use crate::domain::row_state::SystemState;
use crate::domain::status::SystemStatus;

/// A system with its status and the sums of its stored backups. Its JSON is that of the command line.
#[derive(Debug, Clone, Serialize, QueryableByName)]
pub struct SystemSummary {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = Text)]
    pub system_key: String,
    #[diesel(sql_type = Text)]
    pub org_id: String,
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = Text)]
    pub state: SystemState,
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
    /// How many stored backups it has.
    #[diesel(sql_type = BigInt, column_name = backups_kept)]
    pub backups: i64,
    /// The sum of their sizes in bytes.
    #[diesel(sql_type = BigInt, column_name = bytes_kept)]
    pub bytes: i64,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub last_backup_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Text)]
    pub status: SystemStatus,
    /// Why it has this status, a sentence for people.
    #[diesel(sql_type = Text)]
    pub status_reason: String,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub status_since: Option<DateTime<Utc>>,
    /// When time alone will change the status; `None`: it will not.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub changes_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub protected_until: Option<DateTime<Utc>>,
    /// When it last reported that its configuration has not changed.
    #[diesel(sql_type = Nullable<Timestamptz>, column_name = unchanged_at)]
    pub last_unchanged_at: Option<DateTime<Utc>>,
    /// When it was last heard of, to the minute.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub last_seen_at: Option<DateTime<Utc>>,
    /// Its own periods; `None`: inherited.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub backup_period_seconds: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub contact_period_seconds: Option<i64>,
    /// Why its last upload was refused, if nothing newer is stored.
    #[diesel(sql_type = Nullable<Text>)]
    pub refused_reason: Option<RefusalReason>,
}

/// The columns of [`SystemSummary`], of `systems s` and `system_status(s, ...) AS now`.
pub(super) const COLUMNS: &str = "s.id, s.system_key, s.org_id, s.name, s.state, s.created_at, s.backups_kept, \
     s.bytes_kept, s.last_backup_at, now.status, now.reason AS status_reason, now.since AS status_since, \
     now.changes_at, s.protected_until, s.unchanged_at, s.last_seen_at, \
     extract(epoch FROM s.backup_period)::bigint AS backup_period_seconds, \
     extract(epoch FROM s.contact_period)::bigint AS contact_period_seconds, s.refused_reason";

/// What [`COLUMNS`] are read from.
pub(super) const FROM: &str = "systems s CROSS JOIN LATERAL system_status(s, statement_timestamp()) AS now";
