//! `GET /api/systems/{id}`: shows one system.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use super::erasure::Erasure;
use super::system::System;
use crate::domain::refusal::RefusalReason;
use crate::fleet::SystemDetails;
use crate::http::app_state::AppState;
use crate::http::envelope;
use crate::http::errors::ApiError;
use crate::http::extractors::bearer::{Authorized, ViewScope};
use crate::http::openapi::common_errors::bearer_auth_errors;
use crate::http::openapi::responses::{ResponseMap, Responses};

/// A system with its limits, and how much of them it uses.
#[derive(Serialize, ToSchema)]
pub struct SystemInFull {
    #[serde(flatten)]
    system: System,
    /// Why its last upload was refused, if nothing newer is stored; `null`: none was.
    #[schema(value_type = Option<String>, example = "rate")]
    refused_reason: Option<RefusalReason>,
    limits: SystemLimits,
    usage: SystemUsage,
    /// How far its erasure is; `null`: it is not being destroyed.
    #[schema(required = true)]
    erasure: Option<Erasure>,
}

/// The limits in force.
#[derive(Serialize, ToSchema)]
pub struct SystemLimits {
    /// How many backups are kept.
    #[schema(value_type = i64, minimum = 1, example = 10)]
    max_backups: usize,
    /// How many bytes they may have together.
    #[schema(value_type = i64, minimum = 1, example = 524_288_000)]
    max_bytes: u64,
    /// How large an upload may be, in bytes.
    #[schema(value_type = i64, minimum = 1, example = 2_147_483_648_u64)]
    max_upload_bytes: u64,
    /// How many uploads are admitted within any 60 seconds; `null`: any number.
    #[schema(value_type = Option<i64>, minimum = 1, example = 6)]
    rate_per_minute: Option<usize>,
    /// How many uploads are admitted within any 3600 seconds; `null`: any number.
    #[schema(value_type = Option<i64>, minimum = 1, example = 60)]
    rate_per_hour: Option<usize>,
    /// How old the newest backup, or the report of an unchanged configuration, may become.
    #[schema(minimum = 1, example = 93_600)]
    backup_period_seconds: i64,
    /// After how long without contact the system is silent; `null`: never.
    #[schema(minimum = 1, example = 900)]
    contact_period_seconds: Option<i64>,
}

/// How much of its limits the system uses.
#[derive(Serialize, ToSchema)]
pub struct SystemUsage {
    /// The number of its backups.
    #[schema(minimum = 0, example = 7)]
    backups: i64,
    /// Their total size in bytes.
    #[schema(minimum = 0, example = 580_608)]
    bytes: i64,
    /// Uploads that were admitted within the last 60 seconds, as far as they count.
    #[schema(minimum = 0, example = 1)]
    uploads_last_minute: i64,
    /// Uploads that were admitted within the last 3600 seconds, as far as they count.
    #[schema(minimum = 0, example = 1)]
    uploads_last_hour: i64,
}

impl From<SystemDetails> for SystemInFull {
    fn from(SystemDetails { found, limits, erasure }: SystemDetails) -> Self {
        let limited = |number| Some(number).filter(|number| *number > 0);
        Self {
            refused_reason: found.system.refused_reason,
            limits: SystemLimits {
                max_backups: limits.retention.slots,
                max_bytes: limits.retention.bytes,
                max_upload_bytes: limits.max_upload,
                rate_per_minute: limited(limits.rate.per_minute),
                rate_per_hour: limited(limits.rate.per_hour),
                backup_period_seconds: found.backup_period_in_force_seconds,
                contact_period_seconds: found.contact_period_in_force_seconds,
            },
            usage: SystemUsage {
                backups: found.system.backups,
                bytes: found.system.bytes,
                uploads_last_minute: found.uploads_last_minute,
                uploads_last_hour: found.uploads_last_hour,
            },
            erasure: erasure.map(Erasure::from),
            system: found.system.into(),
        }
    }
}

impl SystemInFull {
    /// An example for the documentation.
    pub fn example() -> Self {
        Self {
            system: System::example(),
            refused_reason: None,
            limits: SystemLimits {
                max_backups: 10,
                max_bytes: 524_288_000,
                max_upload_bytes: 2_147_483_648,
                rate_per_minute: Some(6),
                rate_per_hour: Some(60),
                backup_period_seconds: 93_600,
                contact_period_seconds: None,
            },
            usage: SystemUsage { backups: 7, bytes: 580_608, uploads_last_minute: 1, uploads_last_hour: 1 },
            erasure: None,
        }
    }
}

/// Show a system
///
/// A system that is being destroyed is shown until nothing of it is left.
#[utoipa::path(
    get, path = "/api/systems/{id}", operation_id = "showSystem",
    params(("id" = String, Path, description = "The system\'s id.", format = "uuid",
            example = "018f3a5c-7b1e-7c3d-9a2b-0123456789ab")),
    responses(ShowResponses),
    security(("bearer" = ["backup:view"])),
)]
pub async fn show_system(
    Authorized { caller, .. }: Authorized<ViewScope>,
    id: Path<String>,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let system = state.fleet.show_system(&caller, &id).await?;
    Ok(envelope::respond(StatusCode::OK, "system found", SystemInFull::from(system)))
}

struct ShowResponses;

impl IntoResponses for ShowResponses {
    fn responses() -> ResponseMap {
        Responses::default()
            .json(200, "The system.", "system found", &SystemInFull::example(), &[])
            .errors(bearer_auth_errors("backup:view").chain([ApiError::SystemNotFound]))
            .into()
    }
}
