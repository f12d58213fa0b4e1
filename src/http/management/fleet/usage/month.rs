//! `GET /api/organizations/{id}/usage`: what an organization has used in a month, for bills.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use crate::domain::usage::Month;
use crate::fleet::{MonthlyUsage, UsageTotals};
use crate::http::app_state::AppState;
use crate::http::envelope;
use crate::http::errors::ApiError;
use crate::http::extractors::bearer::{Authorized, ViewScope};
use crate::http::openapi::common_errors::bearer_auth_errors;
use crate::http::openapi::responses::{ResponseMap, Responses};
use crate::http::shared::query::QueryParameters;

/// What an organization has used in a month.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsageOfMonth {
    /// The organization.
    #[schema(example = "acme")]
    org_id: String,
    /// The month (UTC).
    #[schema(example = "2026-04")]
    month: String,
    /// How many days the month has.
    #[schema(minimum = 28, maximum = 31, example = 30)]
    days: u32,
    /// How many of them were added up. With fewer than `days` the month is not over, or days are missing.
    #[schema(value_type = i32, minimum = 0, maximum = 31, example = 30)]
    complete_days: u64,
    /// The organization alone.
    own: Usage,
    /// The organization and all below it, in the tree as it is now.
    tree: Usage,
}

/// What was used in a month.
#[derive(Debug, Serialize, ToSchema)]
pub struct Usage {
    /// Uploads that were stored.
    #[schema(minimum = 0, example = 93_600)]
    uploads: i64,
    /// Uploads that were refused, as the history has them: at most one a minute for each system and reason.
    #[schema(minimum = 0, example = 360)]
    refusals: i64,
    /// Uploads that failed otherwise.
    #[schema(minimum = 0, example = 90)]
    failures: i64,
    /// Downloads and download links.
    #[schema(minimum = 0, example = 210)]
    downloads: i64,
    /// Bytes of the uploads that were stored.
    #[schema(minimum = 0, example = 7_763_558_400_i64)]
    bytes_in: i64,
    /// Bytes of the stored backups: the average of the days that were measured; null: none was.
    #[schema(required = true, minimum = 0, example = 2_587_852_800_i64)]
    bytes_kept_average: Option<i64>,
    /// The same on the day with the most.
    #[schema(required = true, minimum = 0, example = 2_601_123_840_i64)]
    bytes_kept_maximum: Option<i64>,
    /// The sum over the days that were measured: bytes times days.
    #[schema(minimum = 0, example = 77_635_584_000_i64)]
    byte_days: i64,
    /// The number of systems on the day with the most; null: no day was measured.
    #[schema(required = true, minimum = 0, example = 3200)]
    systems_maximum: Option<i64>,
    /// How many days were measured.
    #[schema(minimum = 0, maximum = 31, example = 30)]
    measured_days: i64,
}

impl From<MonthlyUsage> for UsageOfMonth {
    fn from(usage: MonthlyUsage) -> Self {
        Self {
            org_id: usage.org.to_string(),
            month: usage.month.to_string(),
            days: usage.month.days(),
            complete_days: usage.complete_days,
            own: usage.own.into(),
            tree: usage.tree.into(),
        }
    }
}

impl From<UsageTotals> for Usage {
    fn from(totals: UsageTotals) -> Self {
        Self {
            uploads: totals.uploads,
            refusals: totals.refusals,
            failures: totals.failures,
            downloads: totals.downloads,
            bytes_in: totals.bytes_in,
            bytes_kept_average: totals.bytes_kept_average,
            bytes_kept_maximum: totals.bytes_kept_maximum,
            byte_days: totals.byte_days,
            systems_maximum: totals.systems_maximum,
            measured_days: totals.days_measured,
        }
    }
}

impl UsageOfMonth {
    /// An example for the documentation.
    pub fn example() -> Self {
        let usage = || Usage {
            uploads: 93_600,
            refusals: 360,
            failures: 90,
            downloads: 210,
            bytes_in: 7_763_558_400,
            bytes_kept_average: Some(2_587_852_800),
            bytes_kept_maximum: Some(2_601_123_840),
            byte_days: 77_635_584_000,
            systems_maximum: Some(3200),
            measured_days: 30,
        };
        Self {
            org_id: "acme".to_owned(),
            month: "2026-04".to_owned(),
            days: 30,
            complete_days: 30,
            own: usage(),
            tree: usage(),
        }
    }
}

/// Show what an organization has used in a month
///
/// For bills: the sums over the days of a month (UTC), of the organization alone and with all below it.
#[utoipa::path(
    get, path = "/api/organizations/{id}/usage", operation_id = "showOrganizationUsage",
    params(
        ("id" = String, Path, description = "The organization\'s id.", example = "acme-north"),
        ("month" = Option<String>, Query, description = "The month, `YYYY-MM` (the present one without it).", example = "2026-04"),
    ),
    responses(UsageResponses),
    security(("bearer" = ["backup:view"])),
)]
pub async fn show_usage(
    Authorized { caller, .. }: Authorized<ViewScope>,
    id: Path<String>,
    request: HttpRequest,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let query = QueryParameters::read(&request, &["month"])?;
    let month = query.get("month").map(Month::parse).transpose().map_err(|_| wrong_month())?;
    let usage = state.fleet.monthly_usage(&caller, &id, month).await?;
    Ok(envelope::respond(StatusCode::OK, "usage found", UsageOfMonth::from(usage)))
}

fn wrong_month() -> ApiError {
    ApiError::invalid("month", "must be YYYY-MM")
}

struct UsageResponses;

impl IntoResponses for UsageResponses {
    fn responses() -> ResponseMap {
        let errors = [wrong_month(), ApiError::OrganizationNotFound];
        Responses::default()
            .json(200, "What was used.", "usage found", &UsageOfMonth::example(), &[])
            .errors(bearer_auth_errors("backup:view").chain(errors))
            .into()
    }
}
