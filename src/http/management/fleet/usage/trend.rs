//! `GET /api/systems/trend`: the last days, one by one.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use crate::domain::ids::OrgId;
use crate::fleet::UsageDay;
use crate::http::app_state::AppState;
use crate::http::envelope;
use crate::http::errors::ApiError;
use crate::http::extractors::bearer::{Authorized, ViewScope};
use crate::http::openapi::common_errors::bearer_auth_errors;
use crate::http::openapi::responses::{ResponseMap, Responses};
use crate::http::shared::query::QueryParameters;

const DEFAULT_DAYS: u32 = 90;
const MAX_DAYS: u32 = 400;

/// The last days that are over, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Trend {
    /// Every day, also one of which nothing is known.
    days: Vec<TrendDay>,
}

/// What the organizations have used together on one day (UTC).
#[derive(Debug, Serialize, ToSchema)]
pub struct TrendDay {
    /// The day (UTC).
    #[schema(format = Date, example = "2026-04-12")]
    day: String,
    /// Whether the day was added up. If not, its numbers are 0 or null.
    #[schema(example = true)]
    complete: bool,
    /// Uploads that were stored.
    #[schema(minimum = 0, example = 3120)]
    uploads: i64,
    /// Uploads that were refused, as the history has them: at most one a minute for each system and reason.
    #[schema(minimum = 0, example = 12)]
    refusals: i64,
    /// Uploads that failed otherwise.
    #[schema(minimum = 0, example = 3)]
    failures: i64,
    /// Downloads and download links.
    #[schema(minimum = 0, example = 7)]
    downloads: i64,
    /// Bytes of the uploads that were stored.
    #[schema(minimum = 0, example = 258_785_280)]
    bytes_in: i64,
    /// Bytes of the stored backups at the end of the day; null: they were not measured.
    #[schema(required = true, minimum = 0, example = 2_587_852_800_i64)]
    bytes_kept: Option<i64>,
    /// The number of systems at the end of the day; null: it was not measured.
    #[schema(required = true, minimum = 0, example = 3200)]
    systems: Option<i64>,
    /// The number of systems with each status at the end of the day.
    by_status: TrendStatuses,
}

/// The number of systems with each status at the end of a day; null: it was not measured.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrendStatuses {
    /// Suspended, or being destroyed.
    #[schema(required = true, minimum = 0, example = 4)]
    suspended: Option<i64>,
    /// With a damaged newest backup.
    #[schema(required = true, minimum = 0, example = 0)]
    damaged: Option<i64>,
    /// With a refused upload after the newest backup.
    #[schema(required = true, minimum = 0, example = 11)]
    refused: Option<i64>,
    /// Without any backup.
    #[schema(required = true, minimum = 0, example = 2)]
    never: Option<i64>,
    /// Not heard of within their contact period.
    #[schema(required = true, minimum = 0, example = 0)]
    silent: Option<i64>,
    /// Without a backup within their period.
    #[schema(required = true, minimum = 0, example = 63)]
    late: Option<i64>,
    /// Protected.
    #[schema(required = true, minimum = 0, example = 3120)]
    fresh: Option<i64>,
}

impl From<UsageDay> for TrendDay {
    fn from(day: UsageDay) -> Self {
        let measured = |number| day.systems.map(|_| number);
        let by_status = TrendStatuses {
            suspended: measured(day.suspended),
            damaged: measured(day.damaged),
            refused: measured(day.refused),
            never: measured(day.never),
            silent: measured(day.silent),
            late: measured(day.late),
            fresh: measured(day.fresh),
        };
        Self {
            day: day.day.to_string(),
            complete: day.complete,
            uploads: day.uploads,
            refusals: day.refusals,
            failures: day.failures,
            downloads: day.downloads,
            bytes_in: day.bytes_in,
            bytes_kept: day.bytes_kept,
            systems: day.systems,
            by_status,
        }
    }
}

impl Trend {
    /// An example for the documentation.
    pub fn example() -> Self {
        let by_status = TrendStatuses {
            suspended: Some(4),
            damaged: Some(0),
            refused: Some(11),
            never: Some(2),
            silent: Some(0),
            late: Some(63),
            fresh: Some(3120),
        };
        let day = TrendDay {
            day: "2026-04-12".to_owned(),
            complete: true,
            uploads: 3120,
            refusals: 12,
            failures: 3,
            downloads: 7,
            bytes_in: 258_785_280,
            bytes_kept: Some(2_587_852_800),
            systems: Some(3200),
            by_status,
        };
        Self { days: vec![day] }
    }
}

/// Show the trend
///
/// Of each of the last days what the organization of the token and all below it have used together; with `backup:admin` all. A
/// day (UTC) is added up some minutes after it is over. Days of which the service missed the end have no bytes kept and no
/// systems.
#[utoipa::path(
    get, path = "/api/systems/trend", operation_id = "showTrend",
    params(
        ("days" = Option<i32>, Query, description = "How many days (90 without it).", minimum = 1, maximum = 400, example = 90),
        ("org" = Option<String>, Query, description = "Only this organization and all below it.", example = "acme-north"),
    ),
    responses(TrendResponses),
    security(("bearer" = ["backup:view"])),
)]
pub async fn show_trend(
    Authorized { caller, .. }: Authorized<ViewScope>,
    request: HttpRequest,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let query = QueryParameters::read(&request, &["days", "org"])?;
    let days = query.get("days").map_or(Ok(DEFAULT_DAYS), parse_days)?;
    let org = query.given("org").map(OrgId::parse).transpose();
    // What is not an id is treated as an unknown organization.
    let org = org.map_err(|_| ApiError::OrganizationNotFound)?;
    let days = state.fleet.trend(&caller, org, days).await?;
    let data = Trend { days: days.into_iter().map(TrendDay::from).collect() };
    Ok(envelope::respond(StatusCode::OK, "trend found", data))
}

fn parse_days(text: &str) -> Result<u32, ApiError> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let days = if is_number { text.parse().ok() } else { None };
    days.filter(|days| (1..=MAX_DAYS).contains(days)).ok_or_else(wrong_days)
}

fn wrong_days() -> ApiError {
    ApiError::invalid("days", format!("must be 1 to {MAX_DAYS}"))
}

struct TrendResponses;

impl IntoResponses for TrendResponses {
    fn responses() -> ResponseMap {
        let errors = [wrong_days(), ApiError::OrganizationNotFound];
        Responses::default()
            .json(200, "The days, oldest first.", "trend found", &Trend::example(), &[])
            .errors(bearer_auth_errors("backup:view").chain(errors))
            .into()
    }
}
