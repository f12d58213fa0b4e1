//! `GET /api/events` and `GET /api/systems/{id}/events`: list events.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use utoipa::IntoResponses;

use super::body::Events;
use super::query::{EventParameters, unknown_kind};
use crate::http::app_state::AppState;
use crate::http::envelope;
use crate::http::errors::ApiError;
use crate::http::extractors::bearer::{Authorized, ViewScope};
use crate::http::openapi::common_errors::bearer_auth_errors;
use crate::http::openapi::responses::{ResponseMap, Responses};

/// List events
///
/// What happened in the organization of the token and in all below it, newest first; with `backup:admin` everywhere. An event
/// that is written while a client reads page after page is in none of them.
#[utoipa::path(
    get, path = "/api/events", operation_id = "listEvents",
    params(
        ("org" = Option<String>, Query, description = "Only those of this organization and of all below it.", example = "acme-north"),
        ("kind" = Option<String>, Query, description = "Only those of this kind.", example = "refused"),
        ("since" = Option<String>, Query, example = "7d",
            description = "Only those from then on: an age such as 24h or 7d, a date, or a time (RFC 3339)."),
        ("limit" = Option<i32>, Query, description = "The most events of the page (50 without it).",
            minimum = 1, maximum = 200, example = 50),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before.", example = "AQAGT0AGJz0AAAAAAABMS0E"),
    ),
    responses(ListResponses),
    security(("bearer" = ["backup:view"])),
)]
pub async fn list_events(
    Authorized { caller, .. }: Authorized<ViewScope>,
    request: HttpRequest,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let EventParameters { query, after, limit } = EventParameters::read(&request, &["org"])?;
    let page = state.fleet.list_events(&caller, query, after, limit).await?;
    Ok(envelope::respond(StatusCode::OK, "events listed", Events::from(page)))
}

/// List the events of a system
///
/// Newest first. A system that was destroyed keeps its events.
#[utoipa::path(
    get, path = "/api/systems/{id}/events", operation_id = "listSystemEvents",
    params(
        ("id" = String, Path, description = "The system\'s id.", format = "uuid",
            example = "018f3a5c-7b1e-7c3d-9a2b-0123456789ab"),
        ("kind" = Option<String>, Query, description = "Only those of this kind.", example = "refused"),
        ("since" = Option<String>, Query, example = "7d",
            description = "Only those from then on: an age such as 24h or 7d, a date, or a time (RFC 3339)."),
        ("limit" = Option<i32>, Query, description = "The most events of the page (50 without it).",
            minimum = 1, maximum = 200, example = 50),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before.", example = "AQAGT0AGJz0AAAAAAABMS0E"),
    ),
    responses(ListOfSystemResponses),
    security(("bearer" = ["backup:view"])),
)]
pub async fn list_system_events(
    Authorized { caller, .. }: Authorized<ViewScope>,
    id: Path<String>,
    request: HttpRequest,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let EventParameters { query, after, limit } = EventParameters::read(&request, &[])?;
    let page = state.fleet.list_system_events(&caller, &id, query, after, limit).await?;
    Ok(envelope::respond(StatusCode::OK, "events listed", Events::from(page)))
}

struct ListResponses;

impl IntoResponses for ListResponses {
    fn responses() -> ResponseMap {
        let errors = [unknown_kind(), ApiError::OrganizationNotFound];
        Responses::default()
            .json(200, "The events of this page.", "events listed", &Events::example(), &[])
            .errors(bearer_auth_errors("backup:view").chain(errors))
            .into()
    }
}

struct ListOfSystemResponses;

impl IntoResponses for ListOfSystemResponses {
    fn responses() -> ResponseMap {
        let errors = [unknown_kind(), ApiError::SystemNotFound];
        Responses::default()
            .json(200, "The events of this page.", "events listed", &Events::example(), &[])
            .errors(bearer_auth_errors("backup:view").chain(errors))
            .into()
    }
}
