//! The errors that many operations have in common.

use crate::http::errors::ApiError;

/// A dependency is unavailable; `details` names it.
pub const fn unavailable(details: &'static str) -> ApiError {
    ApiError::Unavailable { details }
}

/// The errors of every operation with Basic auth.
pub fn basic_auth_errors() -> impl Iterator<Item = ApiError> {
    [ApiError::Unauthorized, ApiError::WrongCredential, unavailable("database"), unavailable("object store")]
        .into_iter()
}

/// The errors of every operation with a bearer token that needs `scope`.
pub fn bearer_auth_errors(scope: &'static str) -> impl Iterator<Item = ApiError> {
    let errors = [
        ApiError::InvalidToken,
        ApiError::InsufficientScope { needed: scope },
        unavailable("database"),
        unavailable("object store"),
        unavailable("token keys"),
    ];
    errors.into_iter()
}
