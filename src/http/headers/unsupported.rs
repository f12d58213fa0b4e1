//! What the head of a request says about its body, and what it asks to be checked first.
//!
//! The bytes of a body are stored as they come, as one whole backup. A head that says that they are something else, a part
//! or an encoding of one, is refused, and so is one that asks for a check that would not be made: the client would take
//! the 201 for more than it means. What RFC 9110 tells servers to ignore (`Range` of a `POST`) is ignored.

use actix_web::http::header::HeaderMap;

use crate::http::errors::{ApiError, NOT_A_FORM};

/// A header, and what is wrong with a value of it.
struct Claim {
    header: &'static str,
    /// Whether a value, in lower case and without space around it, changes nothing.
    is_harmless: fn(&str) -> bool,
    message: &'static str,
}

const CLAIMS: &[Claim] = &[
    Claim { header: "content-range", is_harmless: never, message: NOT_A_PART },
    Claim {
        header: "content-encoding",
        is_harmless: |value| value.split(',').all(|coding| matches!(coding.trim(), "" | "identity")),
        message: "the body is stored as it comes: send the file itself, without an encoding",
    },
    Claim {
        header: "content-transfer-encoding",
        is_harmless: |value| matches!(value, "" | "binary" | "8bit" | "7bit"),
        message: "the body is stored as it comes: send the file itself, without an encoding",
    },
    Claim {
        header: "content-type",
        is_harmless: |value| media_type(value) != "multipart/form-data",
        message: NOT_A_FORM,
    },
    Claim {
        header: "content-type",
        is_harmless: |value| {
            !matches!(
                media_type(value),
                "multipart/byteranges" | "message/partial" | "application/partial-upload"
            )
        },
        message: NOT_A_PART,
    },
    Claim { header: "upload-complete", is_harmless: |value| value == "?1", message: NOT_RESUMABLE },
    Claim { header: "upload-incomplete", is_harmless: |value| value == "?0", message: NOT_RESUMABLE },
    Claim { header: "upload-offset", is_harmless: |value| value == "0", message: NOT_RESUMABLE },
    Claim { header: "tus-resumable", is_harmless: never, message: NOT_RESUMABLE },
    Claim {
        header: "x-amz-content-sha256",
        // In hex it is a digest, which is verified.
        is_harmless: |value| !value.starts_with("streaming-"),
        message: NOT_S3,
    },
    Claim { header: "x-amz-decoded-content-length", is_harmless: never, message: NOT_S3 },
    Claim { header: "x-amz-trailer", is_harmless: never, message: NOT_S3 },
    Claim { header: "x-amz-checksum-crc32", is_harmless: never, message: NOT_VERIFIED },
    Claim { header: "x-amz-checksum-crc32c", is_harmless: never, message: NOT_VERIFIED },
    Claim { header: "x-amz-checksum-crc64nvme", is_harmless: never, message: NOT_VERIFIED },
    Claim { header: "x-amz-checksum-sha1", is_harmless: never, message: NOT_VERIFIED },
    Claim { header: "x-amz-checksum-sha256", is_harmless: never, message: NOT_VERIFIED },
    Claim { header: "content-md5", is_harmless: never, message: NOT_VERIFIED },
    Claim {
        header: "trailer",
        is_harmless: |value| !value.split(',').any(|name| is_checksum(name.trim())),
        message: "trailers are not read: send the digest in the head (Content-Digest: sha-256=:BASE64:)",
    },
    // A backup gets an id of its own: nothing is ever overwritten, which is what `*` asks for.
    Claim { header: "if-none-match", is_harmless: |value| value == "*", message: NOT_CONDITIONAL },
    Claim { header: "if-match", is_harmless: |value| value == "*", message: NOT_CONDITIONAL },
    Claim { header: "if-unmodified-since", is_harmless: never, message: NOT_CONDITIONAL },
];

/// What a deletion may not be made to depend on. `*` asks for a backup that is there, and no other is deleted.
const CONDITIONS: &[Claim] = &[
    Claim { header: "if-match", is_harmless: |value| value == "*", message: NOT_CONDITIONAL },
    Claim { header: "if-none-match", is_harmless: never, message: NOT_CONDITIONAL },
    Claim { header: "if-unmodified-since", is_harmless: never, message: NOT_CONDITIONAL },
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

/// Refuses an upload whose head says that its body is something else than the backup, or asks for a check that is not
/// made.
pub fn refuse_claims(headers: &HeaderMap) -> Result<(), ApiError> {
    refuse(headers, CLAIMS)
}

/// Refuses a deletion under a condition, which would be made without it.
pub fn refuse_conditions(headers: &HeaderMap) -> Result<(), ApiError> {
    refuse(headers, CONDITIONS)
}

/// A deletion under a condition.
pub fn conditional() -> ApiError {
    ApiError::field("if-match", NOT_CONDITIONAL, "\"3a7b\"")
}

fn refuse(headers: &HeaderMap, claims: &'static [Claim]) -> Result<(), ApiError> {
    for (name, value) in headers {
        for claim in claims.iter().filter(|claim| name.as_str() == claim.header) {
            let value = String::from_utf8_lossy(value.as_bytes());
            if !(claim.is_harmless)(&value.trim().to_ascii_lowercase()) {
                let shown: String = value.chars().take(200).collect();
                return Err(ApiError::field(claim.header, claim.message, shown));
            }
        }
    }
    Ok(())
}
