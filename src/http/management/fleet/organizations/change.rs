//! `PATCH /api/organizations/{id}`: changes an organization.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use utoipa::IntoResponses;

use super::body::OrganizationBody;
use super::input::OrganizationChange;
use crate::domain::author::Author;
use crate::domain::org_tree::Misplaced;
use crate::http::app_state::AppState;
use crate::http::envelope;
use crate::http::errors::ApiError;
use crate::http::extractors::bearer::{Authorized, ManageOrgsScope};
use crate::http::extractors::remote_addr::RemoteAddr;
use crate::http::openapi::common_errors::bearer_auth_errors;
use crate::http::openapi::responses::{ResponseMap, Responses};
use crate::http::shared::json_body;

/// Change an organization
///
/// All of the changes are made, or none. Only a token with `backup:admin` changes the quota and the parent of its own
/// organization, or places an organization at the top.
#[utoipa::path(
    patch, path = "/api/organizations/{id}", operation_id = "changeOrganization",
    params(("id" = String, Path, description = "The organization\'s id.", example = "acme-north")),
    request_body(content = OrganizationChange, description = "What is to be changed.",
        example = json!({ "name": "Acme North-East", "quota_bytes": 107_374_182_400_u64 })),
    responses(ChangeResponses),
    security(("bearer" = ["org:manage"])),
)]
pub async fn change_organization(
    Authorized { caller, .. }: Authorized<ManageOrgsScope>,
    RemoteAddr(remote_addr): RemoteAddr,
    id: Path<String>,
    body: Payload,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let change = json_body::read::<OrganizationChange>(body).await?.checked()?;
    let author = Author::Caller { caller, remote_addr };
    let org = state.fleet.change_organization(author, &id, change).await?;
    let data = OrganizationBody::new(org, &state.fleet.limits);
    Ok(envelope::respond(StatusCode::OK, "organization changed", data))
}

struct ChangeResponses;

impl IntoResponses for ChangeResponses {
    fn responses() -> ResponseMap {
        let changed = "The organization as it is now.";
        let errors = [
            ApiError::invalid("nmae", "unknown"),
            ApiError::invalid("parent_id", Misplaced::Circle.to_string()),
            ApiError::OrganizationNotFound,
            ApiError::Timeout,
        ];
        Responses::default()
            .json(200, changed, "organization changed", &OrganizationBody::example(), &[])
            .errors(bearer_auth_errors("org:manage").chain(errors))
            .into()
    }
}
