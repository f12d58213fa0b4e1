//! `POST /api/systems/backups`: headers are parsed here, chunks are pumped into the upload's own
//! task, and its outcome becomes the answer.

use std::rc::Rc;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, USER_AGENT};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use futures_util::StreamExt;

use super::metadata::Metadata;
use crate::auth::basic::SystemIdentity;
use crate::backups::{Backup, UploadError, UploadHandle, UploadRequest};
use crate::domain::filename::Filename;
use crate::domain::media_type::MediaType;
use crate::domain::transfer_damage::LossyClient;
use crate::http::app_state::AppState;
use crate::http::docs;
use crate::http::envelope;
use crate::http::errors::ApiError;
use crate::http::extractors::client_address::RemoteAddr;
use crate::http::framing::Exchange;
use crate::http::headers::digest::{self, InvalidDigest};
use crate::http::headers::unsupported::refuse_claims;

/// Upload a backup
///
/// The body is the ciphertext; it is streamed, hashed on the way, and stored only if it is complete.
/// A 201 means that it is durable. `Transfer-Encoding: chunked` is fine where the length is not known.
#[utoipa::path(
    post, path = "/api/systems/backups", tag = "Backups", operation_id = "uploadBackup",
    params(
        ("X-Filename" = Option<String>, Header,
            description = "The name that people see. What follows the last `/` or `\\` counts; odd characters \
                           become `_`; its end gives the id its extension.",
            example = "backup-2026-04-12.tar.gz.gpg"),
        ("Content-Digest" = Option<String>, Header,
            description = "SHA-256 of the body (RFC 9530): other bytes are not stored.",
            pattern = "^sha-256=:[A-Za-z0-9+/]{43}=:$"),
        ("Repr-Digest" = Option<String>, Header, description = "Understood as `Content-Digest` is.",
            pattern = "^sha-256=:[A-Za-z0-9+/]{43}=:$"),
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream",
        description = "The backup, encrypted. Its `Content-Type` is kept as `mimetype`."),
    responses(docs::collect::Upload),
    security(("basic" = [])),
)]
pub async fn upload(
    who: SystemIdentity,
    remote: RemoteAddr,
    request: HttpRequest,
    body: Payload,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let upload = parse(request.headers(), remote)?;
    let handle = state.vault.begin_upload(&who, upload).await?;
    let exchange = request.conn_data::<Rc<Exchange>>().cloned();
    let metadata = Metadata::from(pump(body, handle, exchange).await?);
    let mut response = HttpResponseBuilder::new(StatusCode::CREATED);
    response.insert_header((LOCATION, format!("/api/systems/backups/{}", metadata.id())));
    Ok(envelope::finish(response, StatusCode::CREATED, "backup stored", metadata))
}

/// What the headers say of the upload, or 400 for what is wrong with them.
fn parse(headers: &HeaderMap, RemoteAddr(remote_addr): RemoteAddr) -> Result<UploadRequest, ApiError> {
    // The server's parser has made sure that it is one valid number, and not there if chunked.
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let chunked = headers.contains_key("transfer-encoding");
    if !chunked && length.unwrap_or(0) == 0 {
        return Err(ApiError::field("body", "required", ""));
    }
    refuse_claims(headers)?;
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let user_agent = headers.get(USER_AGENT).map(HeaderValue::as_bytes);
    Ok(UploadRequest {
        filename: headers.get("x-filename").and_then(|value| Filename::from_header(value.as_bytes())),
        mimetype: MediaType::of_header(content_type),
        length: if chunked { None } else { length },
        digests: digests(headers)?,
        lossy_client: LossyClient::identify(content_type, user_agent),
        remote_addr,
    })
}

/// Reads a SHA-256 in the lines of a header.
type ReadDigest = fn(&[&[u8]]) -> Result<Option<[u8; 32]>, InvalidDigest>;

/// The SHA-256 digests that the headers announce: all have to be the body's.
fn digests(headers: &HeaderMap) -> Result<Vec<[u8; 32]>, ApiError> {
    let fields: [(&str, ReadDigest); 4] = [
        ("content-digest", digest::expected_sha256),
        ("repr-digest", digest::expected_sha256),
        ("digest", digest::instance_sha256),
        ("x-amz-content-sha256", digest::payload_sha256),
    ];
    let mut digests = vec![];
    for (header, read) in fields {
        let lines: Vec<_> = headers.get_all(header).map(HeaderValue::as_bytes).collect();
        let expected = read(&lines)
            .map_err(|_| ApiError::field(header, "malformed", printable(&lines.join(&b", "[..]))))?;
        digests.extend(expected);
    }
    Ok(digests)
}

/// The start of a malformed value, for the answer that complains about it.
fn printable(value: &[u8]) -> String {
    String::from_utf8_lossy(value).chars().take(200).collect()
}

/// Passes the body on to the upload's task until either of the two ends, and waits for the upload's result.
async fn pump(
    mut body: Payload,
    handle: UploadHandle,
    exchange: Option<Rc<Exchange>>,
) -> Result<Backup, ApiError> {
    let UploadHandle { body: sender, mut result } = handle;
    // The sender is dropped with this future. If it goes without `end`, the upload is aborted.
    let passed_on = async move {
        while let Some(item) = body.next().await {
            let Ok(chunk) = item else {
                // Unless what it sends is malformed, the client is gone.
                if let Some(fault) = exchange.and_then(|exchange| exchange.broken_body()) {
                    sender.malformed(fault.message()).await;
                }
                return;
            };
            if sender.chunk(chunk).await.is_err() {
                // The upload takes nothing more: its result says why.
                return;
            }
        }
        sender.end().await;
    };
    let early = tokio::select! {
        biased;
        ended = &mut result => Some(ended),
        () = passed_on => None,
    };
    let result = match early {
        Some(ended) => ended,
        None => result.await,
    };
    Ok(result.unwrap_or(Err(UploadError::Aborted))?)
}
