//! `POST /api/systems/backups/unchanged`: an appliance reports that its configuration has not changed.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use utoipa::IntoResponses;

use crate::auth::basic::SystemIdentity;
use crate::http::app_state::AppState;
use crate::http::envelope;
use crate::http::errors::ApiError;
use crate::http::errors::data::Empty;
use crate::http::openapi::common_errors::basic_auth_errors;
use crate::http::openapi::responses::{ResponseMap, Responses};

/// Report an unchanged configuration
///
/// Use it instead of uploading the same configuration again. It does not count against the rate limit, and support staff
/// see the system as fresh. A pending request for a backup stays open.
#[utoipa::path(
    post, path = "/api/systems/backups/unchanged", operation_id = "noteUnchanged",
    responses(UnchangedResponses),
    security(("basic" = [])),
)]
pub async fn report_unchanged(
    identity: SystemIdentity,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    state.vault.note_unchanged(&identity).await?;
    Ok(envelope::respond(StatusCode::OK, "noted as unchanged", Empty {}))
}

struct UnchangedResponses;

impl IntoResponses for UnchangedResponses {
    fn responses() -> ResponseMap {
        Responses::default()
            .json(200, "The report is recorded.", "noted as unchanged", &Empty {}, &[])
            .errors(basic_auth_errors())
            .with_backup_requested()
            .into()
    }
}
