//! `POST /api/systems`: adds a system, and shows its secret this once.

use serde_json::{Value, json};

use super::{ADMIN, MANAGE, get, send, start, start_with_fleet};
use crate::harness::System;

#[test]
fn new_system_can_upload_at_once_and_only_the_hash_of_its_secret_is_stored() {
    let (login, server) = start();
    server.add_org("acme", None);
    let token = login.token("acme", MANAGE);
    let answer = send(&server, &token, "POST", "/api/systems", &json!({ "name": "Main office" })).status(201);
    assert_eq!(answer.message(), "system added");
    assert_eq!(answer.must_have("cache-control"), "no-store");
    let added = answer.data();
    let mut members: Vec<&str> = added.as_object().expect("an object").keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["id", "org_id", "system_key", "system_secret"]);
    let text = |member: &str| added[member].as_str().expect("a text").to_owned();
    let system = System {
        id: text("id"),
        key: text("system_key"),
        secret: text("system_secret"),
        org: text("org_id"),
    };
    assert_eq!(answer.must_have("location"), format!("/api/systems/{}", system.id));
    assert_eq!(system.org, "acme");
    server.put(&system, b"a backup").status(201);
    let shown = get(&server, &token, answer.must_have("location")).status(200);
    assert!(!String::from_utf8_lossy(&shown.body).contains(&system.secret));
    let of_row = server.db.one(&format!("SELECT secret_sha256 = sha256('{}') FROM systems", system.secret));
    assert_eq!(of_row, "true");
    assert_eq!(
        server.db.one("SELECT strpos(s::text, '{}') FROM systems s".replace("{}", &system.secret).as_str()),
        "0"
    );
    assert!(!server.log().contains(&system.secret));
    let event = "SELECT concat_ws(' ', kind, org_id, system_id, actor, host(remote_addr)) FROM backup_events WHERE kind = 'system_added'";
    assert_eq!(server.db.one(event), format!("system_added acme {} portal@example.org 127.0.0.1", system.id));
}

#[test]
fn key_periods_and_organization_are_those_of_the_request() {
    let (login, server) = start_with_fleet(0);
    let token = login.token("top", MANAGE);
    let body = json!({
        "name": "Gr\u{fc}ezi", "org_id": "deep", "system_key": "Key_1-x", "backup_period_seconds": 7200,
        "contact_period_seconds": 60,
    });
    let added = send(&server, &token, "POST", "/api/systems", &body).status(201).data();
    assert_eq!((&added["system_key"], &added["org_id"]), (&json!("Key_1-x"), &json!("deep")));
    let row = "SELECT concat_ws(' ', name, org_id, backup_period, contact_period, backup_period_in_force) FROM systems";
    assert_eq!(server.db.one(row), "Gr\u{fc}ezi deep 02:00:00 00:01:00 02:00:00");
    let again = send(&server, &token, "POST", "/api/systems", &body).status(409);
    assert_eq!((again.message(), again.data()), ("system key is taken".to_owned(), json!({})));
    assert_eq!(server.db.number("SELECT count(*) FROM systems"), 1);
    let nowhere =
        login.key.sign(&crate::harness::changed(crate::harness::claims("x", ADMIN), &json!({ "org": null })));
    send(&server, &nowhere, "POST", "/api/systems", &json!({ "name": "x" })).is_validation_error("org_id");
    send(&server, &nowhere, "POST", "/api/systems", &json!({ "name": "x", "org_id": "other" })).status(201);
}

#[test]
fn malformed_body_is_a_validation_error_that_names_the_member() {
    let (login, server) = start_with_fleet(0);
    let token = login.token("top", MANAGE);
    let post = |body: &Value| send(&server, &token, "POST", "/api/systems", body);
    for (body, key) in [
        (json!({}), "name"),
        (json!({ "name": "" }), "name"),
        (json!({ "name": "  " }), "name"),
        (json!({ "name": "a\nb" }), "name"),
        (json!({ "name": "x".repeat(201) }), "name"),
        (json!({ "name": 7 }), "name"),
        (json!({ "name": "x", "system_key": "a/b" }), "system_key"),
        (json!({ "name": "x", "system_key": "x".repeat(65) }), "system_key"),
        (json!({ "name": "x", "backup_period_seconds": 0 }), "backup_period_seconds"),
        (json!({ "name": "x", "backup_period_seconds": 315_619_201 }), "backup_period_seconds"),
        (json!({ "name": "x", "contact_period_seconds": -1 }), "contact_period_seconds"),
        (json!({ "name": "x", "periods": 1 }), "periods"),
        (
            json!({ "name": "x", "system_secret": "let me choose, with more than 32 characters" }),
            "system_secret",
        ),
        (json!(["x"]), "body"),
    ] {
        post(&body).is_validation_error(key);
    }
    server.manage("POST", "/api/systems").bearer(&token).body("name=x").send().is_validation_error("body");
    assert_eq!(server.db.number("SELECT count(*) FROM systems"), 0);
    assert_eq!(server.db.number("SELECT count(*) FROM backup_events"), 0);
}
