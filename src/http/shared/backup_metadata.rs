//! The metadata of a backup, in both APIs.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::backups::{Backup, ListedBackup};
use crate::domain::ids::BackupId;
use crate::http::envelope::timestamp;
use crate::http::openapi::examples::example_id;

/// The hash in the example.
const EXAMPLE_SHA256: [u8; 32] = [
    0x3a, 0x7b, 0xd3, 0xe2, 0x36, 0x0a, 0x3d, 0x29, 0xee, 0xa4, 0x36, 0xfc, 0xfb, 0x7e, 0x44, 0xc7, 0x35,
    0xd1, 0x17, 0xc4, 0x2d, 0x1c, 0x18, 0x35, 0x42, 0x0b, 0x6b, 0x99, 0x42, 0xdd, 0x4f, 0x1b,
];

/// The metadata of a backup, the same in the 201 and in the list.
#[derive(Serialize, ToSchema)]
#[schema(as = BackupMetadata)]
pub struct Metadata<'a> {
    /// The id of the backup: a UUIDv7 and the extension of the name that was sent.
    #[schema(value_type = String, example = "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8.gpg")]
    id: BackupId,
    /// The name that the appliance sent in `X-Filename`, sanitized.
    #[schema(max_length = 255, example = "backup-2026-04-12.tar.gz.gpg")]
    filename: Cow<'a, str>,
    /// The size in bytes.
    #[schema(value_type = i64, minimum = 1, example = 82944)]
    size: u64,
    /// SHA-256 of the stored bytes, in hex.
    #[serde(serialize_with = "in_hex")]
    #[schema(
        value_type = String,
        pattern = "^[0-9a-f]{64}$",
        example = "3a7bd3e2360a3d29eea436fcfb7e44c735d117c42d1c1835420b6b9942dd4f1b"
    )]
    sha256: [u8; 32],
    /// The `Content-Type` of the upload.
    #[schema(example = "application/octet-stream")]
    mimetype: Cow<'a, str>,
    /// When the backup was stored, by the server's clock: RFC 3339, UTC.
    #[serde(serialize_with = "as_timestamp")]
    #[schema(value_type = String, format = DateTime, example = "2026-04-12T02:15:00Z")]
    uploaded_at: DateTime<Utc>,
}

impl Metadata<'_> {
    /// An example for the documentation.
    pub fn example() -> Self {
        let at = DateTime::from_timestamp(1_775_960_100, 0).unwrap_or_default();
        Self {
            id: example_id(),
            filename: "backup-2026-04-12.tar.gz.gpg".into(),
            size: 82_944,
            sha256: EXAMPLE_SHA256,
            mimetype: "application/octet-stream".into(),
            uploaded_at: at,
        }
    }

    pub fn id(&self) -> BackupId {
        self.id
    }
}

impl<'a> From<&'a ListedBackup> for Metadata<'a> {
    fn from(row: &'a ListedBackup) -> Self {
        Self {
            id: row.id,
            filename: row.filename.as_str().into(),
            size: row.size,
            sha256: row.sha256,
            mimetype: row.mimetype.as_str().into(),
            uploaded_at: row.uploaded_at,
        }
    }
}

impl From<Backup> for Metadata<'_> {
    fn from(row: Backup) -> Self {
        Self {
            id: row.id,
            filename: row.filename.into(),
            size: row.size,
            sha256: row.sha256,
            mimetype: row.mimetype.into(),
            uploaded_at: row.uploaded_at,
        }
    }
}

/// Writes a hash in hex.
fn in_hex<S: Serializer>(hash: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    let mut hex = [0; 64];
    hex::encode_to_slice(hash, &mut hex).map_err(S::Error::custom)?;
    serializer.serialize_str(str::from_utf8(&hex).map_err(S::Error::custom)?)
}

/// Writes a time in the format of the APIs.
fn as_timestamp<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&timestamp(*at))
}
