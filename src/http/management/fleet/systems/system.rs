//! A system in JSON.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::schemas::{SystemStateSchema, SystemStatusSchema};
use crate::domain::row_state::SystemState;
use crate::domain::status::SystemStatus;
use crate::fleet::SystemSummary;
use crate::http::envelope;

/// A system, with its status at this moment. Times are RFC 3339 in UTC.
#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the names of the API")]
pub struct System {
    /// The id of the system.
    #[schema(value_type = String, format = "uuid", example = "018f3a5c-7b1e-7c3d-9a2b-0123456789ab")]
    id: Uuid,
    /// The user name of the system for the collect API.
    #[schema(example = "fw-01")]
    system_key: String,
    /// The name for people. It need not be unique.
    #[schema(example = "Main office")]
    name: String,
    /// The organization of the system.
    #[schema(example = "acme")]
    org_id: String,
    #[schema(value_type = SystemStateSchema)]
    state: SystemState,
    #[schema(value_type = SystemStatusSchema)]
    status: SystemStatus,
    /// Why it has this status, a sentence for people.
    #[schema(example = "protected until 2026-04-13 11:30 UTC")]
    status_reason: String,
    /// Since when it has this status, where that is known.
    #[schema(format = DateTime, example = "2026-04-12T09:30:00Z")]
    status_since: Option<String>,
    /// When time alone will change the status; `null`: it will not.
    #[schema(format = DateTime, example = "2026-04-13T11:30:00Z")]
    changes_at: Option<String>,
    /// Until when the newest backup, or the report of an unchanged configuration, protects it; `null`: nothing is stored.
    #[schema(format = DateTime, example = "2026-04-13T11:30:00Z")]
    protected_until: Option<String>,
    /// When its newest backup was stored.
    #[schema(format = DateTime, example = "2026-04-12T09:30:00Z")]
    last_backup_at: Option<String>,
    /// When it last reported that its configuration has not changed.
    #[schema(format = DateTime, example = "2026-04-12T09:00:00Z")]
    last_unchanged_at: Option<String>,
    /// When it was last heard of, to the minute.
    #[schema(format = DateTime, example = "2026-04-12T09:30:00Z")]
    last_seen_at: Option<String>,
    /// The number of its backups.
    #[schema(minimum = 0, example = 7)]
    backups_kept: i64,
    /// The total size of these backups in bytes.
    #[schema(minimum = 0, example = 580_608)]
    bytes_kept: i64,
    /// Its own backup period; `null`: that of its organization, or of the service.
    #[schema(minimum = 1, example = 93_600)]
    backup_period_seconds: Option<i64>,
    /// Its own contact period; `null`: that of its organization, or none.
    #[schema(minimum = 1, example = 900)]
    contact_period_seconds: Option<i64>,
    /// When the system was added.
    #[schema(format = DateTime, example = "2026-01-02T08:00:00Z")]
    created_at: String,
}

impl System {
    /// An example for the documentation.
    pub fn example() -> Self {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap_or_default();
        Self::from(SystemSummary {
            id: Uuid::from_u128(0x018f_3a5c_7b1e_7c3d_9a2b_0123_4567_89ab),
            system_key: "fw-01".to_owned(),
            org_id: "acme".to_owned(),
            name: "Main office".to_owned(),
            state: SystemState::Active,
            created_at: at(1_767_340_800),
            backups: 7,
            bytes: 580_608,
            last_backup_at: Some(at(1_775_986_200)),
            status: SystemStatus::Fresh,
            status_reason: "protected until 2026-04-13 11:30 UTC".to_owned(),
            status_since: Some(at(1_775_986_200)),
            changes_at: Some(at(1_776_079_800)),
            protected_until: Some(at(1_776_079_800)),
            last_unchanged_at: None,
            last_seen_at: Some(at(1_775_986_200)),
            backup_period_seconds: None,
            contact_period_seconds: None,
            refused_reason: None,
        })
    }
}

impl From<SystemSummary> for System {
    fn from(system: SystemSummary) -> Self {
        let time = |at: Option<DateTime<Utc>>| at.map(envelope::timestamp);
        Self {
            id: system.id,
            system_key: system.system_key,
            name: system.name,
            org_id: system.org_id,
            state: system.state,
            status: system.status,
            status_reason: system.status_reason,
            status_since: time(system.status_since),
            changes_at: time(system.changes_at),
            protected_until: time(system.protected_until),
            last_backup_at: time(system.last_backup_at),
            last_unchanged_at: time(system.last_unchanged_at),
            last_seen_at: time(system.last_seen_at),
            backups_kept: system.backups,
            bytes_kept: system.bytes,
            backup_period_seconds: system.backup_period_seconds,
            contact_period_seconds: system.contact_period_seconds,
            created_at: envelope::timestamp(system.created_at),
        }
    }
}
