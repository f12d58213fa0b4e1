//! The table from errors to status codes, headers and `data`.

use std::borrow::Cow;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_RANGE, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};

use super::data::{
    BackupRequestStateNow, DependencyDown, Empty, ErrorData, ErrorKind, FieldError, MaxBytes, RetryAfter,
    ValidationFailed,
};
use crate::backups::Dependency;
use crate::domain::backup_request::BackupRequestState;
use crate::domain::transfer_damage::TransferDamage;
use crate::http::envelope;

/// Every error response of the APIs.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("validation failed")]
    Validation(FieldError),
    /// The Basic credential of a system is missing.
    #[error("invalid token")]
    Unauthorized,
    /// The `Authorization` header is not a Basic credential.
    #[error("invalid token")]
    MalformedCredential,
    /// The Basic credential of a system is wrong or revoked.
    #[error("invalid token")]
    WrongCredential,
    /// The bearer token is missing.
    #[error("invalid token")]
    InvalidToken,
    /// The bearer token is invalid.
    #[error("invalid token")]
    RefusedToken { description: &'static str },
    #[error("insufficient scope")]
    InsufficientScope { needed: &'static str },
    /// There is no such backup.
    #[error("backup not found")]
    NotFound,
    #[error("system not found")]
    SystemNotFound,
    #[error("organization not found")]
    OrganizationNotFound,
    #[error("organization exists already")]
    OrganizationExists,
    #[error("request not found")]
    BackupRequestNotFound,
    #[error("system is suspended")]
    Suspended,
    #[error("system key is taken")]
    KeyTaken,
    #[error("system is being destroyed")]
    BeingDestroyed,
    #[error("request has ended")]
    BackupRequestEnded { state: BackupRequestState },
    #[error("not found")]
    UnknownPath,
    #[error("method not allowed")]
    MethodNotAllowed { allow: &'static str },
    /// A signed URL is forged or has expired: 403, as from an S3 server.
    #[error("download address invalid or expired")]
    InvalidLink,
    #[error("backup is not text, or too large to be shown")]
    NotText,
    #[error("request timeout")]
    Timeout,
    #[error("request header fields too large")]
    HeadTooLarge,
    #[error("backup exceeds max upload size")]
    TooLarge { max_bytes: u64 },
    #[error("organization backup quota exceeded")]
    QuotaExceeded,
    #[error("range not satisfiable")]
    RangeNotSatisfiable { size: u64 },
    #[error("rate limit exceeded")]
    TooManyRequests { retry_after_seconds: u64 },
    #[error("too many uploads in progress")]
    TooManyUploads,
    #[error("too many downloads in progress")]
    TooManyDownloads,
    #[error("backup service unavailable")]
    Unavailable { details: &'static str },
    #[error("stored object is damaged")]
    Damaged,
}

/// `Retry-After` in seconds. It is short, because only another upload or download of the same system has to end.
const BUSY_RETRY: u64 = 5;
/// `Retry-After` in seconds while the database or the store is unavailable.
const OUTAGE_RETRY: u64 = 10;
/// A random number of seconds below this is added, so that a fleet does not return in the same second.
const OUTAGE_JITTER: u8 = 8;

/// The challenge for systems.
const BASIC: &str = r#"Basic realm="systems""#;
const MALFORMED_CREDENTIAL: &str = "expected Basic with the base64 of KEY:SECRET";
/// The same for an unknown key, a wrong secret and a suspended system: nobody can find out which keys exist.
const WRONG_CREDENTIAL: &str = "the key or the secret is wrong, or the system is suspended";

/// The error for an upload of a web form.
pub const NOT_A_FORM: &str = "a form can't be stored, only the file itself: curl --data-binary @FILE (or -T FILE), not in a form's field";

impl ApiError {
    /// An invalid part of the request: its name, what is wrong with it, and its value.
    pub fn field(key: &'static str, message: &'static str, value: impl Into<String>) -> Self {
        Self::Validation(FieldError { key: key.into(), message: message.into(), value: value.into() })
    }

    /// The same for a part whose value is not repeated.
    pub fn invalid(key: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self::Validation(FieldError { key: key.into(), message: message.into(), value: String::new() })
    }

    /// The client has damaged the file that it sent.
    pub fn damaged_by_client(damage: TransferDamage) -> Self {
        let message = match damage {
            TransferDamage::LineBreaks => {
                "the file's line breaks are missing: curl --data-binary @FILE (or -T FILE) instead of -d"
            }
            TransferDamage::FormEncoding => NOT_A_FORM,
            TransferDamage::CutOff => {
                "the file appears to be truncated at its first zero byte (BusyBox wget does this): upload it with curl, send `gpg --armor` output, or send a Content-Digest"
            }
        };
        Self::field("body", message, "")
    }

    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::TooManyRequests { retry_after_seconds } => Some(*retry_after_seconds),
            Self::TooManyUploads | Self::TooManyDownloads => Some(BUSY_RETRY),
            Self::Unavailable { .. } | Self::Damaged => Some(OUTAGE_RETRY + jitter()),
            _ => None,
        }
    }

    /// `data` in the envelope.
    pub fn data(&self) -> ErrorData {
        let down = |details| {
            ErrorData::DependencyDown(DependencyDown { r#type: ErrorKind::ExternalApiError, details })
        };
        match self {
            Self::Validation(error) => ErrorData::Validation(ValidationFailed {
                r#type: ErrorKind::ValidationError,
                errors: vec![error.clone()],
            }),
            Self::TooLarge { max_bytes } => ErrorData::MaxBytes(MaxBytes { max_bytes: Some(*max_bytes) }),
            Self::QuotaExceeded => ErrorData::MaxBytes(MaxBytes { max_bytes: None }),
            Self::TooManyRequests { retry_after_seconds } => {
                ErrorData::RetryAfter(RetryAfter { retry_after_seconds: *retry_after_seconds })
            }
            Self::TooManyUploads | Self::TooManyDownloads => {
                ErrorData::RetryAfter(RetryAfter { retry_after_seconds: BUSY_RETRY })
            }
            Self::BackupRequestEnded { state } => ErrorData::State(BackupRequestStateNow { state: *state }),
            Self::Unavailable { details } => down(details),
            Self::Damaged => down(Dependency::Store.name()),
            _ => ErrorData::Empty(Empty {}),
        }
    }

    /// Adds the headers that belong to the error, whatever the shape of the body.
    pub fn add_headers(&self, response: &mut HttpResponseBuilder) {
        if let Some(seconds) = self.retry_after() {
            response.insert_header((RETRY_AFTER, seconds));
        }
        match self {
            Self::Unauthorized => {
                response.insert_header((WWW_AUTHENTICATE, BASIC));
            }
            Self::MalformedCredential => {
                let challenge = challenge(BASIC, "invalid_request", MALFORMED_CREDENTIAL);
                response.insert_header((WWW_AUTHENTICATE, challenge));
            }
            Self::WrongCredential => {
                let challenge = challenge(BASIC, "invalid_credentials", WRONG_CREDENTIAL);
                response.insert_header((WWW_AUTHENTICATE, challenge));
            }
            // RFC 6750, 3.1: without a token, there is no error to report.
            Self::InvalidToken => {
                response.insert_header((WWW_AUTHENTICATE, "Bearer"));
            }
            Self::RefusedToken { description } => {
                let challenge = format!(r#"Bearer error="invalid_token", error_description="{description}""#);
                response.insert_header((WWW_AUTHENTICATE, challenge));
            }
            // RFC 6750, 3.1.
            Self::InsufficientScope { needed } => {
                let challenge = format!(r#"Bearer error="insufficient_scope", scope="{needed}""#);
                response.insert_header((WWW_AUTHENTICATE, challenge));
            }
            Self::MethodNotAllowed { allow } => {
                response.insert_header((ALLOW, *allow));
            }
            Self::RangeNotSatisfiable { size } => {
                response.insert_header((CONTENT_RANGE, format!("bytes */{size}")));
            }
            _ => {}
        }
    }
}

fn challenge(scheme: &str, error: &str, description: &str) -> String {
    format!(r#"{scheme}, error="{error}", error_description="{description}""#)
}

fn jitter() -> u64 {
    let mut byte = [0u8];
    // Without randomness there is no jitter, and the response is still correct.
    let _ = getrandom::fill(&mut byte);
    u64::from(byte[0] % OUTAGE_JITTER)
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Validation(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized
            | Self::MalformedCredential
            | Self::WrongCredential
            | Self::InvalidToken
            | Self::RefusedToken { .. } => StatusCode::UNAUTHORIZED,
            Self::InsufficientScope { .. } | Self::InvalidLink => StatusCode::FORBIDDEN,
            Self::NotFound
            | Self::SystemNotFound
            | Self::OrganizationNotFound
            | Self::BackupRequestNotFound
            | Self::UnknownPath => StatusCode::NOT_FOUND,
            Self::Suspended
            | Self::OrganizationExists
            | Self::KeyTaken
            | Self::BeingDestroyed
            | Self::BackupRequestEnded { .. } => StatusCode::CONFLICT,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotText => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::TooLarge { .. } | Self::QuotaExceeded => StatusCode::PAYLOAD_TOO_LARGE,
            Self::RangeNotSatisfiable { .. } => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::TooManyRequests { .. } | Self::TooManyUploads | Self::TooManyDownloads => {
                StatusCode::TOO_MANY_REQUESTS
            }
            Self::Unavailable { .. } | Self::Damaged => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.status_code();
        let mut response = HttpResponseBuilder::new(status);
        self.add_headers(&mut response);
        envelope::finish(response, status, &self.to_string(), self.data())
    }
}
