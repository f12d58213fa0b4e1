//! `POST /api/systems/backups`: uploads a backup.
//!
//! The handler parses the headers ([`parse_head`]) and sends the body, chunk by chunk, to the upload's own task
//! ([`send_body`]). The result of that task becomes the response.

mod body;
mod head;

use std::rc::Rc;

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use utoipa::IntoResponses;

use crate::auth::basic::SystemIdentity;
use crate::backups::UploadHandle;
use crate::domain::transfer_damage::TransferDamage;
use crate::http::access_log;
use crate::http::app_state::AppState;
use crate::http::envelope;
use crate::http::errors::ApiError;
use crate::http::extractors::basic::UploadingSystem;
use crate::http::extractors::remote_addr::RemoteAddr;
use crate::http::framing::Exchange;
use crate::http::headers::unsupported::NOT_A_PART;
use crate::http::openapi::common_errors::basic_auth_errors;
use crate::http::openapi::responses::{ResponseMap, Responses};
use crate::http::openapi::schemas::Binary;
use crate::http::shared::backup_metadata::Metadata;
use body::send_body;
use head::parse_head;

/// Upload a backup
///
/// The body is the ciphertext. The service streams it to the store, hashes it on the way, and stores it only if it is
/// complete. A 201 means that the backup is durable. Use `Transfer-Encoding: chunked` if the length is not known.
#[utoipa::path(
    post, path = "/api/systems/backups", operation_id = "uploadBackup",
    params(
        ("X-Filename" = Option<String>, Header,
            description = "The name that people see. Only what follows the last `/` or `\\` is used; characters outside \
                           `A-Za-z0-9._-` become `_`. Its extension becomes the extension of the id.",
            example = "backup-2026-04-12.tar.gz.gpg"),
        ("Content-Digest" = Option<String>, Header,
            description = "SHA-256 of the body (RFC 9530). A body with another digest is not stored.",
            pattern = "^sha-256=:[A-Za-z0-9+/]{43}=:$"),
        ("Repr-Digest" = Option<String>, Header, description = "Has the same meaning as `Content-Digest`.",
            pattern = "^sha-256=:[A-Za-z0-9+/]{43}=:$"),
    ),
    request_body(content = inline(Binary), content_type = "application/octet-stream",
        description = "The encrypted backup. Its `Content-Type` becomes the backup's `mimetype`."),
    responses(UploadResponses),
    security(("basic" = [])),
)]
pub async fn upload_backup(
    UploadingSystem(identity): UploadingSystem,
    remote_addr: RemoteAddr,
    request: HttpRequest,
    body: Payload,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let handle = begin(&state, &identity, &request, remote_addr).await?;
    access_log::note_backup(&request, handle.id);
    let exchange = request.conn_data::<Rc<Exchange>>().cloned();
    let backup = send_body(body, handle, exchange).await?;
    // An upload may have been begun anew.
    access_log::note_backup(&request, backup.id);
    let metadata = Metadata::from(backup);
    let mut response = HttpResponseBuilder::new(StatusCode::CREATED);
    response.insert_header((LOCATION, format!("/api/systems/backups/{}", metadata.id())));
    Ok(envelope::finish(response, StatusCode::CREATED, "backup stored", metadata))
}

async fn begin(
    state: &AppState,
    identity: &SystemIdentity,
    request: &HttpRequest,
    remote_addr: RemoteAddr,
) -> Result<UploadHandle, ApiError> {
    let upload = parse_head(request.headers(), remote_addr).inspect_err(|_| {
        state.vault.refuse_malformed_head(identity, remote_addr.0);
        state.vault.authenticator.note_seen(identity, remote_addr.0);
    })?;
    Ok(state.vault.begin_upload(identity, upload).await?)
}

struct UploadResponses;

impl IntoResponses for UploadResponses {
    fn responses() -> ResponseMap {
        let errors = [
            ApiError::field("body", "required", ""),
            ApiError::field("body", "incomplete", ""),
            ApiError::damaged_by_client(TransferDamage::LineBreaks),
            ApiError::field("content-range", NOT_A_PART, "bytes 50000-99999/100000"),
            ApiError::field("content-digest", "malformed", "sha-256"),
            ApiError::field("content-digest", "mismatch", ""),
            ApiError::Timeout,
            ApiError::TooLarge { max_bytes: 2 << 30 },
            ApiError::QuotaExceeded,
            ApiError::TooManyRequests { retry_after_seconds: 41 },
            ApiError::TooManyUploads,
        ];
        let stored = "The backup is durably stored and is in the list.";
        Responses::default()
            .json(201, stored, "backup stored", &Metadata::example(), &["Location"])
            .errors(basic_auth_errors().chain(errors))
            .with_backup_requested()
            .into()
    }
}
