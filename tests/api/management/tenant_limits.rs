//! What a token with `org:manage` does not get: the history of others, the names of others, and more quota than its own.

use serde_json::{Value, json};

use super::organizations::{ORGS, events, manager, row, send, server};
use crate::harness::{Login, Server};

fn shown(server: &Server, token: &str, path: &str) -> Value {
    server.manage("GET", path).bearer(token).send().status(200).data()
}

#[test]
fn id_of_a_deleted_organization_is_given_again_by_an_administrator_only() {
    let login = Login::new();
    let server = server(&login);
    let token = manager(&login, "acme");
    let body = |id: &str| json!({ "id": id, "name": "x" });
    // Each table by itself: events and days end, names of destroyed systems do not.
    server.cli(["org", "delete", "globex", "--yes"]).exits(0);
    server.db.execute(
        "INSERT INTO usage_days (day, org_id) VALUES ('2026-01-01', 'billed');
         INSERT INTO destroyed_systems (id, system_key, org_id, name) VALUES (gen_random_uuid(), 'k', 'owner', 'n')",
    );
    for id in ["globex", "billed", "owner"] {
        let refused = send(&server, "POST", ORGS, &token, &body(id)).status(409);
        assert_eq!((refused.message().as_str(), refused.data()), ("organization exists already", json!({})));
        assert_eq!(server.db.number(&format!("SELECT count(*) FROM organizations WHERE id = '{id}'")), 0);
    }
    assert_eq!(events(&server), [""; 0]);
    let admin = login.token("acme", "org:manage backup:admin");
    send(&server, "POST", ORGS, &admin, &body("globex")).status(201);
    server.cli(["org", "add", "billed"]).exits(0);
}

#[test]
fn organization_above_the_tree_is_not_named() {
    let login = Login::new();
    let server = server(&login);
    server.cli(["org", "set-parent", "north", "west"]).exits(0);
    let north = login.token("north", "backup:view org:manage");
    assert_eq!(shown(&server, &north, "/api/organizations/north")["parent_id"], Value::Null);
    assert_eq!(shown(&server, &north, "/api/organizations/branch")["parent_id"], "north");
    let listed = shown(&server, &north, ORGS);
    assert_eq!(
        (&listed["organizations"][0]["parent_id"], &listed["organizations"][1]["parent_id"]),
        (&json!("north"), &Value::Null)
    );
    let changed = send(&server, "PATCH", "/api/organizations/north", &north, &json!({ "name": "Norden" }));
    assert_eq!(changed.status(200).data()["parent_id"], Value::Null);
    // The tree above sees it.
    let above = login.token("west", "backup:view");
    assert_eq!(shown(&server, &above, "/api/organizations/north")["parent_id"], "west");
    let details = |token: &str, org: &str, kind: &str| {
        let page = shown(&server, token, &format!("/api/events?kind={kind}"));
        let events = page["events"].as_array().expect("events");
        events.iter().find(|event| event["org_id"] == org).expect("an event")["detail"].clone()
    };
    assert_eq!(details(&north, "north", "org_moved"), json!({ "old": null, "new": null }));
    assert_eq!(details(&north, "north", "org_added")["parent"], Value::Null);
    assert_eq!(details(&north, "branch", "org_added")["parent"], "north");
    assert_eq!(details(&north, "north", "org_renamed"), json!({ "old": "north", "new": "Norden" }));
    assert_eq!(details(&above, "north", "org_moved"), json!({ "old": null, "new": "west" }));
    let admin = login.token("north", "backup:view backup:admin");
    assert_eq!(details(&admin, "north", "org_moved"), json!({ "old": "acme", "new": "west" }));
    assert_eq!(shown(&server, &admin, "/api/organizations/north")["parent_id"], "west");
}

#[test]
fn organization_below_gets_no_more_quota_than_the_own_one_has() {
    let login = Login::new();
    let server = server(&login);
    let token = manager(&login, "acme");
    let north = "/api/organizations/north";
    for quota in [json!(5001), json!(0)] {
        let refused = send(&server, "PATCH", north, &token, &json!({ "quota_bytes": quota })).status(403);
        assert!(refused.must_have("www-authenticate").contains(r#"scope="backup:admin""#), "{refused}");
        let body = json!({ "id": "new", "name": "x", "quota_bytes": quota });
        send(&server, "POST", ORGS, &token, &body).status(403);
    }
    // What it has already is no change: the default, which is larger.
    send(&server, "PATCH", north, &token, &json!({ "quota_bytes": null, "name": "n" })).status(200);
    send(&server, "PATCH", north, &token, &json!({ "quota_bytes": 5000 })).status(200);
    send(&server, "PATCH", north, &token, &json!({ "quota_bytes": null })).status(403);
    assert_eq!(row(&server, "north"), "n|acme|5000|-|-");
    let added = send(&server, "POST", ORGS, &token, &json!({ "id": "new", "name": "x" })).status(201).data();
    assert_eq!((&added["quota_bytes"], &added["limits"]["quota_bytes"]), (&json!(5000), &json!(5000)));
    assert_eq!(row(&server, "new"), "x|acme|5000|-|-");
    assert!(events(&server).iter().any(|event| event.contains(r#""quota": 5000"#)));
    // Without a quota it may give any.
    server.cli(["org", "set-quota", "acme", "none"]).exits(0);
    send(&server, "PATCH", north, &token, &json!({ "quota_bytes": 0 })).status(200);
}
