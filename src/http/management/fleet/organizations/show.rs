//! `GET /api/organizations/{id}`: shows an organization.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use utoipa::IntoResponses;

use super::body::OrganizationBody;
use crate::http::app_state::AppState;
use crate::http::envelope;
use crate::http::errors::ApiError;
use crate::http::extractors::bearer::{Authorized, ViewScope};
use crate::http::openapi::common_errors::bearer_auth_errors;
use crate::http::openapi::responses::{ResponseMap, Responses};

/// Show an organization
#[utoipa::path(
    get, path = "/api/organizations/{id}", operation_id = "showOrganization",
    params(("id" = String, Path, description = "The organization\'s id.", example = "acme-north")),
    responses(ShowResponses),
    security(("bearer" = ["backup:view"])),
)]
pub async fn show_organization(
    Authorized { caller, .. }: Authorized<ViewScope>,
    id: Path<String>,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let org = state.fleet.find_organization(&caller, &id).await?;
    let data = OrganizationBody::new(org, &state.fleet.limits);
    Ok(envelope::respond(StatusCode::OK, "organization found", data))
}

struct ShowResponses;

impl IntoResponses for ShowResponses {
    fn responses() -> ResponseMap {
        Responses::default()
            .json(200, "The organization.", "organization found", &OrganizationBody::example(), &[])
            .errors(bearer_auth_errors("backup:view").chain([ApiError::OrganizationNotFound]))
            .into()
    }
}
