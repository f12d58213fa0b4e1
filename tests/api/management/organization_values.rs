//! Values that `/api/organizations` refuses.

use serde_json::json;

use super::organizations::{ORGS, events, manager, row, send, server};
use crate::harness::Login;

#[test]
fn invalid_members_are_named() {
    let login = Login::new();
    let server = server(&login);
    let token = manager(&login, "acme");
    let long = "x".repeat(201);
    let changes = [
        (json!({ "nmae": "x" }), "nmae"),
        (json!({ "id": "x" }), "id"),
        (json!({ "name": "" }), "name"),
        (json!({ "name": " " }), "name"),
        (json!({ "name": "a\u{0}" }), "name"),
        (json!({ "name": long }), "name"),
        (json!({ "name": 5 }), "name"),
        (json!({ "name": null }), "name"),
        (json!({ "parent_id": 5 }), "parent_id"),
        (json!({ "quota_bytes": -1 }), "quota_bytes"),
        (json!({ "quota_bytes": "5G" }), "quota_bytes"),
        (json!({ "quota_bytes": 1.5 }), "quota_bytes"),
        (json!({ "quota_bytes": u64::MAX }), "quota_bytes"),
        (json!({ "backup_period_seconds": 0 }), "backup_period_seconds"),
        (json!({ "backup_period_seconds": 400_000_000 }), "backup_period_seconds"),
        (json!({ "contact_period_seconds": 0 }), "contact_period_seconds"),
        (json!({ "contact_period_seconds": [] }), "contact_period_seconds"),
        (json!([]), "body"),
        (json!("x"), "body"),
    ];
    for (body, key) in &changes {
        send(&server, "PATCH", "/api/organizations/north", &token, body).is_validation_error(key);
    }
    for (body, key) in [
        (json!({}), "id"),
        (json!({ "id": "new" }), "name"),
        (json!({ "name": "New" }), "id"),
        (json!({ "id": "new", "name": "New", "parent": "acme" }), "parent"),
        (json!({ "id": "../new", "name": "New" }), "id"),
        (json!({ "id": "", "name": "New" }), "id"),
        (json!({ "id": "x".repeat(65), "name": "New" }), "id"),
        (json!({ "id": "new", "name": "New", "quota_bytes": true }), "quota_bytes"),
    ] {
        let refused = send(&server, "POST", ORGS, &token, &body);
        refused.is_validation_error(key);
        assert!(!String::from_utf8_lossy(&refused.body).contains("../new"), "{refused}");
    }
    for body in ["", "{", "{\"name\": \"x\"", "name=x"] {
        let answer = server.manage("PATCH", "/api/organizations/north").bearer(&token).body(body).send();
        answer.is_validation_error("body");
    }
    let large = format!("{{\"name\": \"{}\"}}", "x".repeat(70_000));
    let answer = server.manage("PATCH", "/api/organizations/north").bearer(&token).body(large).send();
    answer.is_validation_error("body");
    assert_eq!(row(&server, "north"), "north|acme|-|-|-");
    assert_eq!(events(&server), [""; 0]);
}

#[test]
fn tree_gets_no_deeper_than_eight_levels() {
    let login = Login::new();
    let server = server(&login);
    let token = manager(&login, "acme");
    let mut parent = "branch".to_owned();
    for level in 4..=8 {
        let id = format!("level-{level}");
        send(&server, "POST", ORGS, &token, &json!({ "id": id, "name": id, "parent_id": parent }))
            .status(201);
        parent = id;
    }
    let refused =
        send(&server, "POST", ORGS, &token, &json!({ "id": "level-9", "name": "x", "parent_id": parent }));
    assert!(refused.is_validation_error("parent_id").contains("more than 8 levels"));
    let refused = send(&server, "PATCH", "/api/organizations/north", &token, &json!({ "parent_id": "west" }));
    assert!(refused.is_validation_error("parent_id").contains("more than 8 levels"));
    let all = login.token("acme", "org:manage backup:admin");
    send(&server, "PATCH", "/api/organizations/north", &all, &json!({ "parent_id": null })).status(200);
}
