//! `POST /api/systems/heartbeat`: an appliance reports that it is alive.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use crate::auth::basic::SystemIdentity;
use crate::http::app_state::AppState;
use crate::http::envelope;
use crate::http::errors::ApiError;
use crate::http::extractors::remote_addr::RemoteAddr;
use crate::http::openapi::common_errors::basic_auth_errors;
use crate::http::openapi::responses::{ResponseMap, Responses};

/// Report that the appliance is alive
///
/// The body is ignored. It does not count against the rate limit, and it is not needed by an appliance that sends other
/// requests: each of them is a sign of activity as well. It says nothing about backups.
#[utoipa::path(
    post, path = "/api/systems/heartbeat", operation_id = "sendHeartbeat",
    responses(HeartbeatResponses),
    security(("basic" = [])),
)]
pub async fn acknowledge_heartbeat(
    identity: SystemIdentity,
    remote_addr: RemoteAddr,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let last_heartbeat = state.vault.note_heartbeat(&identity, remote_addr.0).await?;
    let heartbeat = Heartbeat::new(identity.key().as_str(), last_heartbeat);
    Ok(envelope::respond(StatusCode::OK, MESSAGE, heartbeat))
}

const MESSAGE: &str = "heartbeat acknowledged";

/// The acknowledgement.
#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "appliances know these names")]
pub struct Heartbeat {
    /// The user name of the system.
    #[schema(example = "fw-01")]
    system_key: String,
    /// Always `true`.
    #[schema(example = true)]
    acknowledged: bool,
    /// When the system was last heard of, as it is recorded: at most a minute ago. RFC 3339, UTC.
    #[schema(format = DateTime, example = "2026-04-12T02:15:00Z")]
    last_heartbeat: String,
}

impl Heartbeat {
    fn new(system_key: &str, last_heartbeat: DateTime<Utc>) -> Self {
        let last_heartbeat = envelope::timestamp(last_heartbeat);
        Self { system_key: system_key.to_owned(), acknowledged: true, last_heartbeat }
    }
}

struct HeartbeatResponses;

impl IntoResponses for HeartbeatResponses {
    fn responses() -> ResponseMap {
        let at = DateTime::from_timestamp(1_775_960_100, 0).unwrap_or_default();
        Responses::default()
            .json(200, "The sign of activity is recorded.", MESSAGE, &Heartbeat::new("fw-01", at), &[])
            .errors(basic_auth_errors())
            .with_backup_requested()
            .into()
    }
}
