//! `POST /api/systems/backups/unchanged`: an appliance reports that its configuration has not changed.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use crate::auth::basic::SystemIdentity;
use crate::http::app_state::AppState;
use crate::http::envelope;
use crate::http::errors::ApiError;
use crate::http::openapi::common_errors::basic_auth_errors;
use crate::http::openapi::responses::{ResponseMap, Responses};

/// Report an unchanged configuration
///
/// Use it instead of uploading the same configuration again. It does not count against the rate limit, and support staff
/// see the system as fresh. A pending request for a backup stays open.
///
/// If `data.upload_wanted` is `true`, the report does not count, and the appliance should upload its configuration: the last
/// upload was refused or has failed, the newest backup is damaged, or nothing is stored.
#[utoipa::path(
    post, path = "/api/systems/backups/unchanged", operation_id = "noteUnchanged",
    responses(UnchangedResponses),
    security(("basic" = [])),
)]
pub async fn report_unchanged(
    identity: SystemIdentity,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let is_noted = state.vault.note_unchanged(&identity).await?;
    let message = if is_noted { "noted as unchanged" } else { "upload wanted" };
    let report = UnchangedReport { upload_wanted: (!is_noted).then_some(true) };
    Ok(envelope::respond(StatusCode::OK, message, report))
}

/// The answer to a report.
#[derive(Serialize, ToSchema)]
pub struct UnchangedReport {
    /// `true`: the report does not count, and the configuration should be uploaded. Otherwise it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = bool, required = false, example = true)]
    upload_wanted: Option<bool>,
}

struct UnchangedResponses;

impl IntoResponses for UnchangedResponses {
    fn responses() -> ResponseMap {
        let noted = "The report is recorded; with `upload_wanted` it is not.";
        Responses::default()
            .json(200, noted, "noted as unchanged", &UnchangedReport { upload_wanted: None }, &[])
            .errors(basic_auth_errors())
            .with_backup_requested()
            .into()
    }
}
