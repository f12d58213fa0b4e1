//! The error codes of the gateway API.

use serde::Serialize;

/// An error code, and the explanation on its page (`/docs/errors/{code}`). Clients rely on the codes, so a code is never
/// renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ErrorCode {
    pub code: &'static str,
    pub status: u16,
    /// The broad category: `type` in the response.
    pub kind: &'static str,
    pub title: &'static str,
    pub explanation: &'static str,
}

/// All error codes.
pub const ERROR_CODES: &[ErrorCode] = &[
    UNAUTHORIZED,
    INSUFFICIENT_SCOPE,
    NOT_FOUND,
    METHOD_NOT_ALLOWED,
    INVALID_REQUEST,
    SITE_SUSPENDED,
    UNSUPPORTED_MEDIA,
    RANGE_NOT_SATISFIABLE,
    TOO_MANY_DOWNLOADS,
    SERVICE_UNAVAILABLE,
    BACKUP_DAMAGED,
];

pub const UNAUTHORIZED: ErrorCode = ErrorCode {
    code: "unauthorized",
    status: 401,
    kind: "authentication_error",
    title: "The token is missing or not valid",
    explanation: "Send `Authorization: Bearer TOKEN` with a token that was issued for this service, has not expired, \
        and names the organization of its bearer in `org`. `error_description` in the header `WWW-Authenticate` says what \
        is wrong with a token that was sent. Whether and by which key it is signed is only in the service's log (at level \
        debug).",
};

pub const INSUFFICIENT_SCOPE: ErrorCode = ErrorCode {
    code: "insufficient_scope",
    status: 403,
    kind: "permission_error",
    title: "The token does not permit this",
    explanation: "The token is valid, but its `scope` (or `permissions`) lacks the scope that the route needs: \
        `backup:view`, `backup:create` or `backup:delete`. The `WWW-Authenticate` header names it. `backup:admin` does \
        not replace the route's scope.",
};

pub const NOT_FOUND: ErrorCode = ErrorCode {
    code: "not_found",
    status: 404,
    kind: "invalid_request_error",
    title: "There is no such site or backup",
    explanation: "The id is unknown, malformed, or belongs to another organization; the response is the same for all of \
        them. A backup from an earlier list may have been pruned or deleted since.",
};

pub const METHOD_NOT_ALLOWED: ErrorCode = ErrorCode {
    code: "method_not_allowed",
    status: 405,
    kind: "invalid_request_error",
    title: "The path does not support this method",
    explanation: "The `Allow` header lists the supported methods.",
};

pub const INVALID_REQUEST: ErrorCode = ErrorCode {
    code: "invalid_request",
    status: 400,
    kind: "invalid_request_error",
    title: "The request is invalid",
    explanation: "A header or a parameter has an invalid value.",
};

pub const SITE_SUSPENDED: ErrorCode = ErrorCode {
    code: "site_suspended",
    status: 409,
    kind: "invalid_request_error",
    title: "The site is suspended",
    explanation: "The service refuses the appliance at the moment, so the appliance cannot fulfil a backup request. \
        Its stored backups can still be listed and downloaded.",
};

pub const UNSUPPORTED_MEDIA: ErrorCode = ErrorCode {
    code: "unsupported_media",
    status: 415,
    kind: "invalid_request_error",
    title: "The backup can't be shown as text",
    explanation: "`X-View: true` shows a backup only if it is UTF-8 text of at most 1 MiB. An encrypted backup is not \
        text: download the bytes with `X-Download: true`.",
};

pub const RANGE_NOT_SATISFIABLE: ErrorCode = ErrorCode {
    code: "range_not_satisfiable",
    status: 416,
    kind: "invalid_request_error",
    title: "The backup has no such part",
    explanation: "The `Range` header requests bytes beyond the end of the backup. `Content-Range` has the backup's size.",
};

pub const TOO_MANY_DOWNLOADS: ErrorCode = ErrorCode {
    code: "too_many_downloads",
    status: 429,
    kind: "rate_limit_error",
    title: "Too many downloads of the site are in progress",
    explanation: "All portals together may have 8 downloads of one site at the same time. Send the same request again \
        after the seconds in `Retry-After`. If a client stops reading, its download is aborted after about a minute.",
};

pub const SERVICE_UNAVAILABLE: ErrorCode = ErrorCode {
    code: "service_unavailable",
    status: 500,
    kind: "api_error",
    title: "The service is temporarily unavailable",
    explanation: "The service cannot reach its database, its object store or the keys for tokens. Nothing was changed, \
        or the service does not know whether it was. Send the same request again after the seconds in `Retry-After`.",
};

pub const BACKUP_DAMAGED: ErrorCode = ErrorCode {
    code: "backup_damaged",
    status: 500,
    kind: "api_error",
    title: "The stored backup is damaged",
    explanation: "The backup is listed, but its bytes are missing or have changed. Other backups of the site are not \
        affected. Report it to the operator of the service.",
};

#[cfg(test)]
mod tests {
    use crate::http::errors::gateway_codes::ERROR_CODES;

    #[test]
    fn each_code_is_listed_once_and_explained() {
        for (index, code) in ERROR_CODES.iter().enumerate() {
            assert!(ERROR_CODES[..index].iter().all(|other| other.code != code.code), "{}", code.code);
            assert!(code.code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", code.code);
            assert!((400..600).contains(&code.status));
            assert!(
                !code.title.is_empty() && !code.explanation.is_empty() && !code.explanation.contains("  ")
            );
        }
    }
}
