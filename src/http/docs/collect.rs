//! The answers of the collect API, operation by operation.

use utoipa::IntoResponses;

use crate::domain::transfer_damage::TransferDamage;
use crate::http::collect::backup_bytes::bytes;
use crate::http::collect::backup_requests::{OpenRequest, Requests};
use crate::http::collect::delete::Deleted;
use crate::http::collect::health::Dependencies;
use crate::http::collect::list::Backups;
use crate::http::collect::metadata::Metadata;
use crate::http::errors::ApiError;
use crate::http::errors::data::Empty;
use crate::http::headers::unsupported::NOT_A_PART;
use crate::http::headers::unsupported::conditional;
use crate::http::openapi::answers::{Answers, Responses};

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
        let up = Dependencies { database: "up", store: "up", tasks: vec![] };
        let down = Dependencies { database: "up", store: "down", tasks: vec![] };
        Answers::default()
            .json(200, "Backups can be stored. If a background task fails, the message is `degraded`, and `tasks` names it.", "healthy", &up, &[])
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
