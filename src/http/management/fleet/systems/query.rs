//! The filters and the order of a list, from the query of the request.

use actix_web::HttpRequest;

use crate::domain::ids::OrgId;
use crate::domain::status::SystemStatus;
use crate::fleet::{Sort, SortKey, SystemQuery};
use crate::http::errors::ApiError;
use crate::http::shared::query::QueryParameters;

pub const INVALID_SORT: &str =
    "must be created_at, name or protected_until, each with or without - before it";

/// A list that is asked for.
pub struct ListParameters {
    pub query: SystemQuery,
    pub cursor: Option<String>,
    pub limit: usize,
}

impl ListParameters {
    /// Reads the query of a list. A parameter without a value counts as left out.
    pub fn read(request: &HttpRequest) -> Result<Self, ApiError> {
        let parameters = QueryParameters::read(request, &["status", "org", "q", "sort", "limit", "cursor"])?;
        Ok(Self {
            query: query(&parameters)?,
            cursor: parameters.given("cursor").map(str::to_owned),
            limit: parameters.limit()?,
        })
    }
}

/// Reads the query of an export, which has all filters, and no pages.
pub fn read_export(request: &HttpRequest) -> Result<SystemQuery, ApiError> {
    let parameters = QueryParameters::read(request, &["status", "org", "q", "sort", "format"])?;
    match parameters.get("format") {
        Some("csv") => query(&parameters),
        Some(_) => Err(ApiError::invalid("format", ONLY_CSV)),
        None => Err(ApiError::invalid("format", "required")),
    }
}

/// The error for another format.
pub const ONLY_CSV: &str = "must be csv";

/// Reads the parameter `org`.
pub fn org(parameters: &QueryParameters) -> Result<Option<OrgId>, ApiError> {
    // What is no id of an organization is like one that does not exist.
    let parse = |text| OrgId::parse(text).map_err(|_| ApiError::OrganizationNotFound);
    parameters.given("org").map(parse).transpose()
}

fn query(parameters: &QueryParameters) -> Result<SystemQuery, ApiError> {
    Ok(SystemQuery {
        statuses: statuses(parameters.given("status").unwrap_or_default())?,
        org: org(parameters)?,
        text: parameters.text("q")?.map(str::to_owned),
        sort: sort(parameters.given("sort").unwrap_or("created_at"))?,
    })
}

fn statuses(text: &str) -> Result<Vec<SystemStatus>, ApiError> {
    let invalid = || ApiError::invalid("status", invalid_status());
    let words = text.split(',').map(str::trim).filter(|_| !text.is_empty());
    words.map(|word| SystemStatus::parse(word).ok_or_else(invalid)).collect()
}

/// The error for a word that is no status.
pub fn invalid_status() -> String {
    let all: Vec<_> = SystemStatus::ALL.iter().map(|status| status.as_str()).collect();
    format!("must be one or more of {}, with commas between them", all.join(", "))
}

fn sort(text: &str) -> Result<Sort, ApiError> {
    let (descending, word) = text.strip_prefix('-').map_or((false, text), |word| (true, word));
    let key = match word {
        "created_at" => SortKey::Id,
        "name" => SortKey::Name,
        "protected_until" => SortKey::ProtectedUntil,
        _ => return Err(ApiError::invalid("sort", INVALID_SORT)),
    };
    Ok(Sort { key, descending })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_words_with_commas() {
        use SystemStatus::{Late, Refused};
        assert_eq!(statuses("").unwrap(), []);
        assert_eq!(statuses("late").unwrap(), [Late]);
        assert_eq!(statuses("refused, late").unwrap(), [Refused, Late]);
        for text in ["Late", "late,", ",", "late;refused", "stored"] {
            assert!(statuses(text).is_err(), "{text}");
        }
    }

    #[test]
    fn order_is_a_word_that_a_minus_turns_round() {
        for (text, key, descending) in [
            ("created_at", SortKey::Id, false),
            ("-created_at", SortKey::Id, true),
            ("-name", SortKey::Name, true),
            ("protected_until", SortKey::ProtectedUntil, false),
        ] {
            assert_eq!(sort(text).unwrap(), Sort { key, descending }, "{text}");
        }
        for text in ["", "-", "--name", "id", "Name", "+name", "org_id"] {
            assert!(sort(text).is_err(), "{text}");
        }
    }
}
