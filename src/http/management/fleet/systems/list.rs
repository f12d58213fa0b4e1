//! `GET /api/systems`: lists the systems that the caller may see.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use super::error_examples;
use super::query::ListParameters;
use super::system::System;
use crate::http::app_state::AppState;
use crate::http::envelope;
use crate::http::errors::ApiError;
use crate::http::extractors::bearer::{Authorized, ViewScope};
use crate::http::openapi::common_errors::bearer_auth_errors;
use crate::http::openapi::responses::{ResponseMap, Responses};

/// A page of systems.
#[derive(Serialize, ToSchema)]
pub struct Systems {
    /// The systems of the page.
    systems: Vec<System>,
    /// Pass it as `cursor` for the next page, with the same order and filters; `null`: this is the last page.
    #[schema(example = "AUhJ0mBIpbcMAY86XHsefD2aKwEjRWeJqw")]
    next_cursor: Option<String>,
}

/// List systems
///
/// Lists the systems of the caller's organization and of all organizations below it, with their status. In the default order
/// each system is listed exactly once, whatever is added, renamed, moved or destroyed while the pages are read. In another
/// order a system whose name or time changes meanwhile may be missed, or listed twice.
#[utoipa::path(
    get, path = "/api/systems", operation_id = "listSystems",
    params(
        ("status" = Option<String>, Query, description = "Only systems with one of these statuses, with commas between them.",
            example = "late,refused"),
        ("org" = Option<String>, Query, description = "Only systems of this organization and of all below it.",
            example = "acme"),
        ("q" = Option<String>, Query, description = "Only systems with this text in the name or the key, in any letter case.",
            example = "office"),
        ("sort" = Option<String>, Query, description = "The order: `created_at` (the default), `name`, or `protected_until` \
            (systems that nothing protects last). A `-` before it turns the order round.", example = "name"),
        ("limit" = Option<u64>, Query, description = "How many systems the page has at most.", minimum = 1, maximum = 200,
            example = 50),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
    ),
    responses(ListResponses),
    security(("bearer" = ["backup:view"])),
)]
pub async fn list_systems(
    Authorized { caller, .. }: Authorized<ViewScope>,
    request: HttpRequest,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let ListParameters { query, cursor, limit } = ListParameters::read(&request)?;
    let page = state.fleet.list_systems(&caller, query, cursor.as_deref(), limit).await?;
    let systems = page.systems.into_iter().map(System::from).collect();
    let data = Systems { systems, next_cursor: page.next_cursor };
    Ok(envelope::respond(StatusCode::OK, "systems listed", data))
}

struct ListResponses;

impl IntoResponses for ListResponses {
    fn responses() -> ResponseMap {
        let example = Systems { systems: vec![System::example()], next_cursor: None };
        let errors = error_examples::filters().into_iter().chain([error_examples::cursor()]);
        Responses::default()
            .json(200, "A page of systems.", "systems listed", &example, &[])
            .errors(bearer_auth_errors("backup:view").chain(errors))
            .into()
    }
}
