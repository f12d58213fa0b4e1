//! `GET /api/systems/export`: all systems as one file.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream::{self, Stream};
use serde_json::json;
use std::sync::Arc;
use utoipa::IntoResponses;

use super::query::ONLY_CSV;
use super::{csv, error_examples, query};
use crate::fleet::{Export, FleetError};
use crate::http::app_state::AppState;
use crate::http::envelope::NOT_CACHED;
use crate::http::errors::ApiError;
use crate::http::extractors::bearer::{Authorized, ViewScope};
use crate::http::openapi::common_errors::{bearer_auth_errors, unavailable};
use crate::http::openapi::responses::{ResponseMap, Responses};
use crate::http::openapi::schemas::text;

const CSV: &str = "text/csv; charset=utf-8; header=present";
const FILE: &str = "attachment; filename=\"systems.csv\"";

/// Export systems as a file
///
/// Streams all systems of a list as CSV (RFC 4180, UTF-8), with a line of the members' names. A text that a spreadsheet would
/// take for a formula has an apostrophe before it. If the database fails in between, or the
/// token is no longer valid for one of the organizations, the connection breaks: a file whose
/// transfer ended well is complete.
#[utoipa::path(
    get, path = "/api/systems/export", operation_id = "exportSystems",
    params(
        ("format" = String, Query, description = "Only `csv`.", example = "csv"),
        ("status" = Option<String>, Query, description = "Only systems with one of these statuses, with commas between them.",
            example = "late,refused"),
        ("org" = Option<String>, Query, description = "Only systems of this organization and of all below it.",
            example = "acme"),
        ("q" = Option<String>, Query, description = "Only systems with this text in the name or the key, in any letter case.",
            example = "office"),
        ("sort" = Option<String>, Query, description = "The order, as for the list.", example = "name"),
    ),
    responses(ExportResponses),
    security(("bearer" = ["backup:view"])),
)]
pub async fn export_systems(
    Authorized { caller, .. }: Authorized<ViewScope>,
    request: HttpRequest,
    state: Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let query = query::read_export(&request)?;
    let export = Export::begin(Arc::clone(&state.fleet), &caller, query).await?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, CSV))
        .insert_header((CONTENT_DISPOSITION, FILE))
        .insert_header((CACHE_CONTROL, NOT_CACHED))
        .streaming(body(export)))
}

/// Where the body is.
enum Next {
    Header(Export),
    Rows(Export),
    Page(Export),
}

/// Returns the body: each page is read when the client has received the one before it. If one can't be read, the connection is
/// closed, so that the client does not take a part for the whole.
fn body(export: Export) -> impl Stream<Item = Result<Bytes, FleetError>> {
    stream::try_unfold(Next::Header(export), |next| async move {
        let read = match next {
            Next::Header(export) => Some((csv::header(), Next::Rows(export))),
            Next::Rows(mut export) => Some((csv::rows(export.take()), Next::Page(export))),
            Next::Page(mut export) => {
                let more = export.advance().await.inspect_err(|error| {
                    log::warn!("an export of systems broke off: {error}");
                })?;
                more.then(|| (csv::rows(export.take()), Next::Page(export)))
            }
        };
        Ok(read.map(|(bytes, next)| (Bytes::from(bytes), next)))
    })
}

struct ExportResponses;

impl IntoResponses for ExportResponses {
    fn responses() -> ResponseMap {
        let sample = String::from_utf8_lossy(&csv::header()).into_owned();
        let errors = [ApiError::invalid("format", ONLY_CSV)].into_iter().chain(error_examples::filters());
        Responses::default()
            .other(200, "The file.", [(CSV, text(), json!(sample))], &[])
            .with_headers(&[("Cache-Control", NOT_CACHED), ("Content-Disposition", FILE)])
            .errors(bearer_auth_errors("backup:view").chain(errors).chain([unavailable("database")]))
            .into()
    }
}
