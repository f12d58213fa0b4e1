//! `strongroom system show`: what support needs to know about one system.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::cli::context::Context;
use crate::cli::exit::Failure;
use crate::cli::output::{facts, time, time_ago};
use crate::db::systems::{self, SystemDetails, SystemSummary};
use crate::domain::status::SystemStatus;
use crate::domain::{duration, size};

/// Prints what support needs to know about the system.
pub fn run(context: &mut Context, system: SystemSummary) -> Result<(), Failure> {
    let key = system.system_key.clone();
    let gone = || Failure::Refused(format!("system {key} is gone: it was destroyed a moment ago"));
    let details = systems::details(&mut context.conn, system)?.ok_or_else(gone)?;
    context.output.print(&details, describe)
}

fn describe(details: &SystemDetails) -> String {
    let SystemDetails { system, more, open_request } = details;
    let request = open_request.as_ref().map_or_else(
        || "none".to_owned(),
        |request| {
            let (id, state, by) = (request.id, request.state, &request.requested_by);
            format!("{id} ({state}), by {by}, until {}", time(request.expires_at))
        },
    );
    let refusal = match &more.last_refusal_reason {
        Some(reason) => format!("{reason}, {}", time_ago(more.last_refusal_at)),
        None => time_ago(more.last_refusal_at),
    };
    let freshness = match more.freshness.as_str() {
        "late" => "late: it has neither uploaded nor reported unchanged in its period",
        "never" => "never: it has no backup",
        other => other,
    };
    let seen = match &more.last_seen_from {
        Some(from) => format!("{}, from {from}", time_ago(system.last_seen_at)),
        None => time_ago(system.last_seen_at),
    };
    let bytes = system.bytes.unsigned_abs();
    let mut all = vec![
        ("name", system.name.clone()),
        ("key", system.system_key.clone()),
        ("id", system.id.to_string()),
        ("organization", format!("{} ({})", system.org_id, more.org_name)),
        ("state", system.state.to_string()),
        ("status", format!("{}: {}", system.status, system.status_reason)),
        ("since", system.status_since.map_or_else(|| "unknown".to_owned(), |at| time_ago(Some(at)))),
        ("changes", changes(system)),
        ("backup period", period(Some(more.backup_period_in_force_seconds), Some(&more.backup_period_from))),
        ("contact period", period(more.contact_period_in_force_seconds, more.contact_period_from.as_deref())),
        ("added", time_ago(Some(system.created_at))),
        ("backups", system.backups.to_string()),
        ("bytes", format!("{} ({bytes})", size::human(bytes))),
        ("newest backup", time_ago(system.last_backup_at)),
        ("last unchanged", time_ago(system.last_unchanged_at)),
        ("last seen", seen),
        ("freshness", freshness.to_owned()),
        ("open request", request),
        ("last refusal", refusal),
        ("credential refused", time_ago(more.last_credential_refusal_at)),
    ];
    if let Some(until) = more.previous_secret_until {
        all.push(("previous secret", format!("valid until {}", time(until))));
    }
    facts(&all)
}

/// Returns what will change the status: time, or what somebody has to do.
fn changes(system: &SystemSummary) -> String {
    let by_itself = |at: DateTime<Utc>| match system.status {
        SystemStatus::Fresh => {
            format!("at {}, unless a backup or the report of an unchanged configuration comes", time(at))
        }
        _ => format!("at {}, unless a backup comes", time(at)),
    };
    match (system.changes_at, system.status) {
        (Some(at), _) => by_itself(at),
        (None, SystemStatus::Suspended) => "when it is resumed".to_owned(),
        (None, SystemStatus::Silent) => "when it is heard of".to_owned(),
        (None, SystemStatus::Late) => {
            "when a backup or the report of an unchanged configuration comes".to_owned()
        }
        (None, _) => "when a backup is stored".to_owned(),
    }
}

/// Returns a period, and where it is set.
fn period(seconds: Option<i64>, from: Option<&str>) -> String {
    let Some(seconds) = seconds else { return "none".to_owned() };
    let whose = match from {
        Some("system") => "its own",
        Some("organization") => "of its organization",
        _ => "the default",
    };
    format!("{} ({whose})", duration::exact(Duration::from_secs(seconds.unsigned_abs())))
}
