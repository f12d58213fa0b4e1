//! `PATCH /api/systems/{id}`: name, periods, suspension.

use serde_json::{Value, json};

use super::{MANAGE, send, start};
use crate::harness::{Login, PROMPT_TIMEOUT, Server, System, assert_eventually};

fn patch(server: &Server, login: &Login, system: &System, body: &Value) -> crate::harness::Answer {
    send(server, &login.token(&system.org, MANAGE), "PATCH", &format!("/api/systems/{}", system.id), body)
}

const EVENTS: &str = "SELECT concat_ws(' ', kind, actor, host(remote_addr), detail) FROM backup_events \
     WHERE kind NOT IN ('org_added', 'system_added') ORDER BY id";

#[test]
fn each_change_is_made_and_recorded_with_its_author() {
    let (login, server) = start();
    let system = server.system();
    let change = json!({ "name": "Branch", "backup_period_seconds": 60, "contact_period_seconds": 30, "suspended": true });
    let changed = patch(&server, &login, &system, &change).status(200);
    assert_eq!(changed.message(), "system changed");
    let changed = changed.data();
    assert_eq!((&changed["name"], &changed["state"]), (&json!("Branch"), &json!("suspended")));
    assert_eq!(
        (&changed["backup_period_seconds"], &changed["contact_period_seconds"]),
        (&json!(60), &json!(30))
    );
    assert_eq!(changed["limits"]["backup_period_seconds"], 60);
    let reason = changed["status_reason"].as_str().expect("a reason");
    assert!(reason.starts_with("it is suspended, by portal@example.org, since "), "{reason}");
    patch(&server, &login, &system, &json!({ "suspended": false, "backup_period_seconds": null }))
        .status(200);
    let by = "portal@example.org 127.0.0.1";
    assert_eq!(
        server.db.all(EVENTS),
        [
            format!(
                r#"system_renamed {by} {{"new": "Branch", "old": "fw-{}"}}"#,
                system.org.trim_start_matches("org-")
            ),
            format!(
                r#"period_set {by} {{"backup": {{"new": 60, "old": null}}, "contact": {{"new": 30, "old": null}}}}"#
            ),
            format!("suspended {by} {{}}"),
            format!(r#"period_set {by} {{"backup": {{"new": null, "old": 60}}}}"#),
            format!("resumed {by} {{}}"),
        ]
    );
    let row = "SELECT concat_ws(' ', state, state_by, state_since > suspended_at, backup_period, contact_period, backup_period_in_force) FROM systems";
    assert_eq!(server.db.one(row), "active portal@example.org t 00:00:30 26:00:00");
}

#[test]
fn what_is_so_already_is_no_change() {
    let (login, server) = start();
    let system = server.system();
    let same = json!({
        "name": format!("fw-{}", system.org.trim_start_matches("org-")), "backup_period_seconds": null,
        "contact_period_seconds": null, "suspended": false, "org_id": system.org,
    });
    let before = server.db.one("SELECT systems::text FROM systems");
    for body in [json!({}), same] {
        patch(&server, &login, &system, &body).status(200);
    }
    assert_eq!(server.db.one("SELECT systems::text FROM systems"), before);
    assert_eq!(server.db.all(EVENTS), Vec::<String>::new());
}

#[test]
fn suspension_takes_effect_within_a_second_and_ends() {
    let (login, server) = start();
    let system = server.system();
    server.put(&system, b"x").status(201);
    let status = || server.get(crate::harness::BACKUPS).user(&system).send().status;
    patch(&server, &login, &system, &json!({ "suspended": true })).status(200);
    assert_eventually("its credential is refused", PROMPT_TIMEOUT, || status() == 401);
    patch(&server, &login, &system, &json!({ "suspended": false })).status(200);
    assert_eventually("its credential is accepted", PROMPT_TIMEOUT, || status() == 200);
}

#[test]
fn wrong_change_changes_nothing() {
    let (login, server) = start();
    let system = server.system();
    let before = server.db.one("SELECT systems::text FROM systems");
    for (body, key) in [
        (json!({ "name": "Branch", "nmae": "x" }), "nmae"),
        (json!({ "name": "Branch", "suspended": "yes" }), "suspended"),
        (json!({ "name": "Branch", "backup_period_seconds": 0 }), "backup_period_seconds"),
        (json!({ "name": "Branch", "contact_period_seconds": 1.5 }), "contact_period_seconds"),
        (json!({ "name": "Branch", "org_id": "another" }), "org_id"),
        (json!({ "name": "Branch", "system_key": "other" }), "system_key"),
        (json!({ "name": " ", "suspended": true }), "name"),
        (json!({ "name": null, "suspended": true }), "name"),
        (json!({ "name": "Branch", "suspended": null }), "suspended"),
        (json!({ "name": "Branch", "org_id": null }), "org_id"),
    ] {
        patch(&server, &login, &system, &body).is_validation_error(key);
    }
    assert_eq!(server.db.one("SELECT systems::text FROM systems"), before);
    assert_eq!(server.db.all(EVENTS), Vec::<String>::new());
}

#[test]
fn system_that_is_being_destroyed_is_not_changed_any_more() {
    let (login, server) = start();
    let system = server.system();
    server.mark_destroying(&system);
    let before = server.db.one("SELECT systems::text FROM systems");
    for body in [
        json!({ "suspended": true, "name": "x" }),
        json!({ "suspended": false }),
        json!({ "name": "x" }),
        json!({ "backup_period_seconds": 60 }),
        json!({ "contact_period_seconds": null }),
    ] {
        let answer = patch(&server, &login, &system, &body).status(409);
        assert_eq!((answer.message(), answer.data()), ("system is being destroyed".to_owned(), json!({})));
    }
    let token = login.token(&system.org, MANAGE);
    let path = format!("/api/systems/{}/rotate-secret", system.id);
    let answer = server.manage("POST", &path).bearer(&token).send().status(409);
    assert_eq!((answer.message(), answer.data()), ("system is being destroyed".to_owned(), json!({})));
    for arguments in [
        &["system", "rotate-secret", &system.key][..],
        &["system", "set-period", &system.key, "--backup", "1h"],
        &["system", "suspend", &system.key],
    ] {
        let refused = crate::harness::run(server.command([]).args(arguments)).exits(1);
        assert!(refused.stderr.contains("is being destroyed"), "{refused:?}");
    }
    assert_eq!(server.db.one("SELECT systems::text FROM systems"), before);
    server.skip_audit();
}
