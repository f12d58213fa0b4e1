//! Parses what the headers of an upload say about its body.

use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderMap, HeaderValue, USER_AGENT};

use crate::backups::UploadHead;
use crate::domain::filename::Filename;
use crate::domain::media_type::MediaType;
use crate::domain::transfer_damage::LossyClient;
use crate::http::errors::ApiError;
use crate::http::extractors::remote_addr::RemoteAddr;
use crate::http::headers::digest::{self, InvalidDigest};
use crate::http::headers::unsupported::refuse_unsupported_upload;

/// Returns what the headers say about the upload, or the error for the first invalid one.
pub(super) fn parse_head(
    headers: &HeaderMap,
    RemoteAddr(remote_addr): RemoteAddr,
) -> Result<UploadHead, ApiError> {
    // `framing::head` has checked this header: it is one valid number, and absent if the body is chunked.
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let chunked = headers.contains_key("transfer-encoding");
    if !chunked && length.unwrap_or(0) == 0 {
        return Err(ApiError::field("body", "required", ""));
    }
    refuse_unsupported_upload(headers)?;
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let user_agent = headers.get(USER_AGENT).map(HeaderValue::as_bytes);
    Ok(UploadHead {
        filename: headers.get("x-filename").and_then(|value| Filename::from_header(value.as_bytes())),
        mimetype: MediaType::of_header(content_type),
        length: if chunked { None } else { length },
        digests: expected_digests(headers)?,
        lossy_client: LossyClient::identify(content_type, user_agent),
        asks_first: headers.contains_key(EXPECT),
        remote_addr,
    })
}

/// A function that parses a SHA-256 from the lines of a header.
type ParseDigest = fn(&[&[u8]]) -> Result<Option<[u8; 32]>, InvalidDigest>;

/// The SHA-256 digests in the headers. The body must match all of them.
fn expected_digests(headers: &HeaderMap) -> Result<Vec<[u8; 32]>, ApiError> {
    let fields: [(&str, ParseDigest); 4] = [
        ("content-digest", digest::expected_sha256),
        ("repr-digest", digest::expected_sha256),
        ("digest", digest::instance_sha256),
        ("x-amz-content-sha256", digest::payload_sha256),
    ];
    let mut digests = vec![];
    for (header, parse) in fields {
        let lines: Vec<_> = headers.get_all(header).map(HeaderValue::as_bytes).collect();
        let expected = parse(&lines)
            .map_err(|_| ApiError::field(header, "malformed", excerpt(&lines.join(&b", "[..]))))?;
        digests.extend(expected);
    }
    Ok(digests)
}

/// Returns the start of a malformed value, for the error.
fn excerpt(value: &[u8]) -> String {
    String::from_utf8_lossy(value).chars().take(200).collect()
}
