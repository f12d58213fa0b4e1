//! The rule: which status applies first, with its reason, since when, and what time will change.

use super::{shown, status};
use crate::harness::Server;

/// What is set in the row of a system that has one backup, stored a minute ago, with a period of an hour; and the status, a part
/// of its reason, the column that says since when, and when it changes.
const RULES: [(&str, &str, &str, &str, &str); 17] = [
    ("backup_period = '1 hour'", "fresh", "protected until", "last_backup_at", "protected_until"),
    (
        "unchanged_at = now() + interval '1 minute'",
        "fresh",
        "protected until",
        "last_backup_at",
        "unchanged_at + interval '1 hour'",
    ),
    ("backup_period = '30 seconds'", "late", "a backup was due", "protected_until", "NULL"),
    (
        "backup_period = '30 seconds', contact_period = '2 hours', last_seen_at = now()",
        "late",
        "a backup was due",
        "protected_until",
        "last_seen_at + interval '2 hours'",
    ),
    (
        "contact_period = '1 minute', last_seen_at = now() - interval '2 minutes', last_seen_from = '192.0.2.7'",
        "silent",
        "UTC, from 192.0.2.7",
        "last_seen_at + interval '1 minute'",
        "NULL",
    ),
    (
        "contact_period = '1 minute', last_seen_at = NULL, created_at = now() - interval '2 minutes'",
        "silent",
        "never heard of; added",
        "created_at + interval '1 minute'",
        "NULL",
    ),
    (
        "contact_period = '10 minutes', last_seen_at = now()",
        "fresh",
        "protected until",
        "last_backup_at",
        "last_seen_at + interval '10 minutes'",
    ),
    (
        "refused_reason = 'rate'",
        "refused",
        "rate: an upload was over the rate limit",
        "refused_since",
        "NULL",
    ),
    (
        "refused_reason = 'quota'",
        "refused",
        "quota: the quota of the organization had no space",
        "refused_since",
        "NULL",
    ),
    (
        "refused_reason = 'unavailable', backup_period = '1 second'",
        "refused",
        "unavailable: ",
        "refused_since",
        "NULL",
    ),
    // For a minute an upload that broke off is no refusal: its repetition may be under way.
    (
        "refused_reason = 'interrupted'",
        "fresh",
        "protected until",
        "last_backup_at",
        "refused_since + interval '1 minute'",
    ),
    (
        "refused_reason = 'interrupted', backup_period = '30 seconds'",
        "late",
        "a backup was due",
        "protected_until",
        "refused_since + interval '1 minute'",
    ),
    (
        "refused_reason = 'interrupted', refused_since = now() - interval '61 seconds'",
        "refused",
        "interrupted: the connection of an upload broke off",
        "refused_since",
        "NULL",
    ),
    (
        "last_backup_damage = 'damaged', refused_reason = 'rate', whole_backup_id = NULL",
        "damaged",
        "none of the others is whole",
        "last_backup_at",
        "NULL",
    ),
    (
        "last_backup_damage = 'missing'",
        "damaged",
        ", is missing; the newest whole one is",
        "last_backup_at",
        "NULL",
    ),
    (
        "state = 'suspended', last_backup_damage = 'missing', state_since = now(), state_by = 'jane'",
        "suspended",
        "it is suspended, by jane, since",
        "state_since",
        "NULL",
    ),
    ("state = 'destroying'", "suspended", "it is being destroyed", "NULL", "NULL"),
];

#[test]
fn first_rule_that_applies_is_the_status() {
    let server = Server::unlimited();
    for (set, expected, reason, since, changes_at) in RULES {
        let system = server.system();
        server.store(&system, b"x");
        let update = |set: &str| {
            server.db.execute(&format!("UPDATE systems SET {set} WHERE id = '{}'", system.id));
        };
        server.db.execute("UPDATE backups SET uploaded_at = uploaded_at - interval '1 minute'");
        update("backup_period = '1 hour'");
        if set.contains("refused_reason") {
            let columns = ["refused_at", "refused_since", "refused_upload_at"];
            let missing = columns.iter().filter(|column| !set.contains(*column));
            let times: Vec<_> = missing.map(|column| format!(", {column} = clock_timestamp()")).collect();
            let times = times.concat();
            update(&format!("{set}{times}"));
        } else {
            update(set);
        }
        assert_eq!(status(&server, &system), expected, "{set}");
        let found = shown(&server, &system, "status_reason");
        assert!(found.contains(reason), "{set}: {found}");
        let same = |shown: &str, expected: &str| {
            let of = format!("(SELECT ({expected})::text FROM systems WHERE id = system_id)");
            self::shown(&server, &system, &format!("({shown}::text IS NOT DISTINCT FROM {of})::text"))
        };
        assert_eq!(same("status_since", since), "true", "{set}: since {since}");
        assert_eq!(same("changes_at", changes_at), "true", "{set}: changes at {changes_at}");
    }
    server.skip_audit();
}

#[test]
fn system_without_a_backup_is_never_whether_or_not_it_had_one() {
    let server = Server::unlimited();
    let system = server.system();
    assert_eq!(status(&server, &system), "never");
    assert!(shown(&server, &system, "status_reason").starts_with("nothing was ever stored; added 20"));
    assert_eq!(shown(&server, &system, "status_since = (SELECT created_at FROM systems)"), "true");
    let id = server.store(&system, b"x");
    assert_eq!(status(&server, &system), "fresh");
    server.delete(&system, &id).status(200);
    assert_eq!(status(&server, &system), "never");
    let reason = shown(&server, &system, "status_reason");
    assert_eq!(reason, "nothing is stored any more: every backup was deleted");
}

#[test]
fn damaged_backup_names_the_newest_whole_one() {
    let server = Server::unlimited();
    let system = server.system();
    let (whole, newest) = (server.store(&system, b"x"), server.store(&system, b"y"));
    let uuid = |id: &str| id.split('.').next().expect("an id").to_owned();
    server.db.execute(&format!("UPDATE backups SET damage = 'damaged' WHERE id = '{}'", uuid(&newest)));
    assert_eq!(status(&server, &system), "damaged");
    let reason = shown(&server, &system, "status_reason");
    assert!(reason.contains(&uuid(&whole)) && reason.contains(&uuid(&newest)), "{reason}");
    server.store(&system, b"z");
    assert_eq!(status(&server, &system), "fresh");
}
