//! Requests about systems that are refused.

use serde_json::json;

use super::{ADMIN, MANAGE, VIEW, get, send, start, start_with_fleet};

const NOBODY: &str = "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8";

#[test]
fn malformed_query_is_a_validation_error_that_names_the_parameter() {
    let (login, server) = start_with_fleet(3);
    let token = login.token("top", VIEW);
    let page = get(&server, &token, "/api/systems?limit=1&sort=name").status(200).data();
    let cursor = page["next_cursor"].as_str().expect("a cursor");
    for (query, key) in [
        ("limit=0".to_owned(), "limit"),
        ("limit=201".to_owned(), "limit"),
        ("limit=x".to_owned(), "limit"),
        ("sort=org_id".to_owned(), "sort"),
        ("status=stored".to_owned(), "status"),
        ("status=late,".to_owned(), "status"),
        ("statsu=late".to_owned(), "statsu"),
        ("sort=name&sort=name".to_owned(), "sort"),
        ("q=%00".to_owned(), "q"),
        ("cursor=nonsense".to_owned(), "cursor"),
        (format!("cursor={cursor}"), "cursor"),
        (format!("sort=-name&cursor={cursor}"), "cursor"),
        (format!("sort=name&status=late&cursor={cursor}"), "cursor"),
        (format!("sort=name&q=x&cursor={cursor}"), "cursor"),
        (format!("sort=name&org=top&cursor={cursor}"), "cursor"),
    ] {
        get(&server, &token, &format!("/api/systems?{query}")).is_validation_error(key);
    }
    // Another size of the pages is the same list.
    get(&server, &token, &format!("/api/systems?sort=name&limit=7&cursor={cursor}")).status(200);
    get(&server, &token, "/api/systems/export").is_validation_error("format");
    get(&server, &token, "/api/systems/export?format=xlsx").is_validation_error("format");
    get(&server, &token, "/api/systems/totals?status=late").is_validation_error("status");
}

#[test]
fn foreign_organizations_and_systems_are_not_found() {
    let (login, server) = start_with_fleet(1);
    let north = login.token("north", MANAGE);
    for path in ["/api/systems?org=", "/api/systems/totals?org=", "/api/systems/export?format=csv&org="] {
        for org in ["top", "south", "other", "unknown", "not%20an%20id"] {
            let answer = get(&server, &north, &format!("{path}{org}")).status(404);
            assert_eq!(
                (answer.message(), answer.data()),
                ("organization not found".to_owned(), json!({})),
                "{path}{org}"
            );
        }
        for org in ["north", "deep"] {
            get(&server, &north, &format!("{path}{org}")).status(200);
        }
    }
    let system = |org: &str| server.db.one(&format!("SELECT id FROM systems WHERE org_id = '{org}'"));
    let before = server.db.all("SELECT systems::text FROM systems ORDER BY id");
    for id in [system("top"), system("south"), system("other"), NOBODY.to_owned(), "nonsense".to_owned()] {
        let path = format!("/api/systems/{id}");
        let rotate = format!("{path}/rotate-secret");
        for answer in [
            get(&server, &north, &path),
            send(&server, &north, "PATCH", &path, &json!({ "name": "stolen" })),
            send(&server, &north, "POST", &rotate, &json!({})),
        ] {
            assert_eq!(
                (answer.status, answer.message(), answer.data()),
                (404, "system not found".to_owned(), json!({}))
            );
        }
    }
    for org in ["top", "other", "unknown", "not an id"] {
        let answer = send(&server, &north, "POST", "/api/systems", &json!({ "name": "fw", "org_id": org }))
            .status(404);
        assert_eq!(answer.message(), "organization not found", "{org}");
    }
    assert_eq!(server.db.all("SELECT systems::text FROM systems ORDER BY id"), before, "nothing was changed");
    get(&server, &north, &format!("/api/systems/{}", system("deep"))).status(200);
    get(&server, &login.token("unknown", ADMIN), &format!("/api/systems/{}", system("other"))).status(200);
}

#[test]
fn each_operation_needs_its_scope() {
    let (login, server) = start();
    let system = server.system();
    let one = format!("/api/systems/{}", system.id);
    let rotate = format!("{one}/rotate-secret");
    for path in ["/api/systems", "/api/systems/totals", "/api/systems/export?format=csv", &one] {
        get(&server, &login.token(&system.org, "system:manage org:manage backup:create"), path).status(403);
        server.manage("GET", path).send().is_bad_token();
    }
    let view = login.token(&system.org, "backup:view org:manage");
    for (method, path) in [("POST", "/api/systems"), ("PATCH", &one), ("POST", &rotate)] {
        let answer = send(&server, &view, method, path, &json!({ "nonsense": 1 })).status(403);
        assert!(answer.must_have("www-authenticate").contains("scope=\"system:manage\""), "{answer}");
        server.manage(method, path).send().is_bad_token();
    }
}

#[test]
fn answers_match_the_openapi_document() {
    let (login, server) = start();
    let api = crate::harness::ApiDocument::of(&server);
    let system = server.system();
    let token = login.token(&system.org, MANAGE);
    for (path, query) in
        [("/api/systems", ""), ("/api/systems/totals", ""), ("/api/systems/export", "?format=csv")]
    {
        let of = |query: &str| get(&server, &token, &format!("{path}{query}"));
        api.describes("GET", path, &of(query).status(200));
        api.describes(
            "HEAD",
            path,
            &server.manage("HEAD", &format!("{path}{query}")).bearer(&token).send().status(200),
        );
        api.describes("GET", path, &of("?nonsense=1").status(400));
        let separator = if query.is_empty() { "?" } else { "&" };
        api.describes("GET", path, &of(&format!("{query}{separator}org=nobody")).status(404));
        api.describes("GET", path, &server.manage("GET", path).send().status(401));
        api.describes("GET", path, &get(&server, &login.token(&system.org, "other"), path).status(403));
    }
    let one = "/api/systems/{id}";
    let at = |id: &str| one.replace("{id}", id);
    api.describes("GET", one, &get(&server, &token, &at(&system.id)).status(200));
    api.describes("GET", one, &get(&server, &token, &at(NOBODY)).status(404));
    let patch = |id: &str, body, status| {
        api.describes("PATCH", one, &send(&server, &token, "PATCH", &at(id), &body).status(status));
    };
    patch(&system.id, json!({ "name": "x" }), 200);
    patch(&system.id, json!({ "nmae": "x" }), 400);
    patch(NOBODY, json!({}), 404);
    let add = |body, status| {
        api.describes(
            "POST",
            "/api/systems",
            &send(&server, &token, "POST", "/api/systems", &body).status(status),
        );
    };
    add(json!({ "name": "x", "system_key": "key-of-x" }), 201);
    add(json!({ "name": "x", "system_key": "key-of-x" }), 409);
    add(json!({ "name": "" }), 400);
    add(json!({ "name": "x", "org_id": "nobody" }), 404);
    let rotate = "/api/systems/{id}/rotate-secret";
    for (id, body, status) in [
        (&*system.id, json!({}), 200),
        (&*system.id, json!({ "overlap_seconds": -1 }), 400),
        (NOBODY, json!({}), 404),
    ] {
        let answer = send(&server, &token, "POST", &rotate.replace("{id}", id), &body).status(status);
        api.describes("POST", rotate, &answer);
    }
    server.db.execute(&format!("UPDATE systems SET state = 'destroying' WHERE id = '{}'", system.id));
    patch(&system.id, json!({ "suspended": true }), 409);
    server.skip_audit();
}
