//! The answers of the management API, operation by operation.

use serde_json::json;
use utoipa::openapi::schema::{AllOfBuilder, ArrayBuilder, Schema};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{IntoResponses, ToSchema};

use crate::domain::backup_request::BackupRequestState;
use crate::http::collect::backup_bytes::bytes;
use crate::http::collect::delete::Deleted;
use crate::http::errors::ApiError;
use crate::http::headers::unsupported::conditional;
use crate::http::management::backup_requests::{BackupRequested, Cancelled, SystemRequests};
use crate::http::management::gateway::{SiteBackup, SiteBackupDetails};
use crate::http::management::metrics;
use crate::http::management::systems::{DownloadAddress, SystemBackups};
use crate::http::openapi::answers::{Answers, Responses, text};

/// What each operation with a token may answer.
fn any(scope: &'static str) -> [ApiError; 5] {
    let away = |details| ApiError::Unavailable { details };
    let needed = ApiError::InsufficientScope { needed: scope };
    [ApiError::InvalidToken, needed, away("database"), away("object store"), away("token keys")]
}

fn view() -> impl Iterator<Item = ApiError> {
    any("backup:view").into_iter()
}

/// `GET /api/systems/{id}/backups`.
pub struct List;

impl IntoResponses for List {
    fn responses() -> Responses {
        let listed = "All that is stored of this system, newest first.";
        Answers::default()
            .json(200, listed, "backups listed", &SystemBackups::example(), &[])
            .errors(view().chain([ApiError::SystemNotFound]))
            .into()
    }
}

/// `GET /api/systems/{id}/backups/{backup_id}/download`.
pub struct Link;

impl IntoResponses for Link {
    fn responses() -> Responses {
        let made = "An address at which anybody can fetch the backup for a while.";
        Answers::default()
            .json(200, made, "download address made", &DownloadAddress::example(), &["Cache-Control"])
            .errors(view().chain([ApiError::NotFound, ApiError::Damaged]))
            .into()
    }
}

/// `DELETE /api/systems/{id}/backups/{backup_id}`.
pub struct Delete;

impl IntoResponses for Delete {
    fn responses() -> Responses {
        Answers::default()
            .json(200, "Gone, for good.", "backup deleted", &Deleted::example(), &[])
            .errors(any("backup:delete").into_iter().chain([ApiError::NotFound, conditional()]))
            .into()
    }
}

fn create() -> impl Iterator<Item = ApiError> {
    any("backup:create").into_iter()
}

/// `GET /api/systems/{id}/requests`.
pub struct Requests;

impl IntoResponses for Requests {
    fn responses() -> Responses {
        Answers::default()
            .json(200, "What was asked for.", "requests listed", &SystemRequests::example(), &[])
            .errors(create().chain([ApiError::SystemNotFound]))
            .into()
    }
}

/// `DELETE /api/systems/{id}/requests/{request_id}`.
pub struct Cancel;

impl IntoResponses for Cancel {
    fn responses() -> Responses {
        let ended = ApiError::RequestEnded { state: BackupRequestState::Fulfilled };
        Answers::default()
            .json(
                200,
                "The appliance is not asked any more.",
                "request cancelled",
                &Cancelled::example(),
                &[],
            )
            .errors(create().chain([ApiError::RequestNotFound, ended]))
            .into()
    }
}

/// `POST /backup/{siteId}`.
pub struct Ask;

impl IntoResponses for Ask {
    fn responses() -> Responses {
        let asked = ("application/json", schema::<BackupRequested>(), json!(BackupRequested::example()));
        Answers::default()
            .other(202, "The appliance is asked.", [asked], &[])
            .gateway_errors(create().chain([ApiError::SystemNotFound, ApiError::Suspended]))
            .into()
    }
}

/// `GET /metrics`.
pub struct Metrics;

impl IntoResponses for Metrics {
    fn responses() -> Responses {
        let sample = "# TYPE strongroom_uploads_open gauge\nstrongroom_uploads_open 3\n";
        let body = ("text/plain; version=0.0.4; charset=utf-8", text(), json!(sample));
        let away = |details| ApiError::Unavailable { details };
        let errors = [
            ApiError::InvalidToken,
            ApiError::InsufficientScope { needed: "backup:admin" },
            away("metrics"),
            away("token keys"),
        ];
        Answers::default()
            .other(200, "All metrics of this process.", [body], &[])
            .all_with(&[("Cache-Control", metrics::CACHED)])
            .errors(errors)
            .into()
    }
}

/// `GET /api/downloads/{id}`.
pub struct Follow;

impl IntoResponses for Follow {
    fn responses() -> Responses {
        let away = |details| ApiError::Unavailable { details };
        let errors = [
            ApiError::BadLink,
            ApiError::NotFound,
            ApiError::Range { size: 82_944 },
            ApiError::TooManyDownloads,
            away("database"),
            away("object store"),
            ApiError::Damaged,
        ];
        bytes(&[]).errors(errors).into()
    }
}

/// `GET /backup/{siteId}`.
pub struct Files;

impl IntoResponses for Files {
    fn responses() -> Responses {
        let list = ArrayBuilder::new().items(reference::<SiteBackup>()).build().into();
        let body = ("application/json", list, json!([SiteBackup::example()]));
        Answers::default()
            .other(200, "All that is stored of this site, newest first.", [body], &[])
            .gateway_errors(view().chain([ApiError::SystemNotFound]))
            .into()
    }
}

/// `GET /backup/{siteId}/{filename}`.
pub struct Show;

impl IntoResponses for Show {
    fn responses() -> Responses {
        let errors = [
            ApiError::NotFound,
            ApiError::NotText,
            ApiError::Range { size: 82_944 },
            ApiError::TooManyDownloads,
            ApiError::Damaged,
        ];
        let details = schema::<SiteBackupDetails>();
        bytes(&[
            ("application/json", details, json!(SiteBackupDetails::example())),
            ("text/plain; charset=utf-8", text(), json!("hostname fw-01")),
        ])
        .gateway_errors(view().chain(errors))
        .into()
    }
}

/// A body that is one of these.
fn schema<T: ToSchema>() -> Schema {
    Schema::AllOf(AllOfBuilder::new().item(reference::<T>()).build())
}

fn reference<T: ToSchema>() -> RefOr<Schema> {
    Ref::from_schema_name(T::name()).into()
}
