//! The kinds of `data` in the envelope of an error. The names in the OpenAPI document end in `Error`.

use std::borrow::Cow;

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::backup_request::BackupRequestState;
use crate::http::openapi::schemas::{BackupRequestStateSchema, ERROR_ENVELOPE, envelope_name};

/// A part of the request that failed validation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldError {
    /// The part of the request: a header, a query parameter, a member of the JSON body, `body`, `id`.
    #[schema(value_type = String, example = "content-digest")]
    pub key: Cow<'static, str>,
    /// What is wrong with it.
    #[schema(value_type = String, example = "mismatch")]
    pub message: Cow<'static, str>,
    /// The value that was sent, shortened; empty where it would not help.
    #[schema(example = "")]
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
#[schema(as = ValidationError)]
pub struct ValidationFailed {
    pub r#type: ErrorKind,
    /// The parts of the request that are invalid.
    pub errors: Vec<FieldError>,
}

/// A dependency of the service is unavailable.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UnavailableError)]
pub struct DependencyDown {
    pub r#type: ErrorKind,
    /// The dependency, without internal details.
    #[schema(example = "object store")]
    pub details: &'static str,
}

/// The limit that was exceeded.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TooLargeError)]
pub struct MaxBytes {
    /// The largest upload, in bytes; left out if not the upload is too large, but the organization's quota is exceeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = i64, required = false, minimum = 1, example = 2_147_483_648_u64)]
    pub max_bytes: Option<u64>,
}

/// When to try again.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TooManyRequestsError)]
pub struct RetryAfter {
    /// The same value as the header `Retry-After`.
    #[schema(value_type = i32, minimum = 1, example = 41)]
    pub retry_after_seconds: u64,
}

/// The backup request is no longer open.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RequestEndedError)]
pub struct BackupRequestStateNow {
    #[schema(value_type = BackupRequestStateSchema)]
    pub state: BackupRequestState,
}

/// No details: `{}`.
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
    /// The name of the schema of the envelope around this data in the OpenAPI document.
    pub fn response_schema(&self) -> Cow<'static, str> {
        match self {
            Self::Validation(_) => envelope_name::<ValidationFailed>().into(),
            Self::DependencyDown(_) => envelope_name::<DependencyDown>().into(),
            Self::MaxBytes(_) => envelope_name::<MaxBytes>().into(),
            Self::RetryAfter(_) => envelope_name::<RetryAfter>().into(),
            Self::State(_) => envelope_name::<BackupRequestStateNow>().into(),
            Self::Empty(_) => ERROR_ENVELOPE.into(),
        }
    }
}
