//! `GET /api/systems`: filters, orders, pages.

use serde_json::{Value, json};

use super::{ADMIN, STATUSES, VIEW, all_pages, get, start, start_with_fleet, texts};
use crate::harness::Server;

/// Returns the ids that a list should have: worked out without indexes, pages and hints.
fn expected(server: &Server, orgs: &str, statuses: &[&str], order: &str) -> Vec<String> {
    let statuses = if statuses.is_empty() { STATUSES.join(",") } else { statuses.join(",") };
    server.db.all(&format!(
        "SELECT s.id FROM systems s, system_status(s, now()) AS now \
         WHERE {orgs} AND now.status = ANY (string_to_array('{statuses}', ',')) ORDER BY {order}"
    ))
}

const BELOW_TOP: &str = "s.org_id IN ('top', 'north', 'south', 'deep')";

#[test]
fn each_status_and_order_is_listed_completely_for_every_caller() {
    let (login, server) = start_with_fleet(25);
    let callers = [
        (login.token("nobody", ADMIN), "true", ""),
        (login.token("nobody", ADMIN), BELOW_TOP, "&org=top"),
        (login.token("top", VIEW), BELOW_TOP, ""),
        (login.token("top", VIEW), "s.org_id IN ('north', 'deep')", "&org=north"),
        (login.token("deep", VIEW), "s.org_id = 'deep'", ""),
        (login.token("nobody", VIEW), "false", ""),
    ];
    let orders = [
        ("created_at", "s.id"),
        ("-created_at", "s.id DESC"),
        ("name", "s.name, s.id"),
        ("-name", "s.name DESC, s.id DESC"),
        ("protected_until", "s.protected_until, s.id"),
        ("-protected_until", "s.protected_until DESC, s.id DESC"),
    ];
    let mut filters: Vec<Vec<&str>> = STATUSES.iter().map(|status| vec![*status]).collect();
    filters.extend([
        vec![],
        vec!["late", "refused"],
        vec!["never", "silent", "suspended"],
        vec!["fresh", "damaged"],
    ]);
    for (token, orgs, org) in &callers {
        for (sort, order) in orders {
            for statuses in &filters {
                let query = format!("?limit=4&sort={sort}&status={}{org}", statuses.join(","));
                let listed = all_pages(&server, token, &query);
                assert_eq!(texts(&listed, "id"), expected(&server, orgs, statuses, order), "{query}, {orgs}");
                assert!(
                    listed.iter().all(|system| statuses.is_empty()
                        || statuses.contains(&system["status"].as_str().expect("a word"))),
                    "{query}"
                );
            }
        }
    }
}

#[test]
fn text_is_found_in_name_and_key_in_any_letter_case() {
    let (login, server) = start();
    server.add_org("acme", None);
    for (key, name) in
        [("fw-a", "Main Office"), ("OFFICE-2", "Branch"), ("fw-b", "100%_\\ sure"), ("fw-c", "Stra\u{df}e")]
    {
        server.cli(["system", "add", "--org", "acme", "--key", key, "--name", name]).exits(0);
    }
    let token = login.token("acme", VIEW);
    for (text, keys) in [
        ("office", vec!["fw-a", "OFFICE-2"]),
        ("MAIN%20o", vec!["fw-a"]),
        ("%25_%5C", vec!["fw-b"]),
        ("%25%25", vec![]),
        ("_", vec!["fw-b"]),
        ("stra%C3%9F", vec!["fw-c"]),
        ("", vec!["fw-a", "OFFICE-2", "fw-b", "fw-c"]),
    ] {
        assert_eq!(
            texts(&all_pages(&server, &token, &format!("?limit=1&q={text}")), "system_key"),
            keys,
            "{text}"
        );
    }
}

#[test]
fn system_in_json_has_exactly_the_documented_members() {
    let (login, server) = start();
    let system = server.system();
    server.put(&system, b"a backup").status(201);
    let page = get(&server, &login.token(&system.org, VIEW), "/api/systems").status(200);
    assert_eq!(page.message(), "systems listed");
    let page = page.data();
    assert_eq!(page["next_cursor"], Value::Null);
    let listed = page["systems"][0].as_object().expect("a system").clone();
    let mut members: Vec<&str> = listed.keys().map(String::as_str).collect();
    members.sort_unstable();
    let mut documented = vec![
        "id",
        "system_key",
        "name",
        "org_id",
        "state",
        "status",
        "status_reason",
        "status_since",
        "changes_at",
        "protected_until",
        "last_backup_at",
        "last_unchanged_at",
        "last_seen_at",
        "backups_kept",
        "bytes_kept",
        "backup_period_seconds",
        "contact_period_seconds",
        "created_at",
    ];
    documented.sort_unstable();
    assert_eq!(members, documented);
    assert_eq!(listed["id"], json!(system.id));
    assert_eq!((&listed["status"], &listed["state"]), (&json!("fresh"), &json!("active")));
    assert_eq!((&listed["backups_kept"], &listed["bytes_kept"]), (&json!(1), &json!(8)));
    assert_eq!(listed["protected_until"], listed["changes_at"]);
    for time in ["last_backup_at", "created_at", "status_since", "protected_until"] {
        let text = listed[time].as_str().expect("a time");
        assert!(text.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(text).is_ok(), "{time}: {text}");
    }
}

#[test]
fn page_has_50_systems_unless_the_request_says_otherwise() {
    let (login, server) = start_with_fleet(60);
    let token = login.token("other", VIEW);
    let count = |query: &str| {
        let page = get(&server, &token, &format!("/api/systems{query}")).status(200).data();
        (page["systems"].as_array().map(Vec::len), page["next_cursor"].is_string())
    };
    assert_eq!(count(""), (Some(50), true));
    assert_eq!(count("?limit=1"), (Some(1), true));
    assert_eq!(count("?limit=60"), (Some(60), false), "a full last page has no next one");
    assert_eq!(count("?limit=200"), (Some(60), false));
}
