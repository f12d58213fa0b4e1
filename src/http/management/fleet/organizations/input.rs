//! The bodies of requests about organizations, and the values that they may have.

use std::time::Duration;

use serde::Deserialize;
use utoipa::ToSchema;

use crate::domain::caller::Caller;
use crate::domain::ids::OrgId;
use crate::domain::organization::{
    MAX_PERIOD, MAX_QUOTA, NewOrg, OrgChange, Parent, Period, Quota, default_parent,
};
use crate::http::errors::ApiError;
use crate::http::shared::json_body::{self, Given};

/// A new organization.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrganization {
    /// The id: 1 to 64 characters from `A-Z`, `a-z`, `0-9`, `_` and `-`. It never changes.
    #[schema(example = "acme-north")]
    id: String,
    /// The name for people, at most 200 characters.
    #[schema(example = "Acme North")]
    name: String,
    /// The organization above it. If it is left out: the organization of the token. null: none, with `backup:admin` only.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "acme")]
    parent_id: Given<String>,
    /// Its quota in bytes; 0: no quota; null: the default of the service.
    #[serde(default)]
    #[schema(value_type = Option<i64>, minimum = 0, example = 53_687_091_200_u64)]
    quota_bytes: Given<u64>,
    /// The backup period that its systems inherit, in seconds; null: that of the service.
    #[serde(default)]
    #[schema(value_type = Option<i64>, minimum = 1, example = 691_200)]
    backup_period_seconds: Given<u64>,
    /// The contact period that its systems inherit, in seconds; null: none.
    #[serde(default)]
    #[schema(value_type = Option<i64>, minimum = 1, example = 3600)]
    contact_period_seconds: Given<u64>,
}

/// Changes of an organization. What is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganizationChange {
    /// The name for people, at most 200 characters.
    #[serde(default, deserialize_with = "json_body::not_null")]
    #[schema(value_type = String, required = false, example = "Acme North-East")]
    name: Option<String>,
    /// The organization above it; null: none, with `backup:admin` only.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "acme")]
    parent_id: Given<String>,
    /// Its quota in bytes; 0: no quota; null: the default of the service.
    #[serde(default)]
    #[schema(value_type = Option<i64>, minimum = 0, example = 107_374_182_400_u64)]
    quota_bytes: Given<u64>,
    /// The backup period that its systems inherit, in seconds; null: that of the service.
    #[serde(default)]
    #[schema(value_type = Option<i64>, minimum = 1, example = 691_200)]
    backup_period_seconds: Given<u64>,
    /// The contact period that its systems inherit, in seconds; null: none.
    #[serde(default)]
    #[schema(value_type = Option<i64>, minimum = 1, example = 3600)]
    contact_period_seconds: Given<u64>,
}

impl NewOrganization {
    pub fn checked(self, caller: &Caller) -> Result<NewOrg, ApiError> {
        Ok(NewOrg {
            id: OrgId::parse(&self.id).map_err(|error| ApiError::invalid("id", error.to_string()))?,
            name: name(self.name)?,
            parent: parent(self.parent_id)?.unwrap_or_else(|| default_parent(caller)),
            quota: quota(self.quota_bytes)?.unwrap_or(Quota::Default),
            backup_period: backup_period(self.backup_period_seconds)?.unwrap_or(Period::Inherited),
            contact_period: contact_period(self.contact_period_seconds)?.unwrap_or(Period::Inherited),
        })
    }
}

impl OrganizationChange {
    pub fn checked(self) -> Result<OrgChange, ApiError> {
        Ok(OrgChange {
            name: self.name.map(name).transpose()?,
            parent: parent(self.parent_id)?,
            quota: quota(self.quota_bytes)?,
            backup_period: backup_period(self.backup_period_seconds)?,
            contact_period: contact_period(self.contact_period_seconds)?,
        })
    }
}

/// The most characters of a name.
const MAX_NAME: usize = 200;

fn name(name: String) -> Result<String, ApiError> {
    let wrong = |message| Err(ApiError::invalid("name", message));
    match name {
        name if name.trim().is_empty() => wrong("must not be empty".to_owned()),
        name if name.chars().count() > MAX_NAME => wrong(format!("must be at most {MAX_NAME} characters")),
        name if name.contains(char::is_control) => wrong("must not have control characters".to_owned()),
        name => Ok(name),
    }
}

/// What is not an id is treated as an unknown organization.
fn parent(given: Given<String>) -> Result<Option<Parent>, ApiError> {
    match given {
        Given::Absent => Ok(None),
        Given::Null => Ok(Some(Parent::Top)),
        Given::Value(id) => {
            OrgId::parse(&id).map(|id| Some(Parent::Below(id))).map_err(|_| ApiError::OrganizationNotFound)
        }
    }
}

fn quota(given: Given<u64>) -> Result<Option<Quota>, ApiError> {
    match given {
        Given::Absent => Ok(None),
        Given::Null => Ok(Some(Quota::Default)),
        Given::Value(0) => Ok(Some(Quota::Unlimited)),
        Given::Value(bytes) if bytes <= MAX_QUOTA => Ok(Some(Quota::Bytes(bytes))),
        Given::Value(_) => Err(ApiError::invalid("quota_bytes", format!("must be at most {MAX_QUOTA}"))),
    }
}

fn backup_period(given: Given<u64>) -> Result<Option<Period>, ApiError> {
    period("backup_period_seconds", given)
}

fn contact_period(given: Given<u64>) -> Result<Option<Period>, ApiError> {
    period("contact_period_seconds", given)
}

fn period(key: &'static str, given: Given<u64>) -> Result<Option<Period>, ApiError> {
    match given {
        Given::Absent => Ok(None),
        Given::Null => Ok(Some(Period::Inherited)),
        Given::Value(seconds) => Period::of(Duration::from_secs(seconds))
            .map(Some)
            .ok_or_else(|| ApiError::invalid(key, format!("must be 1 to {}", MAX_PERIOD.as_secs()))),
    }
}
