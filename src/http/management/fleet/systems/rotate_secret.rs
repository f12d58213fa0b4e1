//! `POST /api/systems/{id}/rotate-secret`: gives a system a new secret.

use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::{Deserialize, Serialize};
use utoipa::{IntoResponses, ToSchema};

use super::add::{NOT_STORED, NewCredential};
use crate::domain::author::Author;
use crate::domain::period::MAX_OVERLAP_SECONDS;
use crate::http::app_state::AppState;
use crate::http::envelope;
use crate::http::errors::ApiError;
use crate::http::extractors::bearer::{Authorized, ManageSystemsScope};
use crate::http::extractors::remote_addr::RemoteAddr;
use crate::http::openapi::common_errors::bearer_auth_errors;
use crate::http::openapi::responses::{ResponseMap, Responses};
use crate::http::shared::json_body;

const INVALID_OVERLAP: &str = "must be 0 to 604800 seconds (seven days)";

/// How the secret is replaced.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SecretRotation)]
pub struct Rotation {
    /// How long the old secret stays valid: until the system has the new one. Left out or 0: it stops working within a second.
    /// A second rotation within that time ends the first secret.
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 604_800, example = 86_400)]
    overlap_seconds: Option<u64>,
}

/// The new credential of a system. The secret is shown this once.
#[derive(Serialize, ToSchema)]
pub struct RotatedCredential {
    #[serde(flatten)]
    credential: NewCredential,
    /// Until when the old secret is valid, too; `null`: it has ended.
    #[schema(format = DateTime, example = "2026-04-13T09:30:00Z")]
    previous_secret_until: Option<String>,
}

/// Replace a system's secret
///
/// The answer has the new secret, which is shown this once: only its hash is stored. The body may be left out.
#[utoipa::path(
    post, path = "/api/systems/{id}/rotate-secret", operation_id = "rotateSystemSecret",
    params(("id" = String, Path, description = "The system\'s id.", format = "uuid",
            example = "018f3a5c-7b1e-7c3d-9a2b-0123456789ab")),
    request_body(content = Rotation, description = "How long the old secret stays valid.",
        example = json!({ "overlap_seconds": 86400 })),
    responses(RotateResponses),
    security(("bearer" = ["system:manage"])),
)]
pub async fn rotate_secret(
    Authorized { caller, .. }: Authorized<ManageSystemsScope>,
    RemoteAddr(remote_addr): RemoteAddr,
    id: Path<String>,
    body: Payload,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let rotation: Rotation = json_body::read_or_default(body).await?;
    let overlap = u32::try_from(rotation.overlap_seconds.unwrap_or(0)).ok();
    let overlap = overlap.filter(|seconds| *seconds <= MAX_OVERLAP_SECONDS).ok_or_else(invalid_overlap)?;
    let author = Author::Caller { caller, remote_addr };
    let credential = state.fleet.rotate_secret(author, &id, overlap).await?;
    let data = RotatedCredential {
        credential: NewCredential::from(&credential),
        previous_secret_until: credential.previous_until.map(envelope::timestamp),
    };
    let mut response = HttpResponseBuilder::new(StatusCode::OK);
    response.insert_header((CACHE_CONTROL, NOT_STORED));
    Ok(envelope::finish(response, StatusCode::OK, "secret rotated", data))
}

fn invalid_overlap() -> ApiError {
    ApiError::invalid("overlap_seconds", INVALID_OVERLAP)
}

struct RotateResponses;

impl IntoResponses for RotateResponses {
    fn responses() -> ResponseMap {
        let example = RotatedCredential {
            credential: NewCredential::example(),
            previous_secret_until: Some("2026-04-13T09:30:00Z".to_owned()),
        };
        Responses::default()
            .json(200, "The system has a new secret.", "secret rotated", &example, &[])
            .with_headers(&[("Cache-Control", NOT_STORED)])
            .errors(bearer_auth_errors("system:manage").chain([
                invalid_overlap(),
                ApiError::SystemNotFound,
                ApiError::BeingDestroyed,
                ApiError::Timeout,
            ]))
            .into()
    }
}
