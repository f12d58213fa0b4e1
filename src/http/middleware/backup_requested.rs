//! `X-Backup-Requested`: tells an appliance about a pending backup request, on the responses of the collect API that do not
//! list backup requests anyway.

use actix_web::HttpMessage;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;

use crate::auth::basic::SystemIdentity;
use crate::http::app_state::AppState;

/// Adds the header to the responses to an authenticated system that has a pending backup request.
pub async fn add_backup_requested(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let state = request.app_data::<Data<AppState>>().cloned();
    let mut response = next.call(request).await?;
    let identity = response.request().extensions().get::<SystemIdentity>().cloned();
    if let Some((state, identity)) = state.zip(identity)
        && let Some(id) = state.vault.authenticator.pending_backup_request(&identity).await
        && let Ok(value) = HeaderValue::from_str(&id.to_string())
    {
        response.headers_mut().insert(HeaderName::from_static("x-backup-requested"), value);
    }
    Ok(response)
}
