//! `GET /api/organizations`: lists the organizations that the caller may see.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use super::body::OrganizationBody;
use crate::domain::ids::OrgId;
use crate::fleet::OrgQuery;
use crate::http::app_state::AppState;
use crate::http::envelope;
use crate::http::errors::ApiError;
use crate::http::extractors::bearer::{Authorized, ViewScope};
use crate::http::openapi::common_errors::bearer_auth_errors;
use crate::http::openapi::responses::{ResponseMap, Responses};
use crate::http::shared::query::QueryParameters;

/// Organizations, in the order of their ids.
#[derive(Debug, Serialize, ToSchema)]
pub struct Organizations {
    /// The organizations of this page.
    organizations: Vec<OrganizationBody>,
    /// The `cursor` of the next page; null: this is the last one.
    #[schema(required = true, example = "YWNtZS1ub3J0aA")]
    next_cursor: Option<String>,
}

/// List the organizations
///
/// The organization of the token and all below it; with `backup:admin` all. A page begins after the last organization of the
/// page before it, whatever was added, moved or deleted in between.
#[utoipa::path(
    get, path = "/api/organizations", operation_id = "listOrganizations",
    params(
        ("parent" = Option<String>, Query, description = "Only those directly below this organization.", example = "acme"),
        ("q" = Option<String>, Query, description = "Only those with this text in the id or the name, in any letter case.",
            example = "north"),
        ("limit" = Option<i32>, Query, description = "The most organizations of the page (50 without it).",
            minimum = 1, maximum = 200, example = 50),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before.", example = "YWNtZS1ub3J0aA"),
    ),
    responses(ListResponses),
    security(("bearer" = ["backup:view"])),
)]
pub async fn list_organizations(
    Authorized { caller, .. }: Authorized<ViewScope>,
    request: HttpRequest,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let query = QueryParameters::read(&request, &["parent", "q", "limit", "cursor"])?;
    let parent = query.given("parent").map(OrgId::parse).transpose();
    let page = OrgQuery {
        // What is not an id is treated as an unknown organization.
        parent: parent.map_err(|_| ApiError::OrganizationNotFound)?,
        text: query.text("q")?.map(str::to_owned),
        after: query.given("cursor").map(parse_cursor).transpose()?,
        limit: query.limit()?,
    };
    let page = state.fleet.list_organizations(&caller, page).await?;
    let last = page.organizations.last().filter(|_| page.more);
    let next_cursor = last.map(|last| URL_SAFE_NO_PAD.encode(&last.id));
    let limits = &state.fleet.limits;
    let organizations = page.organizations.into_iter().map(|org| OrganizationBody::new(org, limits));
    let data = Organizations { organizations: organizations.collect(), next_cursor };
    Ok(envelope::respond(StatusCode::OK, "organizations listed", data))
}

/// A cursor is the id of the last organization of the page before.
fn parse_cursor(text: &str) -> Result<OrgId, ApiError> {
    let id = URL_SAFE_NO_PAD.decode(text).ok().and_then(|id| String::from_utf8(id).ok());
    id.and_then(|id| OrgId::parse(&id).ok()).ok_or_else(invalid_cursor)
}

fn invalid_cursor() -> ApiError {
    ApiError::invalid("cursor", "must be next_cursor of the page before")
}

struct ListResponses;

impl IntoResponses for ListResponses {
    fn responses() -> ResponseMap {
        let example = Organizations { organizations: vec![OrganizationBody::example()], next_cursor: None };
        let errors = [invalid_cursor(), ApiError::OrganizationNotFound];
        Responses::default()
            .json(200, "The organizations of this page.", "organizations listed", &example, &[])
            .errors(bearer_auth_errors("backup:view").chain(errors))
            .into()
    }
}
