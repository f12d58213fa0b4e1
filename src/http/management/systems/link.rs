//! `GET /api/systems/{id}/backups/{backup_id}/download`: makes a download URL.

use actix_web::http::header::{CACHE_CONTROL, ContentType};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use super::backup_not_found;
use crate::backups::{Backup, Link};
use crate::http::app_state::AppState;
use crate::http::envelope;
use crate::http::envelope::NOT_CACHED;
use crate::http::errors::ApiError;
use crate::http::extractors::bearer::{Authorized, ViewScope};
use crate::http::extractors::remote_addr::RemoteAddr;
use crate::http::openapi::common_errors::bearer_auth_errors;
use crate::http::openapi::examples::example_id;
use crate::http::openapi::responses::{ResponseMap, Responses};
use crate::http::shared::signed_downloads::signed_url;

/// A URL with which a backup can be downloaded without a credential.
#[derive(Serialize, ToSchema)]
#[schema(as = DownloadLink)]
pub struct DownloadAddress {
    /// The URL, with its signature.
    #[schema(
        format = "uri",
        example = "https://collect.example.net/api/downloads/01934fab-bc33-7890-a1b2-c3d4e5f6a7b8.gpg?expires=1775960400&signature=0123456789abcdef"
    )]
    download_url: String,
    /// How long the URL is valid.
    #[schema(value_type = i32, minimum = 1, example = 300)]
    expires_in_seconds: u64,
}

/// Make a download URL
///
/// For a browser, or another client without a token. The URL is signed and is valid for some minutes.
#[utoipa::path(
    get, path = "/api/systems/{id}/backups/{backup_id}/download", operation_id = "linkSystemBackup",
    params(
        ("id" = String, Path, description = "The system\'s id.", format = "uuid",
            example = "018f3a5c-7b1e-7c3d-9a2b-0123456789ab"),
        ("backup_id" = String, Path, description = "The backup's id, from the list.",
            example = "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8.gpg"),
    ),
    responses(LinkResponses),
    security(("bearer" = ["backup:view"])),
)]
pub async fn create_link(
    Authorized { caller, .. }: Authorized<ViewScope>,
    RemoteAddr(remote_addr): RemoteAddr,
    ids: Path<(String, String)>,
    request: HttpRequest,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let (system, backup) = ids.into_inner();
    let system = state.vault.find_visible_system(&caller, &system).await.map_err(backup_not_found)?;
    let row: Backup = state.vault.find_visible_backup(&system, &backup).await?;
    if request.method() == Method::HEAD {
        // The response to HEAD has no body, so no URL is signed and nothing is recorded.
        state.vault.check_object(&row).await?;
        let mut response = HttpResponse::Ok();
        response.insert_header((CACHE_CONTROL, NOT_CACHED)).content_type(ContentType::json());
        return Ok(response.finish());
    }
    let (link, expires_in_seconds) = state.vault.link(&system, &row, remote_addr).await?;
    let download_url = match link {
        Link::Store(url) => url,
        Link::Own(signed) => signed_url(&state.addresses.download_base_url(&request), &signed),
    };
    let mut response = HttpResponseBuilder::new(StatusCode::OK);
    response.insert_header((CACHE_CONTROL, NOT_CACHED));
    let data = DownloadAddress { download_url, expires_in_seconds };
    Ok(envelope::finish(response, StatusCode::OK, "download address made", data))
}

struct LinkResponses;

impl IntoResponses for LinkResponses {
    fn responses() -> ResponseMap {
        let path = format!("/api/downloads/{}", example_id());
        let download_url =
            format!("https://collect.example.net{path}?expires=1775960400&signature=0123456789abcdef");
        let example = DownloadAddress { download_url, expires_in_seconds: 300 };
        let made = "A URL with which anybody can download the backup until it expires.";
        Responses::default()
            .json(200, made, "download address made", &example, &["Cache-Control"])
            .errors(bearer_auth_errors("backup:view").chain([ApiError::NotFound, ApiError::Damaged]))
            .into()
    }
}
