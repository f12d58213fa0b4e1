//! One row for each operation of the management API: where its requests name a system or an organization.

use serde_json::{Value, json};

/// Where a request names a system or an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `{id}` or `{siteId}` is a system.
    SystemInPath,
    /// `{id}` is an organization.
    OrgInPath,
    /// This query parameter is an organization.
    OrgInQuery(&'static str),
    /// This member of the body is an organization.
    OrgInBody(&'static str),
}

/// How the operation is called.
pub struct Row {
    pub operation: &'static str,
    /// Every place in which a foreign id can be. None: the operation shows what the caller sees, and nothing else.
    pub places: &'static [Place],
    /// A query that the operation needs.
    pub query: &'static str,
    /// A body that it accepts.
    pub body: fn() -> Value,
}

const SYSTEM: &[Place] = &[Place::SystemInPath];
const ORG: &[Place] = &[Place::OrgInPath];
const FILTER: &[Place] = &[Place::OrgInQuery("org")];

const fn row(operation: &'static str, places: &'static [Place]) -> Row {
    Row { operation, places, query: "", body: || Value::Null }
}

const fn with_body(operation: &'static str, places: &'static [Place], body: fn() -> Value) -> Row {
    Row { operation, places, query: "", body }
}

pub const ROWS: &[Row] = &[
    row("listSystemBackups", SYSTEM),
    row("linkSystemBackup", SYSTEM),
    row("deleteSystemBackup", SYSTEM),
    row("listSystemRequests", SYSTEM),
    row("cancelSystemRequest", SYSTEM),
    row("requestSiteBackup", SYSTEM),
    row("listSiteBackups", SYSTEM),
    row("showSiteBackup", SYSTEM),
    row("listSystems", FILTER),
    row("totalSystems", FILTER),
    Row { query: "format=csv", ..row("exportSystems", FILTER) },
    row("showTrend", FILTER),
    row("showSystem", SYSTEM),
    with_body("addSystem", &[Place::OrgInBody("org_id")], || json!({ "name": "new" })),
    with_body("changeSystem", SYSTEM, || json!({ "name": "changed" })),
    with_body("rotateSystemSecret", SYSTEM, || json!({})),
    row("destroySystem", SYSTEM),
    row("listSystemEvents", SYSTEM),
    row("listEvents", FILTER),
    row("listOrganizations", &[Place::OrgInQuery("parent")]),
    row("showOrganization", ORG),
    Row { query: "month=2026-11", ..row("showOrganizationUsage", ORG) },
    with_body("addOrganization", &[Place::OrgInBody("parent_id")], || json!({ "id": "new", "name": "New" })),
    with_body(
        "changeOrganization",
        &[Place::OrgInPath, Place::OrgInBody("parent_id")],
        || json!({ "name": "New" }),
    ),
];

/// Operations without a tenant: they show nothing of one.
pub const WITHOUT_TENANTS: &[&str] = &["metrics"];
