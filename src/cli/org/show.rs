//! `strongroom org show` and `list`: organizations as people and scripts read them.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::Serialize;

use crate::cli::output::{self, facts};
use crate::db::organizations::OrgSummary;
use crate::domain::organization::Quota;
use crate::domain::status::SystemStatus;
use crate::domain::{duration, size};

/// An organization in JSON.
#[derive(Serialize)]
pub struct ShownOrg<'a> {
    id: &'a str,
    name: &'a str,
    /// `None`: at the top.
    parent_id: Option<&'a str>,
    systems: u64,
    /// How many of them have each status.
    by_status: BTreeMap<&'static str, u64>,
    stored_bytes: u64,
    reserved_bytes: u64,
    /// The quota that applies; `None`: unlimited.
    quota_bytes: Option<u64>,
    quota_is_default: bool,
    /// Its own periods; `None`: that of the service, and none.
    backup_period_seconds: Option<u64>,
    contact_period_seconds: Option<u64>,
}

impl<'a> From<&'a OrgSummary> for ShownOrg<'a> {
    fn from(org: &'a OrgSummary) -> Self {
        Self {
            id: &org.id,
            name: &org.name,
            parent_id: org.parent_id.as_deref(),
            systems: org.systems(),
            by_status: SystemStatus::ALL.iter().map(|s| (s.as_str(), org.systems_with(*s))).collect(),
            stored_bytes: org.stored_bytes,
            reserved_bytes: org.reserved_bytes,
            quota_bytes: org.quota_in_force,
            quota_is_default: org.quota == Quota::Default,
            backup_period_seconds: org.backup_period_seconds,
            contact_period_seconds: org.contact_period_seconds,
        }
    }
}

/// Returns what an operator needs to know about the organization, one fact a line.
pub fn describe(org: &OrgSummary) -> String {
    let used = org.stored_bytes.saturating_add(org.reserved_bytes);
    let percent = |quota: u64| u128::from(used) * 100 / u128::from(quota.max(1));
    let full = org.quota_in_force.map(|quota| format!(", {} % used", percent(quota))).unwrap_or_default();
    let period = |seconds| duration::exact(Duration::from_secs(seconds));
    let backup_period = match org.backup_period_seconds {
        Some(own) => period(own),
        None => format!("{} (default)", period(org.backup_period_in_force)),
    };
    facts(&[
        ("id", org.id.clone()),
        ("name", org.name.clone()),
        ("parent", org.parent_id.clone().unwrap_or_else(|| "none".to_owned())),
        ("systems", systems(org)),
        ("stored", size::human(org.stored_bytes)),
        ("reserved", size::human(org.reserved_bytes)),
        ("quota", format!("{}{full}", quota(org))),
        ("backup period", backup_period),
        ("contact period", org.contact_period_seconds.map_or("none".to_owned(), period)),
    ])
}

/// Returns the number of systems, and how many of them have each status.
fn systems(org: &OrgSummary) -> String {
    let by_status: Vec<String> = SystemStatus::ALL
        .iter()
        .map(|status| (status, org.systems_with(*status)))
        .filter(|(_, count)| *count > 0)
        .map(|(status, count)| format!("{count} {status}"))
        .collect();
    if by_status.is_empty() {
        "0".to_owned()
    } else {
        format!("{} ({})", org.systems(), by_status.join(", "))
    }
}

fn quota(org: &OrgSummary) -> String {
    let quota = org.quota_in_force.map_or("none".to_owned(), size::human);
    if org.quota == Quota::Default { format!("{quota} (default)") } else { quota }
}

/// Returns a table of organizations.
pub fn table(orgs: &[OrgSummary]) -> String {
    let rows = orgs.iter().map(|org| row(org, &org.id));
    output::list("no organizations", HEADER, rows)
}

/// Returns the same table with each organization indented below its parent.
pub fn tree(orgs: &[OrgSummary]) -> String {
    let rows =
        in_tree(orgs).into_iter().map(|(level, org)| row(org, &format!("{}{}", "  ".repeat(level), org.id)));
    output::list("no organizations", HEADER, rows)
}

const HEADER: [&str; 7] = ["ORG", "NAME", "PARENT", "SYSTEMS", "STORED", "RESERVED", "QUOTA"];

fn row(org: &OrgSummary, id: &str) -> [String; 7] {
    [
        id.to_owned(),
        org.name.clone(),
        org.parent_id.clone().unwrap_or_default(),
        org.systems().to_string(),
        size::human(org.stored_bytes),
        size::human(org.reserved_bytes),
        quota(org),
    ]
}

/// Returns each organization behind its parent, with the number of organizations above it. Those of one parent keep their order.
fn in_tree(orgs: &[OrgSummary]) -> Vec<(usize, &OrgSummary)> {
    let mut below: HashMap<Option<&str>, Vec<&OrgSummary>> = HashMap::new();
    for org in orgs.iter().rev() {
        below.entry(org.parent_id.as_deref()).or_default().push(org);
    }
    let first = |below: &mut HashMap<_, Vec<_>>, parent, level| {
        below.remove(&parent).unwrap_or_default().into_iter().map(move |org| (level, org)).collect::<Vec<_>>()
    };
    let mut next: Vec<(usize, &OrgSummary)> = first(&mut below, None, 0);
    let mut found = Vec::with_capacity(orgs.len());
    while let Some((level, org)) = next.pop() {
        found.push((level, org));
        next.extend(first(&mut below, Some(&org.id), level + 1));
    }
    found
}
