//! `POST /api/systems`: adds a system.

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::web::{Data, Payload};
use actix_web::{HttpResponse, HttpResponseBuilder};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::{IntoResponses, ToSchema};
use uuid::Uuid;

use super::{error_examples, members};
use crate::domain::author::Author;
use crate::domain::ids::{InvalidName, OrgId, SystemKey};
use crate::fleet::{Credential, SystemToAdd};
use crate::http::app_state::AppState;
use crate::http::envelope;
use crate::http::errors::ApiError;
use crate::http::extractors::bearer::{Authorized, ManageSystemsScope};
use crate::http::extractors::remote_addr::RemoteAddr;
use crate::http::openapi::common_errors::bearer_auth_errors;
use crate::http::openapi::responses::{ResponseMap, Responses};
use crate::http::shared::json_body;

/// `Cache-Control` of a response with a secret.
pub const NOT_STORED: &str = "no-store";

/// A system that is to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSystem {
    /// The name for people. It need not be unique.
    #[schema(min_length = 1, max_length = 200, example = "Main office")]
    name: String,
    /// Its organization. Left out: that of the token.
    #[schema(required = false, example = "acme")]
    org_id: Option<String>,
    /// Its key, the user name for the collect API: 1 to 64 characters from `A-Z`, `a-z`, `0-9`, `_` and `-`. Left out: a random
    /// one.
    #[schema(required = false, example = "fw-01")]
    system_key: Option<String>,
    /// Its own backup period. Left out: that of its organization, or of the service.
    #[schema(value_type = Option<i64>, required = false, minimum = 1, maximum = 315_619_200, example = 93_600)]
    backup_period_seconds: Option<u64>,
    /// Its own contact period. Left out: that of its organization, or none.
    #[schema(value_type = Option<i64>, required = false, minimum = 1, maximum = 315_619_200, example = 900)]
    contact_period_seconds: Option<u64>,
}

/// The credential of a new system. The secret is shown this once.
#[derive(Serialize, ToSchema)]
pub struct NewCredential {
    /// The id of the system.
    #[schema(value_type = String, format = "uuid", example = "018f3a5c-7b1e-7c3d-9a2b-0123456789ab")]
    id: Uuid,
    /// The user name for the collect API.
    #[schema(example = "fw-01")]
    system_key: String,
    /// The password for the collect API.
    #[schema(example = "pPq0oP2hyK0kh7vWlbUHdJ1E0jDWYTQyVbmP9mKqZ4g")]
    system_secret: String,
    /// The organization of the system.
    #[schema(example = "acme")]
    org_id: String,
}

impl From<&Credential> for NewCredential {
    fn from(credential: &Credential) -> Self {
        Self {
            id: credential.id,
            system_key: credential.key.clone(),
            system_secret: credential.secret.expose_secret().to_owned(),
            org_id: credential.org_id.clone(),
        }
    }
}

impl NewCredential {
    /// An example for the documentation.
    pub fn example() -> Self {
        Self {
            id: Uuid::from_u128(0x018f_3a5c_7b1e_7c3d_9a2b_0123_4567_89ab),
            system_key: "fw-01".to_owned(),
            system_secret: "pPq0oP2hyK0kh7vWlbUHdJ1E0jDWYTQyVbmP9mKqZ4g".to_owned(),
            org_id: "acme".to_owned(),
        }
    }
}

/// Add a system
///
/// The answer has the secret of the new system, which is shown this once: only its hash is stored.
#[utoipa::path(
    post, path = "/api/systems", operation_id = "addSystem",
    request_body(content = NewSystem, description = "The new system.",
        example = json!({ "name": "Main office" })),
    responses(AddResponses),
    security(("bearer" = ["system:manage"])),
)]
pub async fn add_system(
    Authorized { caller, .. }: Authorized<ManageSystemsScope>,
    RemoteAddr(remote_addr): RemoteAddr,
    body: Payload,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let new: NewSystem = json_body::read(body).await?;
    let org = match new.org_id {
        // What is no id of an organization is like one that does not exist.
        Some(org) => OrgId::parse(&org).map_err(|_| ApiError::OrganizationNotFound)?,
        None => caller.org().cloned().ok_or_else(|| ApiError::invalid("org_id", "required"))?,
    };
    let key = new.system_key.map(|key| SystemKey::parse(&key)).transpose();
    let period =
        |member, seconds: Option<u64>| seconds.map(|seconds| members::period(member, seconds)).transpose();
    let system = SystemToAdd {
        name: members::name(new.name)?,
        org,
        key: key.map_err(invalid_key)?,
        backup_period_seconds: period("backup_period_seconds", new.backup_period_seconds)?,
        contact_period_seconds: period("contact_period_seconds", new.contact_period_seconds)?,
    };
    let credential = state.fleet.add_system(Author::Caller { caller, remote_addr }, system).await?;
    let mut response = HttpResponseBuilder::new(StatusCode::CREATED);
    response
        .insert_header((LOCATION, format!("/api/systems/{}", credential.id)))
        .insert_header((CACHE_CONTROL, NOT_STORED));
    Ok(envelope::finish(response, StatusCode::CREATED, "system added", NewCredential::from(&credential)))
}

fn invalid_key(error: InvalidName) -> ApiError {
    ApiError::invalid("system_key", error.to_string())
}

struct AddResponses;

impl IntoResponses for AddResponses {
    fn responses() -> ResponseMap {
        let errors =
            [invalid_key(InvalidName), ApiError::OrganizationNotFound, ApiError::KeyTaken, ApiError::Timeout];
        let headers = [
            ("Cache-Control", NOT_STORED),
            ("Location", "/api/systems/018f3a5c-7b1e-7c3d-9a2b-0123456789ab"),
        ];
        Responses::default()
            .json(201, "The system is added.", "system added", &NewCredential::example(), &[])
            .with_headers(&headers)
            .errors(bearer_auth_errors("system:manage").chain(error_examples::members()).chain(errors))
            .into()
    }
}
