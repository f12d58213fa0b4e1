//! `GET /backup/{siteId}`: lists the backups of a site.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use utoipa::{IntoResponses, ToSchema};

use crate::domain::ids::BackupId;
use crate::domain::size;
use crate::http::app_state::AppState;
use crate::http::envelope;
use crate::http::errors::ApiError;
use crate::http::extractors::bearer::{Authorized, ViewScope};
use crate::http::openapi::common_errors::bearer_auth_errors;
use crate::http::openapi::examples::example_id;
use crate::http::openapi::responses::{ResponseMap, Responses};
use crate::http::openapi::schemas::schema_ref;

/// A backup as the gateway lists it. Times are in UTC.
#[derive(Serialize, ToSchema)]
pub struct SiteBackup {
    /// The id of the backup.
    #[schema(value_type = String, example = "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8.gpg")]
    filename: BackupId,
    /// The size, for people. The details of a backup have the exact number of bytes in `bytes`.
    #[schema(example = "81.0 KiB")]
    size: String,
    /// The day on which the backup was stored.
    #[schema(format = Date, example = "2026-04-12")]
    date: String,
    /// The time of day at which the backup was stored.
    #[schema(example = "02:15:00")]
    time: String,
    /// When the backup was stored: RFC 3339, UTC.
    #[schema(format = DateTime, example = "2026-04-12T02:15:00Z")]
    created_at: String,
}

/// The backups of a site, newest first.
#[derive(Serialize, ToSchema)]
pub struct SiteBackups(Vec<SiteBackup>);

impl SiteBackup {
    /// Describes the backup with this id and size in bytes.
    pub fn new(id: BackupId, bytes: u64, uploaded_at: DateTime<Utc>) -> Self {
        Self {
            filename: id,
            size: size::human(bytes),
            date: uploaded_at.format("%Y-%m-%d").to_string(),
            time: uploaded_at.format("%H:%M:%S").to_string(),
            created_at: envelope::timestamp(uploaded_at),
        }
    }

    /// An example for the documentation.
    pub fn example() -> Self {
        Self {
            filename: example_id(),
            size: size::human(82_944),
            date: "2026-04-12".to_owned(),
            time: "02:15:00".to_owned(),
            created_at: "2026-04-12T02:15:00Z".to_owned(),
        }
    }
}

/// List the backups of a site
#[utoipa::path(
    get, path = "/backup/{siteId}", operation_id = "listSiteBackups",
    params(("siteId" = String, Path, description = "The system\'s id.", format = "uuid",
            example = "018f3a5c-7b1e-7c3d-9a2b-0123456789ab")),
    responses(ListResponses),
    security(("bearer" = ["backup:view"])),
)]
pub async fn list_backups(
    Authorized { caller, .. }: Authorized<ViewScope>,
    site: Path<String>,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let system = state.vault.find_visible_system(&caller, &site).await?;
    let rows = state.vault.list_visible_backups(&system).await?;
    let files =
        SiteBackups(rows.iter().map(|row| SiteBackup::new(row.id, row.size, row.uploaded_at)).collect());
    Ok(HttpResponse::Ok().json(files))
}

struct ListResponses;

impl IntoResponses for ListResponses {
    fn responses() -> ResponseMap {
        let body = ("application/json", schema_ref::<SiteBackups>(), json!([SiteBackup::example()]));
        Responses::default()
            .other(200, "All stored backups of this site, newest first.", [body], &[])
            .gateway_errors(bearer_auth_errors("backup:view").chain([ApiError::SystemNotFound]))
            .into()
    }
}
