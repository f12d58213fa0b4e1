//! The id of a backup as a part of a path.

use utoipa::IntoParams;

use crate::domain::ids::BackupId;
use crate::http::errors::ApiError;

/// The path parameter `{id}`, for the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "it describes what the handlers parse")]
pub struct BackupIdPath {
    /// The id from the list of backups. Letter case does not matter.
    #[param(
        pattern = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-7[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}\\.(tar\\.(gz|xz|bz2|zst)|gpg|bin)$",
        example = "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8.gpg"
    )]
    id: String,
}

/// Parses the id; the error is a 400.
pub fn parse_backup_id(text: &str) -> Result<BackupId, ApiError> {
    BackupId::parse(text).map_err(|_| invalid_backup_id(&text.chars().take(100).collect::<String>()))
}

/// The error for a malformed id.
pub fn invalid_backup_id(value: &str) -> ApiError {
    ApiError::field("id", "invalid", value)
}
