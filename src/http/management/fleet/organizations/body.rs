//! An organization in JSON.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::organization::Quota;
use crate::domain::status::SystemStatus;
use crate::fleet::{Organization, SystemLimits};

/// An organization, the limits that apply to it, and what it uses.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Organization)]
pub struct OrganizationBody {
    /// The id. It never changes.
    #[schema(example = "acme-north")]
    id: String,
    /// The name for people.
    #[schema(example = "Acme North")]
    name: String,
    /// The organization above it, whose tokens are valid for it, too; null: it is at the top of
    /// all, or of those that the token is valid for.
    #[schema(required = true, example = "acme")]
    parent_id: Option<String>,
    /// Its own quota in bytes; 0: no quota; null: the default of the service.
    #[schema(value_type = Option<i64>, required = true, minimum = 0, example = 53_687_091_200_u64)]
    quota_bytes: Option<u64>,
    /// The backup period that its systems inherit, in seconds; null: that of the service.
    #[schema(value_type = Option<i64>, required = true, minimum = 1, example = 691_200)]
    backup_period_seconds: Option<u64>,
    /// The contact period that its systems inherit, in seconds; null: none.
    #[schema(value_type = Option<i64>, required = true, minimum = 1, example = 3600)]
    contact_period_seconds: Option<u64>,
    limits: OrganizationLimits,
    usage: OrganizationUsage,
}

/// The limits that apply to an organization and to each of its systems.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrganizationLimits {
    /// How many bytes its backups and the uploads under way may have together; 0: any number.
    #[schema(value_type = i64, minimum = 0, example = 53_687_091_200_u64)]
    quota_bytes: u64,
    /// The largest upload, in bytes.
    #[schema(value_type = i64, minimum = 1, example = 2_147_483_648_u64)]
    max_upload_bytes: u64,
    /// How many backups of a system are kept.
    #[schema(value_type = i32, minimum = 1, example = 10)]
    max_backups_per_system: usize,
    /// How many bytes the backups of a system may have together.
    #[schema(value_type = i64, minimum = 1, example = 524_288_000)]
    max_bytes_per_system: u64,
    /// How many uploads of a system are admitted in any 60 seconds; 0: any number.
    #[schema(value_type = i32, minimum = 0, example = 6)]
    rate_per_minute: usize,
    /// How many uploads of a system are admitted in any hour; 0: any number.
    #[schema(value_type = i32, minimum = 0, example = 60)]
    rate_per_hour: usize,
    /// How old the newest backup of a system may become that has no period of its own, in seconds.
    #[schema(value_type = i64, minimum = 1, example = 691_200)]
    backup_period_seconds: u64,
    /// After how long without contact a system is silent that has no contact period of its own, in seconds; null: never.
    #[schema(value_type = Option<i64>, required = true, minimum = 1, example = 3600)]
    contact_period_seconds: Option<u64>,
}

/// What an organization uses. What is below it is not counted.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrganizationUsage {
    /// The bytes of its stored backups.
    #[schema(value_type = i64, minimum = 0, example = 1_073_741_824)]
    stored_bytes: u64,
    /// The bytes that are reserved for uploads under way.
    #[schema(value_type = i64, minimum = 0, example = 0)]
    reserved_bytes: u64,
    /// The number of its systems.
    #[schema(value_type = i64, minimum = 0, example = 3)]
    systems: u64,
    by_status: OrganizationStatuses,
}

/// How many systems have each status.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrganizationStatuses {
    /// Not active.
    #[schema(value_type = i64, minimum = 0, example = 0)]
    suspended: u64,
    /// The newest stored backup is damaged or missing.
    #[schema(value_type = i64, minimum = 0, example = 0)]
    damaged: u64,
    /// An upload that was sent after the newest stored backup was refused, or failed.
    #[schema(value_type = i64, minimum = 0, example = 1)]
    refused: u64,
    /// Nothing is stored.
    #[schema(value_type = i64, minimum = 0, example = 0)]
    never: u64,
    /// Not heard of for longer than the contact period.
    #[schema(value_type = i64, minimum = 0, example = 0)]
    silent: u64,
    /// The newest backup is older than the backup period.
    #[schema(value_type = i64, minimum = 0, example = 0)]
    late: u64,
    /// Protected.
    #[schema(value_type = i64, minimum = 0, example = 2)]
    fresh: u64,
}

impl OrganizationBody {
    pub fn new(org: Organization, limits: &SystemLimits) -> Self {
        let with = |status| org.systems_with(status);
        let by_status = OrganizationStatuses {
            suspended: with(SystemStatus::Suspended),
            damaged: with(SystemStatus::Damaged),
            refused: with(SystemStatus::Refused),
            never: with(SystemStatus::Never),
            silent: with(SystemStatus::Silent),
            late: with(SystemStatus::Late),
            fresh: with(SystemStatus::Fresh),
        };
        let usage = OrganizationUsage {
            stored_bytes: org.stored_bytes,
            reserved_bytes: org.reserved_bytes,
            systems: org.systems(),
            by_status,
        };
        Self {
            limits: OrganizationLimits {
                quota_bytes: org.quota_in_force.unwrap_or(0),
                max_upload_bytes: limits.max_upload,
                max_backups_per_system: limits.retention.slots,
                max_bytes_per_system: limits.retention.bytes,
                rate_per_minute: limits.rate.per_minute,
                rate_per_hour: limits.rate.per_hour,
                backup_period_seconds: org.backup_period_in_force,
                contact_period_seconds: org.contact_period_seconds,
            },
            usage,
            id: org.id,
            name: org.name,
            parent_id: org.parent_id,
            quota_bytes: match org.quota {
                Quota::Default => None,
                Quota::Unlimited => Some(0),
                Quota::Bytes(bytes) => Some(bytes),
            },
            backup_period_seconds: org.backup_period_seconds,
            contact_period_seconds: org.contact_period_seconds,
        }
    }

    /// The path of the organization in the API.
    pub fn path(&self) -> String {
        format!("/api/organizations/{}", self.id)
    }

    /// An example for the documentation.
    pub fn example() -> Self {
        let by_status = OrganizationStatuses {
            suspended: 0,
            damaged: 0,
            refused: 1,
            never: 0,
            silent: 0,
            late: 0,
            fresh: 2,
        };
        Self {
            id: "acme-north".to_owned(),
            name: "Acme North".to_owned(),
            parent_id: Some("acme".to_owned()),
            quota_bytes: Some(50 << 30),
            backup_period_seconds: Some(691_200),
            contact_period_seconds: None,
            limits: OrganizationLimits {
                quota_bytes: 50 << 30,
                max_upload_bytes: 2 << 30,
                max_backups_per_system: 10,
                max_bytes_per_system: 500 << 20,
                rate_per_minute: 6,
                rate_per_hour: 60,
                backup_period_seconds: 691_200,
                contact_period_seconds: None,
            },
            usage: OrganizationUsage { stored_bytes: 1 << 30, reserved_bytes: 0, systems: 3, by_status },
        }
    }
}
