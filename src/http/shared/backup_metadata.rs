//! The metadata of a backup, in both APIs.

use chrono::DateTime;
use serde::Serialize;
use utoipa::ToSchema;

use crate::backups::Backup;
use crate::domain::ids::BackupId;
use crate::http::envelope::timestamp;
use crate::http::openapi::examples::example_id;

/// The metadata of a backup, the same in the 201 and in the list.
#[derive(Serialize, ToSchema)]
#[schema(as = BackupMetadata)]
pub struct Metadata {
    /// The id of the backup: a UUIDv7 and the extension of the name that was sent.
    #[schema(value_type = String, example = "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8.gpg")]
    id: BackupId,
    /// The name that the appliance sent in `X-Filename`, sanitized.
    #[schema(max_length = 255, example = "backup-2026-04-12.tar.gz.gpg")]
    filename: String,
    /// The size in bytes.
    #[schema(value_type = i64, minimum = 1, example = 82944)]
    size: u64,
    /// SHA-256 of the stored bytes, in hex.
    #[schema(
        pattern = "^[0-9a-f]{64}$",
        example = "3a7bd3e2360a3d29eea436fcfb7e44c735d117c42d1c1835420b6b9942dd4f1b"
    )]
    sha256: String,
    /// The `Content-Type` of the upload.
    #[schema(example = "application/octet-stream")]
    mimetype: String,
    /// When the backup was stored, by the server's clock: RFC 3339, UTC.
    #[schema(format = DateTime, example = "2026-04-12T02:15:00Z")]
    uploaded_at: String,
}

impl Metadata {
    /// An example for the documentation.
    pub fn example() -> Self {
        let at = DateTime::from_timestamp(1_775_960_100, 0).unwrap_or_default();
        Self {
            id: example_id(),
            filename: "backup-2026-04-12.tar.gz.gpg".to_owned(),
            size: 82_944,
            sha256: "3a7bd3e2360a3d29eea436fcfb7e44c735d117c42d1c1835420b6b9942dd4f1b".to_owned(),
            mimetype: "application/octet-stream".to_owned(),
            uploaded_at: timestamp(at),
        }
    }

    pub fn id(&self) -> BackupId {
        self.id
    }
}

impl From<Backup> for Metadata {
    fn from(row: Backup) -> Self {
        Self {
            id: row.id,
            filename: row.filename,
            size: row.size,
            sha256: hex::encode(row.sha256),
            mimetype: row.mimetype,
            uploaded_at: timestamp(row.uploaded_at),
        }
    }
}
