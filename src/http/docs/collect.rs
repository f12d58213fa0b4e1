//! The answers of the collect API, operation by operation.

use serde_json::json;
use utoipa::{IntoParams, IntoResponses};

use super::answers::{Answers, Body, Responses, binary};
use crate::domain::transfer_damage::TransferDamage;
use crate::http::body_claims::{NOT_A_PART, NOT_CONDITIONAL};
use crate::http::delete::Deleted;
use crate::http::envelope::Metadata;
use crate::http::error::ApiError;
use crate::http::error_data::Empty;
use crate::http::health::Dependencies;
use crate::http::list::Backups;
use crate::http::requests::{OpenRequest, Requests};

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

/// What each authenticated operation may answer.
fn any() -> [ApiError; 3] {
    let away = |details| ApiError::Unavailable { details };
    [ApiError::Unauthorized, away("database"), away("object store")]
}

/// `POST /api/systems/backups`.
pub struct Upload;

impl IntoResponses for Upload {
    fn responses() -> Responses {
        let errors = [
            ApiError::field("body", "required", ""),
            ApiError::field("body", "incomplete", ""),
            ApiError::damaged_by_client(TransferDamage::LineBreaks),
            ApiError::field("content-range", NOT_A_PART, "bytes 50000-99999/100000"),
            ApiError::field("content-digest", "malformed", "sha-256"),
            ApiError::field("content-digest", "mismatch", ""),
            ApiError::Timeout,
            ApiError::TooLarge { max_bytes: 2 << 30 },
            ApiError::QuotaExceeded,
            ApiError::TooManyRequests { retry_after_seconds: 41 },
            ApiError::TooManyOpen,
        ];
        let stored = "Stored, durably: the bytes are safe and the backup is in the list.";
        Answers::default()
            .json(201, stored, "backup stored", &Metadata::example(), &["Location"])
            .errors(any().into_iter().chain(errors))
            .with_requested()
            .into()
    }
}

/// `GET /api/systems/backups`.
pub struct List;

impl IntoResponses for List {
    fn responses() -> Responses {
        let example = Backups { backups: vec![Metadata::example()] };
        let listed = "All that is stored, newest first.";
        Answers::default()
            .json(200, listed, "backups listed", &example, &[])
            .errors(any())
            .with_requested()
            .into()
    }
}

/// The bytes of a backup, whoever gets them; or something else in their api.
pub fn bytes(instead: &[Body]) -> Answers {
    let about = ["ETag", "Accept-Ranges", "Repr-Digest", "X-Content-Type-Options", "Cache-Control"];
    let named = [&about[..], &["Content-Disposition"]].concat();
    let part = [&named[..], &["Content-Range"]].concat();
    let body = ("application/octet-stream", binary(), json!("(the ciphertext)"));
    let whole = [std::slice::from_ref(&body), instead].concat();
    // What comes instead has none of these headers.
    let headers = if instead.is_empty() { &named[..] } else { &[] };
    Answers::default()
        .other(200, "The backup, as it was uploaded.", whole, headers)
        .other(206, "The part that was asked for with `Range`.", [body], &part)
        .other(304, "The client has these bytes (`If-None-Match`).", None, &about)
}

/// `GET /api/systems/backups/{id}`.
pub struct Download;

impl IntoResponses for Download {
    fn responses() -> Responses {
        let errors = [
            ApiError::field("id", "invalid", "backup.zip"),
            ApiError::NotFound,
            ApiError::Range { size: 82_944 },
            ApiError::TooManyDownloads,
            ApiError::Damaged,
        ];
        bytes(&[]).errors(any().into_iter().chain(errors)).with_requested().into()
    }
}

/// A deletion under a condition.
pub fn conditional() -> ApiError {
    ApiError::field("if-match", NOT_CONDITIONAL, "\"3a7b\"")
}

/// `DELETE /api/systems/backups/{id}`.
pub struct Delete;

impl IntoResponses for Delete {
    fn responses() -> Responses {
        let errors = [ApiError::field("id", "invalid", "backup.zip"), conditional(), ApiError::NotFound];
        Answers::default()
            .json(200, "Gone, for good.", "backup deleted", &Deleted::example(), &[])
            .errors(any().into_iter().chain(errors))
            .with_requested()
            .into()
    }
}

/// `GET /api/systems/backups/requests`.
pub struct Requested;

impl IntoResponses for Requested {
    fn responses() -> Responses {
        let example = Requests { requests: vec![OpenRequest::example()] };
        let wrong = ApiError::field("wait", "must be a whole number of seconds from 0 to 60", "90");
        Answers::default()
            .json(
                200,
                "All open requests; maybe none, when the time is over.",
                "requests listed",
                &example,
                &[],
            )
            .errors(any().into_iter().chain([wrong]))
            .into()
    }
}

/// `POST /api/systems/backups/unchanged`.
pub struct Unchanged;

impl IntoResponses for Unchanged {
    fn responses() -> Responses {
        Answers::default()
            .json(200, "Noted.", "noted as unchanged", &Empty {}, &[])
            .errors(any())
            .with_requested()
            .into()
    }
}

/// `GET /api/health`.
pub struct Health;

impl IntoResponses for Health {
    fn responses() -> Responses {
        let up = Dependencies { database: "up", store: "up" };
        let down = Dependencies { database: "up", store: "down" };
        Answers::default()
            .json(200, "Both can be written to.", "healthy", &up, &[])
            .json(503, "At least one can't be written to, and which.", "unhealthy", &down, &[])
            .into()
    }
}

/// `GET /api/health/live`.
pub struct Live;

impl IntoResponses for Live {
    fn responses() -> Responses {
        Answers::default().json(200, "The process answers.", "alive", &Empty {}, &[]).into()
    }
}
