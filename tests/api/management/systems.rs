//! `/api/systems/{id}/backups` of the management API: a portal lists, fetches and deletes.

use serde_json::json;

use crate::harness::{Answer, Login, Server, TIMEOUT, assert_eventually, bytes};

const ALL: &str = "backup:view backup:delete";

#[test]
fn portal_sees_the_backups_of_the_appliance_and_their_sizes() {
    let login = Login::new();
    let server = Server::builder().no_rate_limit().login(&login).start();
    let system = server.system();
    let other = server.add_system(&system.org, "another of the same organization");
    let token = login.token(&system.org, ALL);
    let path = format!("/api/systems/{}/backups", system.id);
    let list = || server.manage("GET", &path).bearer(&token).send().status(200).data();
    assert_eq!(list(), json!({ "backups": [], "quota_used_bytes": 0, "slots_used": 0 }));
    for len in [100, 20, 3] {
        server.store(&system, &bytes(len));
    }
    server.store(&other, &bytes(5000));
    let seen = list();
    assert_eq!(seen["backups"], json!(server.list(&system)), "the same metadata, newest first");
    assert_eq!((&seen["quota_used_bytes"], &seen["slots_used"]), (&json!(123), &json!(3)));
    let head = server.manage("HEAD", &path).bearer(&token).send().status(200);
    assert!(head.body.is_empty());
}

#[test]
fn system_id_is_matched_without_case() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    let system = server.system();
    let path = format!("/api/systems/{}/backups", system.id.to_uppercase());
    server.manage("GET", &path).bearer(login.token(&system.org, ALL)).send().status(200);
}

#[test]
fn deletion_by_a_portal_is_recorded_with_its_caller() {
    let login = Login::new();
    let server = Server::builder().login(&login).set("TRUSTED_PROXIES", "127.0.0.1").start();
    let system = server.system();
    let keep = server.store(&system, &bytes(100));
    let id = server.store(&system, &bytes(50));
    let filename = server.list(&system)[0]["filename"].clone();
    let (kept_key, uuid) = (server.object_key(&keep), id.split('.').next().expect("a UUID"));
    let path = format!("/api/systems/{}/backups/{id}", system.id);
    let delete = || {
        let request = server.manage("DELETE", &path).bearer(login.token(&system.org, ALL));
        request.header("x-forwarded-for", "203.0.113.9").send()
    };
    // The purger may delete the row before the test reads it, so a trigger records the reason.
    server.db.execute(
        "CREATE TABLE reasons (reason text);
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN INSERT INTO reasons VALUES (NEW.retired_reason); RETURN NEW; END $$;
         CREATE TRIGGER note AFTER UPDATE ON backups FOR EACH ROW WHEN (NEW.state = 'retired' AND OLD.state = 'stored')
         EXECUTE FUNCTION note()",
    );
    assert_eq!(delete().status(200).data(), json!({ "id": id }));
    assert_eq!(server.db.one("SELECT reason FROM reasons"), "operator");
    assert_eq!(server.ids(&system), [keep]);
    assert_eq!(server.totals(&system.org), (100, 0));
    assert_eventually("the object is gone", TIMEOUT, || server.objects().into_iter().eq([kept_key.clone()]));
    delete().is_not_found();
    let event = server.db.one(&format!(
        "SELECT concat_ws(' ', actor, host(remote_addr), backup_id = '{uuid}', system_id = '{}', org_id = '{}', detail)
         FROM backup_events WHERE kind = 'deleted'",
        system.id, system.org
    ));
    let detail = format!(r#"{{"size": 50, "with": "token", "filename": {filename}}}"#);
    assert_eq!(event, format!("portal@example.org 203.0.113.9 t t t {detail}"));
}

#[test]
fn one_of_many_deletions_by_portals_and_appliance_succeeds() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    let system = server.system();
    let id = server.store(&system, &bytes(100));
    let token = login.token(&system.org, ALL);
    let path = format!("/api/systems/{}/backups/{id}", system.id);
    let sibling = server.sibling();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let mut all = vec![];
        for server in [&server, &sibling] {
            for _ in 0..3 {
                all.push(scope.spawn(|| server.manage("DELETE", &path).bearer(&token).send().status));
            }
            all.push(scope.spawn(|| server.delete(&system, &id).status));
        }
        all.into_iter().map(|thread| thread.join().expect("a client")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 404).count(), 7, "{statuses:?}");
    assert_eq!(server.events("deleted"), 1);
}

#[test]
fn backups_of_a_suspended_system_are_listed_and_deleted() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    let system = server.system();
    let id = server.store(&system, b"x");
    server.cli(["system", "suspend", &system.key]).exits(0);
    let token = login.token(&system.org, ALL);
    let path = format!("/api/systems/{}/backups", system.id);
    let seen = server.manage("GET", &path).bearer(&token).send().status(200).data();
    assert_eq!(seen["slots_used"], 1);
    server.manage("DELETE", &format!("{path}/{id}")).bearer(&token).send().status(200);
}

#[test]
fn management_api_answers_405_and_404() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    let system = server.system();
    let id = "018f3a5c-7b1e-7c3d-9a2b-0123456789ab.gpg";
    let (list, site) = (format!("/api/systems/{}/backups", system.id), format!("/backup/{}", system.id));
    let ask = |method: &str, path: &str| server.manage(method, path).send();
    let table: [(String, &[&str], &str); 9] = [
        (format!("/api/systems/{}", system.id), &["PUT", "POST"], "GET, HEAD, PATCH, DELETE"),
        (list.clone(), &["PUT", "POST", "DELETE", "PATCH"], "GET, HEAD"),
        (format!("{list}/{id}"), &["GET", "POST", "PUT"], "DELETE"),
        (format!("{list}/{id}/download"), &["POST", "DELETE"], "GET, HEAD"),
        (format!("/api/downloads/{id}"), &["POST", "DELETE"], "GET, HEAD"),
        (format!("/api/systems/{}/requests", system.id), &["POST", "DELETE"], "GET, HEAD"),
        (format!("/api/systems/{}/requests/{id}", system.id), &["GET", "POST"], "DELETE"),
        (site.clone(), &["PUT", "PATCH", "DELETE"], "GET, HEAD, POST"),
        (format!("{site}/{id}"), &["POST", "PUT", "DELETE"], "GET, HEAD"),
    ];
    for (path, wrong, allow) in table {
        for method in wrong {
            let answer = ask(method, &path);
            assert_eq!(answer.status, 405, "{method} {path}: {answer}");
            assert_eq!(answer.must_have("allow"), allow, "{method} {path}");
            if path.starts_with("/backup") {
                answer.is_gateway_error(405, "method_not_allowed", &server.management_url(""));
            } else {
                answer.data();
            }
        }
    }
    let unknown: Vec<Answer> = ["/api", "/api/system", "/backups/x", "/api/systems/x/backups//"]
        .into_iter()
        .map(|path| ask("GET", path))
        .collect();
    for answer in unknown {
        assert_eq!(answer.status, 404, "{answer}");
        answer.data();
    }
    for path in ["/backup", "/backup/", &format!("{site}/{id}/more")] {
        ask("GET", path).is_gateway_error(404, "not_found", &server.management_url(""));
    }
}
