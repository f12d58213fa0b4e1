//! `PATCH /api/systems/{id}`: changes a system.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use serde::Deserialize;
use utoipa::{IntoResponses, ToSchema};

use super::show::SystemInFull;
use super::{error_examples, members};
use crate::domain::author::Author;
use crate::fleet::SystemChange;
use crate::http::app_state::AppState;
use crate::http::envelope;
use crate::http::errors::{ApiError, CANNOT_MOVE};
use crate::http::extractors::bearer::{Authorized, ManageSystemsScope};
use crate::http::extractors::remote_addr::RemoteAddr;
use crate::http::openapi::common_errors::bearer_auth_errors;
use crate::http::openapi::responses::{ResponseMap, Responses};
use crate::http::shared::json_body::{self, Given};

/// What is to be changed. What is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SystemChange)]
pub struct Change {
    /// The name for people.
    #[schema(value_type = String, required = false, min_length = 1, max_length = 200, example = "Branch office")]
    #[serde(default, deserialize_with = "json_body::not_null")]
    name: Option<String>,
    /// Its own backup period; `null`: that of its organization, or of the service.
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 315_619_200, example = 93_600)]
    #[serde(default)]
    backup_period_seconds: Given<u64>,
    /// Its own contact period; `null`: that of its organization, or none.
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 315_619_200, example = 900)]
    #[serde(default)]
    contact_period_seconds: Given<u64>,
    /// Whether its credential is refused.
    #[schema(value_type = bool, required = false, example = true)]
    #[serde(default, deserialize_with = "json_body::not_null")]
    suspended: Option<bool>,
    /// Its organization. A system can't be moved yet: only the present one is accepted.
    #[schema(value_type = String, required = false, example = "acme")]
    #[serde(default, deserialize_with = "json_body::not_null")]
    org_id: Option<String>,
}

/// Change a system
///
/// Makes all of the changes, or none. Each one is recorded in the history, with the `sub` of the token.
#[utoipa::path(
    patch, path = "/api/systems/{id}", operation_id = "changeSystem",
    params(("id" = String, Path, description = "The system\'s id.", format = "uuid",
            example = "018f3a5c-7b1e-7c3d-9a2b-0123456789ab")),
    request_body(content = Change, description = "The changes.",
        example = json!({ "name": "Branch office", "contact_period_seconds": null })),
    responses(ChangeResponses),
    security(("bearer" = ["system:manage"])),
)]
pub async fn change_system(
    Authorized { caller, .. }: Authorized<ManageSystemsScope>,
    RemoteAddr(remote_addr): RemoteAddr,
    id: Path<String>,
    body: Payload,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let change: Change = json_body::read(body).await?;
    let changes = SystemChange {
        name: change.name.map(members::name).transpose()?,
        backup_period_seconds: period("backup_period_seconds", change.backup_period_seconds)?,
        contact_period_seconds: period("contact_period_seconds", change.contact_period_seconds)?,
        suspended: change.suspended,
    };
    let author = Author::Caller { caller, remote_addr };
    let system = state.fleet.change_system(author, &id, change.org_id.as_deref(), changes).await?;
    Ok(envelope::respond(StatusCode::OK, "system changed", SystemInFull::from(system)))
}

#[expect(clippy::option_option, reason = "no change, or a change to no period of its own")]
fn period(member: &'static str, given: Given<u64>) -> Result<Option<Option<i64>>, ApiError> {
    Ok(match given {
        Given::Absent => None,
        Given::Null => Some(None),
        Given::Value(seconds) => Some(Some(members::period(member, seconds)?)),
    })
}

struct ChangeResponses;

impl IntoResponses for ChangeResponses {
    fn responses() -> ResponseMap {
        let errors = [
            ApiError::invalid("org_id", CANNOT_MOVE),
            ApiError::SystemNotFound,
            ApiError::BeingDestroyed,
            ApiError::Timeout,
        ];
        Responses::default()
            .json(200, "The system after the changes.", "system changed", &SystemInFull::example(), &[])
            .errors(bearer_auth_errors("system:manage").chain(error_examples::members()).chain(errors))
            .into()
    }
}
