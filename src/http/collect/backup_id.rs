//! The id of a backup in a path.

use utoipa::IntoParams;

use crate::domain::ids::BackupId;
use crate::http::errors::ApiError;

/// One backup in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "it describes what the handlers parse")]
pub struct OneBackup {
    /// The id from the list; the case of its letters does not matter.
    #[param(
        pattern = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-7[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}\\.(tar\\.(gz|xz|bz2|zst)|gpg|bin)$",
        example = "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8.gpg"
    )]
    id: String,
}

/// The id in a path.
pub fn parse_id(text: &str) -> Result<BackupId, ApiError> {
    BackupId::parse(text)
        .map_err(|_| ApiError::field("id", "invalid", text.chars().take(100).collect::<String>()))
}
