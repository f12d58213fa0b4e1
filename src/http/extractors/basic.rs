//! Basic auth: the system that sends the request. The credential is checked before anything else in the request.

use std::pin::Pin;
use std::time::Instant;

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use actix_web_httpauth::headers::authorization::Basic;

use super::remote_addr::RemoteAddr;
use crate::auth::basic::SystemIdentity;
use crate::backups::ReadError;
use crate::http::access_log;
use crate::http::app_state::AppState;
use crate::http::errors::ApiError;
use crate::http::headers::authorization::{credential, is_sent};

type Extraction<T> = Pin<Box<dyn Future<Output = Result<T, ApiError>>>>;

/// The system that sends a request. The request counts as a sign of activity.
impl FromRequest for SystemIdentity {
    type Error = ApiError;
    type Future = Extraction<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let (request, RemoteAddr(remote_addr)) = (request.clone(), RemoteAddr::from_http_request(request));
        Box::pin(async move {
            let (identity, state) = authenticate(&request, Purpose::Other).await?;
            state.vault.authenticator.note_seen(&identity, remote_addr);
            Ok(identity)
        })
    }
}

/// The system that sends an upload. Its admission records the sign of activity.
pub struct UploadingSystem(pub SystemIdentity);

impl FromRequest for UploadingSystem {
    type Error = ApiError;
    type Future = Extraction<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let (request, purpose) = (request.clone(), Purpose::Upload { arrived: Instant::now() });
        Box::pin(async move {
            let (identity, _) = authenticate(&request, purpose).await?;
            Ok(Self(identity))
        })
    }
}

/// What a request is for. An upload is remembered if its credential can't be checked.
enum Purpose {
    Upload { arrived: Instant },
    Other,
}

async fn authenticate(
    request: &HttpRequest,
    purpose: Purpose,
) -> Result<(SystemIdentity, Data<AppState>), ApiError> {
    let headers = request.headers();
    let missing = if is_sent(headers) { ApiError::MalformedCredential } else { ApiError::Unauthorized };
    let credential = credential::<Basic>(headers, "Basic").ok_or(missing)?;
    let RemoteAddr(remote_addr) = RemoteAddr::from_http_request(request);
    let state = request.app_data::<Data<AppState>>().cloned();
    let state = state.ok_or(ApiError::Unavailable { details: "service" })?;
    let (key, secret) = (credential.user_id(), credential.password().unwrap_or_default());
    let authenticator = &state.vault.authenticator;
    let identity = match purpose {
        Purpose::Upload { arrived } => {
            let identity = authenticator.authenticate_upload(key, secret, remote_addr, arrived).await;
            if let Ok(None) = identity
                && let Some(system) = authenticator.inactive(key, secret)
            {
                state.vault.refuse_inactive(&system, remote_addr, arrived);
            }
            identity
        }
        Purpose::Other => authenticator.authenticate(key, secret, remote_addr).await,
    };
    let identity = identity.map_err(ReadError::from)?.ok_or(ApiError::WrongCredential)?;
    access_log::note_system(request, &identity);
    // The middleware `add_backup_requested` reads the identity, to know which system the response is for.
    request.extensions_mut().insert(identity.clone());
    Ok((identity, state))
}
