//! `DELETE /api/systems/{id}`: destroys a system, and says how far that is.

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use chrono::DateTime;
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use crate::domain::erasure::ErasurePhase;
use crate::fleet::ErasureStatus;
use crate::http::app_state::AppState;
use crate::http::envelope;
use crate::http::errors::ApiError;
use crate::http::extractors::bearer::{Authorized, ManageSystemsScope};
use crate::http::extractors::remote_addr::RemoteAddr;
use crate::http::headers::unsupported::{conditional_delete, refuse_conditional_delete};
use crate::http::openapi::common_errors::bearer_auth_errors;
use crate::http::openapi::responses::{ResponseMap, Responses};
use crate::http::openapi::schemas::ErasurePhaseSchema;

/// How far the erasure of a system is.
#[derive(Serialize, ToSchema)]
#[schema(as = SystemErasure)]
pub struct Erasure {
    /// When the system was marked: since then its credential is refused.
    #[schema(format = "date-time", example = "2026-04-12T09:30:00Z")]
    requested_at: String,
    /// Who destroys it: the subject of a token, or `operator` for the command line.
    #[schema(example = "portal")]
    requested_by: String,
    #[schema(value_type = ErasurePhaseSchema)]
    phase: ErasurePhase,
    /// How many of its backups are not known to be erased.
    #[schema(value_type = i64, minimum = 0, example = 3)]
    backups_left: u64,
    /// How many objects of the store are deleted.
    #[schema(value_type = i64, minimum = 0, example = 7)]
    objects_erased: u64,
    /// Uploads of the system have failed within the last hour, and their rows keep the row of the system until this time.
    /// `null`: nothing does.
    #[schema(format = "date-time", required, example = "2026-04-12T10:30:00Z")]
    rows_until: Option<String>,
}

impl Erasure {
    /// An example for the documentation.
    pub fn example() -> Self {
        let at = |seconds| envelope::timestamp(DateTime::from_timestamp(seconds, 0).unwrap_or_default());
        Self {
            requested_at: at(1_775_986_200),
            requested_by: "portal".to_owned(),
            phase: ErasurePhase::Deleting,
            backups_left: 3,
            objects_erased: 7,
            rows_until: Some(at(1_775_989_800)),
        }
    }
}

impl From<ErasureStatus> for Erasure {
    fn from(status: ErasureStatus) -> Self {
        Self {
            requested_at: envelope::timestamp(status.requested_at),
            requested_by: status.requested_by,
            phase: status.phase,
            backups_left: status.backups_left,
            objects_erased: status.objects_erased,
            rows_until: status.rows_until.map(envelope::timestamp),
        }
    }
}

/// Destroy a system
///
/// Ends the credential of the system, its uploads and its download links within a second, and begins to erase all its backups.
/// This cannot be undone. The response says how far the erasure is; so does a repeated request. When everything is erased, the
/// system is not found any more.
#[utoipa::path(
    delete, path = "/api/systems/{id}", operation_id = "destroySystem",
    params(("id" = String, Path, description = "The system\'s id.", format = "uuid",
            example = "018f3a5c-7b1e-7c3d-9a2b-0123456789ab")),
    responses(DestroyResponses),
    security(("bearer" = ["system:manage"])),
)]
pub async fn destroy_system(
    Authorized { caller, .. }: Authorized<ManageSystemsScope>,
    RemoteAddr(remote_addr): RemoteAddr,
    id: Path<String>,
    request: HttpRequest,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    refuse_conditional_delete(request.headers())?;
    let status = state.fleet.destroy_system(&caller, &id, remote_addr).await?;
    let mut response = HttpResponseBuilder::new(StatusCode::ACCEPTED);
    response.insert_header((LOCATION, format!("/api/systems/{}", id.to_lowercase())));
    Ok(envelope::finish(response, StatusCode::ACCEPTED, "system is being destroyed", Erasure::from(status)))
}

struct DestroyResponses;

impl IntoResponses for DestroyResponses {
    fn responses() -> ResponseMap {
        let text = "The system is marked, and is being erased.";
        Responses::default()
            .json(202, text, "system is being destroyed", &Erasure::example(), &["Location"])
            .errors(
                bearer_auth_errors("system:manage").chain([ApiError::SystemNotFound, conditional_delete()]),
            )
            .into()
    }
}
