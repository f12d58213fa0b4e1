//! The parameters of the lists of events.

use actix_web::HttpRequest;

use super::cursor;
use crate::domain::event_kind::EventKind;
use crate::domain::ids::OrgId;
use crate::domain::since::Since;
use crate::fleet::{EventPosition, EventQuery};
use crate::http::errors::ApiError;
use crate::http::shared::query::QueryParameters;

/// What a request asks for.
pub(super) struct EventParameters {
    pub query: EventQuery,
    pub after: Option<EventPosition>,
    pub limit: usize,
}

impl EventParameters {
    /// Reads the query of a request, which may also have these parameters.
    ///
    /// # Errors
    /// 400 with the name of the parameter that is wrong; 404 for what is not the id of an organization.
    pub fn read(request: &HttpRequest, also: &[&str]) -> Result<Self, ApiError> {
        let known: Vec<&str> = ["kind", "since", "limit", "cursor"].iter().chain(also).copied().collect();
        let parameters = QueryParameters::read(request, &known)?;
        let org = parameters.given("org").map(OrgId::parse).transpose();
        let kind = |text| EventKind::parse(text).ok_or_else(unknown_kind);
        let since = |text| Since::parse(text).map_err(|_| wrong_since());
        let after = |text| cursor::decode(text).ok_or_else(invalid_cursor);
        let query = EventQuery {
            // What is not an id is treated as an unknown organization.
            org: org.map_err(|_| ApiError::OrganizationNotFound)?,
            kind: parameters.get("kind").map(kind).transpose()?,
            since: parameters.get("since").map(since).transpose()?,
        };
        let after = parameters.given("cursor").map(after).transpose()?;
        Ok(Self { query, after, limit: parameters.limit()? })
    }
}

pub(super) fn unknown_kind() -> ApiError {
    ApiError::invalid("kind", "must be a kind of event, such as uploaded, refused or downloaded")
}

fn wrong_since() -> ApiError {
    ApiError::invalid(
        "since",
        "must be an age such as 24h or 7d, a date such as 2026-11-26, or a time such as 2026-11-26T14:30:00Z",
    )
}

fn invalid_cursor() -> ApiError {
    ApiError::invalid("cursor", "must be next_cursor of the page before")
}
