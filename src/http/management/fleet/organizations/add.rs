//! `POST /api/organizations`: adds an organization.

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Payload};
use actix_web::{HttpResponse, HttpResponseBuilder};
use utoipa::IntoResponses;

use super::body::OrganizationBody;
use super::input::NewOrganization;
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

/// Add an organization
///
/// It is below the organization of the token, or below one that the token is valid for. At the top only a token with
/// `backup:admin` adds one.
#[utoipa::path(
    post, path = "/api/organizations", operation_id = "addOrganization",
    request_body(content = NewOrganization, description = "The organization.",
        example = json!({ "id": "acme-north", "name": "Acme North" })),
    responses(AddResponses),
    security(("bearer" = ["org:manage"])),
)]
pub async fn add_organization(
    Authorized { caller, .. }: Authorized<ManageOrgsScope>,
    RemoteAddr(remote_addr): RemoteAddr,
    body: Payload,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let new = json_body::read::<NewOrganization>(body).await?.checked(&caller)?;
    let org = state.fleet.add_organization(Author::Caller { caller, remote_addr }, new).await?;
    let data = OrganizationBody::new(org, &state.fleet.limits);
    let mut response = HttpResponseBuilder::new(StatusCode::CREATED);
    response.insert_header((LOCATION, data.path()));
    Ok(envelope::finish(response, StatusCode::CREATED, "organization added", data))
}

struct AddResponses;

impl IntoResponses for AddResponses {
    fn responses() -> ResponseMap {
        let example = OrganizationBody::example();
        let errors = [
            ApiError::invalid("nmae", "unknown"),
            ApiError::invalid("name", "required"),
            ApiError::invalid("parent_id", Misplaced::TooDeep.to_string()),
            ApiError::OrganizationNotFound,
            ApiError::Timeout,
            ApiError::OrganizationExists,
        ];
        Responses::default()
            .json(201, "The organization is added.", "organization added", &example, &[])
            .with_headers(&[("Location", &example.path())])
            .errors(bearer_auth_errors("org:manage").chain(errors))
            .into()
    }
}
