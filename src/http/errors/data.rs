//! `data` in the envelope of an error, kind by kind.

use std::borrow::Cow;

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::backup_request::BackupRequestState;

/// One field that failed validation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldError {
    /// Which part of the request: a header, `body`, `id`.
    #[schema(example = "content-digest")]
    pub key: &'static str,
    /// What is wrong with it.
    #[schema(example = "mismatch")]
    pub message: &'static str,
    /// What was sent, shortened; empty where that would be no help.
    pub value: String,
}

/// Of which kind an error is.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    ValidationError,
    ExternalApiError,
}

/// The request can't be right.
#[derive(Debug, Serialize, ToSchema)]
pub struct ValidationFailed {
    pub r#type: ErrorKind,
    pub errors: Vec<FieldError>,
}

/// The database or the object store is away.
#[derive(Debug, Serialize, ToSchema)]
pub struct DependencyDown {
    pub r#type: ErrorKind,
    /// Which of them, and nothing more.
    #[schema(example = "object store")]
    pub details: &'static str,
}

/// The limit that was passed.
#[derive(Debug, Serialize, ToSchema)]
pub struct MaxBytes {
    /// The largest upload, in bytes.
    pub max_bytes: u64,
}

/// When to come back.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetryAfter {
    /// The same as the header `Retry-After`.
    #[schema(minimum = 1)]
    pub retry_after_seconds: u64,
}

/// What has become of a request for a backup.
#[derive(Debug, Serialize, ToSchema)]
pub struct RequestStateNow {
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
    State(RequestStateNow),
    Empty(Empty),
}

impl ErrorData {
    /// The name of its schema in the OpenAPI document.
    pub fn schema(&self) -> Cow<'static, str> {
        match self {
            Self::Validation(_) => ValidationFailed::name(),
            Self::DependencyDown(_) => DependencyDown::name(),
            Self::MaxBytes(_) => MaxBytes::name(),
            Self::RetryAfter(_) => RetryAfter::name(),
            Self::State(_) => RequestStateNow::name(),
            Self::Empty(_) => Empty::name(),
        }
    }
}
