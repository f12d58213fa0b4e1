//! The error codes of the gateway API.

use serde::Serialize;

/// One kind of error: what `code` says, and what its page (`/docs/errors/{code}`) explains. Clients rely on the
/// codes, so none is ever renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ErrorCode {
    pub code: &'static str,
    pub status: u16,
    /// The broad category: `type` in the answer.
    pub kind: &'static str,
    pub title: &'static str,
    pub explanation: &'static str,
}

/// All of them.
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
        and says in `org` to which organization its bearer belongs. Why a token is refused stands in the service's log \
        (at level debug), not in the answer.",
};

pub const INSUFFICIENT_SCOPE: ErrorCode = ErrorCode {
    code: "insufficient_scope",
    status: 403,
    kind: "permission_error",
    title: "The token does not permit this",
    explanation: "The token is good, but its `scope` (or `permissions`) lacks the one that the route needs: \
        `backup:view`, `backup:create` or `backup:delete`. The `WWW-Authenticate` header names it. `backup:admin` does \
        not replace it.",
};

pub const NOT_FOUND: ErrorCode = ErrorCode {
    code: "not_found",
    status: 404,
    kind: "invalid_request_error",
    title: "There is no such site or backup",
    explanation: "The id is unknown, malformed, or belongs to another organization: the answer is the same. A backup \
        that was listed before may have been pruned or deleted since.",
};

pub const METHOD_NOT_ALLOWED: ErrorCode = ErrorCode {
    code: "method_not_allowed",
    status: 405,
    kind: "invalid_request_error",
    title: "The path does not take this method",
    explanation: "The `Allow` header lists those that it takes.",
};

pub const INVALID_REQUEST: ErrorCode = ErrorCode {
    code: "invalid_request",
    status: 400,
    kind: "invalid_request_error",
    title: "The request can't be understood",
    explanation: "A header or a parameter has a value that it can't have.",
};

pub const SITE_SUSPENDED: ErrorCode = ErrorCode {
    code: "site_suspended",
    status: 409,
    kind: "invalid_request_error",
    title: "The site is suspended",
    explanation: "Its appliance is not let in at the moment, so it could not answer a request for a backup. What it has \
        stored before can be listed and fetched.",
};

pub const UNSUPPORTED_MEDIA: ErrorCode = ErrorCode {
    code: "unsupported_media",
    status: 415,
    kind: "invalid_request_error",
    title: "The backup can't be shown as text",
    explanation: "`X-View: true` shows backups that are UTF-8 text of at most 1 MiB. Encrypted ones are not: fetch the \
        bytes with `X-Download: true`.",
};

pub const RANGE_NOT_SATISFIABLE: ErrorCode = ErrorCode {
    code: "range_not_satisfiable",
    status: 416,
    kind: "invalid_request_error",
    title: "The backup has no such part",
    explanation: "The `Range` header asks for bytes beyond the end; `Content-Range` says how many there are.",
};

pub const TOO_MANY_DOWNLOADS: ErrorCode = ErrorCode {
    code: "too_many_downloads",
    status: 429,
    kind: "rate_limit_error",
    title: "Too many downloads of the site are under way",
    explanation: "All portals together may have 8 downloads of one site at the same time. Send the same request again after the seconds in `Retry-After`. A download whose client takes nothing more is given up within a \
        minute or so.",
};

pub const SERVICE_UNAVAILABLE: ErrorCode = ErrorCode {
    code: "service_unavailable",
    status: 500,
    kind: "api_error",
    title: "The service can't answer right now",
    explanation: "Its database, its object store or the keys for tokens are out of reach. Nothing was changed, or it is \
        not known whether it was; the same request may be sent again after the seconds in `Retry-After`.",
};

pub const BACKUP_DAMAGED: ErrorCode = ErrorCode {
    code: "backup_damaged",
    status: 500,
    kind: "api_error",
    title: "The stored backup is damaged",
    explanation: "The backup is in the books, but its bytes are missing or not what they were. Other backups of the \
        site are not affected. Tell whoever operates the service.",
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
