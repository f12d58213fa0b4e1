//! `/api/organizations`: what a caller sees, adds and changes.

use serde_json::{Value, json};

use crate::harness::{Answer, Login, PROMPT_TIMEOUT, Server, assert_eventually, bytes};

pub(super) const ORGS: &str = "/api/organizations";

/// A server with `acme`, below it `north` and `west`, below north `branch`; and `globex`.
pub(super) fn server(login: &Login) -> Server {
    let server = Server::builder().login(login).set("BACKUP_RATE_LIMIT_PER_MINUTE", 0).start();
    server.add_org("acme", Some(5000));
    server.add_org("globex", None);
    for (org, parent) in [("north", "acme"), ("west", "acme"), ("branch", "north")] {
        server.cli(["org", "add", org, "--parent", parent]).exits(0);
    }
    server
}

pub(super) fn row(server: &Server, org: &str) -> String {
    server.db.one(&format!(
        "SELECT concat_ws('|', name, coalesce(parent_id, '-'), coalesce(quota_bytes::text, '-'), \
         coalesce(extract(epoch FROM backup_period)::bigint::text, '-'), \
         coalesce(extract(epoch FROM contact_period)::bigint::text, '-')) FROM organizations WHERE id = '{org}'"
    ))
}

pub(super) fn events(server: &Server) -> Vec<String> {
    server.db.all(
        "SELECT concat_ws(' ', kind, org_id, actor, host(remote_addr), detail) FROM backup_events \
         WHERE actor <> 'operator' AND system_id IS NULL ORDER BY id",
    )
}

/// A token that may manage the organizations from this one on.
pub(super) fn manager(login: &Login, org: &str) -> String {
    login.token(org, "backup:view org:manage")
}

pub(super) fn send(server: &Server, method: &str, path: &str, token: &str, body: &Value) -> Answer {
    server.manage(method, path).bearer(token).body(body.to_string()).send()
}

#[test]
fn organization_is_shown_with_its_limits_and_usage() {
    let login = Login::new();
    let server = server(&login);
    let system = server.add_system("acme", "fw-01");
    server.store(&system, &bytes(321));
    server.add_system("acme", "fw-02");
    server.cli(["org", "set-period", "acme", "--backup", "8d", "--contact", "1h"]).exits(0);
    let shown =
        server.manage("GET", "/api/organizations/acme").bearer(manager(&login, "acme")).send().status(200);
    assert_eq!(shown.message(), "organization found");
    assert_eq!(
        shown.data(),
        json!({
            "id": "acme", "name": "A tenant", "parent_id": null, "quota_bytes": 5000,
            "backup_period_seconds": 691_200, "contact_period_seconds": 3600,
            "limits": {
                "quota_bytes": 5000, "max_upload_bytes": 2_147_483_648_u64, "max_backups_per_system": 10,
                "max_bytes_per_system": 524_288_000, "rate_per_minute": 0, "rate_per_hour": 60,
                "backup_period_seconds": 691_200, "contact_period_seconds": 3600,
            },
            "usage": {
                "stored_bytes": 321, "reserved_bytes": 0, "systems": 2,
                "by_status": {
                    "suspended": 0, "damaged": 0, "refused": 0, "never": 1, "silent": 0, "late": 0, "fresh": 1,
                },
            },
        })
    );
    let north =
        server.manage("GET", "/api/organizations/north").bearer(manager(&login, "acme")).send().data();
    assert_eq!((&north["parent_id"], &north["quota_bytes"]), (&json!("acme"), &Value::Null));
    assert_eq!(north["limits"]["quota_bytes"], 107_374_182_400_u64);
    assert_eq!(
        (&north["limits"]["backup_period_seconds"], &north["limits"]["contact_period_seconds"]),
        (&json!(93600), &Value::Null)
    );
    server.cli(["org", "set-quota", "north", "none"]).exits(0);
    let north =
        server.manage("GET", "/api/organizations/north").bearer(manager(&login, "acme")).send().data();
    assert_eq!((&north["quota_bytes"], &north["limits"]["quota_bytes"]), (&json!(0), &json!(0)));
}

#[test]
fn organization_is_added_below_that_of_the_token() {
    let login = Login::new();
    let server = server(&login);
    let token = manager(&login, "north");
    let added =
        send(&server, "POST", ORGS, &token, &json!({ "id": "new", "name": "New & Söhne" })).status(201);
    assert_eq!(
        (added.message().as_str(), added.must_have("location")),
        ("organization added", "/api/organizations/new")
    );
    assert_eq!((&added.data()["parent_id"], &added.data()["usage"]["systems"]), (&json!("north"), &json!(0)));
    let body = json!({
        "id": "other", "name": "Other", "parent_id": "branch", "quota_bytes": 700, "backup_period_seconds": 3600,
        "contact_period_seconds": 60,
    });
    send(&server, "POST", ORGS, &token, &body).status(201);
    assert_eq!(row(&server, "new"), "New & Söhne|north|-|-|-");
    assert_eq!(row(&server, "other"), "Other|branch|700|3600|60");
    assert_eq!(server.totals("other"), (0, 0));
    assert_eq!(
        events(&server),
        [
            r#"org_added new portal@example.org 127.0.0.1 {"name": "New & Söhne", "quota": "default", "parent": "north"}"#,
            r#"org_added other portal@example.org 127.0.0.1 {"name": "Other", "quota": 700, "parent": "branch"}"#,
        ]
    );
    // The id of another one, whoever sees it.
    for taken in ["new", "acme", "globex"] {
        let refused = send(&server, "POST", ORGS, &token, &json!({ "id": taken, "name": "x" })).status(409);
        assert_eq!((refused.message().as_str(), refused.data()), ("organization exists already", json!({})));
    }
    // At the top only an administrator adds one.
    let top = json!({ "id": "top", "name": "Top", "parent_id": null });
    let refused = send(&server, "POST", ORGS, &token, &top).status(403);
    assert!(refused.must_have("www-authenticate").contains("backup:admin"), "{refused}");
    send(&server, "POST", ORGS, &login.token("north", "org:manage backup:admin"), &top).status(201);
    assert_eq!(row(&server, "top"), "Top|-|-|-|-");
    let system = server.add_system("new", "fw-01");
    server.store(&system, &bytes(10));
}

#[test]
fn administrator_without_an_organization_adds_one_at_the_top() {
    let login = Login::new();
    let server = server(&login);
    let mut claims = crate::harness::claims("acme", "org:manage backup:admin");
    claims.as_object_mut().expect("claims").remove("org");
    let token = login.key.sign(&claims);
    send(&server, "POST", ORGS, &token, &json!({ "id": "one", "name": "One" })).status(201);
    send(&server, "POST", ORGS, &token, &json!({ "id": "two", "name": "Two", "parent_id": "globex" }))
        .status(201);
    assert_eq!((row(&server, "one"), row(&server, "two")), ("One|-|-|-|-".into(), "Two|globex|-|-|-".into()));
}

#[test]
fn organization_is_changed_all_at_once_or_not_at_all() {
    let login = Login::new();
    let server = server(&login);
    let token = manager(&login, "acme");
    let north = "/api/organizations/north";
    let body = json!({
        "name": "Norden", "parent_id": "west", "quota_bytes": 4000, "backup_period_seconds": 7200,
        "contact_period_seconds": 600,
    });
    let changed = send(&server, "PATCH", north, &token, &body).status(200);
    assert_eq!(
        (changed.message().as_str(), &changed.data()["name"]),
        ("organization changed", &json!("Norden"))
    );
    assert_eq!(row(&server, "north"), "Norden|west|4000|7200|600");
    let changed = events(&server);
    assert_eq!(
        changed,
        [
            r#"org_renamed north portal@example.org 127.0.0.1 {"new": "Norden", "old": "north"}"#,
            r#"org_moved north portal@example.org 127.0.0.1 {"new": "west", "old": "acme"}"#,
            r#"quota_set north portal@example.org 127.0.0.1 {"new": 4000, "old": "default"}"#,
            r#"period_set north portal@example.org 127.0.0.1 {"backup": {"new": 7200, "old": null}, "contact": {"new": 600, "old": null}}"#,
        ]
    );
    // The same again, and nothing.
    send(&server, "PATCH", north, &token, &body).status(200);
    send(&server, "PATCH", north, &token, &json!({})).status(200);
    // Neither of them: west is above north.
    let refused = send(
        &server,
        "PATCH",
        "/api/organizations/west",
        &token,
        &json!({ "name": "x", "parent_id": "branch" }),
    );
    assert_eq!(refused.is_validation_error("parent_id"), "an organization cannot be below itself");
    assert_eq!(row(&server, "west"), "west|acme|-|-|-");
    assert_eq!(events(&server), changed);
    // `null` is the default again.
    let body = json!({ "quota_bytes": null, "backup_period_seconds": null, "contact_period_seconds": null });
    let admin = login.token("acme", "org:manage backup:admin");
    send(&server, "PATCH", north, &admin, &body).status(200);
    assert_eq!(row(&server, "north"), "Norden|west|-|-|-");
}

#[test]
fn tenant_gives_itself_nothing_and_moves_nothing_out_of_its_tree() {
    let login = Login::new();
    let server = server(&login);
    let token = manager(&login, "acme");
    let own = "/api/organizations/acme";
    for body in [
        json!({ "quota_bytes": 6000 }),
        json!({ "quota_bytes": 4000 }),
        json!({ "quota_bytes": 0 }),
        json!({ "quota_bytes": null }),
        json!({ "name": "x", "quota_bytes": 6000 }),
        json!({ "parent_id": null }),
        json!({ "parent_id": "north" }),
        json!({ "parent_id": "globex" }),
    ] {
        let refused = send(&server, "PATCH", own, &token, &body).status(403);
        assert_eq!((refused.message().as_str(), refused.data()), ("insufficient scope", json!({})), "{body}");
        assert!(refused.must_have("www-authenticate").contains(r#"scope="backup:admin""#), "{refused}");
    }
    let north = "/api/organizations/north";
    send(&server, "PATCH", north, &token, &json!({ "parent_id": null })).status(403);
    // Another tree is not there.
    let refused = send(&server, "PATCH", north, &token, &json!({ "parent_id": "globex" })).status(404);
    assert_eq!(refused.message(), "organization not found");
    assert_eq!(
        (row(&server, "acme"), row(&server, "north")),
        ("A tenant|-|5000|-|-".into(), "north|acme|-|-|-".into())
    );
    assert_eq!(events(&server), [""; 0]);
    // What it may change of itself, and what an administrator may.
    let body = json!({ "name": "Acme Ltd.", "backup_period_seconds": 60 });
    send(&server, "PATCH", own, &token, &body).status(200);
    let admin = login.token("acme", "org:manage backup:admin");
    send(&server, "PATCH", own, &admin, &json!({ "quota_bytes": 6000, "parent_id": "globex" })).status(200);
    send(&server, "PATCH", north, &admin, &json!({ "parent_id": null })).status(200);
    assert_eq!(
        (row(&server, "acme"), row(&server, "north")),
        ("Acme Ltd.|globex|6000|60|-".into(), "north|-|-|-|-".into())
    );
}

#[test]
fn quota_that_a_portal_sets_is_in_force() {
    let login = Login::new();
    let server = server(&login);
    let system = server.add_system("north", "fw-01");
    let token = manager(&login, "acme");
    let quota = |bytes: u64| {
        send(&server, "PATCH", "/api/organizations/north", &token, &json!({ "quota_bytes": bytes }))
            .status(200)
    };
    quota(100);
    server.upload(&system).body(bytes(101)).send().status(413);
    quota(101);
    // For a moment the process remembers that the organization was full.
    let content = bytes(101);
    assert_eventually("it is stored", PROMPT_TIMEOUT, || server.put(&system, &content).status == 201);
}

#[test]
fn nobody_learns_of_an_organization_by_adding_one_that_can_not_be_added() {
    let login = Login::new();
    let server = server(&login);
    let token = manager(&login, "acme");
    for (id, body) in [
        ("globex", json!({ "id": "globex", "name": "x", "parent_id": "nobody" })),
        ("unknown", json!({ "id": "unknown", "name": "x", "parent_id": "nobody" })),
        ("globex", json!({ "id": "globex", "name": "x", "parent_id": "acme", "quota_bytes": 5001 })),
        ("unknown", json!({ "id": "unknown", "name": "x", "parent_id": "acme", "quota_bytes": 5001 })),
    ] {
        let answer = send(&server, "POST", ORGS, &token, &body);
        assert_ne!(answer.status, 409, "{id}: {body}");
        assert_ne!(answer.status, 201, "{id}: {body}");
    }
    assert_eq!(events(&server), Vec::<String>::new());
}
