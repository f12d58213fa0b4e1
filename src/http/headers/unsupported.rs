//! Refuses requests whose headers ask for something that the service does not do.
//!
//! The bytes of a body are stored as they come, as one whole backup. An upload is refused if its headers say that the body
//! is something else, such as a part or an encoding of a backup, or if they ask for a check that the service does not
//! make: otherwise the client would take the 201 for more than it means. The service ignores what RFC 9110 requires servers to ignore
//! (`Range` of a `POST`).

use actix_web::http::header::HeaderMap;

use crate::http::errors::{ApiError, NOT_A_FORM};

/// A header that is refused unless its value changes nothing.
struct UnsupportedHeader {
    name: &'static str,
    /// Whether a value, which is trimmed and in lower case, changes nothing.
    is_harmless: fn(&str) -> bool,
    message: &'static str,
}

const UPLOAD: &[UnsupportedHeader] = &[
    UnsupportedHeader { name: "content-range", is_harmless: never, message: NOT_A_PART },
    UnsupportedHeader {
        name: "content-encoding",
        is_harmless: |value| value.split(',').all(|coding| matches!(coding.trim(), "" | "identity")),
        message: "the body is stored as it comes: send the file itself, without an encoding",
    },
    UnsupportedHeader {
        name: "content-transfer-encoding",
        is_harmless: |value| matches!(value, "" | "binary" | "8bit" | "7bit"),
        message: "the body is stored as it comes: send the file itself, without an encoding",
    },
    UnsupportedHeader {
        name: "content-type",
        is_harmless: |value| media_type(value) != "multipart/form-data",
        message: NOT_A_FORM,
    },
    UnsupportedHeader {
        name: "content-type",
        is_harmless: |value| {
            !matches!(
                media_type(value),
                "multipart/byteranges" | "message/partial" | "application/partial-upload"
            )
        },
        message: NOT_A_PART,
    },
    UnsupportedHeader { name: "upload-complete", is_harmless: |value| value == "?1", message: NOT_RESUMABLE },
    UnsupportedHeader {
        name: "upload-incomplete",
        is_harmless: |value| value == "?0",
        message: NOT_RESUMABLE,
    },
    UnsupportedHeader { name: "upload-offset", is_harmless: |value| value == "0", message: NOT_RESUMABLE },
    UnsupportedHeader { name: "tus-resumable", is_harmless: never, message: NOT_RESUMABLE },
    UnsupportedHeader {
        name: "x-amz-content-sha256",
        // In hex it is a digest, which is verified.
        is_harmless: |value| !value.starts_with("streaming-"),
        message: NOT_S3,
    },
    UnsupportedHeader { name: "x-amz-decoded-content-length", is_harmless: never, message: NOT_S3 },
    UnsupportedHeader { name: "x-amz-trailer", is_harmless: never, message: NOT_S3 },
    UnsupportedHeader { name: "x-amz-checksum-crc32", is_harmless: never, message: NOT_VERIFIED },
    UnsupportedHeader { name: "x-amz-checksum-crc32c", is_harmless: never, message: NOT_VERIFIED },
    UnsupportedHeader { name: "x-amz-checksum-crc64nvme", is_harmless: never, message: NOT_VERIFIED },
    UnsupportedHeader { name: "x-amz-checksum-sha1", is_harmless: never, message: NOT_VERIFIED },
    UnsupportedHeader { name: "x-amz-checksum-sha256", is_harmless: never, message: NOT_VERIFIED },
    UnsupportedHeader { name: "content-md5", is_harmless: never, message: NOT_VERIFIED },
    UnsupportedHeader {
        name: "trailer",
        is_harmless: |value| !value.split(',').any(|name| is_checksum(name.trim())),
        message: "trailers are not read: send the digest in the head (Content-Digest: sha-256=:BASE64:)",
    },
    // A backup gets an id of its own: nothing is ever overwritten, and `*` requires only that.
    UnsupportedHeader { name: "if-none-match", is_harmless: |value| value == "*", message: NOT_CONDITIONAL },
    UnsupportedHeader { name: "if-match", is_harmless: |value| value == "*", message: NOT_CONDITIONAL },
    UnsupportedHeader { name: "if-unmodified-since", is_harmless: never, message: NOT_CONDITIONAL },
];

/// A deletion is not conditional. `If-Match: *` is harmless: it requires only that the backup exists, as every deletion does.
const DELETE: &[UnsupportedHeader] = &[
    UnsupportedHeader { name: "if-match", is_harmless: |value| value == "*", message: NOT_CONDITIONAL },
    UnsupportedHeader { name: "if-none-match", is_harmless: never, message: NOT_CONDITIONAL },
    UnsupportedHeader { name: "if-unmodified-since", is_harmless: never, message: NOT_CONDITIONAL },
];

pub const NOT_A_PART: &str = "a part of a file can't be stored: send all of it (curl without -C and -r)";
const NOT_RESUMABLE: &str = "uploads can't be resumed: send the whole file in one request";
const NOT_S3: &str = "this is not S3: send the file itself, not in signed chunks";
const NOT_VERIFIED: &str = "not verified here: send Content-Digest: sha-256=:BASE64: instead";
pub const NOT_CONDITIONAL: &str = "conditional requests are not supported: remove this header";

const fn never(_: &str) -> bool {
    false
}

fn media_type(value: &str) -> &str {
    value.split(';').next().unwrap_or_default().trim()
}

fn is_checksum(header: &str) -> bool {
    matches!(header, "content-digest" | "repr-digest" | "digest" | "content-md5")
        || header.starts_with("x-amz-")
}

/// Refuses an upload whose headers say that its body is not a whole backup, or ask for a check that is not made.
pub fn refuse_unsupported_upload(headers: &HeaderMap) -> Result<(), ApiError> {
    refuse(headers, UPLOAD)
}

/// Refuses a conditional deletion. Otherwise the backup would be deleted without regard to the condition.
pub fn refuse_conditional_delete(headers: &HeaderMap) -> Result<(), ApiError> {
    refuse(headers, DELETE)
}

/// An example of the error for a conditional deletion.
pub fn conditional_delete() -> ApiError {
    ApiError::field("if-match", NOT_CONDITIONAL, "\"3a7b\"")
}

fn refuse(headers: &HeaderMap, unsupported: &'static [UnsupportedHeader]) -> Result<(), ApiError> {
    for (name, value) in headers {
        for header in unsupported.iter().filter(|header| name.as_str() == header.name) {
            let value = String::from_utf8_lossy(value.as_bytes());
            if !(header.is_harmless)(&value.trim().to_ascii_lowercase()) {
                let excerpt: String = value.chars().take(200).collect();
                return Err(ApiError::field(header.name, header.message, excerpt));
            }
        }
    }
    Ok(())
}
