//! Every JSON answer is `{"code", "message", "data"}`.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;

use crate::backups::Backup;
use crate::domain::ids::BackupId;

#[derive(Serialize)]
struct Envelope<'a, T> {
    code: u16,
    message: &'a str,
    data: T,
}

/// Ends a response with the envelope around `data`.
pub fn finish<T: Serialize>(
    mut response: HttpResponseBuilder,
    status: StatusCode,
    message: &str,
    data: T,
) -> HttpResponse {
    response.json(Envelope { code: status.as_u16(), message, data })
}

/// A response of this status with the envelope around `data`.
pub fn answer<T: Serialize>(status: StatusCode, message: &str, data: T) -> HttpResponse {
    finish(HttpResponseBuilder::new(status), status, message, data)
}

/// What the API says of a backup: the same in the 201 and in the list.
#[derive(Serialize)]
pub struct Metadata {
    id: BackupId,
    filename: String,
    size: u64,
    sha256: String,
    mimetype: String,
    uploaded_at: String,
}

impl Metadata {
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
            uploaded_at: row.uploaded_at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
        }
    }
}
