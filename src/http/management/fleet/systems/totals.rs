//! `GET /api/systems/totals`: how many systems have which status.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use super::query;
use crate::domain::status::SystemStatus;
use crate::fleet::Totals;
use crate::http::app_state::AppState;
use crate::http::envelope;
use crate::http::errors::ApiError;
use crate::http::extractors::bearer::{Authorized, ViewScope};
use crate::http::openapi::common_errors::bearer_auth_errors;
use crate::http::openapi::responses::{ResponseMap, Responses};
use crate::http::shared::query::QueryParameters;

/// Sums over systems.
#[derive(Serialize, ToSchema)]
pub struct SystemTotals {
    by_status: SystemsByStatus,
    /// The number of systems.
    #[schema(minimum = 0, example = 42)]
    systems: i64,
    /// The number of their backups.
    #[schema(minimum = 0, example = 294)]
    backups_kept: i64,
    /// The total size of these backups in bytes.
    #[schema(minimum = 0, example = 24_385_536)]
    bytes_kept: i64,
}

/// The number of systems with each status.
#[derive(Serialize, ToSchema, Default)]
pub struct SystemsByStatus {
    /// Systems that are not active.
    #[schema(minimum = 0, example = 1)]
    suspended: i64,
    /// Systems whose newest backup is damaged or missing.
    #[schema(minimum = 0, example = 0)]
    damaged: i64,
    /// Systems of which an upload was refused after the newest backup.
    #[schema(minimum = 0, example = 2)]
    refused: i64,
    /// Systems without a backup.
    #[schema(minimum = 0, example = 0)]
    never: i64,
    /// Systems that were not heard of within their contact period.
    #[schema(minimum = 0, example = 0)]
    silent: i64,
    /// Systems that neither uploaded nor reported an unchanged configuration within their backup period.
    #[schema(minimum = 0, example = 3)]
    late: i64,
    /// Systems that are protected.
    #[schema(minimum = 0, example = 36)]
    fresh: i64,
}

impl SystemsByStatus {
    pub fn new(counts: impl IntoIterator<Item = (SystemStatus, i64)>) -> Self {
        let mut all = Self::default();
        for (status, count) in counts {
            *match status {
                SystemStatus::Suspended => &mut all.suspended,
                SystemStatus::Damaged => &mut all.damaged,
                SystemStatus::Refused => &mut all.refused,
                SystemStatus::Never => &mut all.never,
                SystemStatus::Silent => &mut all.silent,
                SystemStatus::Late => &mut all.late,
                SystemStatus::Fresh => &mut all.fresh,
            } = count;
        }
        all
    }
}

impl From<Totals> for SystemTotals {
    fn from(totals: Totals) -> Self {
        Self {
            by_status: SystemsByStatus::new(totals.by_status),
            systems: totals.systems,
            backups_kept: totals.backups_kept,
            bytes_kept: totals.bytes_kept,
        }
    }
}

/// Count systems by status
#[utoipa::path(
    get, path = "/api/systems/totals", operation_id = "totalSystems",
    params(("org" = Option<String>, Query, description = "Only systems of this organization and of all below it.",
            example = "acme")),
    responses(TotalsResponses),
    security(("bearer" = ["backup:view"])),
)]
pub async fn total_systems(
    Authorized { caller, .. }: Authorized<ViewScope>,
    request: HttpRequest,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let parameters = QueryParameters::read(&request, &["org"])?;
    let totals = state.fleet.total_systems(&caller, query::org(&parameters)?).await?;
    Ok(envelope::respond(StatusCode::OK, "systems counted", SystemTotals::from(totals)))
}

struct TotalsResponses;

impl IntoResponses for TotalsResponses {
    fn responses() -> ResponseMap {
        let by_status = SystemsByStatus::new([
            (SystemStatus::Suspended, 1),
            (SystemStatus::Refused, 2),
            (SystemStatus::Late, 3),
            (SystemStatus::Fresh, 36),
        ]);
        let example = SystemTotals { by_status, systems: 42, backups_kept: 294, bytes_kept: 24_385_536 };
        let errors = [ApiError::invalid("organization", "unknown"), ApiError::OrganizationNotFound];
        Responses::default()
            .json(200, "The totals.", "systems counted", &example, &[])
            .errors(bearer_auth_errors("backup:view").chain(errors))
            .into()
    }
}
