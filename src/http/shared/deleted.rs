//! The confirmation of a deletion.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::ids::BackupId;
use crate::http::openapi::examples::example_id;

/// The backup that was deleted.
#[derive(Serialize, ToSchema)]
#[schema(as = DeletedBackup)]
pub struct Deleted {
    /// The id of the deleted backup.
    #[schema(value_type = String, example = "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8.gpg")]
    pub id: BackupId,
}

impl Deleted {
    /// An example for the documentation.
    pub fn example() -> Self {
        Self { id: example_id() }
    }
}
