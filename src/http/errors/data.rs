//! The kinds of `data` in the envelope of an error.

use std::borrow::Cow;

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::backup_request::BackupRequestState;

/// A part of the request that failed validation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldError {
    /// The part of the request: a header, `body`, `id`.
    #[schema(example = "content-digest")]
    pub key: &'static str,
    /// What is wrong with it.
    #[schema(example = "mismatch")]
    pub message: &'static str,
    /// The value that was sent, shortened; empty where it would not help.
    pub value: String,
}

/// The kind of an error.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    ValidationError,
    ExternalApiError,
}

/// The request is invalid.
#[derive(Debug, Serialize, ToSchema)]
pub struct ValidationFailed {
    pub r#type: ErrorKind,
    pub errors: Vec<FieldError>,
}

/// A dependency of the service is unavailable.
#[derive(Debug, Serialize, ToSchema)]
pub struct DependencyDown {
    pub r#type: ErrorKind,
    /// The dependency, without internal details.
    #[schema(example = "object store")]
    pub details: &'static str,
}

/// The limit that was exceeded.
#[derive(Debug, Serialize, ToSchema)]
pub struct MaxBytes {
    /// The largest upload, in bytes.
    pub max_bytes: u64,
}

/// When to try again.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetryAfter {
    /// The same value as the header `Retry-After`.
    #[schema(minimum = 1)]
    pub retry_after_seconds: u64,
}

/// The state of a backup request.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RequestStateNow)]
pub struct BackupRequestStateNow {
    #[schema(value_type = String, pattern = "^(pending|seen|fulfilled|expired|cancelled)$", example = "fulfilled")]
    pub state: BackupRequestState,
}

/// `{}`
#[derive(Debug, Serialize, ToSchema)]
pub struct Empty {}

/// `data` of an error.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum ErrorData {
    Validation(ValidationFailed),
    DependencyDown(DependencyDown),
    MaxBytes(MaxBytes),
    RetryAfter(RetryAfter),
    State(BackupRequestStateNow),
    Empty(Empty),
}

impl ErrorData {
    /// The name of this data's schema in the OpenAPI document.
    pub fn schema(&self) -> Cow<'static, str> {
        match self {
            Self::Validation(_) => ValidationFailed::name(),
            Self::DependencyDown(_) => DependencyDown::name(),
            Self::MaxBytes(_) => MaxBytes::name(),
            Self::RetryAfter(_) => RetryAfter::name(),
            Self::State(_) => BackupRequestStateNow::name(),
            Self::Empty(_) => Empty::name(),
        }
    }
}
