//! `strongroom system show` and `list`: systems as people read them.

use std::collections::HashMap;

use crate::cli::context::Context;
use crate::cli::exit::Failure;
use crate::cli::output::{self, facts, time, time_ago};
use crate::db::systems::{self, SystemDetails, SystemSummary};
use crate::domain::size;

/// Prints what support needs to know about the system.
pub fn run(context: &mut Context, system: SystemSummary) -> Result<(), Failure> {
    let key = system.system_key.clone();
    let gone = || Failure::Refused(format!("system {key} is gone: it was destroyed a moment ago"));
    let details = systems::details(&mut context.conn, system)?.ok_or_else(gone)?;
    context.output.print(&details, describe)
}

fn describe(details: &SystemDetails) -> String {
    let SystemDetails { system, org_name, freshness, open_request, .. } = details;
    let request = open_request.as_ref().map_or_else(
        || "none".to_owned(),
        |request| {
            let (id, state, by) = (request.id, request.state, &request.requested_by);
            format!("{id} ({state}), by {by}, until {}", time(request.expires_at))
        },
    );
    let refusal = match &details.last_refusal_reason {
        Some(reason) => format!("{reason}, {}", time_ago(details.last_refusal_at)),
        None => time_ago(details.last_refusal_at),
    };
    let freshness = match freshness.as_str() {
        "late" => "late: it has neither uploaded nor reported unchanged in its period",
        "never" => "never: it has no backup",
        other => other,
    };
    facts(&[
        ("name", system.name.clone()),
        ("key", system.system_key.clone()),
        ("id", system.id.to_string()),
        ("organization", format!("{} ({org_name})", system.org_id)),
        ("state", system.state.to_string()),
        ("added", time_ago(Some(system.created_at))),
        ("backups", system.backups.to_string()),
        ("bytes", format!("{} ({})", size::human(system.bytes), system.bytes)),
        ("newest backup", time_ago(system.last_backup_at)),
        ("last unchanged", time_ago(details.last_unchanged_at)),
        ("freshness", freshness.to_owned()),
        ("open request", request),
        ("last refusal", refusal),
        ("credential refused", time_ago(details.last_credential_refusal_at)),
    ])
}

/// Returns a table of systems. A name that several systems of an organization have is marked.
pub fn list(systems: &[SystemSummary]) -> String {
    let mut count: HashMap<(&str, &str), usize> = HashMap::new();
    for system in systems {
        *count.entry((&system.org_id, &system.name)).or_default() += 1;
    }
    let is_shared = |system: &SystemSummary| count[&(system.org_id.as_str(), system.name.as_str())] > 1;
    let row = |system: &SystemSummary| {
        let mark = if is_shared(system) { " (*)" } else { "" };
        [
            system.org_id.clone(),
            format!("{}{mark}", system.name),
            system.system_key.clone(),
            system.state.to_string(),
            system.backups.to_string(),
            size::human(system.bytes),
            system.last_backup_at.map_or("never".to_owned(), time),
        ]
    };
    let header = ["ORG", "NAME", "KEY", "STATE", "BACKUPS", "BYTES", "LAST BACKUP"];
    let table = output::list("no systems", header, systems.iter().map(row));
    if systems.iter().any(is_shared) {
        format!("{table}\n(*) several systems of the organization have this name: commands need the key")
    } else {
        table
    }
}
