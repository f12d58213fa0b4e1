//! A portal requests a backup: `POST /backup/{siteId}`, and the state of the request.

use serde_json::{Value, json};

use crate::harness::{Answer, Login, REQUESTS, Server, System, assert_eventually, claims, request_ids};

fn fixture() -> (Login, Server, System) {
    let login = Login::new();
    let server = Server::builder().no_rate_limit().login(&login).start();
    let system = server.system();
    (login, server, system)
}

fn manage(server: &Server, login: &Login, system: &System, method: &str, path: &str) -> Answer {
    server.manage(method, path).bearer(login.token(&system.org, "backup:create")).send()
}

fn ask(server: &Server, login: &Login, system: &System) -> Answer {
    manage(server, login, system, "POST", &format!("/backup/{}", system.id))
}

fn requests(server: &Server, login: &Login, system: &System) -> Vec<Value> {
    let path = format!("/api/systems/{}/requests", system.id);
    let data = manage(server, login, system, "GET", &path).status(200).data();
    data["requests"].as_array().expect("a list").clone()
}

#[test]
fn requested_backup_reaches_the_appliance_and_is_shown_to_the_portal() {
    let (login, server, system) = fixture();
    assert_eq!(requests(&server, &login, &system), Vec::<Value>::new());
    let asked = ask(&server, &login, &system).status(202);
    let request = requests(&server, &login, &system)[0].clone();
    assert_eq!(asked.json(), json!({ "message": "Backup requested", "request_id": request["id"] }));
    assert_eq!((&request["state"], &request["backup_id"]), (&json!("pending"), &Value::Null));
    assert_eq!(request["requested_by"], "portal@example.org");
    for name in ["requested_at", "expires_at"] {
        assert!(request[name].as_str().is_some_and(|at| at.ends_with('Z')), "{request}");
    }
    let id = request["id"].as_str().expect("an id").to_owned();
    assert_eq!(server.requested(&system), [id.as_str()]);
    assert_eq!(requests(&server, &login, &system)[0]["state"], "seen");
    let backup = server.store(&system, b"x");
    let done = requests(&server, &login, &system)[0].clone();
    assert_eq!((&done["state"], &done["backup_id"]), (&json!("fulfilled"), &json!(backup)));
    let event = "SELECT concat_ws(' ', actor, host(remote_addr)) FROM backup_events WHERE kind = 'requested'";
    assert_eq!(server.db.one(event), "portal@example.org 127.0.0.1");
}

#[test]
fn repeated_request_of_a_portal_joins_the_pending_one() {
    let (login, server, system) = fixture();
    let told: Vec<Value> = (0..3).map(|_| ask(&server, &login, &system).status(202).json()).collect();
    let listed = requests(&server, &login, &system);
    assert_eq!(listed.len(), 1);
    assert!(told.iter().all(|one| one["request_id"] == listed[0]["id"]), "{told:?}");
    server.store(&system, b"x");
    ask(&server, &login, &system).status(202);
    let states: Vec<Value> =
        requests(&server, &login, &system).iter().map(|request| request["state"].clone()).collect();
    assert_eq!(states, ["pending", "fulfilled"], "newest first");
}

#[test]
fn waiting_appliance_sees_a_request_made_at_another_process() {
    let (login, server, system) = fixture();
    let sibling = server.sibling();
    let mut waiting = server.waiting(&system, 30);
    ask(&sibling, &login, &system).status(202);
    assert_eq!(request_ids(&waiting.answer()).len(), 1);
}

#[test]
fn request_can_be_cancelled_until_it_has_ended() {
    let (login, server, system) = fixture();
    ask(&server, &login, &system).status(202);
    let id = requests(&server, &login, &system)[0]["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/systems/{}/requests/{id}", system.id);
    let cancel = |path: &str| manage(&server, &login, &system, "DELETE", path);
    for _ in 0..2 {
        assert_eq!(cancel(&path).status(200).data(), json!({ "id": id }));
    }
    assert_eq!(requests(&server, &login, &system)[0]["state"], "cancelled");
    assert!(server.requested(&system).is_empty());
    let event = "SELECT actor FROM backup_events WHERE kind = 'request_cancelled'";
    assert_eq!(server.db.one(event), "portal@example.org");

    ask(&server, &login, &system).status(202);
    server.store(&system, b"x");
    let id = requests(&server, &login, &system)[0]["id"].as_str().expect("an id").to_owned();
    let late = cancel(&format!("/api/systems/{}/requests/{id}", system.id)).status(409);
    assert_eq!(
        (late.message().as_str(), late.data()),
        ("request has ended", json!({ "state": "fulfilled" }))
    );
    let unknown =
        cancel(&format!("/api/systems/{}/requests/018f3a5c-7b1e-7c3d-9a2b-0123456789ab", system.id));
    assert_eq!(unknown.status(404).message(), "request not found");
}

#[test]
fn request_to_a_suspended_system_is_refused() {
    let (login, server, system) = fixture();
    server.cli(["system", "suspend", &system.key]).exits(0);
    ask(&server, &login, &system).is_gateway_error(409, "site_suspended", &server.management_url(""));
    assert_eq!(requests(&server, &login, &system), Vec::<Value>::new());
}

#[test]
fn every_request_operation_needs_its_scope() {
    let (login, server, system) = fixture();
    let path = format!("/backup/{}", system.id);
    let other =
        server.manage("POST", &path).bearer(login.token(&system.org, "backup:view backup:delete")).send();
    other.is_gateway_error(403, "insufficient_scope", &server.management_url(""));
    for (method, path) in [("GET", ""), ("DELETE", "/018f3a5c-7b1e-7c3d-9a2b-0123456789ab")] {
        let path = format!("/api/systems/{}/requests{path}", system.id);
        server.manage(method, &path).bearer(login.token(&system.org, "backup:view")).send().status(403);
    }
    // A body is ignored, and does no harm.
    let with_body = server.manage("POST", &path).bearer(login.token(&system.org, "backup:create")).body("{}");
    with_body.send().status(202);
    assert_eventually("the appliance sees the request", crate::harness::TIMEOUT, || {
        request_ids(&server.get(REQUESTS).user(&system).send()).len() == 1
    });
}

#[test]
fn repeated_requests_are_recorded_once() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    let system = server.system();
    let ask = |sub: &str| {
        let mut claims = claims(&system.org, "backup:create");
        claims["sub"] = sub.into();
        let path = format!("/backup/{}", system.id);
        server.manage("POST", &path).bearer(login.key.sign(&claims)).send().status(202);
    };
    for _ in 0..3 {
        ask("one");
        ask("another");
    }
    assert_eq!(server.events("requested"), 2);
    assert_eq!(server.db.number("SELECT count(*) FROM backup_requests"), 1);
}
